"""Results on their way to InfluxDB: what is kept while it takes nothing, and in which order it goes."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from plant_monitor.alerts.lifecycle import Alert
from plant_monitor.clock import ManualClock
from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.compliance.tables import FORECAST_COLUMNS, Table
from plant_monitor.errors import StoreUnavailable
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.publisher import DAYS_AT_ONCE, FRESH_KEPT, HEALTH_KEPT, Publisher
from plant_monitor.store.results import HealthRow, ResultsWriter
from plant_monitor.windows import local_windows
from tests.store.fake_influx import Answer, Asked, FakeInflux, error

T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00
DAY = date(2026, 10, 1)
MINUTE = 60_000


class NoAlerts:
    def revision(self) -> int:
        return 0

    def all(self) -> Iterator[Alert]:
        return iter(())


def expected(plant: Plant, now_ms: int) -> Table:
    """A forecast that tells when it was made."""
    return Table.of_rows(FORECAST_COLUMNS, [("2026-10-01", 1.0, float(now_ms), 3.0, 1200.0, 0.01)])


@pytest.fixture(autouse=True)
def _taking(fake_influx: FakeInflux) -> None:
    fake_influx.answer = taking


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def evaluated() -> list[tuple[date, date]]:
    return []


@pytest.fixture
def publisher(
    fake_influx: FakeInflux, small_plant: Plant, clock: ManualClock, evaluated: list[tuple[date, date]]
) -> Publisher:
    def again(first: date, last: date) -> Evaluation:
        evaluated.append((first, last))
        return days(small_plant, first, last)

    def health(now_ms: int) -> list[HealthRow]:
        return [({"device": "plc"}, {"silent": False})]

    writer = ResultsWriter(small_plant, InfluxServer(fake_influx.settings()))
    return Publisher(
        writer, clock, evaluate=again, alerts=NoAlerts(), health=health, forecast=lambda now: expected(small_plant, now)
    )


def days(plant: Plant, first: date, last: date | None = None) -> Evaluation:
    return evaluate(plant, Readings.empty(), local_windows(first, last or first, plant.zone))


def written(fake: FakeInflux, measurement: str) -> list[str]:
    bodies = (asked.body for asked in fake.asked if asked.path == "/api/v2/write")
    return [line for body in bodies for line in body.splitlines() if line.startswith(measurement)]


def taking(asked: Asked) -> Answer:
    return Answer.json({"results": [{"statement_id": 0}]}) if asked.path == "/query" else Answer()


def down(asked: Asked) -> Answer:
    return error(503, "starting")


def test_an_evaluation_at_hand_is_not_made_again(
    publisher: Publisher, fake_influx: FakeInflux, small_plant: Plant, evaluated: list[Any]
) -> None:
    publisher.publish(days(small_plant, DAY))
    assert publisher.days_unpublished == 1
    assert publisher.step() is False
    assert publisher.days_unpublished == 0 and evaluated == []
    assert written(fake_influx, "daily")


def test_what_was_not_taken_is_evaluated_anew_the_latest_days_first(
    publisher: Publisher, fake_influx: FakeInflux, small_plant: Plant, evaluated: list[Any]
) -> None:
    publisher.step()
    fake_influx.answer = down
    for n in range(30):
        publisher.publish(days(small_plant, DAY + timedelta(days=n)))
        with pytest.raises(StoreUnavailable):
            publisher.step()
    assert publisher.days_unpublished == 30 and not publisher._fresh
    fake_influx.answer = taking
    assert publisher.step() is True
    while publisher.step():
        pass
    assert publisher.days_unpublished == 0
    last = DAY + timedelta(days=29)
    assert evaluated[0] == (last - timedelta(days=DAYS_AT_ONCE - 1), last)
    assert sum((b - a).days + 1 for a, b in evaluated) == 30, "each day once"


def test_a_long_outage_holds_few_evaluations_and_no_day_is_forgotten(
    publisher: Publisher, small_plant: Plant, evaluated: list[Any]
) -> None:
    for n in range(10):
        publisher.publish(days(small_plant, DAY + timedelta(days=2 * n)))
    assert len(publisher._fresh) == FRESH_KEPT and publisher.days_unpublished == 10
    while publisher.step():
        pass
    assert publisher.days_unpublished == 0
    assert evaluated == [(DAY + timedelta(days=2 * n),) * 2 for n in range(5, -1, -1)]


def test_a_day_that_changed_while_it_was_written_is_still_owed(
    publisher: Publisher, fake_influx: FakeInflux, small_plant: Plant
) -> None:
    writes = 0

    def answer(asked: Asked) -> Answer:
        nonlocal writes
        if "daily" in asked.body and asked.path == "/api/v2/write":
            writes += 1
            if writes == 1:  # the watch evaluates the day again just now
                publisher.publish(days(small_plant, DAY))
            else:
                return down(asked)
        return taking(asked)

    fake_influx.answer = answer
    publisher.publish(days(small_plant, DAY))
    with pytest.raises(StoreUnavailable):
        publisher.step()
    assert (writes, publisher.days_unpublished) == (2, 1)


def test_lines_that_are_refused_hold_up_nothing(
    publisher: Publisher, fake_influx: FakeInflux, small_plant: Plant
) -> None:
    def answer(asked: Asked) -> Answer:
        return error(400, "field type conflict") if asked.body.startswith(("daily", "hourly")) else taking(asked)

    fake_influx.answer = answer
    publisher.publish(days(small_plant, DAY))
    assert publisher.step() is False
    health = publisher.health()
    assert (health["state"], health["days_unpublished"], health["refused"]) == ("publishing", 0, 1)
    assert "conflict" in health["refusal"]
    assert len(written(fake_influx, "device_health")) == 1


def test_minutes_of_health_wait_for_the_server_up_to_a_day(
    publisher: Publisher, fake_influx: FakeInflux, clock: ManualClock
) -> None:
    fake_influx.answer = down
    for n in range(HEALTH_KEPT + 5):
        clock.set(T0 + n * MINUTE)
        publisher._look_at_health()
        publisher._look_at_health()
    with pytest.raises(StoreUnavailable):
        publisher.step()
    assert publisher.health()["minutes_unpublished"] == HEALTH_KEPT
    fake_influx.answer = taking
    fake_influx.asked.clear()
    publisher.step()
    times = [int(line.rpartition(" ")[2]) for line in written(fake_influx, "device_health")]
    assert times == [T0 + n * MINUTE for n in range(5, HEALTH_KEPT + 5)]


def test_alerts_are_read_when_they_changed(fake_influx: FakeInflux, small_plant: Plant, clock: ManualClock) -> None:
    class Alerts(NoAlerts):
        number, reads = 0, 0

        def revision(self) -> int:
            return self.number

        def all(self) -> Iterator[Alert]:
            self.reads += 1
            return iter(())

    alerts = Alerts()
    writer = ResultsWriter(small_plant, InfluxServer(fake_influx.settings()))
    made = Publisher(
        writer,
        clock,
        evaluate=lambda a, b: days(small_plant, a, b),
        alerts=alerts,
        health=lambda now: [],
        forecast=lambda now: Table.of_rows(FORECAST_COLUMNS, []),
    )
    made.step()
    made.step()
    assert alerts.reads == 1
    alerts.number = 1
    fake_influx.answer = down
    writer._alerts = None  # as in a new process: it asks the server first
    with pytest.raises(StoreUnavailable):
        made.step()
    fake_influx.answer = taking
    made.step()
    assert alerts.reads == 3


def test_the_forecast_is_written_each_hour_and_again_where_it_was_not_taken(
    publisher: Publisher, fake_influx: FakeInflux, clock: ManualClock
) -> None:
    def told() -> list[str]:
        return [line.partition("p50_m3=")[2].partition(",")[0] for line in written(fake_influx, "forecast")]

    for minutes in (0, 1, 59):
        clock.set(T0 + minutes * MINUTE)
        publisher.step()
    assert told() == [f"{float(T0)}"] and written(fake_influx, "forecast")[0].endswith(f" {T0}")
    clock.set(T0 + 61 * MINUTE)
    fake_influx.answer = down
    with pytest.raises(StoreUnavailable):
        publisher.step()
    fake_influx.answer = taking
    fake_influx.asked.clear()
    publisher.step()
    assert told() == [f"{float(T0 + 61 * MINUTE)}"]
