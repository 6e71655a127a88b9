"""The forwarder against a real InfluxDB 1.x, and against one that says what the real one says only rarely.

Design §6, row "InfluxDB down, slow, full, or refuses a point".
"""

import os
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from servers import Influxd, wait_until

from plant_monitor.clock import SystemClock
from plant_monitor.errors import StoreUnavailable
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import OVER_RANGE, Readings
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer, Misconfigured, ServerBusy
from plant_monitor.store.journal import BACKFILL, LIVE, Journal
from tests.store.fake_influx import Answer, Asked, FakeInflux, error

HOUR = 3_600_000
T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00


def settings_of(url: str) -> InfluxSettings:
    return InfluxSettings(url=url, api="v1", org="", bucket="readings", results_bucket="results")


def day(start: int = T0, value: float = 400.0, rows: int = 24) -> Readings:
    times = np.arange(rows) * HOUR + start
    return Readings.concat([Readings.of(times, 0, 10.0), Readings.of(times, 1, value)])


def drain(forwarder: Forwarder) -> None:
    while forwarder.forward_once():
        pass


@pytest.fixture
def to(small_journal: Journal, small_plant: Plant) -> Callable[..., Forwarder]:
    """A forwarder of the small journal to a server."""

    def make(settings: InfluxSettings, timeout_s: float = 20.0, **options: int) -> Forwarder:
        server = InfluxServer(settings, timeout_s=timeout_s)
        return Forwarder(small_journal, small_plant, server, SystemClock(), **options)

    return make


# --- a real server ------------------------------------------------------------------------------


def test_the_outbox_drains(influxd: Influxd, small_journal: Journal, to: Callable[..., Forwarder]) -> None:
    influxd.create_database("readings")
    small_journal.append(day(), accepted_ms=T0)
    odd = Readings.of([T0 + 1, T0 + 2], 1, [np.nan, 9000.0], [ord("N"), OVER_RANGE])
    small_journal.append(odd, accepted_ms=T0)
    drain(to(settings_of(influxd.url)))
    assert small_journal.counts().outbox_rows == 0
    rows = influxd.query_csv("readings", "SELECT value, mark FROM readings WHERE parameter='cod_cr'")
    assert len(rows) == 26
    by_time = {int(row["time"]): row for row in rows}
    assert (by_time[T0]["value"], by_time[T0]["mark"]) == ("400", "N")
    assert (by_time[T0 + 1]["value"], by_time[T0 + 1]["mark"]) == ("", "-")
    assert (by_time[T0 + 2]["value"], by_time[T0 + 2]["mark"]) == ("9000", "T")
    (tag,) = influxd.query_csv("readings", "SHOW TAG VALUES FROM readings WITH KEY = point")
    assert tag["value"] == "out fall,1"


