"""What a person gets beside single messages: gathered ones, the daily report, the hand-over; and not too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest
from alerts.alert_plant import DAY, HOUR, OCT_1, cod_day
from alerts.test_alert_people import COVERED, NOTIFY, NOW, ms
from alerts.test_alert_people import Office as PeopleOffice

from plant_monitor.alerts.lifecycle import Action, Exceedance, Kind, Span
from plant_monitor.notify import Notify, Report
from plant_monitor.plant import Name


class Office(PeopleOffice):
    """With what belongs to no single alert."""

    def at(self, when: str | int) -> dict[str, list[str]]:
        self.clock.set(ms(when) if isinstance(when, str) else when)
        self.desk.tell_the_day()
        return super().at(when)


Open = Callable[[Notify], Office]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[Office] = []

    def again(notify: Notify) -> Office:
        made.append(Office(tmp_path, notify))
        return made[-1]

    yield again
    for office in made:
        office.ledger.close()


def warning(n: int, start: int = NOW) -> Exceedance:
    about = {"kind": Kind.SILENCE, "limit_set": f"w{n}", "start_ms": start, "end_ms": start + HOUR}
    return replace(cod_day(), **about, peak_ratio=None, evidence=Name("无数据", "silent"))


def warn(office: Office, *numbers: int) -> None:
    found = [warning(n) for n in numbers]
    office.desk.consider(found, Span(NOW, NOW + DAY), office.clock.now_ms(), (Kind.SILENCE,))


def letters(office: Office, phone: str = "chen-app") -> list[str]:
    return [e.message.title for e in office.phones[phone].rang]


# --- not too many -----------------------------------------------------------------------------------------------------


def test_more_than_so_many_within_an_hour_come_as_one_and_grave_ones_at_once(opened: Open) -> None:
    office = opened(replace(NOTIFY, messages_per_hour=3))
    warn(office, *range(5))
    assert office.at(NOW) == {"chen-app": ["opened"] * 3}
    assert office.desk.health()["messages"]["pending"] == 2
    grave = replace(cod_day(peak=9000.0), start_ms=OCT_1)
    office.desk.consider([grave], COVERED, NOW)
    assert office.at(NOW + 60_000) == {"chen-app": ["opened"]}  # critical
    assert letters(office)[-1].startswith("【超标】")
    assert office.at(NOW + HOUR - 1) == {}
    assert office.at(NOW + HOUR) == {"chen-app": ["opened"]}
    assert letters(office)[-1] == "【汇总】2 条消息"
    body = office.phones["chen-app"].rang[-1].message.body
    assert body.splitlines()[:2] == [
        "1. 【预警】神农排放口 化学需氧量 无数据",
        "2. 【预警】神农排放口 化学需氧量 无数据",
    ]
    assert "编号:#4" in body and "编号:#5" in body
    assert office.desk.health()["messages"] == {"pending": 0, "sent": 6, "failed": 0}
    assert {d.sent_ms for d in office.ledger.deliveries.find(limit=2, alert_id=5)} == {NOW + HOUR}


def test_a_storm_of_warnings_is_a_few_messages_an_hour_and_none_is_lost(opened: Open) -> None:
    office = opened(replace(NOTIFY, messages_per_hour=2, policies=(replace(NOTIFY.policies[0], acknowledge=None),)))
    for minute in range(180):
        warn(office, *range(minute + 1))
        office.at(NOW + minute * 60_000)
    office.at(NOW + 4 * HOUR)
    times = sorted(d.sent_ms for d in office.ledger.deliveries.find(limit=1000) if d.sent_ms and d.bundle_of is None)
    assert all(b - a >= HOUR for a, b in zip(times, times[2:], strict=False))
    assert office.desk.health()["messages"] == {"pending": 0, "sent": 180, "failed": 0}


# --- the digest -------------------------------------------------------------------------------------------------------


def test_warnings_wait_for_the_digest_and_hold_nothing_up(opened: Open) -> None:
    office = opened(replace(NOTIFY, digest_at=time(8)))
    warn(office, 1, 2)
    office.exceed()
    assert office.at(NOW) == {"chen-app": ["opened"]}  # the exceedance
    assert office.at(NOW + 2 * HOUR) == {"chen-app": ["unacknowledged"] * 3, "wang-app": ["unacknowledged"] * 3}
    again = opened(replace(NOTIFY, digest_at=time(8)))  # a restart
    assert again.at("2026-10-14T07:59") == {"li-app": ["hand_over"]}
    assert again.at("2026-10-14T08:00") == {"chen-app": ["opened", "hand_over"]}
    assert letters(again) == ["【汇总】2 条消息", "【交接班】3 条未办结"]
    assert again.at("2026-10-15T08:00") == {}


# --- the daily report -------------------------------------------------------------------------------------------------

REPORTED = replace(NOTIFY, report=Report(time(8), ("officer", "member")))


def test_the_day_is_reported_once_at_its_hour_whatever_restarts(opened: Open) -> None:
    told = []
    for hour in range(72):
        office = opened(replace(REPORTED, policies=()))
        if hour == 0:
            office.exceed()
        if hour not in (22, 23, 24):  # down at 08:00 of the 14th
            told += [(hour, name, news) for name, news in office.at(NOW + hour * HOUR).items()]
    # Ten o'clock of the 13th is the first start: nothing is owed of the past. chen has the day, li the night.
    assert told == [
        (25, "chen-app", ["report"]), (25, "he-app", ["report"]), (25, "lu-app", ["report"]),
        (46, "chen-app", ["report"]), (46, "he-app", ["report"]), (46, "lu-app", ["report"]),
        (70, "chen-app", ["report"]), (70, "he-app", ["report"]), (70, "lu-app", ["report"]),
    ]  # fmt: skip


def test_what_a_report_says_and_to_a_company_only_of_itself(opened: Open) -> None:
    office = opened(replace(REPORTED, policies=(replace(NOTIFY.policies[0], acknowledge=None),)))
    office.exceed()
    office.at(NOW)
    office.at("2026-10-14T08:00")
    letter = office.phones["chen-app"].rang[-1]
    assert letter.name == "20261014T000000Z-xieqiao-report-chen"
    assert letter.message.title == "【日报】2026-10-13 海宁市洁净污水处理有限公司"
    assert letter.message.body.splitlines() == [
        "判定:12,超标 1,数据不足 2", "- 超标", "进水", "新开告警:1", "未办结:1",
        "#1 【超标】神农排放口 化学需氧量日均值 4313 mg/L > 4000 mg/L; open, → 2026-10-15 17:30",
    ]  # fmt: skip
    bodies = {name: office.phones[name].rang[-1].message.body.splitlines() for name in ("he-app", "lu-app")}
    assert bodies["he-app"][0] == "未办结:1" and bodies["lu-app"] == ["未办结:0"]


# --- the hand-over ----------------------------------------------------------------------------------------------------


def test_who_takes_over_is_told_what_is_open_and_nothing_where_nothing_is(opened: Open) -> None:
    quiet = replace(NOTIFY, policies=(replace(NOTIFY.policies[0], acknowledge=None, answer=None),))
    office = opened(quiet)
    assert office.at(NOW) == {}
    assert office.at("2026-10-13T18:00") == {}  # li takes over, and nothing is open
    office.exceed()
    assert office.at("2026-10-13T18:01") == {"li-app": ["opened"]}
    again = opened(quiet)
    assert again.at("2026-10-14T08:00") == {"chen-app": ["hand_over"]}
    assert letters(again) == ["【交接班】1 条未办结"]
    assert again.at("2026-10-14T08:01") == {}
    assert again.at("2026-10-14T18:00") == {"li-app": ["hand_over"]}
    again.desk.act(1, Action.CLOSE, actor="officer:li")
    assert again.at("2026-10-15T08:00") == {}
    assert again.at(ms("2026-10-15T18:00")) == {}
