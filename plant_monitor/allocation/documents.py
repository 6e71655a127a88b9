"""A statement as rows and as a document: the one place where its figures become text (design §5, *Files*).

The edge only writes what stands here, so that no two formats can differ in a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from plant_monitor.allocation.capitals import capitals
from plant_monitor.allocation.costs import TOTAL
from plant_monitor.allocation.exact import (
    KG_PLACES,
    REGISTER_PLACES,
    m3_text,
    plain_text,
    share_text,
    to_places,
    yuan_text,
)
from plant_monitor.allocation.findings import BillFinding
from plant_monitor.allocation.inputs import text_digest
from plant_monitor.allocation.loads import MemberLoad
from plant_monitor.allocation.reconciliation import DailyVolume, Reconciliation
from plant_monitor.allocation.registers import Boundary
from plant_monitor.allocation.statement import Item, Statement
from plant_monitor.allocation.tariff import TARIFF_BASIS
from plant_monitor.allocation.usage import Difference
from plant_monitor.allocation.volumes import Volume
from plant_monitor.plant import Name, Plant
from plant_monitor.windows import rfc3339

STATEMENT_HEADER = ("member", "item", "basis", "quantity", "unit", "share", "amount_yuan")
VOLUMES_HEADER = (
    "member",
    "point",
    "start_time",
    "start_register",
    "end_time",
    "end_register",
    "volume_m3",
    "method",
    "findings",
)
FINDINGS_SEPARATOR = ";"

Row = tuple[str, ...]


def statement_rows(statement: Statement) -> list[Row]:
    """statement.csv without its header: members, their items and totals, then the ``TOTAL`` rows."""
    rows: list[Row] = []
    for member in statement.plant.members:
        rows += [_item_row(item, member.id) for item in statement.items]
        rows.append((member.id, TOTAL, "", "", "", "", yuan_text(statement.member_total_fen(member.id))))
    rows += [_total_row(item) for item in statement.items]
    rows.append((TOTAL, TOTAL, "", "", "", "", yuan_text(statement.total_fen)))
    return rows


def _item_row(item: Item, member: str) -> Row:
    quantity, share = item.quantities[member], item.shares.get(member)
    return (
        member,
        item.item,
        item.basis,
        "" if quantity is None else plain_text(quantity),
        item.unit,
        "" if share is None else share_text(share),
        yuan_text(item.amounts_fen[member]),
    )


def _total_row(item: Item) -> Row:
    """Quantities that add up (m³, kg, equivalents, …) are added up; the months of a fixed part are not."""
    known = [q for q in item.quantities.values() if q is not None]
    adds_up = known and item.unit != "month"
    return (
        TOTAL,
        item.item,
        item.basis,
        plain_text(sum(known[1:], known[0])) if adds_up else "",
        item.unit if adds_up else "",
        share_text(Fraction(1)) if item.shares else "",
        yuan_text(item.total_fen),
    )


def volume_rows(statement: Statement) -> list[Row]:
    """volumes.csv without its header: one row per outfall, then the inlet with an empty member."""
    inlet = statement.usage.inlet
    return [_volume_row(statement, v) for v in (*statement.usage.outfalls, *((inlet,) if inlet else ()))]


def _volume_row(statement: Statement, volume: Volume) -> Row:
    return (
        volume.member or "",
        volume.point,
        rfc3339(volume.start.time_ms, statement.plant.zone),
        _register_text(volume.start),
        rfc3339(volume.end.time_ms, statement.plant.zone),
        _register_text(volume.end),
        "" if volume.litres is None else m3_text(volume.litres),
        volume.method,
        FINDINGS_SEPARATOR.join(volume.codes),
    )


def _register_text(boundary: Boundary) -> str:
    return "" if boundary.register is None else plain_text(boundary.register)


def document(statement: Statement) -> dict[str, Any]:
    """statement.json: every figure as text, and everything it rests on."""
    plant, period, usage = statement.plant, statement.period, statement.usage
    return {
        "plant": {"id": plant.id, "name": _name(plant.name), "digest": plant.digest},
        "rule_version": statement.rule_version,
        "inputs": _inputs(statement),
        "kind": "statement",
        "state": "draft",
        "period": {
            "label": period.label,
            "start": rfc3339(period.start_ms, plant.zone),
            "end": rfc3339(period.end_ms, plant.zone),
            "days": period.days,
            "months": period.months,
        },
        "members": [_member(statement, m.id, m.name) for m in plant.members],
        "items": [_item(item) for item in statement.items],
        "total_yuan": yuan_text(statement.total_fen),
        "volumes": [_volume(statement, v) for v in usage.outfalls],
        "inlet": _volume(statement, usage.inlet) if usage.inlet else None,
        "unmetered_difference": _difference(statement.difference) if statement.difference else None,
        "reconciliation": _reconciliation(plant, usage.reconciliation) if usage.reconciliation else None,
        "findings": [_finding(f) for f in statement.findings],
    }


def _inputs(statement: Statement) -> dict[str, Any]:
    """sha256 of what the statement rests on; ``digest`` is that of all of it and of the rule."""
    readings = statement.usage.readings
    costs = text_digest(
        "\t".join((i.item, i.basis, yuan_text(i.total_fen), i.note)) for i in statement.items if i.basis != TARIFF_BASIS
    )
    parts = {
        "plant": statement.plant.digest,
        "costs": costs,
        "readings": readings.sha256 if readings else "",
        "readings_count": readings.count if readings else 0,
    }
    period = statement.period
    of_all = (*(str(v) for v in parts.values()), statement.rule_version, str(period.start_ms), str(period.end_ms))
    return {**parts, "digest": text_digest(of_all)}


def _name(name: Name) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}


def _member(statement: Statement, member: str, name: Name) -> dict[str, Any]:
    measured, billed = statement.measured_litres[member], statement.billed_litres[member]
    return {
        "member": member,
        "name": _name(name),
        "measured_m3": m3_text(measured),
        "unmetered_m3": m3_text(billed - measured),
        "billed_m3": m3_text(billed),
        "loads": {p: _load(loads[member]) for p, loads in statement.usage.loads.items()},
        "lines": [
            dict(zip(STATEMENT_HEADER[1:], _item_row(item, member)[1:])) | _details(item, member)
            for item in statement.items
        ],
        "total_yuan": yuan_text(statement.member_total_fen(member)),
        "total_capitals": capitals(statement.member_total_fen(member)),
    }


def _details(item: Item, member: str) -> dict[str, Any]:
    return {"details": item.details[member]} if member in item.details else {}


def _load(load: MemberLoad) -> dict[str, Any]:
    return {
        "mean_mg_l": None if load.mean_mg_l is None else plain_text(load.mean_mg_l),
        "load_kg": plain_text(to_places(Fraction(load.grams, 1000), KG_PLACES)),
        "points": [
            {
                "point": p.point,
                "load_kg": p.load_kg,
                "volume_m3": p.volume_m3,
                "valid_share": None if p.valid_share is None else share_text(p.valid_share),
                "time_weighted": p.time_weighted,
            }
            for p in load.points
        ],
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "item": item.item,
        "basis": item.basis,
        "amount_yuan": yuan_text(item.total_fen),
        "note": item.note,
        "split_by_instead": item.fallback or None,
    }


def _volume(statement: Statement, volume: Volume) -> dict[str, Any]:
    zone = statement.plant.zone
    row = dict(zip(VOLUMES_HEADER, _volume_row(statement, volume)))
    return {
        **row,
        "findings": list(volume.codes),
        "register_unit": volume.unit,
        "from_registers_m3": plain_text(to_places(volume.registers_m3, REGISTER_PLACES)),
        "from_flow_m3": plain_text(volume.flow_m3),
        "jumps": [
            {
                "start_time": rfc3339(j.start_ms, zone),
                "start_register": plain_text(j.start_register),
                "end_time": rfc3339(j.end_ms, zone),
                "end_register": plain_text(j.end_register),
                "flow_m3": plain_text(j.flow_m3),
                "meter_exchange": j.announced,
            }
            for j in volume.jumps
        ],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "inlet_m3": m3_text(difference.inlet_litres),
        "outfalls_m3": m3_text(difference.outfall_litres),
        "difference_m3": m3_text(difference.litres),
        "rule": difference.rule,
        "split_by_instead": difference.fallback or None,
        "parts_m3": {m: m3_text(litres) for m, litres in difference.parts.items()},
    }


def _reconciliation(plant: Plant, by_days: Reconciliation) -> dict[str, Any]:
    """The water by days. A day's litres are rounded so that the days of a point sum to its volume."""
    inlet, outfalls = by_days.inlet, by_days.outfalls
    meters = [v for v in (*outfalls, *((inlet,) if inlet else ())) if any(x is not None for x in v.apart)]
    tolerances = plant.tariff.difference_tolerance, plant.tariff.meter_tolerance
    beyond = set() if tolerances[0] is None else set(by_days.days_beyond(tolerances[0]))
    return {
        "difference_tolerance": None if tolerances[0] is None else plain_text(tolerances[0]),
        "meter_tolerance": None if tolerances[1] is None else plain_text(tolerances[1]),
        "days": [
            {
                "date": day.isoformat(),
                "members_m3": {m.id: m3_text(by_days.member_litres(m.id, i)) for m in plant.members},
                "outfalls_m3": m3_text(by_days.outfall_litres(i)),
                "inlet_m3": _m3_or_none(None if inlet is None else inlet.litres[i]),
                "difference_m3": _m3_or_none(by_days.difference_litres(i)),
                "beyond_tolerance": i in beyond,
                "flow_minus_register_m3": {v.point: _m3_or_none(v.apart[i]) for v in meters},
            }
            for i, day in enumerate(by_days.days)
        ],
        "meters": [_meters(v, by_days.days, tolerances[1]) for v in meters],
    }


def _meters(volume: DailyVolume, days: Sequence[date], tolerance: Decimal | None) -> dict[str, Any]:
    """Register and flow of one point over the days on which they are compared."""
    register, flow = volume.compared()
    beyond = [] if tolerance is None else [i for i in range(len(days)) if volume.beyond(tolerance, i)]
    return {
        "member": volume.member or "",
        "point": volume.point,
        "days_compared": sum(x is not None for x in volume.apart),
        "register_m3": m3_text(register),
        "flow_m3": m3_text(flow),
        "difference_m3": m3_text(flow - register),
        "days_beyond_tolerance": [days[i].isoformat() for i in beyond],
    }


def _m3_or_none(litres: int | None) -> str | None:
    return None if litres is None else m3_text(litres)


def _finding(found: BillFinding) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity,
        "member": found.member,
        "point": found.point,
        "parameter": found.parameter,
        "message": _name(found.message),
    }
