"""Members' shares of a day and the outfalls against the inlet, worked by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from api.api_world import DAY, HOUR, OCT_1, make_plant

from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.compliance.sharing import member_shares, reconciliation
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.windows import local_windows

PLANT = make_plant()  # alpha has two outfalls, beta one; each reads its flow every ten minutes
FLOWS = {"alpha-outfall": 10.0, "alpha-second": 5.0, "beta-outfall": 30.0, "plant-inlet": 50.0}


def tables(plant: Plant, hours: dict[str, int], flows: dict[str, float] = FLOWS) -> tuple[list[Any], list[Any]]:
    """Both tables of two days; a point's flow is known for so many hours of each."""
    parts = []
    for point, flow in flows.items():
        for day in range(2):
            start = OCT_1 + day * DAY
            time = np.arange(start, start + hours.get(point, 24) * HOUR, 600_000)
            parts.append(Readings.of(time, plant.series_index[point, "flow"], np.full(time.size, flow)))
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 2), plant.zone)
    evaluation = evaluate(plant, Readings.concat(parts), windows)
    made = (f(plant, evaluation.volumes, windows) for f in (member_shares, reconciliation))
    shares, difference = ([row for row in table.rows() if row["date"] == "2026-10-01"] for table in made)
    return shares, difference


def test_a_whole_day() -> None:
    (alpha, beta), (plant,) = tables(PLANT, {})
    assert (alpha["member"], alpha["volume_m3"], alpha["share"]) == ("alpha", pytest.approx(360), pytest.approx(1 / 3))
    assert (beta["member"], beta["volume_m3"], beta["quota_m3"]) == ("beta", pytest.approx(720), 500.0)
    assert alpha["share"] + beta["share"] == pytest.approx(1)
    assert (plant["inlet_m3"], plant["outfalls_m3"]) == (pytest.approx(1200), pytest.approx(1080))
    assert (plant["difference_m3"], plant["difference_share"]) == (pytest.approx(120), pytest.approx(0.1))


def test_little_of_a_day_makes_no_share_and_no_difference() -> None:
    (alpha, beta), (plant,) = tables(PLANT, {"alpha-second": 17})
    assert (alpha["share"], beta["share"], plant["difference_m3"], plant["difference_share"]) == (None,) * 4
    assert alpha["valid_share"] < 0.75 < beta["valid_share"]
    assert alpha["volume_m3"] == pytest.approx(240 + 17 * 5, abs=2)  # what is known is told
    (alpha, _), (plant,) = tables(PLANT, {"alpha-second": 19})
    assert alpha["share"] is not None and plant["difference_m3"] is not None
    assert tables(PLANT, {"plant-inlet": 10})[1][0]["difference_m3"] is None


def test_nothing_known_is_nothing_told_and_dry_days_have_no_shares() -> None:
    (alpha, beta), (plant,) = tables(PLANT, dict.fromkeys(FLOWS, 0))
    assert [r[n] for r in (alpha, beta) for n in ("volume_m3", "share")] == [None] * 4
    assert (plant["inlet_m3"], plant["outfalls_m3"], plant["difference_m3"]) == (None, None, None)
    (alpha, _), (plant,) = tables(PLANT, {}, dict.fromkeys(FLOWS, 0.0))
    assert (alpha["volume_m3"], alpha["share"]) == (0.0, None)
    assert (plant["difference_m3"], plant["difference_share"]) == (0.0, None)
