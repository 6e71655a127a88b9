"""The plant as plain frozen records. They are made by ``config`` and only read everywhere else.

Decimal where money, registers or capacity enter a bill; floats are taken from them at the door of
the vectorised code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

from plant_monitor.notify import Notify
from plant_monitor.payload_maps import JsonMapping, SparkplugMapping
from plant_monitor.register_maps import RegisterReading

FLOW = "flow"
VOLUME = "volume"
PH = "ph"


class Role(StrEnum):
    """What a monitoring point (监测点) is for."""

    OUTFALL = "outfall"
    INLET = "inlet"
    EFFLUENT = "effluent"
    PROCESS = "process"


class Represents(StrEnum):
    """Which time a reading speaks for: from its instant on, or the period that ends there."""

    BEFORE = "before"
    AFTER = "after"


class Statistic(StrEnum):
    """What a limit is compared with (design §4.1, §5)."""

    DAILY_MEAN = "daily_mean"
    HOURLY_MEAN = "hourly_mean"
    HOURLY_MEDIAN = "hourly_median"
    DAILY_LOAD = "daily_load"
    MONTHLY_MEAN = "monthly_mean"


HOURLY = frozenset({Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN})


@dataclass(frozen=True, slots=True)
class Name:
    """A name for people."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A capacity share that is in force from a day on, until the next change."""

    valid_from: date
    capacity_share: Decimal


