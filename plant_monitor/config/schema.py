"""The shape of plant.yaml: every key, its kind of value, its default (design §4.1, §4.6).

Only the shape. What one key means for another is checked in the ``check_*`` modules; the records the
rest of the product reads are made in ``records.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from plant_monitor.config.modbus_schema import ModbusSection
from plant_monitor.config.mqtt_schema import MqttSection
from plant_monitor.config.notify_schema import NotifySection
from plant_monitor.config.scalars import (
    Day,
    Duration,
    Flag,
    Id,
    KeptDays,
    NotNegative,
    Number,
    Plain,
    Positive,
    Share,
    Unit,
    integer,
)
from plant_monitor.config.section import Secret, Section

Count = Annotated[int, integer(1, 1000), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000})]
Mark = Literal["V", "1", "M", "E"]
MARKS_OF_RULES = "how sure the number is: V verified, 1 one source, M from memory, E a choice"


def _none_is_empty(value: Any) -> Any:
    """``ph:`` with nothing behind it states no keys; it is not another kind of value."""
    return {} if value is None else value


class NameSection(Section):
    """A name for people, in both languages."""

    zh: Plain = Field(description="name in Chinese")
    en: Plain = Field(description="name in English")


class PlantSection(Section):
    """The plant itself."""

    id: Id = Field(description="short name of the plant: MQTT topics, InfluxDB tag")
    name: NameSection = Field(description="the plant's name")
    operator: NameSection | None = Field(None, description="the company that runs the plant")
    timezone: Plain = Field(description="IANA zone whose days and hours are reported, as Asia/Shanghai")
    capacity_m3_d: Positive = Field(description="design capacity, m3/d")
    inlet: Id | None = Field(
        None, description="point whose flow is the plant's inflow; omitted: the sum of the outfalls"
    )
    effluent: Id | None = Field(None, description="point where the plant discharges")
    design_load_kg_d: dict[Id, Positive] = Field({}, description="design load by parameter, kg/d")


class ShareChangeSection(Section):
    """A capacity share in force from a day on."""

    valid_from: Day = Field(description="first day in force, until the next change")
    capacity_share: NotNegative = Field(description="the share from that day on")


class MemberSection(Section):
    """A member company."""

    id: Id = Field(description="short name of the member; ties in bills go to the smaller id; not TOTAL")
    name: NameSection = Field(description="the company's name")
    capacity_share: NotNegative | None = Field(
        None, description="relative share of the capacity; the sum need not be 1"
    )
    quota_m3_d: NotNegative | None = Field(None, description="agreed volume, m3/d")
    share_changes: list[ShareChangeSection] = Field([], description="shares that change; inside a period by days")


class ParameterSection(Section):
    """One parameter measured at a point: a series."""

    unit: Unit | None = Field(None, description="unit of the values; may be omitted for parameters known by name")
    interval: Duration | None = Field(
        None, description="time between two readings (10s, 1m, 1h); required except for volume"
    )
    represents: Literal["before", "after"] = Field(
        "after", description="a reading speaks for the time after it, or for the period that ends with it (before)"
    )
    no_flow_below: NotNegative | None = Field(
        None, description="flow only: m3/h; at or below, nothing is discharged (0.1)"
    )
    rollover: Positive | None = Field(
        None, description="volume only: where the register starts again at 0, in its unit"
    )
    resolution: Positive | None = Field(None, description="volume only: smallest step of the register, in its unit (1)")
    max_rate_m3_h: Positive | None = Field(
        None, description="volume only: the largest believable rate, m3/h (4 · capacity_m3_d / 24)"
    )


class PointSection(Section):
    """A monitoring point."""

    id: Id = Field(description="short name of the point")
    name: NameSection | None = Field(None, description="the point's name for people")
    role: Literal["outfall", "inlet", "effluent", "process"] = Field(description="what the point is for")
    member: Id | None = Field(None, description="outfalls only: whose outfall it is")
    limits: list[Id] = Field([], description="ids of the limit sets that apply here")
    parameters: dict[Id, Annotated[ParameterSection, BeforeValidator(_none_is_empty)]] = Field(
        description="what is measured here, by parameter key"
    )


class LimitSection(Section):
    """One dated limit."""

    parameter: Id = Field(description="parameter key")
    lower: Number | None = Field(None, description="not below; lower, upper or both")
    upper: Number | None = Field(None, description="not above")
    unit: Unit | None = Field(None, description="unit of the bounds; omitted: that of the series (daily_load: kg/d)")
    statistic: Literal["daily_mean", "hourly_mean", "hourly_median", "daily_load", "monthly_mean"] | None = Field(
        None, description="what is compared (daily_mean; for ph hourly_median, and nothing else)"
    )
    valid_from: Day | None = Field(None, description="first day in force; of several, the latest one counts")
    valid_to: Day | None = Field(None, description="last day in force")
    clause: Plain | None = Field(None, description="clause of the source")
    source: Plain | None = Field(None, description="where the number stands; omitted: the source of the set")
    verified: Flag = Field(True, description="false: the number was not seen in the text of the standard")
    note: Plain | None = Field(None, description="what a reader of the limit should know")


class LimitSetSection(Section):
    """A limit set: a standard, a permit, an agreement."""

    id: Id = Field(description="short name of the set; not one of those shipped")
    title: NameSection | None = Field(None, description="the set's title; omitted: its id")
    source: Plain | None = Field(None, description="the document the limits stand in")
    limits: list[LimitSection] = Field(description="the limits")


Device = Annotated[ModbusSection | MqttSection, Field(discriminator="protocol")]


class InfluxSection(Section):
    """The InfluxDB that readings are forwarded to."""

    url: Plain = Field(description="http:// or https:// address")
    api: Literal["v1", "v2"] = Field("v2", description="v2 (2.x, 3.x, 1.8+: token) or v1 (1.x: user and password)")
    org: Plain | None = Field(None, description="v2: organisation")
    bucket: Plain = Field("readings", description="bucket of the readings; v1: database")
    results_bucket: Plain = Field("results", description="bucket of the results; v1: database")
    token: Secret | None = Field(None, description="v2: env:NAME or file:PATH")
    username: Plain | None = Field(None, description="v1: user")
    password: Secret | None = Field(None, description="v1: env:NAME or file:PATH")


class StoreSection(Section):
    """Where readings go besides the journal."""

    influxdb: InfluxSection | None = Field(None, description="forward readings and results to an InfluxDB")
    read_from: Literal["journal", "influxdb"] = Field(
        "journal", description="where API, evaluation and bills read from"
    )
    retention: KeptDays | None = Field(
        None, description="how long the journal keeps readings, as 800d, at least 400d; omitted: for ever"
    )


class StrengthSection(Section):
    """A surcharge by strength."""

    parameter: Id = Field(description="parameter, a mass per volume")
    above: NotNegative = Field(description="threshold, in mg/L")
    step: Positive = Field(description="size of a step, in mg/L")
    yuan_m3: NotNegative = Field(description="yuan per m3 and step")
    partial_step: Literal["ceil", "floor", "proportional"] = Field("ceil", description="what a part of a step counts")
    valid_from: Day | None = Field(None, description="first day in force; inside a period the price by days")
    valid_to: Day | None = Field(None, description="last day in force")


class PriceChangeSection(Section):
    """Prices in force from a day on."""

    valid_from: Day = Field(description="first day in force, until the next change")
    volume_price_yuan_m3: NotNegative | None = Field(None, description="yuan per m3 billed; omitted: as before")
    fixed_yuan_month: dict[Id, Number] = Field({}, description="yuan per month, by member; others as before")


class VatSection(Section):
    """Value added tax of an item."""

    item: Plain = Field(description="a cost item or a tariff line (volume_price, fixed, strength:…, minimum)")
    rate: Share = Field(description="rate, 0 to 1")


class TariffSection(Section):
    """Prices on top of the shared costs."""

    volume_price_yuan_m3: NotNegative | None = Field(None, description="yuan per m3 billed")
    fixed_yuan_month: dict[Id, Number] = Field({}, description="yuan per month, by member")
    strength_steps: list[StrengthSection] = Field([], description="surcharges on the flow-weighted mean")
    unmetered_difference: Literal["report", "proportional", "equal"] = Field(
        "report", description="what happens to inlet − Σ outfalls"
    )
    price_changes: list[PriceChangeSection] = Field([], description="prices that change; inside a period by days")
    minimum_yuan_month: dict[Id, NotNegative] = Field({}, description="least charge in yuan per month, by member")
    vat: list[VatSection] = Field([], description="tax on these items, rounded once per member and statement")
    difference_tolerance: Share | None = Field(
        None, description="part of the inlet, 0 to 1; a larger difference, either way, blocks the issue of a bill"
    )
    meter_tolerance: Share | None = Field(
        None,
        description="part of a register's volume, 0 to 1; the flow beside it may differ by that and one resolution",
    )


class TransmissionSection(Section):
    """How much of the data that are due must arrive and be valid."""

    required: Share = Field(description="effective transmission rate of a month that is required, 0 to 1")
    mark: Mark = Field("V", description=MARKS_OF_RULES)
    source: Plain | None = Field(None, description="where the number stands")


class SubstitutionSection(Section):
    """How a daily load that cannot be measured is stood in for, beside the measured one."""

    effective_days: Count = Field(description="effective daily loads whose largest stands in")
    mark: Mark = Field("V", description=MARKS_OF_RULES)
    source: Plain | None = Field(None, description="where the number stands")


class ToleranceSection(Section):
    """How far an analyser may be from the laboratory."""

    parameter: Id = Field(description="parameter key")
    below: Positive | None = Field(None, description="laboratory values this is for; omitted: all others")
    absolute: Positive | None = Field(None, description="in the unit; absolute or relative")
    relative: Positive | None = Field(None, description="part of the laboratory value")
    unit: Unit = Field(description="unit of below and absolute")
    mark: Mark = Field("V", description=MARKS_OF_RULES)
    source: Plain | None = Field(None, description="where the number stands")


class RangeSection(Section):
    """What a parameter cannot be."""

    parameter: Id = Field(description="parameter key")
    lower: Number | None = Field(None, description="readings below are suspect")
    upper: Number | None = Field(None, description="readings above are suspect")
    unit: Unit = Field(description="unit of lower and upper")
    mark: Mark = Field("V", description=MARKS_OF_RULES)
    source: Plain | None = Field(None, description="where the numbers stand")


class SuspicionSection(Section):
    """When a sensor is suspect; what is not stated is as shipped."""

    flat_hours: Positive | None = Field(None, description="equal readings for so long are a flat line")
    spike_sigmas: Positive | None = Field(None, description="a spike stands out by so many times the noise")
    jump_times: Positive | None = Field(None, description="a jump is so many times the change that 90 % stay below")
    drift_sigmas: Positive | None = Field(None, description="a drift leaves the history by so many of its spreads")
    balance_share: Share | None = Field(None, description="outfalls against inlet: difference that is suspect")
    ratio_share: Positive | None = Field(None, description="conductivity against chloride: change that is suspect")
    ranges: list[RangeSection] = Field([], description="physical ranges; they replace those shipped for a parameter")


class QualitySection(Section):
    """Data quality after HJ 355/356; what is not stated is as shipped."""

    transmission: TransmissionSection | None = Field(None, description="rate of data that arrive and are valid")
    substitution: SubstitutionSection | None = Field(None, description="loads of days without effective mean")
    suspicion: SuspicionSection = Field(SuspicionSection(), description="when a sensor is suspect")
    comparison: list[ToleranceSection] = Field(
        [],
        description="tolerances beside the laboratory, in the order tried; they replace those shipped for a parameter",
    )


class PublicScreenSection(Section):
    """What everybody who reaches the service sees without signing in; without this section nothing."""

    points: list[Id] = Field(description="points whose values and verdicts are shown")
    parameters: list[Id] = Field([], description="the parameters shown; omitted: every one of these points")
    headroom: Flag = Field(False, description="also show the inflow and what is left of the capacity")


class PlantFile(Section):
    """plant.yaml."""

    plant: PlantSection = Field(description="the plant itself")
    members: list[MemberSection] = Field([], description="the member companies")
    points: list[PointSection] = Field(description="the monitoring points")
    limit_sets: list[LimitSetSection] = Field([], description="limit sets besides those shipped")
    templates: dict[Id, dict[str, Any]] = Field({}, description="keys that devices with `template:` share")
    devices: list[Device] = Field([], description="where readings come from")
    store: StoreSection = Field(StoreSection(), description="omit for the journal alone")
    tariff: TariffSection = Field(TariffSection(), description="prices on top of the shared costs")
    notify: NotifySection = Field(NotifySection(), description="channels of the alerts")
    quality: QualitySection = Field(QualitySection(), description="data quality after HJ 355/356")
    public_screen: PublicScreenSection | None = Field(None, description="what is public; omitted: nothing")