def test_nothing_leaves_the_outbox_while_it_is_down(
    influxd: Influxd, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    influxd.create_database("readings")
    influxd.stop()
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(settings_of(influxd.url))
    with pytest.raises(StoreUnavailable, match="not reachable"):
        forwarder.forward_once()
    assert small_journal.counts().outbox_rows == 48
    influxd.start()
    assert forwarder.forward_once() == 48
    assert small_journal.counts().outbox_rows == 0
    assert len(influxd.query_csv("readings", "SELECT value FROM readings")) == 48


def test_paused_it_costs_a_timeout_and_nothing_else(
    influxd: Influxd, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    """SIGSTOP: the socket is open and nobody answers. The journal takes readings all the while."""
    influxd.create_database("readings")
    forwarder = to(settings_of(influxd.url), timeout_s=0.3)
    assert influxd._process is not None
    os.kill(influxd._process.pid, signal.SIGSTOP)
    try:
        small_journal.append(day(), accepted_ms=T0)
        forwarder.start()
        wait_until(lambda: forwarder.health()["state"] == "waiting", 10, "it has seen that nobody answers")
        small_journal.append(day(T0 + 24 * HOUR), accepted_ms=T0)
        assert small_journal.counts().outbox_rows == 96
    finally:
        os.kill(influxd._process.pid, signal.SIGCONT)
    wait_until(lambda: small_journal.counts().outbox_rows == 0, 10, "the backlog drains")
    forwarder.stop()
    assert len(influxd.query_csv("readings", "SELECT value FROM readings")) == 96
    assert forwarder.health()["state"] == "forwarding"


def test_what_it_refuses_is_set_aside_and_the_rest_is_there(
    influxd: Influxd, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    """Somebody has written ``value`` as an integer for one week; the server answers 400 and keeps the good lines."""
    influxd.create_database("readings")
    InfluxServer(settings_of(influxd.url)).write("readings", f"readings,plant=other value=1i {T0}".encode())
    small_journal.append(day(T0, rows=3), accepted_ms=T0)
    small_journal.append(day(T0 - 60 * 24 * HOUR), accepted_ms=T0)
    forwarder = to(settings_of(influxd.url))
    drain(forwarder)
    refused = small_journal.outbox_refused(1000)
    assert len(refused) == 6 and {r.time_ms for r in refused} == {T0, T0 + HOUR, T0 + 2 * HOUR}
    assert all("type conflict" in r.reason for r in refused)
    assert len(influxd.query_csv("readings", "SELECT value FROM readings WHERE plant='p'")) == 48
    assert forwarder.health()["refused"] == 6 and small_journal.counts().outbox_rows == 0


def test_older_than_the_server_keeps(influxd: Influxd, small_journal: Journal, to: Callable[..., Forwarder]) -> None:
    """Years of history against a retention of 30 days: few requests, exactly the old ones set aside."""
    influxd.create_database("readings")
    server = InfluxServer(settings_of(influxd.url))
    server.query("readings", 'ALTER RETENTION POLICY "autogen" ON "readings" DURATION 30d')
    now = SystemClock().now_ms()
    step = 60 * 24 * HOUR // 1000
    ages = np.arange(1, 1001) * step - step // 2  # up to 60 days: every second one is too old
    small_journal.append(Readings.of(now - ages, 0, 1.0), accepted_ms=now, priority=BACKFILL)
    requests = []
    write = server.write

    def counted(bucket: str, lines: bytes) -> None:
        requests.append(lines)
        write(bucket, lines)

    server.write = counted  # type: ignore[method-assign]
    forwarder = to(settings_of(influxd.url))
    forwarder._server = server
    drain(forwarder)
    assert len(small_journal.outbox_refused(2000)) == 500
    assert {r.time_ms for r in small_journal.outbox_refused(2000)} == set((now - ages[500:]).tolist())
    # It keeps some older ones, too, for as long as a younger one of the same request shares their week.
    there = {int(row["time"]) for row in influxd.query_csv("readings", "SELECT value FROM readings")}
    assert there >= set((now - ages[:500]).tolist())
    assert len(requests) < 30


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["partial write: field type conflict dropped=0", "partial write: dropped=9999", "no"])
def test_a_refused_point_holds_up_nothing_whatever_dropped_says(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder], told: str
) -> None:
    fake_influx.refusing(lambda line: "value=666.0" in line, told)
    small_journal.append(day(), accepted_ms=T0)
    small_journal.append(Readings.of([T0 + 5, T0 + 6], 1, [666.0, 667.0]), accepted_ms=T0)
    assert to(fake_influx.settings()).forward_once() == 50
    (refused,) = small_journal.outbox_refused()
    assert (refused.time_ms, refused.value, refused.mark) == (T0 + 5, 666.0, ord("N"))
    assert told in refused.reason
    assert len(set(fake_influx.lines)) == 49
    assert small_journal.counts().outbox_rows == 0


def test_v2_on_the_wire(fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]) -> None:
    small_journal.append(day(rows=1), accepted_ms=T0)
    drain(to(fake_influx.settings()))
    (asked,) = fake_influx.asked
    assert (asked.method, asked.path, asked.gzipped) == ("POST", "/api/v2/write", True)
    assert asked.query == {"org": "org", "bucket": "readings", "precision": "ms"}
    assert asked.headers["Authorization"] == "Token t0p"
    assert (
        asked.body.splitlines()[0] == f'readings,plant=p,point=out\\ fall\\,1,parameter=flow value=10.0,mark="N" {T0}'
    )