@dataclass(frozen=True, slots=True)
class Member:
    """A member company (成员企业)."""

    id: str
    name: Name
    capacity_share: Decimal | None = None  # relative weight; None = not stated
    quota_m3_d: Decimal | None = None
    share_changes: tuple[ShareChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One parameter at one point."""

    point: str
    parameter: str
    unit: str
    interval_ms: int | None  # None only for a totaliser that states none
    represents: Represents = Represents.AFTER
    no_flow_below_m3_h: float = 0.1  # flow only: at or below, nothing is discharged
    rollover: Decimal | None = None  # totaliser only: register size, in ``unit``
    resolution: Decimal = Decimal(1)  # totaliser only: in ``unit``
    max_rate_m3_h: Decimal | None = None  # totaliser only: None = 4 · capacity / 24


@dataclass(frozen=True, slots=True)
class Point:
    """A monitoring point. ``series`` in the order of plant.yaml."""

    id: str
    role: Role
    series: tuple[Series, ...]
    member: str | None = None  # outfalls only
    limits: tuple[str, ...] = ()  # ids of limit sets
    name: Name | None = None

    def find(self, parameter: str) -> Series | None:
        """The series of a parameter, or None where the point does not measure it."""
        return next((s for s in self.series if s.parameter == parameter), None)


@dataclass(frozen=True, slots=True)
class Limit:
    """One dated limit of a set; in force from ``valid_from`` to ``valid_to``, both inclusive."""

    parameter: str
    statistic: Statistic
    lower: float | None
    upper: float | None
    unit: str | None = None  # None = that of the series
    valid_from: date | None = None
    valid_to: date | None = None
    clause: str = ""
    source: str = ""
    verified: bool = True  # False: the number was not seen in the text of the standard
    note: str = ""  # what a reader of the limit should know

    def in_force(self, day: date) -> bool:
        """True where the limit applies on ``day`` (which of several does: ``limit_for``)."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class LimitSet:
    """A limit set (限值集): a standard, a permit, an agreement."""

    id: str
    title: Name
    source: str
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """TLS of a connection: paths of PEM files."""

    ca: str | None = None  # None: the authorities of the system
    certificate: str | None = None  # our own, where the other side asks for one
    key: str | None = None  # None: in the file of the certificate
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ModbusDevice:
    """A Modbus TCP device. Devices with one host and port share one connection."""

    id: str
    host: str
    port: int
    unit_id: int
    poll_ms: int  # retry pace and lower bound
    readings: tuple[RegisterReading, ...]
    timeout_ms: int = 3000
    framing: str = "tcp"  # tcp (with transactions) | rtu (a serial line behind a converter: CRC, no transactions)
    tls: TlsFiles | None = None  # None = in the clear
    max_block: int = 125  # registers that one request may ask for
    max_gap: int = 16  # unwanted registers that may be read between two wanted ones
    min_delay_ms: int = 0  # least pause between an answer and the next request on the connection


@dataclass(frozen=True, slots=True)
class MqttStation:
    """A source of readings over MQTT."""

    id: str
    host: str
    port: int
    tls: bool
    topic: str
    payload: str | JsonMapping | SparkplugMapping = "readings"
    point: str | None = None  # a point id, or a pattern with {1}, {2} for the topic's + levels, {key}, {device} …
    username: str | None = None
    password: str | None = field(default=None, repr=False)  # resolved from env:NAME or file:PATH; never logged
    version: str = "3.1.1"  # 3.1.1 | 5
    client_id: str | None = None  # None: plant-monitor-PLANT-STATION
    session_expiry_ms: int | None = None  # version 5: how long the broker keeps our session; None: for ever
    tls_files: TlsFiles = TlsFiles()
    status: bool = True  # tell this broker's subscribers the state of the service


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """Where the forwarder writes (design §4.7)."""

    url: str
    api: str  # v1 | v2
    org: str
    bucket: str
    results_bucket: str
    token: str | None = None
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class StrengthStep:
    """A strength surcharge rule (tariff.strength_steps)."""

    parameter: str
    above: Decimal
    step: Decimal
    yuan_m3: Decimal
    partial_step: str = "ceil"  # ceil | floor | proportional
    valid_from: date | None = None  # both inclusive
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Prices in force from a day on, until the next change; what it does not name stays."""

    valid_from: date
    volume_price_yuan_m3: Decimal | None = None
    fixed_yuan_month: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices on top of the shared costs (design §4.6)."""

    volume_price_yuan_m3: Decimal | None = None
    fixed_yuan_month: tuple[tuple[str, Decimal], ...] = ()
    strength_steps: tuple[StrengthStep, ...] = ()
    unmetered_difference: str = "report"  # report | proportional | equal
    difference_tolerance: Decimal | None = None  # part of the inlet; a larger difference blocks
    meter_tolerance: Decimal | None = None  # part of the register's volume; a larger difference to the flow blocks
    price_changes: tuple[PriceChange, ...] = ()
    minimum_yuan_month: tuple[tuple[str, Decimal], ...] = ()  # what a member pays at least, before VAT
    vat: tuple[tuple[str, Decimal], ...] = ()  # item -> rate


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an analyser may be from a laboratory value (HJ 355 style): ``absolute`` or ``relative``.

    ``below`` the laboratory values it speaks of, None = all that are left · ``below`` and ``absolute`` in
    ``unit``, ``relative`` a part of the laboratory value · ``mark`` how sure the number is: V verified, 1 one
    source, M from memory, E a choice
    """

    parameter: str
    unit: str
    below: float | None = None
    absolute: float | None = None
    relative: float | None = None
    mark: str = "V"
    source: str = ""


@dataclass(frozen=True, slots=True)
class MarkedNumber:
    """A number of a rule, how sure it is (V, 1, M, E), and where it stands."""

    value: float
    mark: str = "V"
    source: str = ""


@dataclass(frozen=True, slots=True)
class PhysicalRange:
    """What a parameter cannot be below or above, in ``unit``; None = no such bound."""

    parameter: str
    unit: str
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """When a sensor is suspect (see ``compliance.suspicion``)."""

    flat_hours: float
    spike_sigmas: float
    jump_times: float
    drift_sigmas: float
    balance_share: float  # outfalls against inlet
    ratio_share: float  # conductivity against chloride
    ranges: tuple[PhysicalRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """Data quality after HJ 355/356. What is None or missing is not told."""

    required_rate: MarkedNumber | None = None  # of effective transmission, a share
    substitution_days: MarkedNumber | None = None  # effective days whose largest load stands in
    tolerances: tuple[Tolerance, ...] = ()  # in the order they are tried
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class PublicScreen:
    """What everybody may see without signing in (公示大屏)."""

    points: tuple[str, ...]
    parameters: tuple[str, ...] = ()  # empty = every one of these points
    headroom: bool = False  # also inflow and what is left of the capacity


@dataclass(frozen=True)
class Plant:
    """Everything plant.yaml says."""

    id: str
    name: Name
    zone: ZoneInfo
    capacity_m3_d: Decimal
    members: tuple[Member, ...]
    points: tuple[Point, ...]
    limit_sets: tuple[LimitSet, ...] = ()  # those shipped and those of the file
    inlet: str | None = None
    effluent: str | None = None
    operator: Name | None = None
    design_load_kg_d: tuple[tuple[str, Decimal], ...] = ()
    devices: tuple[ModbusDevice | MqttStation, ...] = ()
    influxdb: InfluxSettings | None = None
    read_from: str = "journal"  # journal | influxdb
    retention_days: int | None = None  # how long the journal keeps readings; None = for ever
    tariff: Tariff = Tariff()
    notify: Notify = field(default_factory=Notify)
    quality: Quality = Quality()
    public_screen: PublicScreen | None = None  # None = nothing is public
    standard_units: Mapping[str, str] = field(default_factory=dict, repr=False)  # of parameters known by name
    digest: str = ""  # sha256 of the file's bytes; verdicts and statements name it
    source_text: str = field(default="", repr=False)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """All series in the order of the file; ``Readings.series`` indexes this tuple."""
        return tuple(s for p in self.points for s in p.series)

    @cached_property
    def series_index(self) -> dict[tuple[str, str], int]:
        """(point, parameter) -> index into ``series``."""
        return {(s.point, s.parameter): i for i, s in enumerate(self.series)}

    @cached_property
    def point_by_id(self) -> dict[str, Point]:
        """Point id -> point."""
        return {p.id: p for p in self.points}

    @cached_property
    def member_by_id(self) -> dict[str, Member]:
        """Member id -> member."""
        return {m.id: m for m in self.members}

    @cached_property
    def limit_set_by_id(self) -> dict[str, LimitSet]:
        """Limit set id -> limit set."""
        return {s.id: s for s in self.limit_sets}

    @cached_property
    def outfalls(self) -> tuple[Point, ...]:
        """The outfalls, in the order of the file."""
        return tuple(p for p in self.points if p.role is Role.OUTFALL)

    def max_rate_m3_h(self, totaliser: Series) -> Decimal:
        """The largest believable rate of a totaliser (design §5, *Volumes for bills*)."""
        if totaliser.max_rate_m3_h is not None:
            return totaliser.max_rate_m3_h
        return 4 * self.capacity_m3_d / 24
