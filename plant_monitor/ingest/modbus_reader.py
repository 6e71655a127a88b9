"""Reading what is wanted of a Modbus device, and learning what it must not be asked for together.

A request that the device calls illegal is halved until the culprits are alone; a request that it does not answer
at all is taken apart once that has happened twice. What was found out spares the requests the next time: a piece
that is refused or silent is asked for alone, and where two halves answer that as a whole do not, the joint between
them is remembered. A piece that answers again is asked for in company again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from plant_monitor.errors import DecodeError, SourceError
from plant_monitor.ingest.blocks import Block, plan
from plant_monitor.ingest.modbus_link import ILLEGAL, NOBODY, ExceptionAnswer, LinkLost
from plant_monitor.ingest.samples import Decoder, Piece, Sample
from plant_monitor.plant import ModbusDevice

SILENT = 2  # tries in a row without an answer after which a piece is asked for alone


class Link(Protocol):
    """Where blocks are read; see :meth:`~plant_monitor.ingest.modbus_link.ModbusLink.read`."""

    def read(self, block: Block) -> Sequence[int]:
        """The block's registers, or its bits as 0 and 1."""
        ...


@dataclass(slots=True)
class Answers:
    """What one try brought."""

    values: dict[int, Sample] = field(default_factory=dict)  # by index into the device's readings
    failed: dict[int, str] = field(default_factory=dict)  # why a reading got no value
    alive: bool = False  # the device answered something, be it an exception
    held: dict[Piece, Sequence[int]] = field(default_factory=dict)  # the registers that came
    reasons: dict[Piece, str] = field(default_factory=dict)  # why a piece did not come
    lost: LinkLost | None = None  # what ended the try early


class BlockReader:
    """Reads blocks over a link."""

    def __init__(self, device: ModbusDevice, link: Link) -> None:
        self._device, self._link = device, link
        self._decoders = [Decoder(reading) for reading in device.readings]
        self._apart: set[Piece] = set()  # where a request must begin
        self._refused: set[Piece] = set()  # illegal also when they are asked for alone
        self._silences: Counter[Piece] = Counter()  # tries in a row without an answer
        self._strikes: Counter[Piece] = Counter()  # silences that were over once a request began there
        self._plans: dict[tuple[int, ...], list[Block]] = {}
        self.requests = 0
        self.errors: dict[str, int] = {}  # connect | timeout | protocol | gateway | exception -> count
        self.round_trip_ms: float | None = None  # of the last answered request
        self.last_error: str | None = None

    def read(self, chosen: Iterable[int]) -> Answers:
        """Read the chosen readings.

        When the device falls silent on the way, the rest is not asked for. What was silent is asked for last
        the next time, so that it hides nothing that answers.
        """
        answers = Answers()
        wanted = tuple(sorted(chosen))
        blocks = self._plan(wanted)
        if self._silences:
            blocks = sorted(blocks, key=lambda block: max(self._silences[p] for p in block.pieces))
        for at, block in enumerate(blocks):
            try:
                self._read_block(block, answers)
            except LinkLost as error:
                answers.lost = error
                for rest in blocks[at:]:
                    answers.reasons.update(dict.fromkeys(rest.pieces, str(error)))
                break
        self._decode(wanted, answers)
        return answers

    def _plan(self, wanted: tuple[int, ...]) -> list[Block]:
        if wanted not in self._plans:
            device = self._device
            self._plans[wanted] = plan(
                (piece for i in wanted for piece in self._decoders[i].pieces),
                apart=self._apart,
                alone=self._refused | {piece for piece, n in self._silences.items() if n >= SILENT},
                max_gap=device.max_gap,
                max_block=device.max_block,
            )
        return self._plans[wanted]

    def _decode(self, wanted: tuple[int, ...], answers: Answers) -> None:
        """A reading is read when all its pieces have come, whatever became of the rest."""
        for i in wanted:
            try:
                answers.values[i] = self._decoders[i].sample(answers.held)
            except DecodeError as error:
                reasons = [answers.reasons[piece] for piece in self._decoders[i].pieces if piece in answers.reasons]
                answers.failed[i] = reasons[0] if reasons else str(error)

    # --- one request ---------------------------------------------------------------------------

    def _read_block(self, block: Block, answers: Answers) -> bool:
        """Read a block, in parts where the device refuses the whole; True where all of it came."""
        self.requests += 1
        began = time.monotonic()
        try:
            registers = self._link.read(block)
        except LinkLost as error:
            raise self._lost(block, error) from error
        except ExceptionAnswer as error:
            if error.code in NOBODY:
                raise self._lost(block, LinkLost("gateway", str(error))) from error
            self._heard(block, began, answers)
            self._count("exception", error)
            return self._refuse(block, error, answers)
        self._came(block)
        self._heard(block, began, answers)
        for piece in block.pieces:
            at = piece.first - block.first
            answers.held[piece] = registers[at : at + piece.size]
        return True

    def _refuse(self, block: Block, error: ExceptionAnswer, answers: Answers) -> bool:
        """One bad register, or a gap between two good ones, must not hide the rest of its block."""
        if error.code in ILLEGAL and len(block.pieces) > 1:
            low, high = block.halves()
            whole = [self._read_block(half, answers) for half in (low, high)]
            if all(whole):  # each answers, together they do not
                self._apart.add(high.pieces[0])
                self._plans.clear()
            return all(whole)
        answers.reasons.update(dict.fromkeys(block.pieces, str(error)))
        if error.code in ILLEGAL:
            self._refused.update(block.pieces)
            self._plans.clear()
        return False

    def _heard(self, block: Block, began: float, answers: Answers) -> None:
        answers.alive = True
        self.round_trip_ms = (time.monotonic() - began) * 1000
        for piece in block.pieces if self._silences else ():
            if self._silences.pop(piece, 0) >= SILENT:
                self._plans.clear()

    def _came(self, block: Block) -> None:
        """What answered need not be alone; unless that has helped against silence before."""
        for piece in block.pieces[1:] if self._strikes else ():
            self._strikes.pop(piece, None)  # it was read across just now
        first = block.pieces[0]
        if self._silences[first] >= SILENT:
            self._strikes[first] += 1
            if self._strikes[first] >= SILENT:
                self._apart.add(first)
                self._plans.clear()
        if first in self._refused:
            self._refused.remove(first)
            self._plans.clear()

    def _lost(self, block: Block, error: LinkLost) -> LinkLost:
        self._count(error.kind, error)
        if error.kind != "connect":  # then it was not what was asked for that nobody answered
            self._silences.update(block.pieces)
            self._plans.clear()
        return error

    def _count(self, kind: str, error: SourceError) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self.last_error = str(error)
