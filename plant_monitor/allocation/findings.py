"""What a reader of a statement should know about it, in both languages; a finding never changes a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from plant_monitor.allocation.costs import equivalent_parameters
from plant_monitor.allocation.exact import m3_text, percent_text, plain_text
from plant_monitor.allocation.loads import ENOUGH_VALID, OXYGEN_DEMAND
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.reconciliation import DailyVolume, Reconciliation
from plant_monitor.allocation.split import LOAD, CostItem
from plant_monitor.allocation.usage import Difference, Usage, needed_parameters
from plant_monitor.allocation.volumes import ESTIMATED, JUMP, METER_EXCHANGE, Jump
from plant_monitor.plant import VOLUME, Name, Plant
from plant_monitor.windows import rfc3339

INFO = "info"
WARNING = "warning"
BLOCKING = "blocking"  # a statement is not to be issued before someone has looked at it

# code -> (severity, zh, en). ``{…}`` is filled by the place that raises it.
_TEXTS: dict[str, tuple[str, str, str]] = {
    "jump": (
        WARNING,
        "累积流量由 {before}（{start}）变为 {after}（{end}），属跳变、清零或换表；此间以流量积分 {flow} m³ 代替",
        "register {before} at {start}, {after} at {end}: a jump, reset or exchange; {flow} m3 by the flow stand in",
    ),
    "meter_exchange": (
        INFO,
        "换表：旧表止码 {before}（{start}），新表起码 {after}（{end}）；其间以流量积分 {flow} m³ 计",
        "meter exchanged: {before} closed the old one at {start}, {after} opened the new at {end}; {flow} m3 by flow",
    ),
    "no_register_before_start": (
        WARNING,
        "期初之前没有有效的累积流量；从最近的读数（{first}）起算，之前以流量积分代替",
        "no valid register at or before the start; counted from the first one ({first}), before it by the flow",
    ),
    "no_register_after_end": (
        WARNING,
        "期末之后没有有效的累积流量；算到最近的读数（{last}）为止，之后以流量积分代替",
        "no valid register at or after the end; counted to the last one ({last}), after it by the flow",
    ),
    "no_register": (
        WARNING,
        "本期没有可用的累积流量读数",
        "no step of the register overlaps the period",
    ),
    "flow_incomplete": (
        WARNING,
        "流量仅在本期 {share} 的时间内已知；其余时间按已知部分的平均流量计",
        "the flow is known for {share} of the period; the rest is counted at the mean of what is known",
    ),
    "estimated": (
        BLOCKING,
        "水量无计量，按合同水量或产能份额估算为 {volume} m³",
        "nothing measured the volume; {volume} m3 estimated from quota or capacity share",
    ),
    "nothing_to_estimate_from": (
        BLOCKING,
        "水量无计量，且成员既无合同水量也无产能份额：按 0 计",
        "nothing measured the volume, and the member states neither quota nor capacity share: counted as 0",
    ),
    "no_inlet_volume": (
        WARNING,
        "进水口本期没有水量，无法与各排放口合计比较",
        "the inlet has no volume in this period, so there is no difference to the sum of the outfalls",
    ),
    "no_inlet": (
        WARNING,
        "资费规定分摊未计量差额（{rule}），但未指定进水口：无差额可分",
        "the tariff splits the unmetered difference ({rule}), but no inlet is named: there is none to split",
    ),
    "unmetered_difference": (
        INFO,
        "进水口 {inlet} m³，各排放口合计 {outfalls} m³，差额 {difference} m³；处理规则：{rule}",
        "inlet {inlet} m3, sum of the outfalls {outfalls} m3, difference {difference} m3; rule: {rule}",
    ),
    "negative_difference": (
        WARNING,
        "进水口 {inlet} m³ 小于各排放口合计 {outfalls} m³（差额 {difference} m³），只报告，不分摊",
        "inlet {inlet} m3, less than the outfalls' {outfalls} m3 (difference {difference} m3): reported, not split",
    ),
    "difference_above_tolerance": (
        BLOCKING,
        "进水口与各排放口合计相差 {difference} m³，占进水 {share}，超过允许差 {tolerance}：签发前须查明",
        "inlet and outfalls differ by {difference} m3, {share} of the inlet, more than {tolerance}: explain it first",
    ),
    "difference_on_days": (
        WARNING,
        "进水口与各排放口之差有 {days} 天超过 {tolerance}；最大 {day}：进水 {inlet} m³，差额 {difference} m³{zh}",
        "inlet and outfalls apart by more than {tolerance}, days: {days}; most {day}: {difference} of {inlet} m3{en}",
    ),
    "meters_differ_on_days": (
        WARNING,
        "表底与流量积分之差有 {days} 天超过 {tolerance}；最大 {day}：表底计得 {register} m³，流量积分 {flow} m³",
        "register and flow apart by more than {tolerance}, days: {days}; most {day}: {register} and {flow} m3",
    ),
    "meters_differ": (
        BLOCKING,
        "本期表底计得 {register} m³，流量积分 {flow} m³，超过允许差 {tolerance}：签发前须查明哪一块表有误",
        "{register} m3 by the register, {flow} m3 by the flow, more than {tolerance} apart: find out which is wrong",
    ),
    "share_changed": (
        INFO,
        "产能份额期中变更：{values}；按天数平均 {mean}",
        "capacity share: {values}; mean by days {mean}",
    ),
    "price_changed": (
        INFO,
        "单价期中变更：{values}；按天数平均 {mean} 元/m³",
        "price: {values}; mean by days {mean} yuan/m3",
    ),
    "fixed_changed": (
        INFO,
        "固定费期中变更：{values}；按天数平均 {mean} 元/月",
        "fixed part: {values}; mean by days {mean} yuan/month",
    ),
    "vat_item_unknown": (
        WARNING,
        "资费对“{item}”规定了增值税，但本期没有这一项",
        "the tariff has VAT on {item!r}, but this bill has no such item",
    ),
    "zero_weights": (
        WARNING,
        "“{item}” 的全部权重为零，改按 {fallback} 分摊",
        "all weights of {item!r} are zero; split by {fallback} instead",
    ),
    "low_valid_share": (
        WARNING,
        "本期有效率仅 {share}，低于 0.75；均值以有效时段为准",
        "valid share {share} of the period, below 0.75; the mean is that of the valid time",
    ),
    "time_weighted_mean": (
        INFO,
        "水量为估算，浓度以时间加权均值计入",
        "the volume is an estimate, so the strength enters with its time-weighted mean",
    ),
    "no_mean": (
        BLOCKING,
        "有计费水量 {volume} m³，但本期没有任何有效均值：不计负荷，不计加价",
        "{volume} m3 are billed, but there is no valid mean in this period: no load and no surcharge",
    ),
}


@dataclass(frozen=True, slots=True)
class BillFinding:
    """One finding of a statement; empty fields where it concerns no single member, point or parameter."""

    code: str
    severity: str
    message: Name
    member: str = ""
    point: str = ""
    parameter: str = ""


def finding(code: str, about: Mapping[str, str], **values: object) -> BillFinding:
    """The finding ``code`` about a member, point and parameter, its texts filled from ``values``."""
    severity, zh, en = _TEXTS[code]
    return BillFinding(code, severity, Name(zh.format(**values), en.format(**values)), **about)


def volume_findings(plant: Plant, period: Period, usage: Usage) -> list[BillFinding]:
    """What stands against the volumes: one finding per code, of jumps one each."""
    found = []
    for volume in (*usage.outfalls, *((usage.inlet,) if usage.inlet else ())):
        about = {"member": volume.member or "", "point": volume.point, "parameter": VOLUME}
        known = Fraction(volume.known_flow_ms, period.end_ms - period.start_ms)
        values = {
            "volume": "" if volume.litres is None else m3_text(volume.litres),
            "first": rfc3339(volume.start.time_ms, plant.zone),
            "last": rfc3339(volume.end.time_ms, plant.zone),
            "share": percent_text(known),
        }
        found += [finding(code, about, **values) for code in volume.codes if code not in (JUMP, METER_EXCHANGE)]
        found += [_jump(jump, about, plant) for jump in volume.jumps]
        if ESTIMATED in volume.codes and not _can_estimate(plant, volume.member):
            found.append(finding("nothing_to_estimate_from", about))
        if volume.litres is None:
            found.append(finding("no_inlet_volume", about))
    return found


def _jump(jump: Jump, about: Mapping[str, str], plant: Plant) -> BillFinding:
    return finding(
        METER_EXCHANGE if jump.announced else JUMP,
        about,
        start=rfc3339(jump.start_ms, plant.zone),
        before=plain_text(jump.start_register),
        end=rfc3339(jump.end_ms, plant.zone),
        after=plain_text(jump.end_register),
        flow=jump.flow_m3,
    )


def _can_estimate(plant: Plant, member_id: str | None) -> bool:
    member = plant.member_by_id.get(member_id or "")
    return member is not None and (member.quota_m3_d is not None or member.capacity_share is not None)


def difference_findings(plant: Plant, difference: Difference | None) -> list[BillFinding]:
    """The difference to the inlet, reported in every case."""
    rule = plant.tariff.unmetered_difference
    if plant.inlet is None and rule != "report":
        return [finding("no_inlet", {}, rule=rule)]
    if difference is None:
        return []
    figures = {
        "inlet": m3_text(difference.inlet_litres),
        "outfalls": m3_text(difference.outfall_litres),
        "difference": m3_text(difference.litres),
        "rule": difference.rule,
    }
    code = "negative_difference" if difference.litres < 0 else "unmetered_difference"
    found = [finding(code, {"point": plant.inlet or ""}, **figures)]
    tolerance = plant.tariff.difference_tolerance
    if tolerance is not None and abs(difference.litres) > Fraction(tolerance) * difference.inlet_litres:
        part = Fraction(abs(difference.litres), difference.inlet_litres) if difference.inlet_litres else None
        about = {"share": "∞" if part is None else percent_text(part), "tolerance": percent_text(Fraction(tolerance))}
        found.append(finding("difference_above_tolerance", {"point": plant.inlet or ""}, **figures, **about))
    if difference.fallback:
        found.append(zero_weights("unmetered_difference", difference.fallback))
    return found


def day_findings(plant: Plant, reconciliation: Reconciliation | None) -> list[BillFinding]:
    """On which days the water does not add up, and meters that differ from the one beside them."""
    if reconciliation is None:
        return []
    found = []
    tolerance = plant.tariff.difference_tolerance
    if tolerance is not None and (beyond := reconciliation.days_beyond(tolerance)):
        found.append(_difference_on_days(plant, reconciliation, beyond, tolerance))
    tolerance = plant.tariff.meter_tolerance
    if tolerance is not None:
        inlet = () if reconciliation.inlet is None else (reconciliation.inlet,)
        for volume in (*reconciliation.outfalls, *inlet):
            found += _meters_differ(volume, reconciliation.days, tolerance)
    return found


def _difference_on_days(
    plant: Plant, reconciliation: Reconciliation, beyond: Sequence[int], tolerance: Decimal
) -> BillFinding:
    """The days, the worst of them, and by how much the flow meters say otherwise that day."""
    worst = max(beyond, key=lambda day: abs(reconciliation.difference_litres(day) or 0))
    inlet, difference = reconciliation.inlet, reconciliation.difference_litres(worst)
    apart = [(v.point, v.apart[worst]) for v in (*reconciliation.outfalls, *((inlet,) if inlet else ()))]
    meters = [f"{point} {m3_text(litres)} m3" for point, litres in apart if litres]
    return finding(
        "difference_on_days",
        {"point": plant.inlet or ""},
        days=len(beyond),
        tolerance=percent_text(Fraction(tolerance)),
        day=reconciliation.days[worst],
        inlet=m3_text(inlet.litres[worst] if inlet else 0),
        difference=m3_text(difference or 0),
        zh=f"；流量积分 − 表底：{'，'.join(meters)}" if meters else "",
        en=f"; flow − register: {', '.join(meters)}" if meters else "",
    )


def _meters_differ(volume: DailyVolume, days: Sequence[date], tolerance: Decimal) -> list[BillFinding]:
    about = {"member": volume.member or "", "point": volume.point, "parameter": VOLUME}
    beyond = [day for day in range(len(days)) if volume.beyond(tolerance, day)]
    found = []
    if beyond:
        worst = max(beyond, key=lambda day: abs(volume.apart[day] or 0))
        told = {"days": len(beyond), "day": days[worst]} | _two_meters(volume.compared(worst), tolerance)
        found.append(finding("meters_differ_on_days", about, **told))
    if volume.beyond(tolerance):
        found.append(finding("meters_differ", about, **_two_meters(volume.compared(), tolerance)))
    return found


def _two_meters(litres: tuple[int, int], tolerance: Decimal) -> dict[str, object]:
    register, flow = (m3_text(x) for x in litres)
    return {"register": register, "flow": flow, "tolerance": percent_text(Fraction(tolerance))}


def zero_weights(item: str, fallback: str) -> BillFinding:
    """All weights of a split were zero."""
    return finding("zero_weights", {}, item=item, fallback=fallback)


def mean_findings(usage: Usage) -> list[BillFinding]:
    """Means that rest on little of the period, or on time instead of flow."""
    found = []
    for parameter, loads in usage.loads.items():
        for member, load in loads.items():
            for point in load.points:
                about = {"member": member, "point": point.point, "parameter": parameter}
                if point.time_weighted and point.valid_ms:
                    found.append(finding("time_weighted_mean", about))
                share = point.valid_share
                if share is not None and share < ENOUGH_VALID:
                    found.append(finding("low_valid_share", about, share=percent_text(share)))
    return found


def load_findings(
    plant: Plant, costs: Sequence[CostItem], usage: Usage, billed_litres: Mapping[str, int]
) -> list[BillFinding]:
    """Members with billed litres and no mean of a parameter that the bill needs."""
    named = needed_parameters(plant, [c for c in costs if c.basis != LOAD])
    counting = equivalent_parameters(plant) if any(c.basis == LOAD for c in costs) else None
    return [
        finding("no_mean", {"member": member, "parameter": parameter}, volume=m3_text(litres))
        for member, litres in billed_litres.items()
        if litres > 0
        for parameter in _without_mean(named, counting, usage, member)
    ]


def _without_mean(named: Sequence[str], counting: Sequence[str] | None, usage: Usage, member: str) -> list[str]:
    """Parameters the bill needs of a member and has no mean of: those named, and those counted in equivalents.

    In pollution equivalents one of COD, BOD5 and TOC is enough, and one parameter at least is needed.
    """
    missing = [p for p in named if usage.loads[p][member].mean_mg_l is None]
    if counting is None:
        return missing
    unknown = [p for p in counting if usage.loads[p][member].mean_mg_l is None]
    demand = [p for p in counting if p in OXYGEN_DEMAND]
    if any(p not in unknown for p in demand):
        unknown = [p for p in unknown if p not in OXYGEN_DEMAND]
    return list(dict.fromkeys([*missing, *unknown])) if counting else [*missing, LOAD]
