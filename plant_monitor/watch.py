"""The live side of compliance: what came in is evaluated, what is exceeded becomes an alert.

A thread looks at what the journal says was touched, evaluates exactly the days that it may change with
the same pure core as any re-evaluation, and hands the episodes on. A window is judged once it is over
and has had time to settle; until then its numbers are shown and open no alert.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import structlog

from plant_monitor import monitor, raised
from plant_monitor.alerts.lifecycle import WARNINGS, Exceedance, Kind, Span
from plant_monitor.annotations import AnnotatedSource, Annotation, Annotations, touched_by
from plant_monitor.clock import Clock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.history import JudgedDay, judged_days, limits_version
from plant_monitor.compliance.warnings import WarningKind
from plant_monitor.errors import StoreError
from plant_monitor.gateways import groups
from plant_monitor.plant import Plant
from plant_monitor.readings import OVER_RANGE, Dropped, Readings, ReadingSource, Touched
from plant_monitor.windows import HOUR_MS, day_start_ms, local_day, local_windows, rfc3339

log = structlog.get_logger()

#: How long after its end a window is judged: the last result of a window arrives just after it.
SETTLE_MS = 120_000
#: What comes late is looked at after this pause at least, ...
LEAST_PAUSE_MS = 500
#: ... and so many times as long as the last look took: a backlog is worth a look now and then, not all of a core.
PAUSES = 4


class WatchedJournal(ReadingSource, Protocol):
    """The part of the journal that the watch needs."""

    def touched(self, since: int = 0) -> tuple[int, list[Touched]]:
        """What came or changed after a token, and the token that stands for it."""
        ...

    def touched_done(self, token: int) -> None:
        """All up to the token has been evaluated for good."""
        ...

    def seal(self, before_ms: int) -> Any:
        """Fold the readings before an instant into compressed chunks."""
        ...

    def drop(self, before_ms: int, now_ms: int) -> Dropped:
        """Drop the sealed days before an instant, if nothing of them is still to be done."""
        ...


class WatchedAnnotations(Annotations, Protocol):
    """Where annotations are kept, and how far verdicts know them."""

    def judged(self) -> int:
        """The number up to which they do."""
        ...

    def judged_until(self, row: int) -> None:
        """They do up to this one."""
        ...


class Verdicts(Protocol):
    """Where verdicts are kept as they are given."""

    def give(self, days: Mapping[date, JudgedDay], zone: ZoneInfo, *, now_ms: int) -> Any:
        """Keep the verdicts of days; one that differs from what was given before is kept as a change."""
        ...

    def under_other_limits(self, limits: str) -> set[date]:
        """Days whose verdicts were given by other limits than those of this digest."""
        ...


class WatchedLedger(Protocol):
    """The part of the ledger that the watch needs."""

    @property
    def annotations(self) -> WatchedAnnotations:
        """What people say about readings."""
        ...

    @property
    def verdicts(self) -> Verdicts:
        """Verdicts as given."""
        ...


class AlertDesk(Protocol):
    """Who is told of exceedances."""

    def consider(self, found: Sequence[Exceedance], covered: Span, now_ms: int, kinds: Collection[Kind] = ...) -> Any:
        """Open, grow and end alerts by what an evaluation of ``covered`` found."""
        ...

    def look_back_ms(self) -> int | None:
        """Where an evaluation has to begin to see every ongoing episode whole; None: anywhere."""
        ...


class Results(Protocol):
    """Where results go for panels; the watch never waits for it."""

    def publish(self, evaluation: Evaluation) -> None:
        """Have an evaluation written soon."""
        ...

    @property
    def days_unpublished(self) -> int:
        """Days that are not written yet."""
        ...


class Watch:
    """Evaluates what is touched, every ``every_ms``. ``judged`` is told of each evaluation, how far it reaches, and
    whether it is more than what a start begins with."""

    def __init__(
        self,
        plant: Plant,
        journal: WatchedJournal,
        ledger: WatchedLedger,
        desk: AlertDesk,
        results: Results | None,
        clock: Clock,
        *,
        every_ms: int = 60_000,
        judged: Callable[[Evaluation, int, bool], None] | None = None,
    ) -> None:
        self._plant, self._journal, self._desk, self._results = plant, journal, desk, results
        self._groups = groups(plant)
        self._annotations, self._verdicts = ledger.annotations, ledger.verdicts
        self._clock, self._every_ms, self._tell = clock, every_ms, judged
        self._wake, self._stopping = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._seen = 0  # token of the journal up to which all is evaluated
        self._row: int | None = None  # of the annotations, likewise
        self._row_done = 0  # and up to which all is published
        self._judged_until: int | None = None  # windows that end by then are judged
        self._over: int | None = None  # token at the end of the last day; done when all is published
        self._latest: Evaluation | None = None
        self._error: str | None = None
        self._retention = ""  # why it dropped nothing

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the evaluation under way."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def health(self) -> dict[str, Any]:
        """How far verdicts are, and what hinders them."""
        return {
            "judged_until_ms": self._judged_until,
            "error": self._error,
            "retention_waits": self._retention or None,
        }

    @property
    def latest(self) -> Evaluation | None:
        """Yesterday and today, as last evaluated."""
        return self._latest

    def _run(self) -> None:
        due = earliest = self._clock.now_ms()
        while not self._stopping:
            if self._clock.wait_until(due, self._wake):
                self._wake.clear()
                due = min(due, earliest)
                continue
            began = self._clock.now_ms()
            try:
                self.step(began)
                if self._error is not None:
                    log.info("evaluating again")
                    self._error = None
            except Exception as error:  # nothing may end the thread; health shows it
                if self._error is None:
                    log.error("cannot evaluate for now", error=str(error), exc_info=not isinstance(error, StoreError))
                self._error = f"{type(error).__name__}: {error}"
            due = min(began + self._every_ms, self._next_hour_ms(began))
            ended = self._clock.now_ms()
            earliest = ended + max(LEAST_PAUSE_MS, PAUSES * (ended - began))

    def note(self, readings: Readings) -> None:
        """These are stored. What proves something by itself is looked at soon: a mark ``T``, a time that was judged."""
        judged = self._judged_until
        if judged is None or len(readings) == 0:
            return
        if (readings.time < judged // HOUR_MS * HOUR_MS).any() or (readings.mark == OVER_RANGE).any():
            self._wake.set()

    def _next_hour_ms(self, now_ms: int) -> int:
        """When the hour that runs, or has just ended, can be judged."""
        begin_ms = day_start_ms(local_day(now_ms - SETTLE_MS, self._plant.zone), self._plant.zone)
        return begin_ms + ((now_ms - SETTLE_MS - begin_ms) // HOUR_MS + 1) * HOUR_MS + SETTLE_MS

    # --- evaluation ----------------------------------------------------------------------------

    def step(self, now_ms: int) -> list[tuple[date, date]]:
        """Evaluate what was touched and what has ended since the last step; the runs of days that were."""
        self._let_go()
        token, touched = self._journal.touched(self._seen)
        if self._row is None:
            self._row = self._row_done = self._annotations.judged()
        row, annotations = self._annotations.changed(self._row)
        source = self._judged()
        until_ms = now_ms - SETTLE_MS
        late = monitor.affected_days(self._plant, source, touched)
        said = self._annotated_days(source, annotations, until_ms)
        self._give_before(late & said, now_ms)
        days = late | said | self._ended_days(until_ms)
        days = monitor.with_ended_months(self._plant, days, until_ms)
        days = monitor.kept_days(self._plant, self._journal, days)  # what stands of dropped days stands for good
        others = monitor.kept_days(self._plant, self._journal, self._under_other_limits(until_ms))
        runs = monitor.runs_of_days(days)
        for first, last in runs:
            start = self._look_back(first)
            now = last >= local_day(until_ms, self._plant.zone)
            evaluation = monitor.evaluate_days(self._plant, source, start, last, until_ms=until_ms, warnings=now)
            covered = Span(evaluation.windows.start_ms, min(evaluation.windows.end_ms, until_ms))
            self._desk.consider(monitor.exceedances(evaluation), covered, now_ms)
            self._give(evaluation, source, now_ms)
            if now:
                self._warn(evaluation, covered, now_ms)
            if last >= local_day(now_ms, self._plant.zone):
                self._latest = evaluation
        for first, last in monitor.runs_of_days(others - days):
            evaluation = monitor.evaluate_days(self._plant, source, first, last, until_ms=until_ms)
            self._give(evaluation, source, now_ms)
        hour_ended = self._hour_ended(until_ms)
        self._finish(token, row, until_ms)
        if hour_ended:
            self._suspect(until_ms, now_ms)
            self._balance(until_ms, now_ms)
        return runs

    def _give(self, evaluation: Evaluation, source: AnnotatedSource, now_ms: int) -> None:
        judged = judged_days(self._plant, evaluation, now_ms - SETTLE_MS, source.annotations)
        self._verdicts.give(judged, self._plant.zone, now_ms=now_ms)
        if self._results is not None:
            self._results.publish(evaluation)
        if self._tell is not None:
            self._tell(evaluation, now_ms - SETTLE_MS, self._judged_until is not None)

    def _give_before(self, days: set[date], now_ms: int) -> None:
        """Verdicts of days with late data *and* new annotations, first without these: each change has its own cause."""
        if not days:
            return
        days = monitor.with_ended_months(self._plant, days, now_ms - SETTLE_MS)
        days = monitor.kept_days(self._plant, self._journal, days)
        before = AnnotatedSource(self._plant, self._journal, self._annotations.standing(self._row))
        for first, last in monitor.runs_of_days(days):
            evaluation = monitor.evaluate_days(self._plant, before, first, last, until_ms=now_ms - SETTLE_MS)
            judged = judged_days(self._plant, evaluation, now_ms - SETTLE_MS, before.annotations)
            self._verdicts.give(judged, self._plant.zone, now_ms=now_ms)

    def evaluate(self, first: date, last: date, now_ms: int) -> Evaluation:
        """Local days as they are judged at an instant."""
        return monitor.evaluate_days(self._plant, self._judged(), first, last, until_ms=now_ms - SETTLE_MS)

    def _judged(self) -> AnnotatedSource:
        return AnnotatedSource(self._plant, self._journal, self._annotations.standing())

    def _warn(self, evaluation: Evaluation, covered: Span, now_ms: int) -> None:
        """Warnings of yesterday and today: older ones help nobody any more."""
        yesterday = local_day(now_ms, self._plant.zone) - timedelta(days=1)
        start_ms = max(covered.start_ms, day_start_ms(yesterday, self._plant.zone))
        recent = Span(min(start_ms, covered.end_ms), covered.end_ms)
        runs = [w for w in evaluation.warned.runs if w.end_ms > recent.start_ms]
        silent = [w for w in runs if w.kind is WarningKind.SILENCE]
        found = monitor.warned(w for w in runs if w.kind is not WarningKind.SILENCE)
        found += raised.silences(self._plant, self._journal, self._groups, silent, covered.end_ms)
        self._desk.consider(found, recent, now_ms, WARNINGS)

    def _suspect(self, until_ms: int, now_ms: int) -> None:
        """Sensors that are suspect since yesterday, each by its history: once an hour, since that is long."""
        today = local_day(until_ms, self._plant.zone)
        windows = local_windows(today - timedelta(days=1), today, self._plant.zone)
        found = monitor.suspicions(self._plant, self._judged(), windows, until_ms)
        kinds = (Kind.SUSPECT_SENSOR,)
        self._desk.consider(monitor.warned(found), Span(windows.start_ms, until_ms), now_ms, kinds)

    def _balance(self, until_ms: int, now_ms: int) -> None:
        """Capacity, design loads and quotas at the last full hour; inlet against outfalls of yesterday."""
        zone, source = self._plant.zone, self._judged()
        today = local_day(until_ms, zone)
        begin_ms = day_start_ms(today, zone)
        hour_ms = begin_ms + (until_ms - begin_ms) // HOUR_MS * HOUR_MS
        found = raised.short_of_headroom(self._plant, source, hour_ms)
        # Of now alone: what is not found any more is over, and was true.
        self._desk.consider(found, Span(hour_ms, hour_ms), now_ms, (Kind.HEADROOM,))
        windows = local_windows(today - timedelta(days=1), today - timedelta(days=1), zone)
        found = raised.unreconciled(self._plant, source, windows, until_ms)
        covered = Span(windows.start_ms, windows.end_ms)
        self._desk.consider(found, covered, now_ms, (Kind.UNRECONCILED_DIFFERENCE,))

    def _hour_ended(self, until_ms: int) -> bool:
        return self._judged_until is None or until_ms // HOUR_MS != self._judged_until // HOUR_MS

    def _look_back(self, first: date) -> date:
        """A day more, or from where an episode goes on: it must be seen whole."""
        ongoing_ms = self._desk.look_back_ms()
        start = first - timedelta(days=1)
        if ongoing_ms is not None:
            start = min(start, local_day(ongoing_ms, self._plant.zone))
        kept_ms = self._journal.kept_from_ms()
        return start if kept_ms is None else min(first, max(start, local_day(kept_ms, self._plant.zone)))

    def _ended_days(self, until_ms: int) -> set[date]:
        """Days with a window that has ended since the last step; at the first, all since the last reading."""
        zone = self._plant.zone
        if self._judged_until is None:
            extent = self._journal.extent()
            if extent is None:
                return set()
            return set(monitor.days_between(local_day(min(extent[1], until_ms), zone), local_day(until_ms, zone)))
        if until_ms // HOUR_MS == self._judged_until // HOUR_MS and not self._crossed_midnight(until_ms):
            return set()
        return set(monitor.days_between(local_day(self._judged_until, zone), local_day(until_ms, zone)))

    def _annotated_days(self, source: AnnotatedSource, annotations: Sequence[Annotation], until_ms: int) -> set[date]:
        """Days that annotations reach, among those that have been judged; what is to come is judged in its time."""
        extent = self._journal.extent()
        if extent is None or not annotations:
            return set()
        first, last = (local_day(t, self._plant.zone) for t in (extent[0], max(extent[1], until_ms)))
        days = monitor.affected_days(self._plant, source, touched_by(self._plant, annotations))
        return {day for day in days if first <= day <= last}

    def _under_other_limits(self, until_ms: int) -> set[date]:
        """At the start, days that were judged by limits that are no longer so: judged anew, and no alert is opened."""
        if self._judged_until is not None:
            return set()
        days = self._verdicts.under_other_limits(limits_version(self._plant))
        return monitor.with_ended_months(self._plant, days, until_ms)

    def _crossed_midnight(self, until_ms: int) -> bool:
        zone = self._plant.zone
        return local_day(until_ms, zone) != local_day(self._judged_until or until_ms, zone)

    def _finish(self, token: int, row: int, until_ms: int) -> None:
        """Remember how far we are. What is over and published needs no second look after a restart."""
        first = self._judged_until is None
        hour_ended = self._hour_ended(until_ms)
        day_ended = self._judged_until is not None and self._crossed_midnight(until_ms)
        self._seen, self._row, self._judged_until = token, row, until_ms
        if day_ended:
            self._over = token
        self._let_go()
        if hour_ended:
            self._journal.seal(until_ms - HOUR_MS)
        if first or day_ended:
            self._drop_old(until_ms)

    def _let_go(self) -> None:
        if self._results is not None and self._results.days_unpublished:
            return
        if self._over is not None:
            self._journal.touched_done(self._over)
            self._over = None
        if self._row is not None and self._row != self._row_done:
            self._annotations.judged_until(self._row)
            self._row_done = self._row

    def _drop_old(self, now_ms: int) -> None:
        """Drop whole months that are older than the plant keeps readings: a month is judged as a whole."""
        if self._plant.retention_days is None:
            return
        day = local_day(now_ms, self._plant.zone) - timedelta(days=self._plant.retention_days)
        ongoing_ms, ongoing = self._desk.look_back_ms(), ""
        if ongoing_ms is not None and local_day(ongoing_ms, self._plant.zone) < day.replace(day=1):
            day = local_day(ongoing_ms, self._plant.zone)  # an episode must be seen whole
            ongoing = f"an exceedance goes on since {day}"
        cut_ms = day_start_ms(day.replace(day=1), self._plant.zone)
        done = self._journal.drop(cut_ms, now_ms)
        if done.readings:
            before = rfc3339(cut_ms, self._plant.zone)
            log.warning("old readings dropped", before=before, readings=done.readings, superseded=done.superseded)
        waits = done.waits_for or ongoing
        if waits and not self._retention:
            log.warning("old readings are kept for now", reason=waits)
        self._retention = waits
