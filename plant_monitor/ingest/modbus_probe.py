"""What a technician asks of a Modbus device: its registers as they are, and what each order makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.modbus import series_of
from plant_monitor.ingest.modbus_link import Lines
from plant_monitor.ingest.modbus_reader import Answers, BlockReader
from plant_monitor.ingest.registers import ORDERS, decode_text
from plant_monitor.ingest.samples import Decoder, Held, pieces
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import mark_text
from plant_monitor.register_maps import RegisterReading


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """What one reading of a device looks like now."""

    point: str
    parameter: str
    place: str  # table, first register and type, as plant.yaml has them
    order: str  # as plant.yaml has it
    registers: tuple[int, ...]  # raw, as they came; empty where there was no answer
    value: float | None  # in the unit of plant.yaml
    mark: str  # as the status registers tell it; empty where there was no answer
    orders: tuple[float | str | None, ...]  # value, or text, that each of ORDERS makes of them; empty for single bits
    beside: str  # raw: what stands in the unit code and status registers
    error: str | None


def probe(device: ModbusDevice, plant: Plant) -> list[ProbeRow]:
    """Read each reading of a device once; nothing is stored.

    Raises
    ------
    SourceError  the device cannot be reached at all
    """
    series_of(device, plant)
    link = Lines().link(device)
    reader = BlockReader(device, link)
    rows = []
    try:
        for i, reading in enumerate(device.readings):
            answers = reader.read([i])
            if answers.lost is not None and answers.lost.kind == "connect":
                raise answers.lost
            rows.append(_row(reading, i, answers))
    finally:
        link.leave()
    return rows


def _row(reading: RegisterReading, index: int, answers: Answers) -> ProbeRow:
    sample, held = answers.values.get(index), answers.held
    value, *others = pieces(reading)
    bit = "" if reading.bit is None else f" {reading.bit}"
    return ProbeRow(
        point=reading.point,
        parameter=reading.parameter,
        place=f"{reading.table} {reading.register} {reading.type}{bit}",
        order=reading.order,
        registers=tuple(held.get(value) or ()),
        value=None if sample is None else sample.value,
        mark="" if sample is None else mark_text(sample.mark),
        orders=_orders(reading, held) if sample is not None and reading.type not in ("bit", "bool") else (),
        beside="; ".join(
            f"{piece.table} {piece.first}: {' '.join(f'{word:04x}' for word in found)}"
            for piece in others
            if (found := held.get(piece)) is not None
        ),
        error=answers.failed.get(index) if sample is None else sample.note,
    )


def _orders(reading: RegisterReading, held: Held) -> tuple[float | str | None, ...]:
    if reading.type == "string":
        registers = held.get(pieces(reading)[0]) or ()
        return tuple(decode_text(registers, order) for order in ORDERS)
    return tuple(_in_order(reading, order, held) for order in ORDERS)


def _in_order(reading: RegisterReading, order: str, held: Held) -> float | None:
    """The value if all of it were in an order; None where no value of its type stands there."""
    part = None if reading.fraction is None else replace(reading.fraction, order=order)
    try:
        sample = Decoder(replace(reading, order=order, fraction=part, status=())).sample(held)
    except DecodeError:
        return None
    return sample.value if sample.note is None else None
