"""The shapes of the answers, as the OpenAPI document shows them. ``null`` is unknown, never 0."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: str | None = Field(description="`cursor` of the next page; null on the last one")


class NameView(BaseModel):
    """A name in both languages."""

    zh: str
    en: str


class MemberView(BaseModel):
    """A member company (成员企业)."""

    id: str
    name: NameView
    quota_m3_d: float | None
    capacity_share: float | None


class SeriesView(BaseModel):
    """What a point measures."""

    parameter: str
    unit: str
    interval_s: float | None


class PointView(BaseModel):
    """A monitoring point (监测点)."""

    id: str
    role: str
    name: NameView | None
    member: str | None
    limits: list[str]
    series: list[SeriesView]
    readings: bool = Field(description="false: only its means and verdicts are open to this key")


class LimitView(BaseModel):
    """One dated limit; both dates inclusive, null = open."""

    parameter: str
    statistic: str
    lower: float | None
    upper: float | None
    unit: str | None
    valid_from: str | None
    valid_to: str | None
    clause: str
    source: str
    verified: bool


class LimitSetView(BaseModel):
    """A limit set (限值集)."""

    id: str
    title: NameView
    source: str
    limits: list[LimitView]


class PlantView(BaseModel):
    """The plant as this key may see it."""

    id: str
    name: NameView
    operator: NameView | None
    timezone: str
    capacity_m3_d: float
    design_load_kg_d: dict[str, float]
    inlet: str | None
    effluent: str | None
    digest: str
    members: list[MemberView]
    points: list[PointView]
    limit_sets: list[LimitSetView]


class ReadingView(BaseModel):
    """A reading as it was accepted, in the unit of plant.yaml."""

    time: str
    parameter: str
    value: float | None
    mark: str = Field(description="N is valid; see HJ 212: F M S D C T B")


class LatestView(BaseModel):
    """The last reading of a series, in the unit of plant.yaml."""

    point: str
    parameter: str
    unit: str
    time: str | None = Field(description="null: there is none yet, as in what follows")
    age_s: float | None
    value: float | None
    mark: str | None
    stale: bool = Field(description="it holds no longer: two intervals have passed without another")


class PublicDayView(BaseModel):
    """A verdict that is published."""

    date: str
    statistic: str
    value: float | None
    lower: float | None
    upper: float | None
    unit: str | None
    limit_set: str
    valid_share: float | None
    verdict: str


class PublicSeriesView(LatestView):
    """A series that is published: its last reading, and the verdicts of today and the day before."""

    name: NameView | None = Field(description="of the point")
    days: list[PublicDayView]


class PublicView(BaseModel):
    """What plant.yaml publishes."""

    plant: NameView
    time: str
    series: list[PublicSeriesView]
    headroom: dict[str, Any] | None = Field(description="a row of `/headroom/now`: the last 24 h of the plant's water")


class WindowView(BaseModel):
    """The readings of a window put together."""

    time: str = Field(description="start of the window")
    parameter: str
    statistic: str
    value: float | None
    min: float | None
    max: float | None
    count: int | None = Field(description="valid readings; only for minutes")
    valid_share: float | None = Field(description="only for hours and days")


class ReadingPage(Page[ReadingView | WindowView]):
    """Readings of a point, by parameter and time."""

    units: dict[str, str]


class PointUsage(BaseModel):
    """Usage of one outfall."""

    point: str
    volume_m3: float | None
    load_kg: dict[str, float | None]


class UsageView(BaseModel):
    """What a member discharged in an hour, day or month."""

    start: str
    end: str = Field(description="exclusive; earlier than the month's end where the range ends")
    volume_m3: float | None = Field(description="sum of what is known")
    load_kg: dict[str, float | None]
    quota_m3: float | None = Field(description="the quota of as many days; null for hours")
    points: list[PointUsage]


class HourView(BaseModel):
    """A row of hourly.csv."""

    point: str
    parameter: str
    hour: str
    mean: float | None
    min: float | None
    max: float | None
    valid_share: float | None
    volume_m3: float | None
    load_kg: float | None
    limit_set: str
    statistic: str
    lower: float | None
    upper: float | None
    verdict: str


class DayView(BaseModel):
    """A row of daily.csv."""

    point: str
    parameter: str
    date: str
    statistic: str
    value: float | None
    lower: float | None
    upper: float | None
    limit_set: str
    ratio: float | None
    valid_share: float | None
    volume_m3: float | None
    load_kg: float | None
    verdict: str


class VerdictChangeView(BaseModel):
    """A verdict that is another than it was."""

    id: int
    changed: str
    table: str = Field(description="hourly, daily or monthly")
    point: str
    parameter: str
    window: str = Field(description="hour, date or month, as in that table")
    limit_set: str
    statistic: str
    old_verdict: str = Field(description="empty: there was none")
    new_verdict: str
    old_value: float | None
    new_value: float | None
    cause: str = Field(description="late_data, annotation, limit or rule")
    annotations: list[int] = Field(description="those that came or were taken back")


class ExceedanceView(BaseModel):
    """A row of exceedances.csv."""

    point: str
    parameter: str
    limit_set: str
    statistic: str
    start: str
    end: str
    windows: int
    peak: float
    limit: float
    peak_ratio: float | None


class HeadroomView(BaseModel):
    """A row of headroom.csv."""

    date: str
    inflow_m3: float | None
    capacity_m3: float
    headroom_m3: float | None
    used_share: float | None
    peak_m3_h: float | None
    valid_share: float | None


class StandingView(BaseModel):
    """How the plant (no member) or a member stands over one span of time."""

    member: str = Field(description="empty: the plant")
    quantity: str = Field(description="`volume`, or the parameter of a load")
    unit: str = Field(description="m3 or kg")
    span: str = Field(description="last_hour, last_24_h, today (so far), midnight (today, the rest as the last hour)")
    start: str
    end: str
    amount: float | None
    allowed: float | None = Field(description="by capacity, quota or design load of a day; an hour is a 24th of it")
    headroom: float | None = Field(description="null where less than 75 % of the span is known")
    used_share: float | None
    valid_share: float


class ForecastDayView(BaseModel):
    """What a day's inflow may be."""

    date: str
    p10_m3: float = Field(description="the day stays below with a chance of 10 %")
    p50_m3: float
    p90_m3: float
    capacity_m3: float
    passing_chance: float = Field(description="of more than the capacity")


