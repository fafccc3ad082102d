"""Registers and clock against exact arithmetic."""

import random
from fractions import Fraction

import pytest
from node.registers import DT_MAX_MS, Registers

SEED = 4711
SMALL_INT_MAX = 1 << 30


class Memory:
    """RTC memory."""

    def __init__(self) -> None:
        self.data = b""
        self.writes = 0

    def __call__(self, buf=None):
        if buf is None:
            return self.data
        self.data = bytes(buf)
        self.writes += 1
        return None


def make(per: int = 58_982_400, start: int = 100, memory=None) -> Registers:
    registers = Registers(per, start)
    registers.attach(memory or Memory(), memoryview(registers.words).cast("B"))
    registers.set_tag(1234)
    return registers


@pytest.mark.parametrize("per", [1 << 20, (1 << 20) + 1, 5_898_240, 58_982_400, (1 << 30) - 1])
def test_energy_is_exact_and_every_number_stays_small(per: int) -> None:
    chance = random.Random(SEED + per)
    registers = make(per)
    exact = [0, 0]
    for _ in range(3000):
        counts = chance.choice([0, 1, 4095, 4096, (1 << 24) - 1, chance.randrange(1 << 24)])
        dt_ms = chance.choice([0, 1, 999, 1000, 1001, DT_MAX_MS])
        exporting = chance.random() < 0.3
        registers.integrate(counts, exporting, dt_ms)
        exact[exporting] += counts * dt_ms
        assert max(registers.words) < SMALL_INT_MAX
    assert registers.import_milliwh() == exact[0] // per
    assert registers.export_milliwh() == exact[1] // per


def test_products_of_the_hot_path_stay_small_at_the_corners() -> None:
    """The bounds the module states, at the worst arguments the configuration allows."""
    per_high = (1 << 20) >> 12
    high = 4095 * DT_MAX_MS + per_high + (4095 * DT_MAX_MS >> 12) + 1
    quotient = high // (per_high + 1)
    assert 4095 * DT_MAX_MS + 4095 < SMALL_INT_MAX
    assert quotient * 4095 < SMALL_INT_MAX
    assert quotient * per_high < SMALL_INT_MAX


def test_constant_power_gives_the_energy_of_physics() -> None:
    """288 W at the 10 A scale for an hour: POWER counts of 61.035 uW."""
    registers = make(58_982_400)
    for _ in range(3600):
        registers.integrate(4_718_592, False, 1000)
    assert registers.import_milliwh() == 288_000
    assert Fraction(4_718_592 * 3_600_000, 58_982_400) == 288_000


def test_time_in_use_counts_above_the_starting_power_only() -> None:
    registers = make(start=100)
    for counts, dt_ms in ((100, 5000), (101, 1500), (101, 600), (0, 9000), (5000, 900)):
        registers.integrate(counts, counts == 5000, dt_ms)
    assert registers.use_s() == 3


def test_copy_is_taken_over_whole() -> None:
    memory = Memory()
    registers = make(memory=memory)
    registers.mark_position(17)
    registers.mark_input(0x12)
    for number in range(50):
        registers.integrate(4_000_000 + number, number % 3 == 0, 1000)
    registers.save()
    other = make(memory=memory)
    assert other.take_copy() == 17
    assert list(other.words) == list(registers.words)
    assert other.input_seen() == 0x12


def test_copy_of_another_key_and_absent_copies_are_not_taken() -> None:
    memory = Memory()
    make(memory=memory).save()
    stranger = make(memory=memory)
    stranger.set_tag(99)
    assert stranger.take_copy() == -1
    assert make(memory=Memory()).take_copy() == -1
    memory.data = memory.data[:-1]
    assert make(memory=memory).take_copy() == -1


def test_copy_with_any_flipped_bit_is_not_taken() -> None:
    memory = Memory()
    registers = make(memory=memory)
    registers.integrate(4_000_000, False, 1000)
    registers.integrate(4_000_000, True, 12_345)
    registers.save()
    good = memory.data
    covered_bits = 15 * 32
    for bit in range(covered_bits):
        memory.data = (int.from_bytes(good, "little") ^ 1 << bit).to_bytes(len(good), "little")
        assert make(memory=memory).take_copy() == -1, bit


def test_copy_that_is_behind_the_journal_is_not_taken() -> None:
    memory = Memory()
    old = make(memory=memory)
    old.integrate(4_000_000, False, 1000)
    old.save()
    newer = make(memory=Memory())
    newer.integrate(4_000_000, False, 16_000)
    state = bytearray(44)
    newer.pack_state(state, 0)
    restored = make(memory=memory)
    restored.unpack_state(state, 0)
    assert restored.take_copy() == -1
    assert restored.import_milliwh() == newer.import_milliwh()


def test_state_of_the_journal_is_read_back() -> None:
    registers = make()
    for number in range(9):
        registers.integrate(9_000_000 + number, number % 2 == 0, 7000)
    state = bytearray(50)
    registers.pack_state(state, 3)
    other = make()
    other.unpack_state(state, 3)
    assert other.import_milliwh() == registers.import_milliwh()
    assert list(other.words)[3:14] == list(registers.words)[3:14]