def test_v1_on_the_wire(fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]) -> None:
    small_journal.append(day(rows=1), accepted_ms=T0)
    drain(to(InfluxSettings(fake_influx.url, "v1", "", "readings", "results", username="u", password="p:w")))
    (asked,) = fake_influx.asked
    assert (asked.path, asked.query) == ("/write", {"db": "readings", "precision": "ms"})
    assert asked.headers["Authorization"] == "Basic dTpwOnc="


def test_a_request_that_is_too_large_is_cut(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    taken: list[str] = []

    def answer(asked: Asked) -> Answer:
        lines = asked.body.splitlines()
        if len(lines) > 10:
            return error(413, "request entity too large")
        taken.extend(lines)
        return Answer()

    fake_influx.answer = answer
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    drain(forwarder)
    assert len(taken) == 48 and small_journal.outbox_refused() == []
    before = len(fake_influx.asked)
    for part in range(6):
        small_journal.append(day(T0 + (part + 30) * 24 * HOUR, rows=4), accepted_ms=T0)
    drain(forwarder)
    assert len(fake_influx.asked) - before == 6, "it has learnt how much the server takes"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_configuration_drops_nothing(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder], status: int
) -> None:
    fake_influx.answer = lambda asked: error(status, "no")
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    forwarder.start()
    wait_until(lambda: forwarder.health()["state"] == "misconfigured", 5)
    assert str(status) in forwarder.health()["error"]
    assert small_journal.counts().outbox_rows == 48 and small_journal.outbox_refused() == []
    fake_influx.answer = lambda asked: Answer()
    wait_until(lambda: small_journal.counts().outbox_rows == 0, 5, "put right, it goes on by itself")
    forwarder.stop()


def test_a_400_that_is_no_points_fault_drops_nothing(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    fake_influx.answer = lambda asked: error(400, "id must have a length of 16 bytes")
    small_journal.append(day(rows=2), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    with pytest.raises(Misconfigured, match="takes no point at all"):
        forwarder.forward_once()
    assert small_journal.counts().outbox_rows == 4 and small_journal.outbox_refused() == []
    fake_influx.answer = lambda asked: Answer()
    drain(forwarder)
    # Even words that speak of lines are not believed when a point that was taken before is refused, too.
    fake_influx.answer = lambda asked: error(400, "partial write: dropped=1")
    small_journal.append(day(T0 + 24 * HOUR, rows=2), accepted_ms=T0)
    with pytest.raises(Misconfigured):
        forwarder.forward_once()
    assert small_journal.counts().outbox_rows == 4 and small_journal.outbox_refused() == []


@pytest.mark.parametrize(("status", "state"), [(429, "busy"), (503, "busy"), (500, "waiting")])
def test_busy_and_broken_servers_are_waited_for(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder], status: int, state: str
) -> None:
    fake_influx.answer = lambda asked: error(status, "not now", Retry_After="1")
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    forwarder.start()
    wait_until(lambda: forwarder.health()["state"] == state, 5)
    fake_influx.answer = lambda asked: Answer()
    wait_until(lambda: small_journal.counts().outbox_rows == 0, 10)
    forwarder.stop()
    assert forwarder.health() | {"last_forwarded_ms": 0, "failures": 0} == {
        "state": "forwarding",
        "error": None,
        "since_ms": None,
        "last_forwarded_ms": 0,
        "forwarded": 48,
        "refused": 0,
        "failures": 0,
    }


@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({"Retry_After": "120"}, 120.0),
        ({"Retry_After": "Thu, 01 Oct 2026 00:01:30 GMT", "Date": "Thu, 01 Oct 2026 00:00:00 GMT"}, 90.0),
        ({}, None),
        ({"Retry_After": "soon"}, None),
    ],
)
def test_when_the_server_wants_us_back(fake_influx: FakeInflux, headers: dict[str, str], after_s: float | None) -> None:
    fake_influx.answer = lambda asked: error(503, "busy", **headers)
    server = InfluxServer(fake_influx.settings())
    with pytest.raises(ServerBusy) as busy:
        server.write("readings", b"a v=1 1")
    assert busy.value.after_s == after_s