class HeadroomNowView(BaseModel):
    """What is left now, and what the next days may bring."""

    time: str = Field(description="the end of the last whole hour: everything here is as it was then")
    items: list[StandingView]
    forecast: list[ForecastDayView] = Field(description="today and six days more; empty while too few days are known")
    known_days: int = Field(description="days whose inflow is known, of the last 365")
    needed_days: int = Field(description="known days without which there is no forecast")


class WarningView(BaseModel):
    """A row of warnings.csv. It is never a verdict."""

    point: str
    parameter: str
    kind: str
    start: str
    end: str
    limit_set: str
    statistic: str
    value: float | None = Field(description="what is told of, against `bound`, in `unit`")
    bound: float | None
    unit: str
    count: int = Field(description="windows or readings behind it")
    passes_at: str | None = Field(description="on_course: from then on the limit can no longer be kept")
    avoid_mg_l: float | None = Field(description="on_course: the concentration that would still keep it")
    avoid_flow_m3_h: float | None = Field(description="on_course: the flow that would still keep it")
    message_zh: str
    message_en: str


class LabView(BaseModel):
    """A row of lab.csv: a laboratory result against one limit on one day of its sample."""

    point: str
    parameter: str
    sample_start: str
    sample_end: str = Field(description="exclusive; that of the start for a grab sample")
    date: str
    result: str = Field(description="as reported: a number, or `<` with the limit of detection")
    result_unit: str
    value: float | None = Field(description="in `unit`, that of the limit; null below the limit of detection")
    unit: str
    limit_set: str
    statistic: str
    lower: float | None
    upper: float | None
    ratio: float | None
    verdict: str
    limit_verified: str = Field(description="`no`: the number was not seen in the text of the standard")
    online_mean: float | None = Field(description="the analyser over the sample, in `result_unit`, as what follows")
    online_valid_share: float | None
    difference: float | None = Field(description="analyser − laboratory")
    difference_share: float | None
    tolerance: float | None
    tolerance_mark: str = Field(description="how sure the tolerance is: V verified, 1 one source, M memory, E a choice")
    agrees: str = Field(description="`yes`, `no`, or empty where it cannot be told")
    method: str
    laboratory: str
    who: str = Field(description="who took the sample; empty for members")


class LabTakenView(BaseModel):
    """What became of the results."""

    new: int
    known: int
    replaced: int


class AnnotationView(BaseModel):
    """An annotation, laid over readings that stay as they came."""

    id: int
    kind: str
    point: str
    parameter: str = Field(description="empty: every one of the point")
    from_: str = Field(alias="from")
    to: str = Field(description="exclusive; that of `from` for an instant")
    value: float | None = Field(description="manual value, in the unit of plant.yaml")
    closing_register: float | None
    opening_register: float | None
    reason: str
    evidence: str
    author: str = Field(description="members read a role alone, as in what follows")
    entered: str
    withdrawn: str | None = Field(description="when it was taken back; null while it stands")
    withdrawn_by: str
    withdrawn_reason: str


class EpisodeView(BaseModel):
    """An episode of an alert."""

    statistic: str
    start: str
    end: str
    windows: int
    peak: float
    limit: float
    unit: str
    peak_ratio: float | None
    evidence: NameView | None
    ongoing: bool
    withdrawn: bool


class AlertView(BaseModel):
    """An alert; the numbers are those of its worst episode, of a warning those of its last."""

    id: int
    kind: str = Field(
        description="exceedance; a warning: hour_above_limit, on_course, over_range, silence, silent_device, "
        "suspect_sensor, headroom, unreconciled_difference; "
        "a person's case: enquiry, objection"
    )
    point: str
    parameter: str
    limit_set: str
    state: str
    assignee: str
    opened: str
    since: str
    until: str
    ongoing: bool
    windows: int
    statistic: str
    peak: float | None = Field(description="null: a case has no numbers")
    limit: float | None
    unit: str
    peak_ratio: float | None
    evidence: NameView | None = Field(description="of a warning: what it rests on, in words; of a case: what was said")
    subject: str = Field(description="what it is about where no series is: the title of a case, a device")
    member: str = Field(description="whose it is where no point says so")


