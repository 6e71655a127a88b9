"""What members want to know: a month beside others, cost per tonne, and the bill at another volume or strength."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api.api_world import DAY, HOUR, NOW, OCT_1, World, make_plant, make_readings, make_world
from api.test_api_settlement import BODY, NOVEMBER, posted

from plant_monitor.readings import NORMAL, Readings
from plant_monitor.store.memory import MemorySource

YEAR_AGO = OCT_1 - 365 * DAY


def register(parts: dict[int, float]) -> Readings:
    """Alpha's register at instants."""
    index = make_plant().series_index["alpha-outfall", "volume"]
    times = np.array(sorted(parts))
    return Readings.of(times, index, [parts[t] for t in times], np.full(times.size, NORMAL))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """October 1st to 3rd as ever; a register of September and of October last year."""
    earlier = register({YEAR_AGO: 100.0, YEAR_AGO + 31 * DAY: 410.0, OCT_1 - 30 * DAY: 850.0})
    made = make_world(tmp_path, source=MemorySource(Readings.concat([earlier, make_readings(make_plant())])))
    made.clock.set(NOVEMBER)
    return made


def rows(world: World, who: str = "alpha", **query: Any) -> dict[str, Any]:
    answer = world.get(who, "/members/alpha/comparison", **query)
    assert answer.status_code == 200, answer.text
    return {row["which"]: row for row in answer.json()}


def test_a_month_beside_the_one_before_and_that_of_a_year_ago(world: World) -> None:
    found = rows(world, period="2026-10")
    assert {which: row["period"] for which, row in found.items()} == {
        "period": "2026-10", "previous": "2026-09", "year_before": "2025-10",
    }  # fmt: skip
    september = found["previous"]["used"]
    assert september["days"] == 30 and september["estimated"]  # its second outfall has no readings
    # The register rose by 150 m³; the second outfall is estimated by the quota of 300 m³ a day.
    assert september["volume_m3"] == pytest.approx(150 + 30 * 300)
    assert september["m3_per_day"] == pytest.approx(305)
    assert september["quota_share"] == pytest.approx(305 / 300)
    assert found["year_before"]["used"]["volume_m3"] == pytest.approx(310 + 31 * 300)
    # As long as its analyser says nothing there is neither a mean nor a load.
    assert september["mean_mg_l"]["cod_cr"] is None and september["load_kg"]["cod_cr"] == 0
    october = found["period"]["used"]
    mean = (24 * 600 + 24 * 700 + (24 + 1 / 6) * 400) / (72 + 1 / 6)  # the last flow holds for ten minutes more
    assert october["mean_mg_l"]["cod_cr"] == pytest.approx(mean)
    assert october["load_kg"]["cod_cr"] == pytest.approx(mean * october["volume_m3"] / 1000, abs=0.001)


def test_cost_per_tonne_is_what_all_issued_documents_come_to(world: World) -> None:
    draft = posted(world, "/statements", BODY)
    charged = rows(world, period="2026-10")["period"]["charged"]
    assert (charged["statements"], charged["state"], charged["so_far"]) == ([draft["number"]], "draft", False)
    posted(world, f"/statements/{draft['number']}/issue", {"override_reason": "tests"})
    own = world.get("alpha", f"/statements/{draft['number']}").json()
    charged = rows(world, period="2026-10")["period"]["charged"]
    assert charged["state"] == "issued"
    assert charged["total_yuan"] == own["member_total_yuan"]
    price = Decimal(charged["total_yuan"]) / Decimal(charged["billed_m3"])
    assert Decimal(charged["yuan_m3"]) == price.quantize(Decimal("0.0001"))
    # Costs that have changed: the correction counts, too.
    second = posted(world, "/statements", {**BODY, "costs": [{**BODY["costs"][0], "amount_yuan": "2000"}]})
    fix = posted(world, f"/statements/{second['number']}/correct", {"cause": "bill", "override_reason": "tests"})
    both = rows(world, period="2026-10")["period"]["charged"]
    assert both["statements"] == [draft["number"], fix["number"]]
    change = world.get("alpha", f"/statements/{fix['number']}").json()["member_total_yuan"]
    assert Decimal(both["total_yuan"]) == Decimal(charged["total_yuan"]) + Decimal(change)
    assert both["billed_m3"] == charged["billed_m3"]


