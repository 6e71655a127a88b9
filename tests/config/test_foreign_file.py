"""CSV files that others wrote: real ones through their maps, and the rules for what is doubtful in them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from plant_monitor.config.plant_file import parse_plant
from plant_monitor.config.readings_file import Reject, read_mapped
from plant_monitor.errors import ConfigError, InputError
from plant_monitor.readings import Readings

PLANT = parse_plant(
    """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points:
  - id: i
    role: process
    parameters: {flow: {interval: 5m}, ammonia_n: {interval: 5m}, ph: {interval: 1m}, water_temperature: {interval: 1m}}
  - {id: e, role: process, parameters: {flow: {unit: m3/d, interval: 5m}}}
""",
    "plant.yaml",
    {},
)
CHICAGO = ZoneInfo("America/Chicago")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUES = "values: [{column: v, point: i, parameter: flow}]\n"
CHICAGO_TIME = "time: {column: t, zone: America/Chicago}\n"


def mapped(tmp_path: Path, text: str | bytes, map_: str) -> tuple[Readings, list[Reject]]:
    path, map_path = tmp_path / "foreign.csv", tmp_path / "map.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    map_path.write_text(map_, encoding="utf-8")
    return read_mapped(path, PLANT, map_path)


def ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def test_memphis(gunzip: Callable[[str], Path], tmp_path: Path) -> None:
    """Million gallons a day by the local clock of Chicago; the header has nine columns, three of them empty."""
    path, map_path = gunzip("plant/memphis_influent_5min.csv"), tmp_path / "map.yaml"
    map_path.write_text(
        CHICAGO_TIME.replace("column: t", "column: timestamp")
        + "values: [{column: value, point: i, parameter: flow, unit: Mgal/d, where: {shortdesc: INFLU, sid: 2308}}]\n",
        encoding="utf-8",
    )
    readings, bad = read_mapped(path, PLANT, map_path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    moments = [datetime.fromisoformat(r["timestamp"]).replace(tzinfo=CHICAGO) for r in rows]
    assert bad == [] and len(readings) == len(rows) == 17_520
    assert readings.time.tolist() == [ms(m) for m in moments]
    np.testing.assert_allclose(
        readings.value, [float(r["value"] or "nan") * 3785.411784 / 24 for r in rows], rtol=1e-15
    )
    steps = np.diff(np.sort(readings.time))
    assert steps.max() < 3_600_000  # the hour that the clock skips on 2025-03-09 is no gap


def test_ecorecover(gunzip: Callable[[str], Path], tmp_path: Path) -> None:
    """Two columns of values by a local clock, with the spring change of 2022-03-13 within."""
    path, map_path = gunzip("plant/ecorecover_effluent_5min.csv"), tmp_path / "map.yaml"
    map_path.write_text(
        CHICAGO_TIME.replace("column: t", "column: t_stamp")
        + "values:\n  - {column: flow_eff, point: e, parameter: flow}\n"
        "  - {column: nh4_eff, point: i, parameter: ammonia_n, unit: mg/L}\n",
        encoding="utf-8",
    )
    readings, bad = read_mapped(path, PLANT, map_path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7_962
    refused = [n for n, r in enumerate(rows, 2) if "2022-03-13T02" in r["t_stamp"]]
    assert [r.line for r in bad] == refused
    flow = readings.of_series(PLANT.series_index["e", "flow"])
    assert len(flow) + len(refused) == len(rows)
    assert flow.value.tolist() == [float(r["flow_eff"]) for n, r in enumerate(rows, 2) if n not in refused]


def test_gayoso(shared_data: Path, tmp_path: Path) -> None:
    """Preamble, thousands in quotes, newest first, twelve-hour clock, gallons a minute, negative zero."""
    path, map_path = shared_data / "plant" / "gayoso_pumpstation_5min_20251105.csv", tmp_path / "map.yaml"
    map_path.write_text(
        "skip_lines: 5\nthousands: ','\n"
        "time: {column: Date/Time, format: '%d %b %Y %I:%M:%S %p', zone: America/Chicago}\n"
        "values:\n  - {column: 2, point: i, parameter: flow, unit: m3/h, scale: 0.22712470704}\n",
        encoding="utf-8",
    )
    readings, bad = read_mapped(path, PLANT, map_path)
    assert bad == [] and len(readings) == 288
    assert readings.time[0] == ms(datetime(2025, 11, 5, 23, 55, tzinfo=CHICAGO))
    assert readings.time[-1] == ms(datetime(2025, 11, 5, 0, 0, tzinfo=CHICAGO))
    np.testing.assert_allclose(readings.value[0], -287 * 0.22712470704)
    np.testing.assert_allclose(readings.value[6], 10_795 * 0.22712470704)


def test_uci(shared_data: Path, tmp_path: Path) -> None:
    """No header, ``?`` for no value, days as D-1/3/90 and out of order."""
    path, map_path = shared_data / "plant" / "uci_water-treatment.data", tmp_path / "map.yaml"
    map_path.write_text(
        "header: false\nmissing: '?'\ntime: {column: 1, format: 'D-%d/%m/%y', zone: Europe/Madrid}\n"
        "values:\n  - {column: 2, point: e, parameter: flow}\n  - {column: 4, point: i, parameter: ph}\n",
        encoding="utf-8",
    )
    readings, bad = read_mapped(path, PLANT, map_path)
    assert bad == [] and len(readings) == 2 * 527
    assert readings.time[0] == ms(datetime(1990, 3, 1, tzinfo=ZoneInfo("Europe/Madrid")))
    assert readings.value[:2].tolist() == [44_101.0, 7.8]
    assert np.isnan(readings.of_series(PLANT.series_index["e", "flow"]).value).sum() == 18


FALL_BACK = "t,v\n2025-11-02T00:59:00,1\n2025-11-02T01:30:00,2\n2025-11-02T02:00:00,3\n"


@pytest.mark.parametrize(("rule", "hour"), [("first", 6), ("second", 7)])
def test_a_local_time_that_comes_twice_is_taken_by_rule(tmp_path: Path, rule: str, hour: int) -> None:
    map_ = CHICAGO_TIME.replace("}", f", ambiguous: {rule}}}") + VALUES
    readings, bad = mapped(tmp_path, FALL_BACK, map_)
    assert bad == []
    assert readings.time[1] == ms(datetime(2025, 11, 2, hour, 30, tzinfo=UTC))


def test_a_local_time_that_comes_twice_is_refused_without_a_rule(tmp_path: Path) -> None:
    readings, bad = mapped(tmp_path, FALL_BACK, CHICAGO_TIME + VALUES)
    assert readings.value.tolist() == [1.0, 3.0]
    (reject,) = bad
    assert reject.line == 3 and "2025-11-02 01:30:00 is ambiguous in America/Chicago" in reject.reason


@pytest.mark.parametrize("rule", ["refuse", "first", "second"])
def test_a_local_time_that_the_clock_skips_is_always_refused(tmp_path: Path, rule: str) -> None:
    text = "t,v\n2025-03-09T01:59:59.999,1\n2025-03-09T02:00:00,2\n2025-03-09T02:59:00,3\n2025-03-09T03:00:00,4\n"
    readings, bad = mapped(tmp_path, text, CHICAGO_TIME.replace("}", f", ambiguous: {rule}}}") + VALUES)
    assert readings.value.tolist() == [1.0, 4.0] and np.diff(readings.time).tolist() == [1]
    assert [r.line for r in bad] == [3, 4] and all("does not exist in America/Chicago" in r.reason for r in bad)


@pytest.mark.parametrize(
    ("time", "text", "expected"),
    [
        ("{column: t}", "2026-10-01T00:00:00+08:00", datetime(2026, 9, 30, 16, tzinfo=UTC)),
        ("{column: t, zone: America/Chicago}", "2026-10-01T00:00:00Z", datetime(2026, 10, 1, tzinfo=UTC)),
        ("{column: t, zone: Asia/Shanghai}", "2026-10-01 08:00", datetime(2026, 10, 1, tzinfo=UTC)),
        ("{column: t, zone: Asia/Shanghai}", "2026-10-01", datetime(2026, 9, 30, 16, tzinfo=UTC)),
        ("{column: t, format: epoch_s}", "1.9999", EPOCH + timedelta(milliseconds=1999)),
        ("{column: t, format: epoch_ms}", "-5", EPOCH - timedelta(milliseconds=5)),
        ("{column: t, format: '%d.%m.%Y %H:%M:%S.%f %z'}", "01.10.2026 02:00:00.1239 +0200",
         datetime(2026, 10, 1, 0, 0, 0, 123_000, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_forms_of_time(tmp_path: Path, time: str, text: str, expected: datetime) -> None:
    readings, bad = mapped(tmp_path, f"t,v\n{text},1\n", f"time: {time}\n{VALUES}")
    assert bad == [] and readings.time.tolist() == [ms(expected)]


@pytest.mark.parametrize(
    ("time", "text", "words"),
    [
        ("{column: t}", "2026-10-01T00:00:00", "has no offset, and the map states no zone"),
        ("{column: t, zone: Asia/Shanghai}", "2026-02-30", "is impossible"),
        ("{column: t, zone: Asia/Shanghai}", "soon", "is not ISO 8601"),
        ("{column: t, format: epoch_s}", "12:00", "is no number"),
        ("{column: t, format: epoch_ms}", "999999999999999", "out of range"),
        ("{column: t, format: '%H:%M', zone: UTC}", "25:00", "does not match the format '%H:%M'"),
        ("{column: t, zone: Asia/Shanghai}", "", "is not ISO 8601"),
    ],
)
def test_what_is_no_time_refuses_the_row(tmp_path: Path, time: str, text: str, words: str) -> None:
    _, bad = mapped(tmp_path, f"t,v\n{text},1\n2026-10-01T00:00:00Z,1\n", f"time: {time}\n{VALUES}")
    assert bad[0].line == 2 and words in bad[0].reason


def test_date_and_time_in_two_columns(tmp_path: Path) -> None:
    map_ = "time: {columns: [d, h], format: '%Y%m%d %H%M', zone: UTC}\n" + VALUES
    readings, bad = mapped(tmp_path, "d,h,v\n20261001,0030,1\n", map_)
    assert bad == [] and readings.time.tolist() == [ms(datetime(2026, 10, 1, 0, 30, tzinfo=UTC))]


def test_numbers_as_the_file_writes_them(tmp_path: Path) -> None:
    map_ = "delimiter: ';'\ndecimal: ','\nthousands: '.'\nmissing: [-9999, n/a]\ntime: {column: t}\n" + VALUES
    cells = ["1.234,5", "1234,5", "-9999", "-9999,0", "n/a", "", "0", "1.23,5", "1,234.5", "1.5", "NaN", "12 "]
    text = "t;v\n" + "".join(f"2026-10-01T00:00:00Z;{cell}\n" for cell in cells)
    readings, bad = mapped(tmp_path, text, map_)
    nan = math.nan
    assert np.array_equal(readings.value, [1234.5, 1234.5, nan, nan, nan, nan, 0, nan, 12], equal_nan=True)
    assert [r.line for r in bad] == [9, 10, 11]  # groups that are not of three digits are no thousands


def test_each_value_of_a_row_stands_alone(tmp_path: Path) -> None:
    map_ = """
