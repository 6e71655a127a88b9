"""The last reading of each series: whose it is, and whether it still holds."""

from __future__ import annotations

from api.api_world import DAY, HOUR, OCT_1, World


def test_each_series_is_told_with_its_age(world: World) -> None:
    rows = {(r["point"], r["parameter"]): r for r in world.get("operator", "/latest").json()}
    assert rows.keys() == {(s.point, s.parameter) for s in world.plant.series}
    cod = rows["plant-effluent", "cod_cr"]
    assert cod["time"] == "2026-10-03T23:00:00+08:00"
    assert (cod["value"], cod["unit"], cod["mark"], cod["age_s"]) == (45.0, "mg/L", "N", 5400.0)
    assert not cod["stale"], "an hourly value holds for two hours"
    assert rows["plant-effluent", "flow"]["stale"], "one of each ten minutes does not"


def test_a_value_is_stale_from_the_instant_it_no_longer_holds(world: World) -> None:
    def stale_at(now_ms: int) -> bool:
        world.clock.set(now_ms)
        return next(r["stale"] for r in world.get("beta", "/latest").json() if r["parameter"] == "chloride")

    last = OCT_1 + 3 * DAY - HOUR
    assert not stale_at(last + 2 * HOUR - 1)
    assert stale_at(last + 2 * HOUR)


def test_before_the_first_reading_nothing_is_known(world: World) -> None:
    world.clock.set(OCT_1 - 1)
    for row in world.get("operator", "/latest").json():
        assert (row["time"], row["value"], row["age_s"], row["stale"]) == (None, None, None, True)


def test_a_member_sees_its_own_points_alone(world: World) -> None:
    assert {r["point"] for r in world.get("alpha", "/latest").json()} == {"alpha-outfall", "alpha-second"}
    assert {r["point"] for r in world.get("beta", "/latest").json()} == {"beta-outfall"}
    assert world.get(None, "/latest").status_code == 401
