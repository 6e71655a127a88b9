"""What the routes answer, against what the evaluation and the readings say."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from api.api_world import DAY, NOW, OCT_1, World, alert_of, make_readings, make_world

from plant_monitor.compliance.tables import (
    DAILY_COLUMNS,
    EXCEEDANCE_COLUMNS,
    HEADROOM_COLUMNS,
    HOURLY_COLUMNS,
    WARNING_COLUMNS,
)
from plant_monitor.config.readings_file import read_readings
from plant_monitor.windows import rfc3339

THREE_DAYS = {"from": "2026-10-01", "to": "2026-10-04"}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def all_pages(world: World, who: str, path: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = world.get(who, path, **query, **cursor)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        items += body["items"]
        if body["next"] is None:
            return items
        assert len(body["items"]) == query["limit"]
        cursor = {"cursor": body["next"]}


# --- compliance -----------------------------------------------------------------------------------


def test_daily_verdicts_are_those_of_the_evaluation(world: World) -> None:
    rows = world.items("operator", "/compliance/daily", point="alpha-outfall", parameter="cod_cr", **THREE_DAYS)
    assert [(r["date"], r["verdict"], r["limit_set"]) for r in rows] == [
        ("2026-10-01", "exceeded", "intake"), ("2026-10-02", "exceeded", "intake"), ("2026-10-03", "met", "intake"),
    ]  # fmt: skip
    first = rows[0]
    assert tuple(first) == DAILY_COLUMNS
    assert (first["value"], first["upper"], first["ratio"]) == (pytest.approx(0.6), 0.5, pytest.approx(1.2))
    assert first["lower"] is None
    assert first["load_kg"] == pytest.approx(0.6 * 240)


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("/compliance/daily", DAILY_COLUMNS),
        ("/compliance/hourly", HOURLY_COLUMNS),
        ("/exceedances", EXCEEDANCE_COLUMNS),
        ("/headroom", HEADROOM_COLUMNS),
        ("/warnings", WARNING_COLUMNS),
    ],
)
def test_pages_and_csv_hold_the_same_rows_once_and_in_order(world: World, path: str, columns: tuple[str, ...]) -> None:
    whole = world.items("operator", path, limit=10_000, **THREE_DAYS)
    assert whole
    assert all_pages(world, "operator", path, limit=7, **THREE_DAYS) == whole
    assert all_pages(world, "operator", path, limit=len(whole), **THREE_DAYS) == whole
    answer = world.get("operator", path, format="csv", **THREE_DAYS)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    exported = rows_of(answer.text)
    assert answer.text.splitlines()[0] == ",".join(columns)
    as_text = [{k: "" if v is None else str(v) for k, v in row.items()} for row in whole]
    assert exported == as_text  # numbers unrounded in both


def test_filters_keep_what_fits(world: World) -> None:
    met = world.items("operator", "/compliance/daily", verdict="exceeded", limit_set="intake", **THREE_DAYS)
    assert {(r["point"], r["verdict"]) for r in met} == {("alpha-outfall", "exceeded"), ("beta-outfall", "exceeded")}
    assert len(met) == 5
    low = world.items("operator", "/compliance/hourly", parameter="ph", verdict="met", **THREE_DAYS)
    assert len(low) == 72  # ten minutes that are not valid leave enough of their hour
    assert [r["point"] for r in world.items("operator", "/exceedances", parameter="chloride", **THREE_DAYS)] == [
        "beta-outfall"
    ]


def test_from_is_inclusive_to_exclusive_and_a_window_counts_where_it_begins(world: World) -> None:
    def hours(**query: str) -> list[str]:
        rows = world.items("operator", "/compliance/hourly", point="plant-effluent", parameter="cod_cr", **query)
        return [r["hour"][11:13] for r in rows]

    assert hours(**{"from": "2026-10-01T05:00:00+08:00", "to": "2026-10-01T07:00:00+08:00"}) == ["05", "06"]
    assert hours(**{"from": "2026-10-01T05:00:01+08:00", "to": "2026-10-01T07:00:01+08:00"}) == ["06", "07"]
    assert hours(**{"from": "2026-09-30T21:00:00Z", "to": "2026-09-30T22:00:00Z"}) == ["05"]
    assert hours(**{"from": "2026-10-01", "to": "2026-10-01"}) == []


def test_an_exceedance_is_found_by_any_time_it_touches(world: World) -> None:
    def found(**query: str) -> int:
        return len(world.items("operator", "/exceedances", point="plant-effluent", **query))

    assert found(**{"from": "2026-10-02T12:00:00+08:00", "to": "2026-10-02T13:00:00+08:00"}) == 1
    assert found(**{"from": "2026-10-03", "to": "2026-10-04"}) == 0


def test_nothing_later_than_now_and_a_week_back_by_default(world: World) -> None:
    days = [r["date"] for r in world.items("operator", "/headroom")]
    assert days == ["2026-09-27", "2026-09-28", "2026-09-29", "2026-09-30", *(f"2026-10-0{d}" for d in (1, 2, 3, 4))]
    assert [r["date"] for r in world.items("operator", "/headroom", **{"from": "2026-10-03", "to": "2027-01-01"})] == [
        "2026-10-03", "2026-10-04",
    ]  # fmt: skip
    assert world.items("operator", "/headroom", **{"from": "2026-11-01"}) == []
    hours = world.items("operator", "/compliance/hourly", point="plant-inlet", parameter="flow")
    assert hours[-1]["hour"] == "2026-10-04T00:00:00+08:00"  # the hour that runs


# --- headroom now ---------------------------------------------------------------------------------


def test_what_is_left_now_and_why_there_is_no_forecast_yet(world: World) -> None:
    whole = world.get("operator", "/headroom/now").json()
    assert whole["time"] == "2026-10-04T00:00:00+08:00"
    assert (whole["forecast"], whole["known_days"], whole["needed_days"]) == ([], 3, 28)
    rows = {(row["member"], row["quantity"], row["span"]): row for row in whole["items"]}
    assert {member for member, _, _ in rows} == {"", "alpha", "beta"}
    day = rows["", "volume", "last_24_h"]  # an inlet of 10 m3/h
    assert (day["amount"], day["allowed"], day["headroom"], day["used_share"]) == pytest.approx((240, 1000, 760, 0.24))
    quota = rows["alpha", "volume", "last_24_h"]
    assert (quota["amount"], quota["allowed"], quota["headroom"]) == pytest.approx((480, 300, -180))
    assert rows["", "cod_cr", "last_24_h"]["headroom"] is None  # one outfall measures no COD


def test_a_member_sees_what_the_plant_and_itself_have_left(world: World) -> None:
    whole = world.get("operator", "/headroom/now").json()
    own = world.get("alpha", "/headroom/now").json()
    assert own == {**whole, "items": [row for row in whole["items"] if row["member"] in ("", "alpha")]}


# --- usage ----------------------------------------------------------------------------------------


def test_usage_adds_up_a_members_outfalls(world: World) -> None:
    rows = world.items("alpha", "/members/alpha/usage", **THREE_DAYS)
    assert [r["start"] for r in rows] == [f"2026-10-0{d}T00:00:00+08:00" for d in (1, 2, 3)]
    day = rows[0]
    assert day["volume_m3"] == pytest.approx(480)  # two outfalls of 10 m3/h
    assert day["load_kg"] == {"ammonia_n": pytest.approx(12 * 0.24), "cod_cr": pytest.approx(600 * 0.24)}
    assert day["quota_m3"] == 300
    assert [p["point"] for p in day["points"]] == ["alpha-outfall", "alpha-second"]
    (month,) = world.items("alpha", "/members/alpha/usage", step="month", **THREE_DAYS)
    assert (month["start"], month["end"]) == ("2026-10-01T00:00:00+08:00", "2026-10-04T00:00:00+08:00")
    assert month["volume_m3"] == pytest.approx(3 * 480)
    assert month["quota_m3"] == 900
    hours = world.items("alpha", "/members/alpha/usage", step="hour", **THREE_DAYS)
    assert len(hours) == 72
    assert sum(h["volume_m3"] for h in hours) == pytest.approx(3 * 480)
    assert hours[0]["quota_m3"] is None


def test_usage_of_unknown_time_is_null_and_pages_and_exports(world: World) -> None:
    before = world.items("alpha", "/members/alpha/usage", **{"from": "2026-09-29", "to": "2026-09-30"})
    assert before[0]["volume_m3"] is None
    assert before[0]["load_kg"] == {"ammonia_n": None, "cod_cr": None}
    whole = world.items("alpha", "/members/alpha/usage", step="hour", **THREE_DAYS)
    assert all_pages(world, "alpha", "/members/alpha/usage", step="hour", limit=10, **THREE_DAYS) == whole
    exported = rows_of(world.get("alpha", "/members/alpha/usage", format="csv", **THREE_DAYS).text)
    assert list(exported[0]) == ["start", "end", "volume_m3", "ammonia_n_kg", "cod_cr_kg"]
    assert float(exported[1]["cod_cr_kg"]) == pytest.approx(700 * 0.24)


# --- readings -------------------------------------------------------------------------------------


def test_raw_readings_come_as_they_were_accepted(world: World) -> None:
    rows = world.items("alpha", "/points/alpha-outfall/readings", parameter="ph", limit=10, **THREE_DAYS)
    assert rows[0] == {"time": "2026-10-01T00:00:00+08:00", "parameter": "ph", "value": 7.0, "mark": "N"}
    assert [(r["value"], r["mark"]) for r in rows[4:7]] == [(7.0, "N"), (None, "N"), (None, "T")]


def test_raw_pages_hold_every_reading_once(world: World) -> None:
    path = "/points/alpha-outfall/readings"
    whole = world.items("alpha", path, limit=10_000, **THREE_DAYS)
    assert [r["parameter"] for r in whole] == sorted(r["parameter"] for r in whole)
    assert len(whole) == 2 * 432 + 2 * 72
    for limit in (1, 53, 144):
        if limit > 1:
            assert all_pages(world, "alpha", path, limit=limit, **THREE_DAYS) == whole
    few = {"from": "2026-10-01", "to": "2026-10-01T03:00:00+08:00"}
    assert len(all_pages(world, "alpha", path, limit=1, **few)) == 2 * 18 + 2 * 3
    assert world.get("alpha", path, limit=1).json()["units"]["cod_cr"] == "mg/L"


def test_the_csv_of_raw_readings_is_a_readings_file(world: World, tmp_path: Any) -> None:
    answer = world.get("alpha", "/points/alpha-outfall/readings", format="csv", **THREE_DAYS)
    assert answer.headers["content-disposition"] == 'attachment; filename="readings-alpha-outfall.csv"'
    file = tmp_path / "readings.csv"
    file.write_text(answer.text)
    readings, rejects = read_readings(file, world.plant)
    assert rejects == []
    original = make_readings(world.plant)
    own = [i for i, s in enumerate(world.plant.series) if s.point == "alpha-outfall"]
    for index in own:
        got, want = readings.of_series(index), original.of_series(index)
        assert got.time.tolist() == want.time.tolist()
        assert got.mark.tolist() == want.mark.tolist()
        assert repr(got.value.tolist()) == repr(want.value.tolist())


def test_minutes_are_means_and_medians_of_valid_readings(world: World) -> None:
    few = {"from": "2026-10-01", "to": "2026-10-01T02:00:00+08:00"}
    rows = world.items("alpha", "/points/alpha-outfall/readings", step="minute", parameter="ph", **few)
    assert len(rows) == 10  # of twelve readings two are not valid
    assert {(r["statistic"], r["value"], r["count"]) for r in rows} == {("minute_median", 7.0, 1)}
    flow = world.items("alpha", "/points/alpha-outfall/readings", step="minute", parameter="flow", **few)
    assert flow[0]["statistic"] == "minute_mean"
    whole = world.items("alpha", "/points/alpha-outfall/readings", step="minute", limit=10_000, **THREE_DAYS)
    assert all_pages(world, "alpha", "/points/alpha-outfall/readings", step="minute", limit=99, **THREE_DAYS) == whole


def test_hours_and_days_are_the_statistics_of_the_evaluation_in_the_series_unit(world: World) -> None:
    path = "/points/alpha-outfall/readings"
    day = world.items("alpha", path, step="day", parameter="cod_cr", **THREE_DAYS)
    assert [(r["statistic"], r["value"]) for r in day] == [
        ("daily_mean", pytest.approx(v)) for v in (600, 700, 400)
    ]  # the limit is in g/L
    hour = world.items("alpha", path, step="hour", parameter="cod_cr", **THREE_DAYS)
    assert len(hour) == 72
    assert (hour[30]["value"], hour[30]["min"], hour[30]["statistic"]) == (
        pytest.approx(700), pytest.approx(700), "hourly_mean",
    )  # fmt: skip
    ph = world.items("alpha", path, step="hour", parameter="ph", **THREE_DAYS)
    assert {r["statistic"] for r in ph} == {"hourly_median"}
    both = world.items("beta", "/points/beta-outfall/readings", step="day", **THREE_DAYS)
    assert len({(r["parameter"], r["time"]) for r in both}) == len(both)  # once, however many limits there are
    exported = rows_of(world.get("alpha", path, step="hour", format="csv", **THREE_DAYS).text)
    assert list(exported[0]) == ["time", "parameter", "statistic", "value", "min", "max", "count", "valid_share"]


# --- alerts ---------------------------------------------------------------------------------------


def test_an_alert_is_listed_and_told_in_detail(world: World) -> None:
    listed = world.items("officer", "/alerts")
    assert [a["id"] for a in listed] == sorted((a["id"] for a in listed), reverse=True)
    number = alert_of(world, "alpha-outfall")
    alert = world.get("operator", f"/alerts/{number}").json()
    assert (alert["state"], alert["ongoing"], alert["windows"], alert["unit"]) == ("open", False, 2, "g/L")
    assert (alert["since"], alert["until"]) == ("2026-10-01T00:00:00+08:00", "2026-10-03T00:00:00+08:00")
    assert [e["transition"] for e in alert["events"]] == ["opened"]
    assert [d["channel"] for d in alert["deliveries"]] == ["beta-phone"]
    assert len(alert["episodes"]) == 1


def test_acknowledge_and_close_leave_a_trail(world: World) -> None:
    path = f"/alerts/{alert_of(world, 'alpha-outfall')}"
    done = world.ask("officer", "POST", f"{path}/acknowledge", json={"comment": "on my way 来了"})
    assert (done.status_code, done.json()["state"]) == (200, "acknowledged")
    again = world.ask("officer", "POST", f"{path}/acknowledge")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    assert "an alert that is acknowledged" in again.json()["error"]["message"]
    world.clock.set(NOW + 1000)
    closed = world.ask("operator", "POST", f"{path}/close").json()
    assert [(e["transition"], e["actor"], e["comment"], e["time"]) for e in closed["events"][1:]] == [
        ("acknowledged", "officer:officer", "on my way 来了", "2026-10-04T00:30:00+08:00"),
        ("closed", "operator:operator", "", "2026-10-04T00:30:01+08:00"),
    ]
    told = world.get("alpha", path).json()["events"]
    assert [e["actor"] for e in told] == ["", "officer", "operator"]  # no names for members
    assert [a["point"] for a in world.items("operator", "/alerts", state="closed")] == ["alpha-outfall"]
    assert "alpha-outfall" not in {a["point"] for a in world.items("operator", "/alerts", state="open")}


def test_a_case_is_handed_to_a_company_answered_sent_back_and_closed(world: World) -> None:
    path = f"/alerts/{alert_of(world, 'alpha-outfall')}"
    assert world.ask("alpha", "POST", f"{path}/reply", json={"comment": "not ours yet"}).status_code == 403
    for wrong in ({}, {"assignee": "beta"}, {"assignee": "nobody"}):
        refused = world.ask("officer", "POST", f"{path}/assign", json=wrong)
        assert (refused.status_code, refused.json()["error"]["where"]) == (422, "body.assignee")
    handed = world.ask("officer", "POST", f"{path}/assign", json={"assignee": "alpha", "comment": "please explain"})
    assert (handed.json()["state"], handed.json()["assignee"]) == ("assigned", "alpha")
    assert world.ask("beta", "POST", f"{path}/reply", json={"comment": "x"}).status_code == 404
    assert world.ask("alpha", "POST", f"{path}/close").status_code == 403
    assert world.ask("alpha", "POST", f"{path}/reply").json()["error"]["where"] == "body.comment"
    answered = world.ask("alpha", "POST", f"{path}/reply", json={"comment": "pit 3 emptied"})
    assert (answered.status_code, answered.json()["state"]) == (200, "replied")
    back = world.ask("officer", "POST", f"{path}/reopen", json={"comment": "and the sample?"})
    assert back.json()["state"] == "reopened"
    world.ask("alpha", "POST", f"{path}/reply", json={"comment": "attached"})
    closed = world.ask("officer", "POST", f"{path}/close", json={"comment": "satisfied"}).json()
    assert [e["transition"] for e in closed["events"]] == [
        *("opened", "assigned", "replied", "reopened", "replied", "closed")
    ]


def test_a_month_of_alerts_and_a_members_part_of_it(world: World) -> None:
    world.ask("officer", "POST", f"/alerts/{alert_of(world, 'alpha-outfall')}/close")
    rows = world.get("officer", "/analysis", month="2026-10").json()
    assert [(r["member"], r["kind"], r["opened"]) for r in rows] == [
        (None, "exceedance", 1),
        ("alpha", "exceedance", 1),
        ("beta", "exceedance", 2),
    ]
    assert world.get("officer", "/analysis").json() == rows  # the month that runs
    assert (rows[1]["closed_hours"], rows[1]["unclosed"], rows[1]["days_exceeded"] > 0) == (0.0, 0, True)
    assert world.get("alpha", "/analysis", month="2026-10").json() == [rows[1]]
    for wrong in ("2026-13", "2026-Q4", "2031-01"):
        assert world.get("officer", "/analysis", month=wrong).status_code == 422


def test_alerts_are_filtered_and_paged(world: World) -> None:
    whole = world.items("operator", "/alerts")
    assert len(whole) == 5  # four exceedances, and the objection
    assert all_pages(world, "operator", "/alerts", limit=1) == whole
    assert all_pages(world, "operator", "/alerts", limit=3) == whole
    assert [a["parameter"] for a in world.items("operator", "/alerts", limit_set="beta-permit")] == ["chloride"]
    only_third = {"from": "2026-10-03T01:00:00+08:00", "to": "2026-10-04"}
    assert {a["point"] for a in world.items("operator", "/alerts", **only_third)} == {"beta-outfall"}
    assert world.items("operator", "/alerts", **{"from": "2026-11-01"}) == []


# --- statements, health, metrics ------------------------------------------------------------------


def test_statements_are_listed_newest_first_and_paged(world: World) -> None:
    whole = world.items("operator", "/statements")
    assert [(s["number"], s["state"], s["total_yuan"]) for s in whole] == [
        ("2026-10-02", "draft", "255.01"), ("2026-10-01", "superseded", "1.00"),
    ]  # fmt: skip
    assert all_pages(world, "operator", "/statements", limit=1) == whole
    assert world.items("operator", "/statements", period="2026-11") == []


@pytest.mark.parametrize("status", ["ok", "degraded", "not storing"])
def test_health_says_one_word_to_everyone(world: World, status: str) -> None:
    world.health["status"] = status
    assert world.get(None, "/health").json() == {"status": status}
    assert world.get("operator", "/health").json()["status"] == status


def test_metrics_count_requests_alerts_messages_and_health(world: World) -> None:
    world.get("alpha", "/plant")
    world.get("alpha", "/points/beta-outfall/readings")
    world.client.get("/somewhere/else")
    text = world.get("operator", "/metrics").text
    for line in (
        'plant_monitor_api_requests_total{method="GET",route="/plant",status="200"} 1.0',
        'plant_monitor_api_requests_total{method="GET",route="/points/{point}/readings",status="404"} 1.0',
        'plant_monitor_api_requests_total{method="GET",route="none",status="404"} 1.0',
        'plant_monitor_alerts{state="open"} 5.0',
        'plant_monitor_messages{state="pending"} 4.0',
        'plant_monitor_health{name="status"} 1.0',
        'plant_monitor_health{name="journal.rows"} 12.0',
    ):
        assert line in text.splitlines()
    assert "beta" not in text  # labels are routes, never what was asked for


def test_a_key_that_asks_too_often_has_to_wait(tmp_path: Any) -> None:
    slow = make_world(tmp_path, requests_per_s=0.001)  # a burst of ten seconds' worth is less than one request
    answer = slow.get("alpha", "/plant")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0
    assert slow.get(None, "/health").status_code == 200
    slow.client.close()
    slow.ledger.close()


def test_times_are_the_plants(world: World) -> None:
    first = world.items("alpha", "/points/alpha-outfall/readings", limit=1, **THREE_DAYS)[0]["time"]
    assert first == rfc3339(OCT_1, world.plant.zone)
    assert world.get("alpha", "/plant").json()["timezone"] == "Asia/Shanghai"
    assert OCT_1 + 3 * DAY < NOW


def test_a_verdict_is_explained_to_those_who_may_read_its_readings(world: World) -> None:
    about = {"point": "alpha-outfall", "parameter": "cod_cr", "date": "2026-10-01"}
    told = world.get("alpha", "/compliance/explanation", **about).json()
    assert "0.6 g/L" in " ".join(told["en"]) and len(told["zh"]) == len(told["en"]) > 3
    assert "beta" not in str(told)
    for wrong in ({"point": "beta-outfall"}, {"point": "plant-effluent"}, {"parameter": "chloride"}):
        assert world.get("alpha", "/compliance/explanation", **{**about, **wrong}).status_code == 404
    assert world.get("alpha", "/compliance/explanation", **{**about, "date": "soon"}).status_code == 422


def test_what_was_refused_is_for_operators(world: World) -> None:
    assert world.get("operator", "/quarantine").json() == {"items": [], "next": None}
    for who in ("alpha", "officer"):
        assert world.get(who, "/quarantine").status_code == 403