time: {column: t}
values:
  - {column: a, point: i, parameter: flow}
  - {column: b, point: i, parameter: ph}
"""
    text = "t,a,b,c\n2026-10-01T00:00:00Z,x,7,\n2026-10-01T00:01:00Z,5\n\n,,,\n2026-10-01T00:02:00Z,5,7,9,9\n"
    readings, bad = mapped(tmp_path, text, map_)
    assert readings.value.tolist() == [7.0, 5.0, 5.0, 7.0]
    assert bad == [Reject(2, "column 'a': 'x' is no number"), Reject(3, "2 fields, none in column 'b'")]


def test_marks_of_others(tmp_path: Path) -> None:
    map_ = "time: {column: t}\nmark: {column: q, codes: {good: N, '': N, 0: D}, other: F}\n" + VALUES
    text = "t,v,q\n" + "".join(f"2026-10-01T00:00:0{i}Z,1,{q}\n" for i, q in enumerate(["good", "", "0", "bad"]))
    assert bytes(mapped(tmp_path, text, map_)[0].mark) == b"NNDF"
    assert bytes(mapped(tmp_path, text, map_.replace(", other: F", ""))[0].mark) == b"NND?"
    assert bytes(mapped(tmp_path, text, "time: {column: t}\nmark: S\n" + VALUES)[0].mark) == b"SSSS"


def test_a_long_table_is_told_apart_by_its_tags(tmp_path: Path) -> None:
    map_ = """
