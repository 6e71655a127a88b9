"""The exception tree. The type carries the decision: stop, retry, or put aside and count.

Bad *data* is no exception: stages return it as findings or refusals beside the good results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PlantMonitorError(Exception):
    """Root of every error this product raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in an input file: where it is, what was found, what is expected."""

    where: str  # file:line, or the file alone
    path: str  # key path (``points[0].parameters.flow.unit``) or column; may be empty
    found: str
    expected: str

    def __str__(self) -> str:
        path = f" {self.path}:" if self.path else ""
        return f"{self.where}:{path} found {self.found}, expected {self.expected}"


class ConfigError(PlantMonitorError):
    """A configuration file is wrong. Carries *all* of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class InputError(PlantMonitorError, ValueError):
    """Data given by a user cannot be used as it is (a file, a date, a cost row)."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(str(p) for p in self.problems)]))


class SourceError(PlantMonitorError):
    """A device or broker did not deliver. ``retry``: trying again later may help."""

    def __init__(self, message: str, *, retry: bool = True) -> None:
        self.retry = retry
        super().__init__(message)


class DecodeError(SourceError):
    """Bytes arrived and cannot be understood; they are set aside with this reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


class StoreError(PlantMonitorError):
    """The store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """The store is out of reach or full for now: nothing was acknowledged, try again."""


class PartialWrite(StoreError):
    """The server took a part of a batch; the rest is listed with its reasons."""

    def __init__(self, accepted: int, rejected: Sequence[tuple[int, str]]) -> None:
        self.accepted = accepted
        self.rejected = tuple(rejected)
        super().__init__(f"{len(self.rejected)} points refused, {accepted} accepted")


class Refused(PlantMonitorError):
    """What was asked does not fit the state of things; the message says what would."""


class NotAvailable(PlantMonitorError):
    """Something optional is not installed here; the message says what, and how to get it."""


class AllocationError(PlantMonitorError):
    """A bill cannot be made from what is given."""
