"""Columns of text to columns of readings, and the reasons of the rows that are none (design §4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from plant_monitor.config.rejects import Reject
from plant_monitor.config.timestamps import BAD, reason
from plant_monitor.plant import Plant
from plant_monitor.readings import NORMAL, BoolArray, FloatArray, IntArray, MarkArray, Readings, mark_code

HEADER = ("time", "point", "parameter", "value", "mark")
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_NOT_IN_A_NUMBER = re.compile(rb"[^0-9eE.+\-,]")


class Columns:
    """Finds the series, values and marks of a plant in columns of text."""

    def __init__(self, plant: Plant) -> None:
        points = sorted({s.point for s in plant.series})
        parameters = sorted({s.parameter for s in plant.series})
        self.points = {text.encode(): i for i, text in enumerate(points)}
        self.parameters = {text.encode(): i for i, text in enumerate(parameters)}
        # (point, parameter) -> series, -1 where there is none; the last row and column are the unknown ones
        self.series = np.full((len(points) + 1, len(parameters) + 1), -1, dtype=np.int32)
        for i, s in enumerate(plant.series):
            self.series[self.points[s.point.encode()], self.parameters[s.parameter.encode()]] = i
        self.marks = _MarkCodes()

    def readings(
        self,
        lines: Sequence[int],
        time: IntArray,
        times: Sequence[bytes],
        points: Sequence[bytes],
        parameters: Sequence[bytes],
        values: Sequence[bytes] | FloatArray,
        marks: Sequence[bytes] | None,
    ) -> tuple[Readings, list[Reject]]:
        """The readings of n rows, and the bad rows among them.

        Parameters
        ----------
        lines   physical line of each row
        time    ms since 1970 UTC, :data:`~plant_monitor.config.timestamps.BAD` where ``times`` is no time
        values  texts, or numbers with NaN = no value
        marks   None: all ``N``
        """
        index = self.series[_codes(self.points, points), _codes(self.parameters, parameters)]
        if isinstance(values, np.ndarray):
            value, number = values, np.ones(len(time), dtype=bool)
        else:
            value, number = numbers(values)
        good = (time != BAD) & (index >= 0) & number
        rejects = []
        for i in np.flatnonzero(~good).tolist():
            said = [reason(times[i])] if time[i] == BAD else []
            if index[i] < 0:
                said.append(f"plant.yaml declares no series {_shown(points[i])}/{_shown(parameters[i])}")
            if not number[i]:
                said.append(f"value {_shown(values[i])!r} is no number")
            rejects.append(Reject(lines[i], "; ".join(said)))
        readings = Readings(time, index, value, self._marks(marks, len(time)))
        return (readings if good.all() else readings.take(good)), rejects

    def _marks(self, marks: Sequence[bytes] | None, n: int) -> MarkArray:
        if marks is None:
            return np.full(n, NORMAL, dtype=np.uint8)
        return np.fromiter(map(self.marks.__getitem__, marks), dtype=np.uint8, count=n)


class _MarkCodes(dict[bytes, int]):
    """Text of a mark -> its code, found once per text."""

    def __missing__(self, text: bytes) -> int:
        code = mark_code(text.decode("utf-8", "replace"))
        if len(self) < 10_000:
            self[text] = code
        return code


def _shown(field: bytes) -> str:
    return field[:60].decode("utf-8", "replace")


def _codes(known: Mapping[bytes, int], column: Sequence[bytes]) -> NDArray[np.int64]:
    """Number of each text; the one after the last for those that are not known."""
    return np.fromiter(map(known.get, column, repeat(len(known))), dtype=np.int64, count=len(column))


def numbers(column: Sequence[bytes]) -> tuple[FloatArray, BoolArray]:
    """Numbers, and where there is one; empty is NaN, no value. ASCII decimals, nan and inf of any case."""
    if not _NOT_IN_A_NUMBER.search(b",".join(column)):
        try:
            # Of these characters alone float() takes exactly the decimals.
            return np.array([float(t) if t else np.nan for t in column]), np.ones(len(column), dtype=bool)
        except ValueError:
            pass
    good = np.fromiter((not t or _NUMBER.fullmatch(t) is not None for t in column), dtype=bool, count=len(column))
    return np.array([float(t) if t and ok else np.nan for t, ok in zip(column, good, strict=True)]), good
