"""From the checked model of plant.yaml to the records everyone else reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from plant_monitor.config.check_limits import statistic_of
from plant_monitor.config.draft import unit_of
from plant_monitor.config.modbus_record import modbus_record
from plant_monitor.config.modbus_schema import ModbusSection
from plant_monitor.config.mqtt_record import mqtt_record
from plant_monitor.config.mqtt_schema import MqttSection
from plant_monitor.config.notify_record import notify_record
from plant_monitor.config.parameters import DEFAULT_UNITS
from plant_monitor.config.quality import quality_record, shipped_quality
from plant_monitor.config.schema import (
    LimitSection,
    LimitSetSection,
    MemberSection,
    NameSection,
    ParameterSection,
    PlantFile,
    PointSection,
    PublicScreenSection,
    StoreSection,
    TariffSection,
)
from plant_monitor.plant import (
    FLOW,
    InfluxSettings,
    Limit,
    LimitSet,
    Member,
    ModbusDevice,
    MqttStation,
    Name,
    Plant,
    Point,
    PriceChange,
    PublicScreen,
    Represents,
    Role,
    Series,
    ShareChange,
    Statistic,
    StrengthStep,
    Tariff,
)

Secret = Callable[[str | None], str | None]

_NO_FLOW_BELOW = 0.1  # m3/h (design §4.1)


def plant_record(
    file: PlantFile, shipped: Mapping[str, LimitSetSection], secret: Secret, *, folder: Path, digest: str, text: str
) -> Plant:
    """The plant. ``secret`` turns ``env:NAME`` and ``file:PATH`` into what they name; ``folder`` is the file's."""
    plant = file.plant
    points = tuple(_point(p) for p in file.points)
    return Plant(
        id=plant.id,
        name=_name(plant.name),
        zone=ZoneInfo(plant.timezone),
        capacity_m3_d=plant.capacity_m3_d,
        members=tuple(_member(m) for m in file.members),
        points=points,
        limit_sets=tuple(_limit_set(s) for s in (*shipped.values(), *file.limit_sets)),
        inlet=plant.inlet,
        effluent=plant.effluent,
        operator=None if plant.operator is None else _name(plant.operator),
        design_load_kg_d=tuple(plant.design_load_kg_d.items()),
        devices=tuple(_device(d, points, secret, folder) for d in file.devices),
        influxdb=_influx(file.store, secret),
        read_from=file.store.read_from,
        retention_days=file.store.retention,
        tariff=_tariff(file.tariff),
        notify=notify_record(file.notify, secret),
        quality=quality_record(file.quality, shipped_quality()),
        public_screen=_public_screen(file.public_screen),
        standard_units=DEFAULT_UNITS,
        digest=digest,
        source_text=text,
    )


def _public_screen(section: PublicScreenSection | None) -> PublicScreen | None:
    if section is None:
        return None
    return PublicScreen(tuple(section.points), tuple(section.parameters), section.headroom)


def _member(member: MemberSection) -> Member:
    changes = sorted(member.share_changes, key=lambda c: c.valid_from)
    shares = tuple(ShareChange(c.valid_from, c.capacity_share) for c in changes)
    return Member(member.id, _name(member.name), member.capacity_share, member.quota_m3_d, shares)


def _name(name: NameSection) -> Name:
    return Name(name.zh, name.en)


def _point(point: PointSection) -> Point:
    return Point(
        id=point.id,
        role=Role(point.role),
        series=tuple(_series(point.id, parameter, s) for parameter, s in point.parameters.items()),
        member=point.member,
        limits=tuple(point.limits),
        name=None if point.name is None else _name(point.name),
    )


def _series(point: str, parameter: str, series: ParameterSection) -> Series:
    below = series.no_flow_below
    return Series(
        point=point,
        parameter=parameter,
        unit=unit_of(parameter, series.unit) or "",
        interval_ms=series.interval,
        represents=Represents(series.represents),
        no_flow_below_m3_h=_NO_FLOW_BELOW if below is None or parameter != FLOW else float(below),
        rollover=series.rollover,
        resolution=series.resolution or Decimal(1),
        max_rate_m3_h=series.max_rate_m3_h,
    )


def _limit_set(limit_set: LimitSetSection) -> LimitSet:
    title = Name(limit_set.id, limit_set.id) if limit_set.title is None else _name(limit_set.title)
    source = limit_set.source or ""
    return LimitSet(limit_set.id, title, source, tuple(_limit(x, source) for x in limit_set.limits))


def _limit(limit: LimitSection, source: str) -> Limit:
    return Limit(
        parameter=limit.parameter,
        statistic=Statistic(statistic_of(limit)),
        lower=None if limit.lower is None else float(limit.lower),
        upper=None if limit.upper is None else float(limit.upper),
        unit=limit.unit,
        valid_from=limit.valid_from,
        valid_to=limit.valid_to,
        clause=limit.clause or "",
        source=limit.source or source,
        verified=limit.verified,
        note=limit.note or "",
    )


def _device(
    device: ModbusSection | MqttSection, points: tuple[Point, ...], secret: Secret, folder: Path
) -> ModbusDevice | MqttStation:
    if isinstance(device, ModbusSection):
        units = {(s.point, s.parameter): s.unit for point in points for s in point.series}
        return modbus_record(device, units, secret, folder)
    return mqtt_record(device, secret, folder)


def _influx(store: StoreSection, secret: Secret) -> InfluxSettings | None:
    influx = store.influxdb
    if influx is None:
        return None
    return InfluxSettings(
        url=influx.url,
        api=influx.api,
        org=influx.org or "",
        bucket=influx.bucket,
        results_bucket=influx.results_bucket,
        token=secret(influx.token),
        username=influx.username,
        password=secret(influx.password),
    )


def _tariff(tariff: TariffSection) -> Tariff:
    return Tariff(
        volume_price_yuan_m3=tariff.volume_price_yuan_m3,
        fixed_yuan_month=tuple(tariff.fixed_yuan_month.items()),
        strength_steps=tuple(
            StrengthStep(s.parameter, s.above, s.step, s.yuan_m3, s.partial_step, s.valid_from, s.valid_to)
            for s in tariff.strength_steps
        ),
        unmetered_difference=tariff.unmetered_difference,
        difference_tolerance=tariff.difference_tolerance,
        meter_tolerance=tariff.meter_tolerance,
        price_changes=tuple(
            PriceChange(c.valid_from, c.volume_price_yuan_m3, tuple(c.fixed_yuan_month.items()))
            for c in sorted(tariff.price_changes, key=lambda c: c.valid_from)
        ),
        minimum_yuan_month=tuple(tariff.minimum_yuan_month.items()),
        vat=tuple((v.item, v.rate) for v in tariff.vat),
    )
