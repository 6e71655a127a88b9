"""What people read: golden texts in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alerts.alert_plant import cod_day, make_plant, ph_hours

from plant_monitor.alerts.envelope import Message
from plant_monitor.alerts.lifecycle import Alert, Change, Exceedance, Kind, Transition
from plant_monitor.alerts.messages import TOLD, message, number
from plant_monitor.plant import Plant


def told(alert: Alert, transition: Transition, plant: Plant) -> Message:
    return message(Change(transition, alert, 0), plant, plant.notify.language)


def alert(*episodes: Exceedance, number: int = 12) -> Alert:
    first = episodes[0]
    key = Kind.EXCEEDANCE, first.point, first.parameter, first.limit_set
    return Alert(*key, opened_ms=0, episodes=episodes, id=number)


def test_an_exceedance_that_goes_on_in_chinese() -> None:
    text = told(alert(cod_day(days=2)), Transition.OPENED, make_plant("zh"))
    assert text.title == "【超标】神农排放口 化学需氧量日均值 4313 mg/L > 4000 mg/L"
    assert text.body.splitlines() == [
        "地点:神农排放口(shennong-outfall),海宁市洁净污水处理有限公司",
        "因子:化学需氧量,日均值",
        "峰值:4313 mg/L,超过限值 4000 mg/L(1.078 倍)",
        "依据:纳管协议 (xieqiao-intake, § 3)",
        "开始:2026-10-01 00:00",
        "状态:仍在持续(截至 2026-10-03 00:00,累计 2 天)",
        "处理:请确认告警,查明原因",
        "编号:#12",
    ]


def test_a_low_ph_that_is_over_in_english() -> None:
    text = told(alert(ph_hours()), Transition.OVER, make_plant("en"))
    assert text.title == "[OVER] Shennong outfall: pH, hourly median 4.21 < 4.5"
    assert text.body.splitlines() == [
        "Where: Shennong outfall (shennong-outfall), Jiejing shared wastewater plant",
        "What: pH, hourly median",
        "Peak: 4.21, below the limit of 4.5 (1.069 times)",
        "Rule: Intake agreement (xieqiao-intake)",
        "Since: 2026-10-01 08:00",
        "Status: over since 2026-10-01 10:00 (2 hours)",
        "Alert: #12",
    ]


def test_a_message_says_what_to_do_and_links_to_the_alert() -> None:
    plant = make_plant("en")
    plant = replace(plant, notify=replace(plant.notify, console="https://plant.example"))
    lines = told(alert(cod_day()), Transition.OVERDUE, plant).body.splitlines()
    assert lines[-3:] == [
        "To do: answer with the cause and what was done",
        "Alert: #12",
        "https://plant.example/console/case/12",
    ]
    silent = replace(alert(cod_day()), kind=Kind.SILENCE)
    assert "To do: check instrument, power and line" in told(silent, Transition.OPENED, plant).body
    assert "To do" not in told(alert(cod_day(ongoing=False)), Transition.OVER, plant).body


def test_both_languages_and_one_day() -> None:
    text = told(alert(cod_day(ongoing=False)), Transition.RESUMED, make_plant("both"))
    zh, en = text.title.split(" / ")
    assert zh.startswith("【再次超标】")
    assert en.startswith("[EXCEEDED AGAIN]")
    assert "over since 2026-10-02 00:00 (1 day)" in text.body
    assert "已于 2026-10-02 00:00 结束" in text.body


def test_a_withdrawn_exceedance_says_what_had_been_reported() -> None:
    gone = alert(replace(cod_day(), withdrawn=True, ongoing=False))
    assert "数据更正后,不再超标" in told(gone, Transition.WITHDRAWN, make_plant("zh")).body
    assert told(gone, Transition.WITHDRAWN, make_plant("en")).title.startswith("[WITHDRAWN] Shennong outfall: COD")


def test_what_the_plant_does_not_know_is_named_by_its_key() -> None:
    strange = replace(cod_day(), point="gone", parameter="w99999", limit_set="lost", statistic="weekly", unit="")
    text = told(alert(strange, number=0), Transition.OPENED, make_plant("en"))
    assert text.title == "[EXCEEDED] gone: w99999,  4313 > 4000"
    assert "Rule: lost" in text.body
    assert "#" not in text.body


@pytest.mark.parametrize("transition", sorted(TOLD))
@pytest.mark.parametrize("language", ["zh", "en", "both"])
def test_every_step_that_is_told_has_words(transition: Transition, language: str) -> None:
    text = told(alert(cod_day()), transition, make_plant(language))
    assert str(transition) not in text.title + text.body  # a headline, not a key
    assert "None" not in text.title + text.body


@pytest.mark.parametrize(
    ("value", "other", "text"),
    [
        (4312.55, 4000.0, "4313"),
        (45.00001, 45.0, "45.00001"),  # what decides must be seen
        (45.0, 45.00001, "45"),
        (0.30000000000000004, 0.3, "0.30000000000000004"),
        (12345.6, None, "12346"),
        (-0.00012345, None, "-0.0001234"),
        (50.0, 50.0, "50"),
    ],
)
def test_numbers_are_short_and_never_hide_a_difference(value: float, other: float | None, text: str) -> None:
    assert number(value, other) == text
