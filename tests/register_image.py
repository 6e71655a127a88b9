"""Registers as a device holds them, and what our decoder makes of them."""

from __future__ import annotations

from collections.abc import Sequence

from plant_monitor.ingest.samples import Decoder, Sample, pieces
from plant_monitor.register_maps import RegisterReading


class Image:
    """The registers of a device, table by table."""

    def __init__(self, **tables: tuple[int, Sequence[int]]) -> None:
        self._words: dict[tuple[str, int], int] = {}
        for table, (first, registers) in tables.items():
            self.add(table, first, registers)

    def add(self, table: str, first: int, registers: Sequence[int]) -> None:
        """Registers, or bits as 0 and 1, from a first one on."""
        self._words |= {(table, first + i): word for i, word in enumerate(registers)}

    def sample(self, reading: RegisterReading) -> Sample:
        """What stands there of a reading."""
        held = {}
        for piece in pieces(reading):
            places = [(piece.table, register) for register in range(piece.first, piece.end)]
            if all(place in self._words for place in places):
                held[piece] = [self._words[place] for place in places]
        return Decoder(reading).sample(held)


def value_of(reading: RegisterReading, first: int, registers: Sequence[int]) -> float:
    """The value of a reading whose table holds these registers."""
    image = Image()
    image.add(reading.table, first, registers)
    return image.sample(reading).value
