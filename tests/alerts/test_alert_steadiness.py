"""Minimum duration and hysteresis: what is short opens nothing, and what flickers is one alert that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alerts.alert_plant import HOUR, OCT_1, cod_day
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.lifecycle import Alert, Exceedance, Kind, Span, State, Transition, assess
from plant_monitor.notify import Steadiness

KINDS = (Kind.ON_COURSE,)


def hour_runs(sky: str) -> list[Exceedance]:
    """Runs of ``w`` hours, the last going on where nothing follows."""
    found, start = [], None
    for i, hour in enumerate(sky + "."):
        if hour == "w" and start is None:
            start = i
        elif hour != "w" and start is not None:
            span = {"start_ms": OCT_1 + start * HOUR, "end_ms": OCT_1 + i * HOUR, "windows": i - start}
            found.append(replace(cod_day(), kind=Kind.ON_COURSE, **span, ongoing=i == len(sky)))
            start = None
    return found


def told(sky: str, rule: Steadiness, looks: Sequence[int] | None = None) -> list[tuple[int, Transition]]:
    """The steps of a day, looked at after these hours; each look twice, as after a restart."""
    known: dict[int, Alert] = {}
    steps = []
    for hour in looks or range(1, len(sky) + 1):
        now = OCT_1 + hour * HOUR
        for _ in range(2):
            args = hour_runs(sky[:hour]), Span(OCT_1, now), now, KINDS, {"on_course": rule}
            for change in assess(tuple(known.values()), *args):
                alert = replace(change.alert, id=change.alert.id or len(known) + 1)
                known[alert.id] = alert
                if change.transition is not Transition.GREW:
                    steps.append((hour, change.transition))
    return steps


OPENED, OVER, RESUMED = Transition.OPENED, Transition.OVER, Transition.RESUMED


def test_by_default_all_is_told_at_once() -> None:
    assert told("..w.w..", Steadiness()) == [(3, OPENED), (4, OVER), (5, RESUMED), (6, OVER)]


def test_what_does_not_last_opens_nothing() -> None:
    assert told("..w.ww.www...", Steadiness(lasting_ms=3 * HOUR)) == [(10, OPENED), (11, OVER)]


def test_a_short_one_more_is_no_resumption() -> None:
    assert told("www..w..www", Steadiness(lasting_ms=3 * HOUR)) == [(3, OPENED), (4, OVER), (11, RESUMED)]


def test_what_flickers_goes_on_until_it_is_clear_for_long_enough() -> None:
    assert told("w.w.w...w....", Steadiness(clear_ms=3 * HOUR)) == [(1, OPENED), (8, OVER), (9, RESUMED), (12, OVER)]


def test_an_exceedance_opens_at_once_and_may_be_over_later() -> None:
    now, rule = OCT_1 + 25 * HOUR, {"exceedance": Steadiness(clear_ms=2 * HOUR)}
    (change,) = assess((), [cod_day(ongoing=False)], Span(OCT_1, now), now, steady=rule)
    assert (change.transition, change.alert.ongoing, change.alert.state) == (OPENED, True, State.OPEN)
    later = now + 2 * HOUR
    known = (replace(change.alert, id=1),)
    (over,) = assess(known, [cod_day(ongoing=False)], Span(OCT_1, later), later, steady=rule)
    assert over.transition is OVER


skies = st.text(alphabet="w.", min_size=1, max_size=14)
rules = st.builds(Steadiness, st.integers(0, 4).map(lambda h: h * HOUR), st.integers(0, 4).map(lambda h: h * HOUR))


@given(sky=skies, rule=rules)
def test_over_and_resumed_take_turns_and_only_what_lasts_opens(sky: str, rule: Steadiness) -> None:
    steps = [step for _, step in told(sky, rule)]
    longest = max((len(run) for run in sky.split(".")), default=0)
    assert bool(steps) == (longest > 0 and longest * HOUR >= rule.lasting_ms)
    assert steps[:1] in ([], [OPENED])
    assert all(step is (OVER if i % 2 else RESUMED) for i, step in enumerate(steps) if i)


@given(sky=skies, rule=rules, looks=st.sets(st.integers(1, 14)))
def test_looking_rarely_loses_no_alert(sky: str, rule: Steadiness, looks: set[int]) -> None:
    seen = sorted({h for h in looks if h <= len(sky)} | {len(sky)})
    often, rarely = told(sky, rule), told(sky, rule, seen)
    assert bool(often) == bool(rarely)
    assert [s for _, s in rarely].count(OPENED) <= 1
