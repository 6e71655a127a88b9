"""A period that is still running: the bill so far, and what it comes to if the rest goes on like that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from plant_monitor.allocation.documents import document
from plant_monitor.allocation.exact import half_up, m3_text, yuan_text
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Statement, bill, settle
from plant_monitor.allocation.usage import Usage
from plant_monitor.allocation.volumes import Volume
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings


@dataclass(frozen=True, slots=True)
class Running:
    """``so_far`` bills the days that are over, costs and fixed parts by their share of the period's days ·
    ``projection`` the whole period, with volumes and loads at the pace of those days."""

    so_far: Statement
    projection: Statement


def bill_so_far(plant: Plant, readings: Readings, period: Period, costs: Sequence[CostItem], until: date) -> Running:
    """The bill of the days of ``period`` before ``until``, and its projection.

    ``readings`` as for :func:`~plant_monitor.allocation.statement.bill`, of those days.
    """
    elapsed = period.so_far(until, plant.zone)
    part = elapsed.part
    shared = [replace(c, amount_fen=half_up(c.amount_fen * part)) for c in costs]
    so_far = bill(plant, readings, elapsed, shared)
    return Running(so_far, settle(plant, period, costs, _at_the_pace(so_far.usage, 1 / part)))


def running_document(running: Running) -> dict[str, Any]:
    """statement.json of a running period: the bill so far, and what the projection comes to."""
    so_far, projection = running.so_far, running.projection
    members = [
        {
            "member": m.id,
            "billed_m3": m3_text(projection.billed_litres[m.id]),
            "total_yuan": yuan_text(projection.member_total_fen(m.id)),
        }
        for m in projection.plant.members
    ]
    whole = {"days": projection.period.days, "total_yuan": yuan_text(projection.total_fen), "members": members}
    costs = [
        {"item": i.item, "basis": i.basis, "amount_yuan": yuan_text(i.total_fen), "note": i.note}
        for i in projection.items
        if i.shares
    ]
    return document(so_far) | {"projection": {**whole, "costs": costs}}


def _at_the_pace(usage: Usage, factor: Fraction) -> Usage:
    """The usage of a longer time: volumes and loads grow alike, means stay."""

    def grown(volume: Volume) -> Volume:
        return volume if volume.litres is None else replace(volume, litres=half_up(volume.litres * factor))

    loads = {
        parameter: {m: replace(load, grams=half_up(load.grams * factor)) for m, load in of.items()}
        for parameter, of in usage.loads.items()
    }
    inlet = grown(usage.inlet) if usage.inlet else None
    return Usage(tuple(grown(v) for v in usage.outfalls), inlet, loads)