class AlertFileView(BaseModel):
    """A file of a step; `GET /alerts/{alert}/attachments/{place}` hands it out."""

    place: int
    name: str
    media_type: str
    sha256: str
    bytes: int


class EventView(BaseModel):
    """A step of an alert."""

    time: str
    transition: str
    actor: str = Field(description="empty: the monitor itself")
    comment: str
    attachments: list[AlertFileView]


class MessageView(BaseModel):
    """A message of any kind and how far it has come."""

    id: int
    alert: int | None = Field(description="null: a report or a hand-over")
    kind: str = Field(description="the step of the alert, report or hand_over")
    title: str
    recipient: str
    channel: str
    state: str = Field(description="pending, sent or failed")
    pace: str = Field(description="urgent, normal, held (too many within the hour) or digest")
    with_: int | None = Field(alias="with", description="the message that it went along with")
    attempts: int
    created: str
    sent: str | None
    next_try: str | None
    error: str


class DeliveryView(BaseModel):
    """A message and how far it has come."""

    transition: str
    recipient: str
    channel: str
    state: str
    attempts: int
    created: str
    sent: str | None
    next_try: str | None
    error: str


class DeadlinesView(BaseModel):
    """Until when somebody has to do what; null: nothing is asked, or it has been done.

    ``certain`` is false where the official list of holidays does not reach yet: then weekdays count.
    """

    acknowledge_by: str | None
    answer_by: str | None
    certain: bool


class AssigneeView(BaseModel):
    """To whom an alert may be handed."""

    id: str
    role: str = Field(description="operator, officer, supervisor or member; company: whoever of it is on duty")
    member: str = Field(description="whose people; empty: nobody's")


class AlertDetail(AlertView):
    """An alert with all that belongs to it."""

    assignees: list[AssigneeView] = Field(description="to whom `assign` may hand it; empty for a member")
    deadlines: DeadlinesView | None
    muted_until: str | None = Field(description="messages about it are held back until then")

    episodes: list[EpisodeView]
    events: list[EventView]
    deliveries: list[DeliveryView] | None = Field(description="only for operators and admins")


class StatementHeadView(BaseModel):
    """A statement of cost (结算单) or its correction. Money is text, to the fen; of a correction the difference."""

    number: str
    period: str
    kind: str = Field(description="statement or correction")
    state: str = Field(description="draft, superseded or issued; what is issued never changes")
    created: str
    issued: str | None
    predecessor: str | None = Field(description="of a correction: the document before it")
    cause: str | None = Field(description="of a correction: why")
    override_reason: str | None = Field(description="why it was issued although findings were open")
    plant_digest: str
    total_yuan: str = Field(description="of all members")
    member_total_yuan: str | None = Field(description="of the key's member")


class StatementView(StatementHeadView):
    """A statement with its rows."""

    lines: list[dict[str, Any]] = Field(description="rows of statement.csv")
    volumes: list[dict[str, Any]] = Field(description="rows of volumes.csv")
    document: dict[str, Any] | None = Field(description="statement.json; only for operators and admins")


class ObjectionEventView(BaseModel):
    """A step of an objection."""

    time: str
    transition: str = Field(description="opened, acknowledged, …; reminded and overdue by time")
    state: str
    actor: str
    comment: str
    decision: str | None
    correction: str | None
    annotation: int | None


class ObjectionView(BaseModel):
    """An objection (异议) of a member to a line of an issued statement."""

    id: int
    statement: str
    member: str
    item: str
    reason: str
    alert: int = Field(description="the case: an alert of the kind objection")
    state: str = Field(description="open, acknowledged, assigned, replied, closed or reopened")
    assignee: str
    deadlines: DeadlinesView | None
    decision: str | None = Field(description="once closed: granted or rejected")
    correction: str | None = Field(description="of a granted one: the correction it led to")
    annotation: int | None = Field(description="or the annotation")
    attachments: list[AlertFileView]
    events: list[ObjectionEventView]


class ExplanationView(BaseModel):
    """How a member's total came about, line by line."""

    zh: list[str]
    en: list[str]


class SessionView(BaseModel):
    """Who asks, by a key or signed in."""

    role: str
    member: str | None
    name: str = Field(description="label or prefix of the key, or name of the account")
    time: str = Field(description="the present on the service's clock")


class RefusalView(BaseModel):
    """What could not be taken as a reading and waits in quarantine."""

    number: int
    arrived: str
    source: str = Field(description="device and register, or station and topic")
    reason: str
    content: str = Field(description="as it came, its beginning")


class HealthView(BaseModel):
    """One word; operators and admins see more beside it."""

    status: str = Field(description="ok, degraded or not storing")

    model_config = {"extra": "allow"}
