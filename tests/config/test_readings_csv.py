"""Readings files by design §4.2: what is taken, what is a bad row, and that the one never harms the other."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.config import text_lines
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.config.readings_file import (
    Reject,
    iter_readings,
    read_readings,
    write_csv,
    write_readings,
    write_rejects,
)
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import UNKNOWN_MARK, Readings
from plant_monitor.windows import rfc3339

T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00
OK = "2026-10-01T00:00:00+08:00,o,flow,1.5,N"


def plant_in(zone: str = "Asia/Shanghai") -> Plant:
    text = f"""
plant: {{id: p, name: {{zh: 厂, en: P}}, timezone: {zone}, capacity_m3_d: 1200}}
points:
  - {{id: o, role: process, parameters: {{flow: {{interval: 10s}}, cod_cr: {{interval: 1h}}}}}}
  - {{id: '口, 1', role: process, parameters: {{ph: {{interval: 1m}}}}}}
"""
    return parse_plant(text, "plant.yaml", {})


PLANT = plant_in()


def read(tmp_path: Path, data: str | bytes, plant: Plant = PLANT) -> tuple[Readings, list[Reject]]:
    path = tmp_path / "readings.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_readings(path, plant)


def test_rows_in_the_order_of_the_file(tmp_path: Path) -> None:
    readings, bad = read(
        tmp_path,
        "time,point,parameter,value,mark\n"
        "2026-10-01T00:01:00+08:00,o,cod_cr,312.4,N\n"
        "2026-09-30T16:00:00Z,o,flow,-1.5e1,D\n"
        "2026-10-01T00:01:00+08:00,o,cod_cr,312.4,N\n",
    )
    assert bad == []
    assert readings.time.tolist() == [T0 + 60_000, T0, T0 + 60_000]
    assert readings.series.tolist() == [1, 0, 1]
    assert readings.value.tolist() == [312.4, -15.0, 312.4]
    assert bytes(readings.mark) == b"NDN"


@pytest.mark.parametrize(
    ("mark", "code"), [("", ord("N")), ("N", ord("N")), ("T", ord("T")), ("n", ord("n")), ("H", ord("H")),
                       ("NN", UNKNOWN_MARK), ("正", UNKNOWN_MARK), (" ", UNKNOWN_MARK)],
)  # fmt: skip
def test_marks(tmp_path: Path, mark: str, code: int) -> None:
    readings, bad = read(tmp_path, f"time,point,parameter,value,mark\n2026-10-01T00:00:00+08:00,o,flow,1,{mark}\n")
    assert (readings.mark.tolist(), bad) == ([code], [])


def test_the_mark_column_may_be_left_out(tmp_path: Path) -> None:
    readings, bad = read(tmp_path, f"time,point,parameter,value\n{OK[:-2]}\n{OK}\n")
    assert bytes(readings.mark) == b"N"
    assert bad == [Reject(3, "5 fields instead of 4")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("1.", 1.0), (".5", 0.5), ("+1e3", 1000.0), ("-2.5E-3", -0.0025), ("007", 7.0), ("1e999", math.inf),
     ("", math.nan), ("nan", math.nan), ("NaN", math.nan), ("-NAN", math.nan), ("inf", math.inf),
     ("+Infinity", math.inf), ("-INF", -math.inf), ("0.1", 0.1), ("123456789.123456789", 123456789.123456789)],
)  # fmt: skip
def test_values(tmp_path: Path, text: str, value: float) -> None:
    readings, bad = read(
        tmp_path, f"time,point,parameter,value,mark\n2026-10-01T00:00:00+08:00,o,flow,{text},N\n{OK}\n"
    )
    assert bad == []
    assert np.array_equal(readings.value, [value, 1.5], equal_nan=True)
    assert readings.valid.tolist() == [math.isfinite(value), True]


@pytest.mark.parametrize(
    "text", ["1_000", "0x10", " 1", "1 ", "1,5", "１", "1e", "e5", "--1", "1.2.3", ".", "-", "+", "abc", "1mg", "infin",
             "1e5.0", "None", "\x00", "1\r2"],
)  # fmt: skip
def test_what_is_no_number_is_a_bad_row(tmp_path: Path, text: str) -> None:
    row = (
        f'2026-10-01T00:00:00+08:00,o,flow,"{text}",N' if "," in text else f"2026-10-01T00:00:00+08:00,o,flow,{text},N"
    )
    readings, bad = read(tmp_path, f"time,point,parameter,value,mark\n{row}\n{OK}\n")
    assert len(readings) == 1
    (reject,) = bad
    assert reject.line == 2 and "is no number" in reject.reason


BAD_ROWS = [
    ("2026-10-01T00:00:00,o,flow,1,N", "has no offset"),
    ("2026-02-30T00:00:00+08:00,o,flow,1,N", "is impossible"),
    ("2026-10-01T00:00:00+08:00,o,bod5,1,N", "no series o/bod5"),
    ("2026-10-01T00:00:00+08:00,x,flow,1,N", "no series x/flow"),
    ("2026-10-01T00:00:00+08:00,O,flow,1,N", "no series O/flow"),
    ("2026-10-01T00:00:00+08:00,o,flow,1", "4 fields instead of 5"),
    ("2026-10-01T00:00:00+08:00,o,flow,1,N,", "6 fields instead of 5"),
    ("   ", "1 fields instead of 5"),
    (",,,,", "no time; plant.yaml declares no series"),
    ("x,o,flow,y,N", "'x' is not RFC 3339 with an offset; value 'y' is no number"),
    ('2026-10-01T00:00:00+08:00,o,flow,"1,N', "quotes that do not match"),
    ('2026-10-01T00:00:00+08:00,o,"fl"ow,1,N', "quotes that do not match"),
]


def test_bad_rows_are_listed_by_line_and_never_stop_the_good_ones(tmp_path: Path) -> None:
    lines = ["time,point,parameter,value,mark"]
    for row, _ in BAD_ROWS:
        lines += [row, "", OK]
    readings, bad = read(tmp_path, "\n".join(lines))
    assert len(readings) == len(BAD_ROWS) and set(readings.value.tolist()) == {1.5}
    assert [r.line for r in bad] == [2 + 3 * i for i in range(len(BAD_ROWS))]
    for reject, (row, words) in zip(bad, BAD_ROWS, strict=True):
        assert words in reject.reason, row


def test_rows_that_are_not_utf_8_are_bad_alone(tmp_path: Path) -> None:
    gbk = "2026-10-01T00:00:00+08:00,神农,flow,1,N\n".encode("gb18030")
    readings, bad = read(tmp_path, b"time,point,parameter,value,mark\n" + gbk + OK.encode() + b"\n")
    assert len(readings) == 1
    assert [r.line for r in bad] == [2]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, end: str, last: str, bom: bytes) -> None:
    text = end.join(["time,point,parameter,value,mark", OK, "", OK, "bad"]) + last.replace("\n", end)
    readings, bad = read(tmp_path, bom + text.encode())
    assert len(readings) == 2
    assert bad == [Reject(5, "1 fields instead of 5")]


def test_quoted_fields(tmp_path: Path) -> None:
    readings, bad = read(
        tmp_path, 'time,point,parameter,value,mark\n"2026-10-01T00:00:00+08:00","口, 1","ph","7.1",""\n' + OK + "\n"
    )
    assert bad == []
    assert readings.series.tolist() == [2, 0] and readings.value.tolist() == [7.1, 1.5]


@pytest.mark.parametrize(
    "text",
    ["", "\n", OK + "\n", "time;point;parameter;value;mark\n", "time,point,parameter\n", "Time,Point,Parameter,Value\n",
     "time,point,parameter,value,mark,note\n", "point,time,parameter,value\n", '"time,point\n'],
)  # fmt: skip
def test_a_file_without_the_header_is_no_readings_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="header"):
        read(tmp_path, text)


def test_a_file_in_utf_16_or_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="header"):
        read(tmp_path, ("time,point,parameter,value,mark\n" + OK).encode("utf-16"))
    with pytest.raises(InputError, match="cannot be read"):
        read_readings(tmp_path / "none.csv", PLANT)


def test_a_header_alone_is_no_reading(tmp_path: Path) -> None:
    readings, bad = read(tmp_path, "time,point,parameter,value,mark")
    assert (len(readings), bad) == (0, [])


rows = st.lists(
    st.tuples(
        st.integers(-6 * 10**13, 2 * 10**14),
        st.integers(0, 2),
        st.floats(width=64),
        st.sampled_from([ord(c) for c in 'NFMSDCTBHn?,"']),
    ),
    max_size=30,
)


@given(rows=rows, zone=st.sampled_from(["Asia/Shanghai", "America/Chicago", "Australia/Lord_Howe", "Africa/Monrovia"]))
def test_what_is_written_reads_back_the_same(
    rows: list[tuple[int, int, float, int]], zone: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plant, path = plant_in(zone), tmp_path_factory.getbasetemp() / "back.csv"
    time, series, value, mark = [list(c) for c in zip(*rows, strict=True)] or [[], [], [], []]
    readings = Readings.of(time, series, np.array(value, dtype=float), np.array(mark, dtype=np.uint8))
    write_csv(path, plant, readings)
    back, bad = read_readings(path, plant)
    assert bad == []
    assert back.time.tolist() == readings.time.tolist() and back.series.tolist() == readings.series.tolist()
    assert np.array_equal(back.value, readings.value, equal_nan=True)
    assert back.mark.tolist() == readings.mark.tolist()


@given(ms=st.integers(-4 * 10**12, 10**13), zone=st.sampled_from(["Asia/Shanghai", "America/Chicago"]))
def test_times_are_written_in_the_zone_of_the_plant(ms: int, zone: str) -> None:
    plant = plant_in(zone)
    out = io.StringIO()
    write_csv(out, plant, Readings.of([ms], [0], [1.0]))
    written = out.getvalue().splitlines()[1].split(",")[0]
    expected = rfc3339(ms, plant.zone)
    assert written == expected or (ms < -2_000_000_000_000 and written.endswith("+00:00"))


@given(
    lines=st.lists(
        st.sampled_from([OK, "", "bad", '"q', '"2026-10-01T00:00:00Z",o,"flow",2,', OK + "\r"]), max_size=12
    ),
    block=st.integers(1, 200),
)
def test_blocks_of_any_size_give_the_same(
    lines: list[str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "blocks.csv"
    path.write_bytes("\n".join(["time,point,parameter,value,mark", *lines]).encode())
    whole, bad = read_readings(path, PLANT)
    parts = list(text_lines.line_blocks(path, block))
    joined = [line for _, part in parts for line in part.split(b"\n")]
    assert joined == [line.removesuffix(b"\r") for line in path.read_bytes().removesuffix(b"\n").split(b"\n")]
    numbers = [first for first, _ in parts]
    assert numbers == [1 + sum(part.count(b"\n") + 1 for _, part in parts[:i]) for i in range(len(parts))]
    assert len(whole) == sum("2026" in line for line in lines)
    assert len(bad) == sum(line in ("bad", '"q') for line in lines)


def test_a_file_of_several_blocks_is_read_part_by_part(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    n = 60_000
    readings = Readings.of(T0 + np.arange(n) * 1000, np.arange(n) % 3, np.arange(n) / 7)
    write_csv(path, PLANT, readings)
    text = path.read_text(encoding="utf-8").splitlines()
    text[40_000] = "bad"
    path.write_text("\n".join(text), encoding="utf-8")
    parts = list(iter_readings(path, PLANT))
    assert len(parts) > 1
    assert [r for _, bad in parts for r in bad] == [Reject(40_001, "1 fields instead of 5")]
    back = Readings.concat([part for part, _ in parts])
    assert np.array_equal(back.value, np.delete(readings.value, 39_999))


def test_writing_parts_and_to_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [Readings.of([T0], [0], [0.1]), Readings.of([T0 + 500], [2], [math.nan], ord("D"))]
    write_readings(None, PLANT, parts)
    expected = (
        "time,point,parameter,value,mark\n"
        "2026-10-01T00:00:00+08:00,o,flow,0.1,N\n"
        '2026-10-01T00:00:00.500+08:00,"口, 1",ph,,D\n'
    )
    assert capsys.readouterr().out == expected
    write_readings(tmp_path / "out.csv", PLANT, parts)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == expected
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_csv(tmp_path / "no" / "out.csv", PLANT, Readings.empty())
    with pytest.raises(InputError, match="--out"):
        write_readings(None, PLANT, Readings.empty(), "parquet")


def test_the_list_of_bad_rows(tmp_path: Path) -> None:
    write_rejects(tmp_path / "bad.csv", [Reject(3, 'value "x", no number')])
    assert (tmp_path / "bad.csv").read_text(encoding="utf-8") == 'line,reason\n3,"value ""x"", no number"\n'


TIMES = [
    "2026-10-01T00:00:00+08:00",
    "2026-10-01T00:00:00.25Z",
    "2026-10-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "",
    '"x',
]
NUMBERS = ["1", "-.5", "1e3", "", "nan", "Inf", "1_0", " 1", "x", '"7"', "1,5"]
DECIMAL = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|nan|Inf", re.ASCII)
cells = st.tuples(
    st.sampled_from(TIMES),
    st.sampled_from(["o", "口", '"o"', "O", ""]),
    st.sampled_from(["flow", "cod_cr", "ph"]),
    st.sampled_from(NUMBERS),
    st.sampled_from(["N", "", "D", "??", '"N"']),
)


@given(rows=st.lists(st.one_of(cells.map(",".join), st.sampled_from(["", "a", ",,,,,,", "\ufeff"])), max_size=15))
def test_a_block_is_its_rows_one_by_one(rows: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Against the rule of the contract, row by row, with nothing but the standard library."""
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    path.write_text("\n".join(["time,point,parameter,value,mark", *rows]), encoding="utf-8")
    good, bad = [], []
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            (record,) = csv.reader([row], strict=True)
            time, point, parameter, text, mark = record
            moment = datetime.fromisoformat(time)
            if moment.tzinfo is None or (text and not DECIMAL.fullmatch(text)):
                raise ValueError(row)
            value = float(text or "nan")
            good.append((moment.timestamp() * 1000, PLANT.series_index[point, parameter], value, mark[:1] or "N"))
        except (csv.Error, ValueError, KeyError):
            bad.append(line)
    readings, rejects = read_readings(path, PLANT)
    assert [r.line for r in rejects] == bad
    assert readings.time.tolist() == [g[0] for g in good]
    assert readings.series.tolist() == [g[1] for g in good]
    assert np.array_equal(readings.value, np.array([g[2] for g in good]), equal_nan=True)
    assert [chr(m) for m in readings.mark] == [g[3] for g in good]
