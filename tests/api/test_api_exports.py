"""Lists as files: the same rows in every form, however long, in bounded memory; and answers that are not sent twice."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from api.api_world import DAY, World, make_plant, make_readings, make_world

from plant_monitor.config.readings_parquet import iter_parquet
from plant_monitor.readings import Readings
from plant_monitor.store.memory import MemorySource

FROM = {"from": "2026-10-01"}
READINGS = "/points/alpha-outfall/readings"
FILES: list[tuple[str, dict[str, Any]]] = [
    ("/compliance/daily", {}),
    ("/compliance/hourly", {}),
    ("/exceedances", {}),
    ("/headroom", {}),
    ("/warnings", {}),
    ("/lab", {}),
    ("/members/alpha/usage", {"step": "hour"}),
    (READINGS, {"parameter": "flow"}),
    (READINGS, {"step": "minute"}),
    (READINGS, {"step": "day"}),
    (READINGS, {"pixels": 10}),
]


def rows_of_parquet(content: bytes, folder: Path) -> list[dict[str, Any]]:
    path = folder / "got.parquet"
    path.write_bytes(content)
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM '{path}'")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def alike(row: dict[str, Any]) -> dict[str, Any]:
    """What all forms can say: nothing tells empty from none in CSV, 1 from 1.0 in Parquet; JSON has no infinity."""

    def one(value: Any) -> Any:
        try:
            return None if value in (None, "") or math.isinf(float(value)) else float(value)
        except ValueError:
            return value

    return {key: one(value) for key, value in row.items()}


def pages(world: World, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = world.get("alpha", path, **query, **({} if cursor is None else {"cursor": cursor})).json()
        found += page["items"]
        if (cursor := page["next"]) is None:
            return found


@pytest.mark.parametrize(("path", "more"), FILES)
def test_all_forms_of_a_file_hold_the_same_rows(world: World, path: str, more: dict[str, Any], tmp_path: Path) -> None:
    query = {**FROM, **more}
    files = {form: world.get("alpha", path, **query, format=form) for form in ("csv", "ndjson", "parquet")}
    for form, answer in files.items():
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].endswith(f'.{form}"')
    rows = [json.loads(line) for line in files["ndjson"].text.splitlines()]
    assert rows or path == "/lab"
    assert [alike(r) for r in csv.DictReader(io.StringIO(files["csv"].text))] == [alike(r) for r in rows]
    assert [alike(r) for r in rows_of_parquet(files["parquet"].content, tmp_path)] == [alike(r) for r in rows]
    assert len(pages(world, path, query)) == len(rows)


def test_a_parquet_of_readings_is_a_readings_file(world: World, tmp_path: Path) -> None:
    answer = world.get("operator", READINGS, **FROM, format="parquet")
    (tmp_path / "r.parquet").write_bytes(answer.content)
    ((read, rejects),) = iter_parquet(tmp_path / "r.parquet", world.plant)
    own = [i for i, s in enumerate(world.plant.series) if s.point == "alpha-outfall"]
    whole = make_readings(world.plant).by_time()
    mine = whole.take(np.isin(whole.series, own))
    assert not rejects and len(read) == len(mine)
    assert np.array_equal(read.by_time().value, mine.value, equal_nan=True)


def test_without_duckdb_parquet_is_not_to_be_had(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    answer = world.get("alpha", "/compliance/daily", format="parquet")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "csv or ndjson" in answer.json()["error"]["message"]


class Counting:
    """A source that says how much of it was asked for at once."""

    def __init__(self, source: MemorySource) -> None:
        self._source, self.longest_ms = source, 0

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        self.longest_ms = max(self.longest_ms, end_ms - start_ms)
        return self._source.read(series, start_ms, end_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def test_a_years_file_is_made_in_parts(tmp_path: Path) -> None:
    plant = make_plant()
    source, asked = Counting(MemorySource(make_readings(plant))), []
    world = make_world(
        tmp_path, source=source, evaluation_instead=lambda first, last: asked.append((first, last)) or real(first, last)
    )
    real = world.evaluations
    paths = ("/compliance/daily", "/headroom", "/members/alpha/usage", READINGS)
    for path, more in zip(paths, ({}, {}, {}, {"step": "day"})):
        asked.clear()
        answer = world.get("alpha", path, **{"from": "2026-05-15"}, **more, format="csv")
        assert answer.status_code == 200
        assert [(last - first).days for first, last in asked] == [16, 29, 30, 30, 29, 1, 0, 0], (
            path
        )  # yesterday and today apart
        assert asked[0][0] == date(2026, 5, 15) and asked[-1][1] == date(2026, 10, 4)
    for query in ({"format": "csv"}, {"format": "ndjson"}, {"pixels": 10}):
        source.longest_ms = 0
        world.get("alpha", READINGS, **{"from": "2026-08-01"}, **query)
        assert 0 < source.longest_ms <= DAY, query
    world.client.close()
    world.ledger.close()


def test_months_of_a_file_are_those_of_pages(world: World) -> None:
    """Rows do not depend on the parts they were made in."""
    asked = {"from": "2026-09-20", "point": "alpha-outfall", "parameter": "cod_cr"}
    lines = world.get("alpha", "/compliance/daily", **asked, format="ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == world.items("alpha", "/compliance/daily", **asked)


def test_pixels_keep_the_peaks_of_raw_readings(world: World) -> None:
    path = READINGS
    asked = {**FROM, "parameter": "cod_cr", "limit": 10_000}
    whole = world.items("alpha", path, **asked)
    few = world.items("alpha", path, **asked, pixels=10)
    assert len(few) < len(whole) and all(row in whole for row in few)
    assert {max(r["value"] for r in rows) for rows in (whole, few)} == {700.0}
    ph = world.items("alpha", path, **FROM, parameter="ph", pixels=10)
    assert [r["mark"] for r in ph if r["value"] is None] == ["N", "T"]  # an infinite one, and one over range
    first = world.get("alpha", path, **FROM, pixels=10, limit=7).json()
    rest = world.get("alpha", path, **FROM, pixels=10, limit=10_000, cursor=first["next"]).json()
    assert first["items"] + rest["items"] == world.items("alpha", path, **FROM, pixels=10, limit=10_000)
    assert world.get("alpha", path, **FROM, pixels=10, step="hour").status_code == 422
    assert world.get("alpha", path, **FROM, pixels=9).status_code == 422
    assert world.get("alpha", path, **{"from": "2025-10-10"}, pixels=100).status_code == 200  # as long as a year


def test_an_answer_that_one_has_is_not_sent_again(world: World) -> None:
    def ask(who: str, path: str, tag: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {world.keys[who]}"} | ({} if tag is None else {"If-None-Match": tag})
        return world.client.get(f"/api/v1{path}", headers=headers)

    first = ask("alpha", "/compliance/daily?from=2026-10-01")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache" and "Authorization" in first.headers["vary"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = ask("alpha", "/compliance/daily?from=2026-10-01", sent)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), sent
    assert ask("alpha", "/compliance/daily?from=2026-10-01", '"other"').json() == first.json()
    beta = ask("beta", "/compliance/daily?from=2026-10-01", tag)
    assert beta.status_code == 200 and beta.headers["etag"] != tag  # what another key sees is another answer
    world.ask("operator", "POST", "/annotations", json={
        "kind": "exclusion", "point": "alpha-outfall", "parameter": "cod_cr", "from": "2026-10-01T00:00:00+08:00",
        "to": "2026-10-02T00:00:00+08:00", "reason": "calibration",
    })  # fmt: skip
    assert ask("alpha", "/compliance/daily?from=2026-10-01", tag).status_code == 200
    for path in ("/compliance/daily?format=csv", "/compliance/daily?point=ghost", "/metrics"):
        answer = ask("operator", path)
        assert "etag" not in answer.headers and answer.headers["cache-control"] == "no-store"