def test_a_running_month_counts_its_days_that_are_over(world: World) -> None:
    world.clock.set(NOW)  # October 4th
    found = rows(world)
    assert found["period"]["period"] == "2026-10" and found["period"]["used"]["days"] == 3
    assert found["period"]["used"]["m3_per_day"] * 3 == pytest.approx(found["period"]["used"]["volume_m3"])
    world.clock.set(OCT_1 + HOUR)  # none of its days is over
    assert rows(world)["period"]["used"] is None


def test_what_is_not_known_is_null(world: World) -> None:
    assert rows(world, period="2025-09")["period"] == {
        "which": "period", "period": "2025-09", "used": None, "charged": None,
    }  # fmt: skip
    quarter = rows(world, period="2026-Q4")
    assert (quarter["previous"]["period"], quarter["year_before"]["period"]) == ("2026-Q3", "2025-Q4")
    answer = world.get("alpha", "/members/alpha/comparison", period="2026-13")
    assert answer.status_code == 422 and answer.json()["error"]["where"] == "query.period"


def test_an_officer_reads_volumes_and_no_costs(world: World) -> None:
    posted(world, "/statements", BODY)
    found = rows(world, "officer", period="2026-10")
    assert found["period"]["used"]["days"] == 31
    assert {row["charged"] is None for row in found.values()} == {True}


def supposed(world: World, wish: dict[str, Any], who: str = "alpha", member: str = "alpha", status: int = 200) -> Any:
    return posted(world, f"/members/{member}/whatif", wish, who=who, status=status)


def test_the_bill_at_another_volume(world: World) -> None:
    number = posted(world, "/statements", BODY)["number"]
    own = world.get("alpha", f"/statements/{number}").json()
    same = supposed(world, {"statement": number})
    assert same["total_yuan"] == {"before": own["member_total_yuan"], "after": own["member_total_yuan"]}
    assert same["lines"] == [] and same["difference_yuan"] == "0.00"
    half = supposed(world, {"statement": number, "volume_m3": "1000"})
    (line,) = half["lines"]
    assert (line["item"], line["quantity"]["after"]) == ("power", "1000.000")
    assert Decimal(line["amount_yuan"]["after"]) - Decimal(line["amount_yuan"]["before"]) == Decimal(
        half["difference_yuan"]
    )
    assert "beta" not in str(half)  # nothing of the others, though their shares change
    assert world.items("operator", "/statements")[0]["number"] == number  # nothing is kept


def test_a_strength_that_no_line_rests_on_is_told(world: World) -> None:
    number = posted(world, "/statements", BODY)["number"]
    error = supposed(world, {"statement": number, "mean_mg_l": {"cod_cr": "100"}}, status=422)["error"]
    assert error["message"] == "no line of this bill rests on cod_cr; those that count: none"
    by_load = [*BODY["costs"], {"item": "air", "basis": "load:cod_cr", "amount_yuan": "500"}]
    number = posted(world, "/statements", {**BODY, "costs": by_load})["number"]
    weaker = supposed(world, {"statement": number, "mean_mg_l": {"cod_cr": "1"}})
    assert [line["item"] for line in weaker["lines"]] == ["air"] and weaker["difference_yuan"].startswith("-")
    error = supposed(world, {"statement": number, "volume_m3": "many"}, status=422)["error"]
    assert "found 'many', expected m3" in error["message"]


def test_a_running_month_is_supposed_by_its_projection(world: World) -> None:
    number = posted(world, "/statements", {**BODY, "until": "2026-10-04"})["number"]
    told = world.get("operator", f"/statements/{number}").json()["document"]["projection"]
    projected = next(m for m in told["members"] if m["member"] == "alpha")
    assert supposed(world, {"statement": number})["total_yuan"]["before"] == projected["total_yuan"]
    assert supposed(world, {"statement": number, "volume_m3": "0"})["billed_m3"]["after"] == "0.000"


def test_another_members_period_is_not_there(world: World) -> None:
    number = posted(world, "/statements", BODY)["number"]
    for path, body in (("comparison", None), ("whatif", {"statement": number, "volume_m3": "1"})):
        method = "GET" if body is None else "POST"
        theirs, ghosts = (world.ask("alpha", method, f"/members/{m}/{path}", json=body) for m in ("beta", "ghost"))
        assert theirs.status_code == ghosts.status_code == 404
        assert theirs.text.replace("beta", "ghost") == ghosts.text
        assert world.ask("operator", method, f"/members/beta/{path}", json=body).status_code == 200
    assert supposed(world, {"statement": number}, who="officer", status=404)["error"]["code"] == "not_found"
    assert supposed(world, {"statement": "2026-10-99"}, status=404)["error"]["where"] == "path.number"
