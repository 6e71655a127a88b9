"""The desk with a real ledger: told once, whatever fails, restarts or is killed in between.

Design §6, row "alert channel fails".
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alerts.alert_plant import DAY, OCT_1, cod_day, make_plant, ph_hours
from servers import wait_until

from plant_monitor.alerts.channels import open_senders
from plant_monitor.alerts.desk import FIRST_WAIT_MS, GIVE_UP_MS, LONGEST_WAIT_MS, AlertDesk, wait_ms
from plant_monitor.alerts.envelope import Envelope, NotSent, Sender
from plant_monitor.alerts.lifecycle import Action, Span, Transition
from plant_monitor.clock import ManualClock
from plant_monitor.ledger import Ledger
from plant_monitor.ledger import deliveries as ledger_deliveries
from plant_monitor.ledger.deliveries import CLAIM_MS
from plant_monitor.notify import Channel

NOW = OCT_1 + 2 * DAY
COVERED = Span(OCT_1 - DAY, NOW)


class Phone:
    """A channel that keeps what it is sent, and fails when told so."""

    def __init__(self) -> None:
        self.rang: list[Envelope] = []
        self.broken: Exception | None = None
        self.tries = 0

    def send(self, envelope: Envelope) -> None:
        self.tries += 1
        if self.broken is not None:
            raise self.broken
        self.rang.append(envelope)


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    opened: list[Ledger] = []

    def again() -> Ledger:
        opened.append(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
        return opened[-1]

    yield again
    for ledger in opened:
        ledger.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def desk(ledger: Ledger, clock: ManualClock, **senders: Sender) -> AlertDesk:
    channels = tuple(Channel(name, "console:") for name in senders)
    return AlertDesk(ledger, senders, make_plant(channels=channels), clock)


def test_one_exceedance_one_alert_one_message(open_ledger: Callable[[], Ledger], clock: ManualClock) -> None:
    phone = Phone()
    first = desk(open_ledger(), clock, phone=phone)
    assert [c.transition for c in first.consider([cod_day()], COVERED, NOW)] == [Transition.OPENED]
    assert first.deliver_due() == 1
    for _ in range(3):  # restarts
        again = desk(open_ledger(), clock, phone=phone)
        assert again.consider([cod_day()], COVERED, NOW) == ()
        assert again.deliver_due() == 0
    (letter,) = phone.rang
    assert (letter.alert_id, letter.seq, letter.transition, letter.plant) == (1, 1, "opened", "xieqiao")
    assert "#1" in letter.message.body


def test_growth_is_silent_and_the_end_is_told(open_ledger: Callable[[], Ledger], clock: ManualClock) -> None:
    phone = Phone()
    monitor = desk(open_ledger(), clock, phone=phone)
    monitor.consider([cod_day()], COVERED, NOW)
    assert monitor.look_back_ms() == OCT_1
    monitor.consider([cod_day(days=2)], COVERED, NOW)
    monitor.consider([cod_day(days=2, ongoing=False)], COVERED, NOW)
    assert monitor.look_back_ms() is None
    monitor.deliver_due()
    assert [x.transition for x in phone.rang] == ["opened", "over"]


def test_a_message_recorded_before_a_stop_goes_out_after_it(
    open_ledger: Callable[[], Ledger], clock: ManualClock
) -> None:
    desk(open_ledger(), clock, phone=Phone()).consider([cod_day()], COVERED, NOW)
    phone = Phone()
    assert desk(open_ledger(), clock, phone=phone).deliver_due() == 1
    assert len(phone.rang) == 1


def test_a_dead_channel_waits_longer_each_time_and_holds_no_other(
    open_ledger: Callable[[], Ledger], clock: ManualClock
) -> None:
    dead, well = Phone(), Phone()
    dead.broken = NotSent("refused")
    monitor = desk(open_ledger(), clock, dead=dead, well=well)
    monitor.consider([cod_day(), ph_hours()], COVERED, NOW)
    assert monitor.deliver_due() == 2
    assert (dead.tries, len(well.rang)) == (1, 2)  # one try shows that it is dead
    assert monitor.health() == {"messages": {"pending": 2, "sent": 2, "failed": 0}, "failing": {"dead": "refused"}}
    clock.set(NOW + FIRST_WAIT_MS - 1)
    monitor.deliver_due()
    monitor.deliver_due()
    assert dead.tries == 2  # the second message had its first try
    dead.broken = None
    clock.set(NOW + 3 * FIRST_WAIT_MS)
    assert monitor.deliver_due() == 2
    assert monitor.health()["failing"] == {}


def test_a_channel_that_breaks_in_any_way_is_a_failure_like_others(
    open_ledger: Callable[[], Ledger], clock: ManualClock
) -> None:
    phone = Phone()
    phone.broken = ZeroDivisionError("inside a library")
    ledger = open_ledger()
    monitor = desk(ledger, clock, phone=phone)
    monitor.consider([cod_day()], COVERED, NOW)
    assert monitor.deliver_due() == 0
    assert ledger.deliveries.find()[0].error == "ZeroDivisionError: inside a library"


def test_a_message_is_given_up_after_a_day_or_at_once_where_no_try_can_help(
    open_ledger: Callable[[], Ledger], clock: ManualClock
) -> None:
    hopeless, slow = Phone(), Phone()
    hopeless.broken, slow.broken = NotSent("no such URL", retry=False), NotSent("busy")
    ledger = open_ledger()
    monitor = desk(ledger, clock, hopeless=hopeless, slow=slow)
    monitor.consider([cod_day()], COVERED, NOW)
    monitor.deliver_due()
    while (due := ledger.deliveries.next_due_ms()) is not None:
        clock.set(due)
        monitor.deliver_due()
    assert hopeless.tries == 1
    assert 20 < slow.tries < 40
    assert clock.now_ms() - NOW == pytest.approx(GIVE_UP_MS, abs=LONGEST_WAIT_MS)
    assert {d.channel: (d.state, d.error) for d in ledger.deliveries.find()} == {
        "hopeless": ("failed", "no such URL"), "slow": ("failed", "busy"),
    }  # fmt: skip


def test_a_channel_that_was_removed_is_visible(open_ledger: Callable[[], Ledger], clock: ManualClock) -> None:
    desk(open_ledger(), clock, old=Phone()).consider([cod_day()], COVERED, NOW)
    ledger = open_ledger()
    desk(ledger, clock, new=Phone()).deliver_due()
    assert ledger.deliveries.find()[0].error == "channel old is no longer in plant.yaml"


def test_the_thread_sends_at_once_and_again_when_it_is_time(
    open_ledger: Callable[[], Ledger], clock: ManualClock
) -> None:
    phone = Phone()
    monitor = desk(open_ledger(), clock, phone=phone)
    monitor.start()
    clock.waiting(1)
    phone.broken = NotSent("busy")
    monitor.consider([cod_day()], COVERED, NOW)
    wait_until(lambda: phone.tries == 1, what="a first try")
    assert clock.waiting(1) == NOW + FIRST_WAIT_MS
    phone.broken = None
    clock.set(NOW + FIRST_WAIT_MS)
    wait_until(lambda: phone.rang, what="the second try")
    monitor.stop()
    assert phone.tries == 2


def test_a_ledger_out_of_reach_does_not_end_the_thread(
    open_ledger: Callable[[], Ledger], clock: ManualClock, tmp_path: Path
) -> None:
    phone = Phone()
    monitor = desk(open_ledger(), clock, phone=phone)
    monitor.consider([cod_day()], COVERED, NOW)
    file = tmp_path / "ledger.sqlite"
    whole = file.read_bytes()
    file.write_bytes(b"x" * len(whole))
    monitor.start()
    clock.waiting(1)
    assert not phone.rang
    file.write_bytes(whole)
    clock.set(NOW + 60_000)
    wait_until(lambda: phone.rang, what="the message after the ledger came back")
    monitor.stop()


def test_a_closed_alert_stays_closed_over_restarts(open_ledger: Callable[[], Ledger], clock: ManualClock) -> None:
    phone = Phone()
    ledger = open_ledger()
    desk(ledger, clock, phone=phone).consider([cod_day()], COVERED, NOW)
    ledger.alerts.act(1, Action.CLOSE, actor="officer", now_ms=NOW)
    again = desk(open_ledger(), clock, phone=phone)
    assert again.consider([cod_day()], COVERED, NOW) == ()
    (change,) = again.consider([cod_day(days=2)], COVERED, NOW)
    assert (change.transition, change.alert.id) == (Transition.OPENED, 2)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from alerts.alert_plant import DAY, OCT_1, cod_day, make_plant
    from pathlib import Path
    from plant_monitor.alerts.channels import open_senders
    from plant_monitor.alerts.desk import AlertDesk
    from plant_monitor.alerts.lifecycle import Span
    from plant_monitor.clock import ManualClock
    from plant_monitor.ledger import Ledger
    from plant_monitor.notify import Channel

    channel = Channel("folder", "folder:out")
    folder = open_senders([channel], base=Path({base!r}))["folder"]

    class Killed:
        def send(self, envelope):
            if {when!r} == "after":
                folder.send(envelope)
            os.kill(os.getpid(), signal.SIGKILL)

    now = OCT_1 + 2 * DAY
    ledger = Ledger("sqlite:///{base}/ledger.sqlite")
    desk = AlertDesk(ledger, {{"folder": Killed()}}, make_plant(channels=(channel,)), ManualClock(now))
    desk.consider([cod_day()], Span(OCT_1 - DAY, now), now)
    desk.deliver_due()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_sending_and_recording_the_folder_has_the_message_once(
    tmp_path: Path, open_ledger: Callable[[], Ledger], clock: ManualClock, when: str
) -> None:
    script = textwrap.dedent(KILLED).format(base=str(tmp_path), when=when, tests=str(Path(__file__).parents[1]))
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    channel = Channel("folder", "folder:out")
    before = [f.read_text() for f in (tmp_path / "out").glob("*.txt")]
    assert len(before) == (1 if when == "after" else 0)
    ledger = open_ledger()
    senders = open_senders([channel], base=tmp_path)
    monitor = AlertDesk(ledger, senders, make_plant(channels=(channel,)), clock)
    assert monitor.consider([cod_day()], COVERED, NOW) == ()
    assert monitor.deliver_due() == 0  # the dead process may still be sending
    clock.set(NOW + CLAIM_MS)
    assert monitor.deliver_due() == 1
    (file,) = (tmp_path / "out").iterdir()
    assert before in ([], [file.read_text()])
    (row,) = ledger.deliveries.find()
    assert (row.state, row.attempts) == ("sent", 2)


def test_waits_grow_threefold_to_an_hour() -> None:
    assert [wait_ms(n) // 1000 for n in (1, 2, 3, 4, 5, 6, 7, 1000)] == [10, 30, 90, 270, 810, 2430, 3600, 3600]
    assert LONGEST_WAIT_MS <= ledger_deliveries.LONGEST_WAIT_MS  # else a message waits for a clock turned back


def test_two_statistics_of_one_limit_set_share_an_alert(open_ledger: Callable[[], Ledger], clock: ManualClock) -> None:
    phone = Phone()
    monitor = desk(open_ledger(), clock, phone=phone)
    hourly = replace(cod_day(), statistic="hourly_mean", peak=9000.0, peak_ratio=2.25)
    assert len(monitor.consider([cod_day(), hourly], COVERED, NOW)) == 1
    monitor.deliver_due()
    assert "小时均值 9000 mg/L" in phone.rang[0].message.title
