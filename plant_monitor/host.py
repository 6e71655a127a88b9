"""What the machine does to us: its disk fills, its clock is set. Looked at all the time, said once per change.

Nothing is done about either that would lose data: a disk that fills is a matter for people, before it is full.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from plant_monitor.clock import Clock, ClockStep

log = structlog.get_logger()

DISK_WARNING, DISK_ALARM = 0.80, 0.90  # used share of the data folder's disk (design §6)
LOOK_S = 1.0  # of the host, whatever its clock says


class HostWatch:
    """A thread that looks at the disk of ``folder`` and at the clock.

    Parameters
    ----------
    on_step  keeps a step of the host's clock for good; called once for each
    """

    def __init__(
        self, folder: Path, clock: Clock, on_step: Callable[[ClockStep], None], *, look_s: float = LOOK_S
    ) -> None:
        self._folder, self._clock, self._on_step, self._look_s = folder, clock, on_step, look_s
        self._steps: tuple[ClockStep, ...] = ()
        self._over: tuple[ClockStep, ...] = ()  # after these our time was the host's again
        self._disk = "ok"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def health(self) -> dict[str, Any]:
        """``disk`` and ``clock``, each with a state that is ok or says what is amiss."""
        return {
            "disk": disk_state(self._folder),
            "clock": {
                "state": "ok" if self._clock.trusted else "set",
                "steps": len(self._clock.steps),
                "last_step_at_ms": self._clock.steps[-1].at_ms if self._clock.steps else None,
                "last_step_by_ms": self._clock.steps[-1].by_ms if self._clock.steps else None,
            },
        }

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - nothing may end the thread: the folder may be gone for a while
                log.error("cannot look at the host", error=f"{type(error).__name__}: {error}")
            if self._stop.wait(self._look_s):
                return

    def look(self) -> None:
        """Say what is new."""
        self._clock.now_ms()  # the clock finds its steps when it is asked
        for step in self._clock.steps[len(self._steps) :]:
            self._on_step(step)
            self._steps += (step,)
            log.error("the host's clock was set; our time goes on as before for now", by_s=step.by_ms / 1000)
        if self._clock.trusted and self._steps != self._over:
            log.info("our time is the host's again")
            self._over = self._steps
        disk, was = disk_state(self._folder), self._disk
        state, used = disk["state"], disk["used_share"]
        self._disk = state
        if state == was:
            return
        if state == "alarm":
            log.error("the disk is nearly full: make room, before nothing can be stored", used_share=round(used, 3))
        elif state == "warning":
            log.warning("the disk fills", used_share=round(used, 3))
        else:
            log.info("the disk has room again", used_share=round(used, 3))


def disk_state(folder: Path) -> dict[str, Any]:
    """How full the disk of a folder is, and what design §6 says to that. At a ``used_share`` of 1 we can write
    nothing more; what is kept free for root counts neither way."""
    disk = shutil.disk_usage(folder)
    used = disk.used / (disk.used + disk.free)
    return {"used_share": used, "state": "alarm" if used >= DISK_ALARM else "warning" if used >= DISK_WARNING else "ok"}
