"""What the API is given. It reaches everything through this; it opens nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.envelope import Message
from plant_monitor.alerts.lifecycle import Action, Alert, Kind, Span, State, Transition
from plant_monitor.alerts.mutes import Mute
from plant_monitor.alerts.notices import Notices
from plant_monitor.annotations import Annotation
from plant_monitor.clock import Clock, SystemClock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.history import VerdictChange
from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.compliance.standing import Outlook
from plant_monitor.compliance.warnings import PlantWarning
from plant_monitor.live import Feed
from plant_monitor.monitor import Verdicts
from plant_monitor.plant import Plant
from plant_monitor.readings import ReadingSource, Refused
from plant_monitor.settlement import Book

T = TypeVar("T")

# ruff: noqa: D102  the ledger's own docstrings say what these are


class StoredKey(Protocol):
    """Who holds a key."""

    @property
    def id(self) -> int: ...
    @property
    def prefix(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def member(self) -> str: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks, by a key or signed in: what a viewer is made of."""

    role: str
    member: str  # empty unless the role is member
    name: str


class StoredUser(Protocol):
    """An account."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def member(self) -> str: ...


class StoredSession(Protocol):
    """A person who is signed in."""

    @property
    def id(self) -> int: ...
    @property
    def user(self) -> StoredUser: ...


class StoredEvent(Protocol):
    """A step of an alert."""

    @property
    def seq(self) -> int: ...
    @property
    def time_ms(self) -> int: ...
    @property
    def transition(self) -> Transition: ...
    @property
    def actor(self) -> str: ...
    @property
    def comment(self) -> str: ...


class StoredFile(Protocol):
    """A file that came with a step of an alert."""

    @property
    def place(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def bytes(self) -> int: ...


class StoredDelivery(Protocol):
    """A message and how far it has come."""

    @property
    def id(self) -> int: ...
    @property
    def alert_id(self) -> int: ...
    @property
    def message(self) -> Message: ...
    @property
    def pace(self) -> str: ...
    @property
    def bundle_of(self) -> int | None: ...
    @property
    def seq(self) -> int: ...
    @property
    def transition(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def next_try_ms(self) -> int: ...
    @property
    def sent_ms(self) -> int | None: ...
    @property
    def error(self) -> str: ...


class Keys(Protocol):
    """Where keys are looked up."""

    def find(self, secret: str, now_ms: int) -> StoredKey | None: ...


class Users(Protocol):
    """Where people are signed in and out."""

    def sign_in(self, name: str, password: str, *, address: str, now_ms: int) -> str | None: ...
    def session(self, token: str, now_ms: int) -> StoredSession | None: ...
    def sign_out(self, token: str, now_ms: int) -> None: ...


class Alerts(Protocol):
    """Where alerts are kept."""

    def get(self, alert_id: int) -> Alert | None: ...
    def events(self, alert_id: int) -> Sequence[StoredEvent]: ...
    def files(self, alert_id: int) -> Sequence[StoredFile]: ...
    def file(self, alert_id: int, place: int) -> Attachment | None: ...
    def opened_between(self, start_ms: int, end_ms: int) -> Sequence[tuple[Alert, Trail]]: ...
    def counts(self) -> dict[str, int]: ...
    def find(
        self,
        *,
        points: Collection[str] | None = None,
        member: str | None = None,
        without: Collection[Kind] = (),
        states: Collection[State] | None = None,
        kind: Kind | None = None,
        parameter: str | None = None,
        limit_set: str | None = None,
        span: Span | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[Alert]: ...


class Desk(Protocol):
    """What people do about alerts, with the messages that follow."""

    def open_case(
        self,
        kind: Kind,
        *,
        actor: str,
        subject: str,
        text: str,
        member: str = "",
        point: str = "",
        parameter: str = "",
        files: Sequence[Attachment] = (),
    ) -> Alert: ...
    def act(
        self,
        alert_id: int,
        action: Action,
        *,
        actor: str,
        comment: str = "",
        assignee: str = "",
        files: Sequence[Attachment] = (),
    ) -> Alert | None: ...
    def telling(self, step: Callable[[Notices], T]) -> T: ...


class Deliveries(Protocol):
    """Where messages wait."""

    def find(
        self,
        *,
        alert_id: int | None = None,
        state: str | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[StoredDelivery]: ...
    def counts(self) -> dict[str, int]: ...


class Mutes(Protocol):
    """Where mutes are kept."""

    def add(self, mute: Mute, *, now_ms: int, actor: str) -> Mute: ...
    def lift(self, number: int, reason: str, *, now_ms: int, actor: str) -> Mute | None: ...
    def find(self) -> Sequence[Mute]: ...


class StoredObjectionEvent(Protocol):
    """A step of an objection."""

    @property
    def time_ms(self) -> int: ...
    @property
    def transition(self) -> Transition: ...
    @property
    def state(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def decision(self) -> str: ...
    @property
    def correction(self) -> str: ...
    @property
    def annotation(self) -> int | None: ...


class StoredObjection(Protocol):
    """An objection and its trail."""

    @property
    def id(self) -> int: ...
    @property
    def statement(self) -> str: ...
    @property
    def member(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def alert(self) -> Alert: ...
    @property
    def files(self) -> Sequence[StoredFile]: ...
    @property
    def events(self) -> Sequence[StoredObjectionEvent]: ...
    @property
    def state(self) -> State: ...


class Objections(Protocol):
    """Where objections are kept."""

    def get(self, objection_id: int) -> StoredObjection | None: ...
    def find(
        self,
        *,
        member: str | None = None,
        statement: str | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[StoredObjection]: ...
    def add(
        self,
        *,
        statement: str,
        member: str,
        item: str,
        reason: str,
        files: Sequence[Attachment] = (),
        now_ms: int,
        actor: str,
        notices: Notices,
    ) -> StoredObjection: ...
    def act(
        self,
        objection_id: int,
        action: Action,
        *,
        comment: str,
        now_ms: int,
        actor: str,
        decision: str = "",
        correction: str = "",
        annotation: int | None = None,
        assignee: str = "",
        files: Sequence[Attachment] = (),
        notices: Notices,
    ) -> StoredObjection: ...


class StoredLabResult(Protocol):
    """A laboratory result that was entered."""

    @property
    def result(self) -> LabResult: ...


class LabTaken(Protocol):
    """What became of results that were handed in."""

    @property
    def new(self) -> int: ...
    @property
    def known(self) -> int: ...
    @property
    def replaced(self) -> int: ...


class Lab(Protocol):
    """Where laboratory results are kept."""

    def add(self, results: Iterable[LabResult], *, now_ms: int, actor: str) -> LabTaken: ...
    def find(
        self,
        *,
        points: Collection[str] | None = None,
        parameter: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> Sequence[StoredLabResult]: ...


class Withdrawal(Protocol):
    """How an annotation was taken back."""

    @property
    def time_ms(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def reason(self) -> str: ...


class StoredAnnotation(Protocol):
    """An annotation that was entered."""

    @property
    def annotation(self) -> Annotation: ...
    @property
    def withdrawn(self) -> Withdrawal | None: ...


class AnnotationLog(Protocol):
    """Where annotations are kept."""

    def add(self, annotation: Annotation, *, now_ms: int, actor: str) -> Annotation: ...
    def withdraw(self, number: int, reason: str, *, now_ms: int, actor: str) -> StoredAnnotation | None: ...
    def find(
        self,
        *,
        points: Collection[str] | None = None,
        parameter: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        before_id: int | None = None,
        limit: int | None = None,
    ) -> Sequence[StoredAnnotation]: ...


class VerdictBook(Protocol):
    """Where changes of verdicts are kept."""

    def changed(
        self,
        *,
        series: Collection[tuple[str, str]] | None = None,
        limit_set: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        before_id: int | None = None,
        limit: int | None = None,
    ) -> Sequence[VerdictChange]: ...


class StoredRefusal(Protocol):
    """What could not be taken as a reading."""

    @property
    def id(self) -> int: ...
    @property
    def refused(self) -> Refused: ...


class Quarantine(Protocol):
    """What was refused and is still waiting, the oldest first, behind a number."""

    def __call__(self, limit: int, *, after_id: int) -> Sequence[StoredRefusal]: ...


def nothing_refused(limit: int, *, after_id: int) -> Sequence[StoredRefusal]:
    """The quarantine of a source that has none."""
    return ()


class ApiLedger(Protocol):
    """What the API needs of a ledger."""

    @property
    def keys(self) -> Keys: ...
    @property
    def users(self) -> Users: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def mutes(self) -> Mutes: ...
    @property
    def statements(self) -> Book: ...
    @property
    def objections(self) -> Objections: ...
    @property
    def lab(self) -> Lab: ...
    @property
    def annotations(self) -> AnnotationLog: ...
    @property
    def verdicts(self) -> VerdictBook: ...


@dataclass(frozen=True)
class ApiServices:
    """What the API answers from.

    ``source`` the readings as they came · ``judged()`` the same under the annotations that stand ·
    ``evaluation(first, last)`` of local days, both inclusive · ``verdicts(first, last, points)`` their hours and days
    of some points alone · ``warnings(first, last)`` what
    was warned of on them · ``outlook(now_ms)`` what is left and what the next days may bring · ``health()``
    has a ``status`` of ``ok``, ``degraded`` or ``not storing`` and whatever operators should see · ``feed`` what
    happens · ``registry``
    metrics of the service itself, beside those of the API · at most ``requests_per_s`` in the long run by one key, ten
    times as many at once · ``workbook(document)`` and ``member_pdf(document, member)`` make files of a
    statement's document; None where they cannot be made.
    """

    plant: Plant
    source: ReadingSource
    judged: Callable[[], ReadingSource]
    ledger: ApiLedger
    evaluation: Callable[[date, date], Evaluation]
    verdicts: Callable[[date, date, frozenset[str]], Verdicts]
    outlook: Callable[[int], Outlook]
    warnings: Callable[[date, date], Sequence[PlantWarning]]
    health: Callable[[], Mapping[str, Any]]
    desk: Desk
    feed: Feed
    quarantine: Quarantine = nothing_refused
    clock: Clock = field(default_factory=SystemClock)
    registry: CollectorRegistry | None = None
    requests_per_s: float = 20.0
    workbook: Callable[[Mapping[str, Any]], bytes] | None = None
    member_pdf: Callable[[Mapping[str, Any], str], bytes] | None = None
