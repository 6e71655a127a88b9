"""Files of laboratory results: every column, and bad rows that stop no good one."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.config.lab_file import HEADER, read_lab
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.errors import InputError

PLANT = parse_plant(
    """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points:
  - {id: out, role: process, limits: [own], parameters: {cod_cr: {interval: 1h}, volume: {}}}
limit_sets:
  - {id: own, limits: [{parameter: tin, upper: 1, unit: ug/L}, {parameter: total_hg, upper: 0.05, unit: mg/L}]}
""",
    "plant.yaml",
    {},
)
GOOD = "2026-10-01T08:00:00+08:00,2026-10-02T08:00:00+08:00,out,cod_cr,312.4,mg/L,HJ 828-2017,county,王"
T0 = 1_790_812_800_000  # 2026-10-01T08:00:00+08:00


def read(tmp_path: Path, *lines: str, header: str = ",".join(HEADER)) -> tuple[tuple[LabResult, ...], list[str]]:
    path = tmp_path / "lab.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    good, bad = read_lab(path, PLANT)
    return good, [f"{r.line}: {r.reason}" for r in bad]


def test_every_column_is_read(tmp_path: Path) -> None:
    good, bad = read(tmp_path, GOOD, '2026-10-01T00:00:00Z,,out,petroleum_oil,<0.06,ug/L,HJ 637,"lab, inc.",Li')
    assert bad == []
    assert good == (
        LabResult("out", "cod_cr", T0, T0 + 86_400_000, 312.4, False, "mg/L", "HJ 828-2017", "county", "王"),
        LabResult("out", "petroleum_oil", T0, T0, 0.06, True, "ug/L", "HJ 637", "lab, inc.", "Li"),
    )


def test_columns_in_another_order_and_a_byte_order_mark(tmp_path: Path) -> None:
    header = ",".join(reversed(HEADER))
    line = ",".join(reversed(GOOD.split(",")))
    assert read(tmp_path, line, "", ",,,,,,,,", header="\ufeff" + header)[0] == read(tmp_path, GOOD)[0]


def test_ph_needs_no_unit_and_a_parameter_of_a_limit_set_is_known(tmp_path: Path) -> None:
    good, bad = read(
        tmp_path,
        "2026-10-01T08:00:00+08:00,,out,ph,7.2,,m,l,w",
        "2026-10-01T08:00:00+08:00,,out,tin,3,ng/L,m,l,w",
    )
    assert bad == [] and [r.unit for r in good] == ["1", "ng/L"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("2026-10-01T08:00:00+08:00", "2026-10-01 08:00"), "sample_start '2026-10-01 08:00'"),
        (("2026-10-02T08:00:00+08:00", "2026-09-02T08:00:00+08:00"), "ends before"),
        (("2026-10-02T08:00:00+08:00", "2026-12-02T08:00:00+08:00"), "longer than 31 days"),
        ((",out,", ",nowhere,"), "point 'nowhere'"),
        (("cod_cr", "codcr"), "parameter 'codcr' is not known"),
        (("cod_cr", "volume"), "parameter 'volume' is not known"),
        (("312.4", "n.d."), "result 'n.d.'"),
        (("312.4", ""), "result ''"),
        (("312.4", "-1"), "impossible"),
        (("312.4", "<0"), "above 0"),
        (("mg/L", "mg/l"), "unit 'mg/l' is not known; mg/L is"),
        (("mg/L", "m3"), "cannot be told in mg/L"),
        (("mg/L", ""), "cannot be told in mg/L"),
        ((",county,", ",,"), "laboratory not stated"),
        ((",county,", ",county,,"), "10 fields instead of 9"),
        ((",county,", ',"county,'), "quotes"),
        ((",county,", f",{'x' * 300},"), "laboratory is longer than 256"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_row_is_told_and_the_others_are_taken(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    good, bad = read(tmp_path, GOOD, GOOD.replace(*change), GOOD)
    assert len(good) == 2
    assert len(bad) == 1 and bad[0].startswith("3: ") and words in bad[0]


def test_bytes_that_are_no_text_spoil_their_own_row(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_bytes(f"{','.join(HEADER)}\n{GOOD}\n".encode() + GOOD.encode("gbk") + b"\n")
    good, bad = read_lab(path, PLANT)
    assert len(good) == 1 and [(r.line, r.reason) for r in bad] == [(3, "bytes that are not UTF-8")]


@pytest.mark.parametrize("text", ["", "time,point,parameter,value,mark\n", "sample_start,sample_end\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="sample_start,sample_end,point"):
        read_lab(path, PLANT)