time: {column: t}
values:
  - {column: v, point: i, parameter: flow, where: {tag: [FI-1, FI-2]}}
  - {column: v, point: i, parameter: ph, where: {tag: PH}}
"""
    text = "t,tag,v\n" + "".join(
        f"2026-10-01T00:00:0{i}Z,{tag},{i}\n" for i, tag in enumerate(["FI-1", "PH", "XX", "FI-2"])
    )
    readings, bad = mapped(tmp_path, text, map_)
    assert bad == []
    assert list(zip(readings.series.tolist(), readings.value.tolist(), strict=True)) == [(0, 0.0), (2, 1.0), (0, 3.0)]


def test_scale_and_offset_come_before_the_unit(tmp_path: Path) -> None:
    map_ = """
time: {column: t}
values:
  - {column: v, point: i, parameter: water_temperature, scale: 0.5555555555555556, offset: -17.77777777777778}
  - {column: w, point: i, parameter: flow, unit: L/s, scale: 2, offset: 1}
"""
    readings, _ = mapped(tmp_path, "t,v,w\n2026-10-01T00:00:00Z,212,10\n", map_)
    np.testing.assert_allclose(readings.value, [100.0, 21 * 3.6])


def test_other_encodings(tmp_path: Path) -> None:
    map_ = "encoding: gb18030\ntime: {column: 时间}\nvalues: [{column: 流量, point: i, parameter: flow}]\n"
    text = "时间,流量\n2026-10-01T00:00:00Z,1\n2026-10-01T00:00:01Z,2\n".encode("gb18030")
    readings, bad = mapped(tmp_path, text + b"2026-10-01T00:00:02Z,\x80\xff\n", map_)
    assert readings.value.tolist() == [1.0, 2.0]
    assert bad == [Reject(4, "bytes that are not gb18030")]


@pytest.mark.parametrize(
    ("map_", "words"),
    [
        ("time: {column: x}\n" + VALUES, r"foreign.csv:1: no column named 'x'; the header has 't', 'v'"),
        ("time: {column: t}\nskip_lines: 9\n" + VALUES, "no line after the 9 that the map skips"),
    ],
)
def test_a_file_that_does_not_fit_the_map(tmp_path: Path, map_: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        mapped(tmp_path, "t,v,,\n2026-10-01T00:00:00Z,1,,\n", map_)


def test_a_column_that_stands_twice_must_be_named_by_position(tmp_path: Path) -> None:
    text = "t,v,v\n2026-10-01T00:00:00Z,1,2\n"
    with pytest.raises(InputError, match="2 columns named 'v'"):
        mapped(tmp_path, text, "time: {column: t}\n" + VALUES)
    assert mapped(tmp_path, text, "time: {column: t}\n" + VALUES.replace("v,", "3,"))[0].value.tolist() == [2.0]


def test_all_mistakes_of_a_map_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        mapped(
            tmp_path,
            "t,v\n",
            """\
