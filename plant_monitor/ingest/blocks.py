"""From the registers wanted to the requests that fetch them.

Pure. What only means something together (a value, an integer with its fraction) is one piece and never stands in
two requests; neighbours share one because a request costs more than a few registers that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from plant_monitor.ingest.registers import BIT_TABLES
from plant_monitor.ingest.samples import Piece, pieces
from plant_monitor.register_maps import RegisterReading

# What one request may ask for (Modbus Application Protocol 1.1b3, §6.1–6.4).
MAX_REGISTERS, MAX_BITS = 125, 2000
# Registers that nobody asked for are read along where they cost less than a request of their own.
MAX_GAP = 16


@dataclass(frozen=True, slots=True)
class Block:
    """One request: ``count`` registers of a table from ``first`` on."""

    table: str
    first: int
    count: int
    pieces: tuple[Piece, ...] = field(default=(), compare=False)  # what of it is wanted, ascending

    @staticmethod
    def of(wanted: Sequence[Piece]) -> Block:
        """The block that spans pieces of one table, which are in ascending order."""
        first = wanted[0].first
        return Block(wanted[0].table, first, max(piece.end for piece in wanted) - first, tuple(wanted))

    def halves(self) -> tuple[Block, Block]:
        """A block of at least two pieces in two."""
        middle = len(self.pieces) // 2
        return Block.of(self.pieces[:middle]), Block.of(self.pieces[middle:])


def limit(table: str, max_block: int = MAX_REGISTERS) -> int:
    """Registers, or bits, that one request may ask for."""
    return min(MAX_BITS, 16 * max_block) if table in BIT_TABLES else min(MAX_REGISTERS, max_block)


def check_spans(readings: Iterable[RegisterReading], max_block: int = MAX_REGISTERS) -> list[str]:
    """What no request can fetch: beyond register 65535, or a pair wider than one answer."""
    problems = []
    for reading in readings:
        name = f"{reading.point}/{reading.parameter}"
        for piece in pieces(reading):
            if piece.first < 0 or piece.end > 65536:
                problems.append(f"{name}: registers {piece.first} to {piece.end - 1}, expected within 0 to 65535")
            elif piece.size > limit(piece.table, max_block):
                problems.append(
                    f"{name}: its parts span {piece.size} registers, expected at most"
                    f" {limit(piece.table, max_block)} so that one request reads them all"
                )
    return problems


def plan(
    wanted: Iterable[Piece],
    *,
    apart: Collection[Piece] = (),
    alone: Collection[Piece] = (),
    max_gap: int = MAX_GAP,
    max_block: int = MAX_REGISTERS,
) -> list[Block]:
    """The fewest plain requests for the pieces, by table and register.

    Parameters
    ----------
    apart      pieces at which a new request must begin: the device does not answer across
    alone      pieces that share a request with no other, and across which nothing is read
    max_gap    unwanted registers that may be read between two wanted ones
    max_block  registers that one request may ask for
    """
    groups: list[list[Piece]] = []
    end = 0  # of the last group
    for piece in sorted(set(wanted)):
        joins = (
            bool(groups)
            and piece.table == groups[-1][0].table
            and piece.first - end <= max_gap
            and max(end, piece.end) - groups[-1][0].first <= limit(piece.table, max_block)
            and piece not in apart
            and piece not in alone
            and groups[-1][-1] not in alone
        )
        if joins:
            groups[-1].append(piece)
        else:
            groups.append([piece])
        end = max(end, piece.end) if joins else piece.end
    return [Block.of(group) for group in groups]
