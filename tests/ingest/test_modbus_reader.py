"""Which requests fetch what is wanted, and what is learned from those that fail."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from field_parts import at, device_of
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.ingest.blocks import Block
from plant_monitor.ingest.modbus_link import ExceptionAnswer, LinkLost
from plant_monitor.ingest.modbus_reader import BlockReader
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode


class Device:
    """Answers requests for registers that it knows; each register holds its own number.

    ``illegal`` registers make it refuse a request, ``mute`` ones make it say nothing; ``longest`` is the most
    it gives at once, and across ``joints`` it refuses to read.
    """

    def __init__(
        self,
        illegal: set[int] | frozenset[int] = frozenset(),
        mute: set[int] | frozenset[int] = frozenset(),
        longest: int = 125,
        joints: set[int] | frozenset[int] = frozenset(),
    ) -> None:
        self.illegal, self.mute, self.longest, self.joints = set(illegal), set(mute), longest, set(joints)
        self.asked: list[tuple[int, int]] = []

    def read(self, block: Block) -> Sequence[int]:
        wanted = range(block.first, block.first + block.count)
        self.asked.append((block.first, block.count))
        if not self.mute.isdisjoint(wanted):
            raise LinkLost("timeout", "no answer")
        if not self.illegal.isdisjoint(wanted) or block.count > self.longest:
            raise ExceptionAnswer(2, "illegal data address")
        if not self.joints.isdisjoint(wanted[1:]):
            raise ExceptionAnswer(2, "illegal data address")
        return list(wanted)


def reader_of(device: Device, *readings: RegisterReading, **more: object) -> BlockReader:
    return BlockReader(device_of(502, *readings, **more), device)  # type: ignore[arg-type]


def words(*registers: int) -> list[RegisterReading]:
    return [at(f"x{register}", register, "uint16") for register in registers]


REGISTERS = st.lists(st.integers(0, 80), min_size=1, max_size=40, unique=True)


@given(REGISTERS, st.sets(st.integers(0, 80)), st.integers(1, 125), st.sets(st.integers(1, 80), max_size=8))
def test_a_refused_register_never_hides_another(
    registers: list[int], illegal: set[int], longest: int, joints: set[int]
) -> None:
    """Each reading ends as a value or with its reason, and what was learned spares requests the next time."""
    device = Device(illegal, longest=longest, joints=joints)
    reader = reader_of(device, *words(*registers))
    chosen = range(len(registers))
    for _ in range(2):
        answers = reader.read(chosen)
        good = {i for i in chosen if registers[i] not in illegal}
        assert set(answers.values) == good
        assert {i: sample.value for i, sample in answers.values.items()} == {i: float(registers[i]) for i in good}
        assert set(answers.failed) == set(chosen) - good
        assert answers.alive
    first, device.asked = device.asked, []
    reader.read(chosen)
    assert len(device.asked) <= len(first)
    assert len(device.asked) <= len(registers)


@given(REGISTERS, st.sets(st.integers(0, 80), max_size=3), st.sets(st.integers(0, 80), max_size=3))
def test_a_register_that_is_never_answered_comes_to_hide_nothing(
    registers: list[int], mute: set[int], illegal: set[int]
) -> None:
    """Silence costs a whole timeout and hides what was asked for after it; yet it is soon alone in its request."""
    reader = reader_of(Device(illegal, mute), *words(*registers))
    chosen = range(len(registers))
    good = {i for i in chosen if registers[i] not in mute | illegal}
    served: set[int] = set()
    for _ in range(6 + 2 * len(mute)):  # every silent one is found in at most two tries of its own
        answers = reader.read(chosen)
        served |= set(answers.values)
        assert set(answers.values) | set(answers.failed) == set(chosen)
    assert served == good
    for _ in range(4):
        assert set(reader.read(chosen).values) == good


def test_a_single_bad_register_among_many_costs_few_requests() -> None:
    device = Device(illegal={70})
    reader = reader_of(device, *words(*range(100)))
    assert len(reader.read(range(100)).values) == 99
    assert len(device.asked) <= 20  # halving, not one by one
    device.asked = []
    reader.read(range(100))
    assert len(device.asked) <= 8


def test_a_dead_device_is_asked_as_before_once_it_is_back() -> None:
    device = Device(mute=set(range(100)))
    reader = reader_of(device, *words(*range(100)))
    for _ in range(5):
        assert not reader.read(range(100)).alive
    device.mute = set()
    for _ in range(3):
        reader.read(range(100))
    device.asked = []
    assert len(reader.read(range(100)).values) == 100
    assert device.asked == [(0, 100)]


class Counting(Device):
    """All registers of an answer hold the number of the request."""

    def read(self, block: Block) -> Sequence[int]:
        return [len(self.asked)] * len(super().read(block))


@given(REGISTERS, st.sets(st.integers(0, 80), max_size=5), st.integers(5, 125))
def test_an_integer_and_its_fraction_are_of_one_answer(registers: list[int], illegal: set[int], longest: int) -> None:
    total = at("volume", 20, "uint32", fraction=RegisterFraction(24, "uint16", "ABCD", scale=2.0**-16))
    device = Counting(illegal - set(range(20, 25)), longest=longest)
    reader = reader_of(device, *words(*registers), total)
    for _ in range(2):
        value = reader.read(range(len(registers) + 1)).values[len(registers)].value
        n = int(value) >> 16
        assert value == (n << 16) + n + n / 2**16


def test_a_value_needs_what_stands_beside_it() -> None:
    flow = at(
        "flow",
        0,
        "uint16",
        unit_code=UnitCode("holding", 90, "uint16", "ABCD", ((90, Fraction(18, 5)),)),
        status=(StatusRegister("holding", 60, "uint16", "ABCD", codes=((60, "M"),)),),
    )
    device = Device()
    (sample,) = reader_of(device, flow).read([0]).values.values()
    assert (sample.value, chr(sample.mark), sample.note) == (0.0, "M", None)
    assert device.asked == [(0, 1), (60, 1), (90, 1)]
    # Where one part is refused there is no value, and nothing else is hidden.
    answers = reader_of(Device(illegal={90}), flow, at("level", 200, "uint16")).read([0, 1])
    assert set(answers.values) == {1}
    assert "illegal" in answers.failed[0]


def test_what_a_device_says_of_blocks_and_gaps_is_heeded() -> None:
    readings = words(0, 1, 2, 5, 9)
    for more, asked in (
        ({}, [(0, 10)]),
        ({"max_gap": 2}, [(0, 6), (9, 1)]),
        ({"max_gap": 0}, [(0, 3), (5, 1), (9, 1)]),
        ({"max_block": 3}, [(0, 3), (5, 1), (9, 1)]),
        ({"max_block": 1}, [(0, 1), (1, 1), (2, 1), (5, 1), (9, 1)]),
    ):
        device = Device()
        reader_of(device, *readings, **more).read(range(5))
        assert sorted(device.asked) == asked


def test_a_gateway_whose_device_is_gone_counts_as_silence() -> None:
    class Gateway(Device):
        def read(self, block: Block) -> Sequence[int]:
            raise ExceptionAnswer(11, "gateway target did not respond")

    reader = reader_of(Gateway(), *words(0, 1))
    answers = reader.read([0, 1])
    assert not answers.alive
    assert reader.errors == {"gateway": 1}