encoding: utf-16
delimiter: ';;'
thousands: '.'
header: false
time: {column: t, columns: [2], format: later, zone: Mars/Base}
values:
  - {column: 2, point: x, parameter: flow}
  - {column: 2, point: i, parameter: brix}
  - {column: 2, point: i, parameter: ph, unit: mg/L}
  - {column: 2, point: i, parameter: flow, unit: Mgal/d, scal: 2}
  - {column: 3, point: i, parameter: flow}
""",
        )
    found = [(int(p.where.rpartition(":")[2]), p.path) for p in caught.value.problems]
    assert found == [
        (1, "encoding"),
        (2, "delimiter"),
        (3, "thousands"),
        (5, "time"),
        (5, "time.column"),
        (5, "time.format"),
        (5, "time.zone"),
        (7, "values[0].point"),
        (8, "values[1].parameter"),
        (9, "values[2].unit"),
        (10, "values[3].scal"),
        (11, "values[4]"),
    ]


def test_a_map_that_is_no_map(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a list"):
        mapped(tmp_path, "t,v\n", "- time\n")
    with pytest.raises(ConfigError, match=r"values: found nothing"):
        mapped(tmp_path, "t,v\n", "time: {column: t}\n")
    with pytest.raises(ConfigError, match="readable YAML"):
        read_mapped(tmp_path / "f.csv", PLANT, tmp_path / "none.yaml")