def test_it_backs_off(fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]) -> None:
    """Twice as long each time: the pauses the thread asks for."""
    fake_influx.answer = lambda asked: error(500, "broken")
    small_journal.append(day(rows=1), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    pauses: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            if len(pauses) == 10:
                self.set()
            return self.is_set()

    forwarder._stop = Impatient()
    forwarder._run()
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert small_journal.counts().outbox_rows == 2


# --- order --------------------------------------------------------------------------------------


def test_months_of_backfill_do_not_starve_live_data(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    """A live reading is in the very next request, however much history waits; what replaces comes last."""
    for start in range(0, 20_000, 2_000):
        old = Readings.of(T0 - (20_000 - start - np.arange(2_000)) * HOUR, 0, 1.0)
        small_journal.append(old, accepted_ms=T0, priority=BACKFILL)
    forwarder = to(fake_influx.settings(), batch_rows=4_000)
    forwarder.forward_once()
    small_journal.append(Readings.of([T0], 1, [7.5]), accepted_ms=T0, priority=LIVE)
    small_journal.append(Readings.of([T0], 1, [8.5]), accepted_ms=T0 + 1, priority=LIVE)  # replaces it
    forwarder.forward_once()
    assert "value=7.5" in fake_influx.asked[-1].body.splitlines()[0]
    drain(forwarder)
    everything = "".join(asked.body for asked in fake_influx.asked).splitlines()
    assert len(everything) == 20_002 and "value=8.5" in everything[-1]
    history = [int(line.rpartition(" ")[2]) for line in everything if "value=1.0" in line]
    assert history == sorted(history)


def test_a_slow_server_does_not_slow_the_journal(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    held = threading.Event()

    def answer(asked: Asked) -> Answer:
        held.wait(10)
        return Answer()

    fake_influx.answer = answer
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(fake_influx.settings())
    forwarder.start()
    wait_until(lambda: fake_influx.asked, 5)
    for n in range(50):
        small_journal.append(Readings.of([T0 + n], 0, [1.0 + n]), accepted_ms=T0)
    waiting = small_journal.counts().outbox_rows
    held.set()
    assert waiting >= 48 + 49
    wait_until(lambda: small_journal.counts().outbox_rows == 0, 10)
    forwarder.stop()


def test_a_journal_that_cannot_say_done_sends_again(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own disk is full: the server has it, we cannot note it. It is sent again, and nothing is lost."""
    small_journal.append(day(), accepted_ms=T0)
    forwarder = to(fake_influx.settings())

    def full(*_: object) -> None:
        raise StoreUnavailable("journal: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(small_journal, "outbox_done", full)
        with pytest.raises(StoreUnavailable, match="full"):
            forwarder.forward_once()
    assert forwarder.forward_once() == 48
    assert fake_influx.asked[0].body == fake_influx.asked[1].body


def test_many_refused_points_are_found_soon(
    fake_influx: FakeInflux, small_journal: Journal, to: Callable[..., Forwarder]
) -> None:
    """A whole series that the server does not take, among others that it does."""
    fake_influx.refusing(lambda line: "parameter=flow" in line)
    small_journal.append(day(rows=200), accepted_ms=T0)
    began = time.monotonic()
    drain(to(fake_influx.settings()))
    assert len(small_journal.outbox_refused(1000)) == 200
    assert len(set(fake_influx.lines)) == 200
    assert len(fake_influx.asked) <= 2 * 200 + 20, time.monotonic() - began
