"""The driver of a played sensor against the block that the stimulus firmware writes."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

import pytest
from node.clock import Clock
from node.drivers.played import Played
from node.meter import INJECTED, SENSOR, STIMULUS, Meter
from node.registers import Registers
from node_ticks import Ticks

from tidy_rules import ROOT

sys.path.insert(0, str(ROOT / "firmware" / "stimulus"))

from player.block import Block
from player.flow import Flow

PER = 3_600_000
PARTS = 10_000  # 10 mJ, in milliwatts times milliseconds
WRAP = 1 << 30


class Bench:
    """A stimulus board, the bus to it, driver and meter."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.memory = bytearray()
        self.error = 0
        self.spoil: list[Callable[[bytearray], None]] = []
        self.reads = 0
        self.block = Block(self.serve)
        self.sensor = Played(self, 0x42, power_nw_per_count=1_000_000)
        self.registers = Registers(PER, 4_600, 0, PARTS)
        self.registers.attach(lambda _buf=None: b"", b"")
        self.meter = Meter(self.sensor, self.registers, Clock(60), 1000)

    def serve(self, memory: bytearray) -> None:
        self.memory = memory

    def readfrom_mem_into(self, address: int, register: int, into: bytearray) -> None:
        assert (address, register, len(into)) == (0x42, 0, len(self.memory))
        self.reads += 1
        if self.error:
            raise OSError(self.error, "bus")
        into[:] = self.memory
        if self.spoil:
            self.spoil.pop(0)(into)

    def start_anew(self) -> None:
        """Reset the stimulus board."""
        self.block = Block(self.serve)

    def run(self, milliseconds: int) -> None:
        """Let time pass on the stimulus board."""
        end = self.ticks.ms + milliseconds
        while self.ticks.ms < end:
            left = self.block.turn(self.ticks.ms)
            self.ticks.ms += min(left, end - self.ticks.ms)
        self.block.turn(self.ticks.ms)

    def sample(self, times: int = 1, after_ms: int = 1000) -> str:
        """Sample as the node does; returns the letters."""
        found = ""
        for _ in range(times):
            self.run(after_ms)
            self.meter.sample()
            found += self.meter.status
            if self.meter.status not in "GO":
                self.meter.recover()
        return found

    @property
    def milliwh(self) -> tuple[int, int]:
        return self.registers.import_milliwh(), self.registers.export_milliwh()


@pytest.fixture
def bench(ticks: Ticks) -> Bench:
    bench = Bench(ticks)
    assert bench.meter.begin()
    return bench


def flip(index: int, bit: int = 0) -> Callable[[bytearray], None]:
    def change(block: bytearray) -> None:
        block[index] ^= 1 << bit

    return change


def test_energy_in_both_directions_is_what_was_played(bench: Bench) -> None:
    for milliw, seconds in ((3_600_000, 10), (0, 2), (-7_200_000, 5), (72, 50)):
        bench.block.tell(milliw)
        assert bench.sample(seconds) == "G" * seconds
    # The newest block is up to 100 ms old.
    assert bench.milliwh == (pytest.approx(10_001, abs=1), 10_000)
    assert bench.block.milliwh() == pytest.approx(1, abs=1)
    assert not bench.sensor.exporting
    assert bench.meter.power_milliw(1_000_000) == 72


def test_power_is_stated_with_its_sign(bench: Bench) -> None:
    bench.block.tell(-40_000_000)
    bench.sample()
    assert bench.meter.power_milliw(1_000_000) == -40_000_000
    bench.block.tell(0)
    bench.sample(2)
    assert bench.meter.power_milliw(1_000_000) == 0


@pytest.mark.parametrize("index", range(15))
def test_a_damaged_read_is_done_again_and_costs_nothing(bench: Bench, index: int) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    before = bench.reads
    for bit in range(8):
        bench.spoil = [flip(index, bit)]
        assert bench.sample() == "G"
    assert bench.reads - before == 16
    assert bench.milliwh == (11_000, 0)


def test_damaged_twice_is_a_failed_read_whose_energy_comes_later(bench: Bench) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    bench.spoil = [flip(4), flip(14)]
    assert bench.sample() == "F"
    assert bench.milliwh == (3000, 0)
    assert bench.sample() == "G"
    assert bench.milliwh == (5000, 0)


def test_a_read_in_the_middle_of_a_write_is_seen(bench: Bench) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    old = bytes(bench.memory)
    bench.run(1000)
    new = bytes(bench.memory)
    for cut in range(1, 15):

        def tear(block: bytearray, cut: int = cut) -> None:
            block[:] = new[:cut] + old[cut:]

        bench.spoil = [tear]
        reads = bench.reads
        bench.meter.sample()
        assert (bench.meter.status, bench.reads - reads) == ("G", 2)
    assert bench.milliwh == (4000, 0)


@pytest.mark.parametrize(
    ("number", "letter"), [(errno.ENODEV, "D"), (errno.ETIMEDOUT, "T"), (errno.EIO, "F")]
)
def test_energy_while_it_did_not_answer_comes_later(
    bench: Bench, number: int, letter: str
) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    bench.error = number
    assert bench.sample(4) == letter * 4
    bench.error = 0
    assert bench.sample(2) == "GG"
    assert bench.milliwh == (9000, 0)


def test_a_board_that_started_anew_is_told_and_counts_from_there(bench: Bench) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    bench.start_anew()
    bench.block.tell(7_200_000)
    assert bench.sample(3) == "MGG"
    assert bench.milliwh == (3000 + 4000, 0)


def test_a_board_that_started_anew_while_it_did_not_answer_counts_from_there(
    bench: Bench,
) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    bench.error = errno.ENODEV
    bench.sample()
    bench.start_anew()
    bench.block.tell(3_600_000)
    bench.run(5000)
    bench.error = 0
    bench.meter.recover()
    assert bench.sample(2) == "GG"
    assert bench.milliwh == (5000, 0)


def test_a_program_that_hangs_is_a_failed_read(bench: Bench) -> None:
    bench.block.tell(3_600_000)
    bench.sample(3)
    letters = ""
    for _ in range(4):
        bench.ticks.ms += 1000
        bench.meter.sample()
        letters += bench.meter.status
    assert letters == "GGFF"
    assert bench.sample() == "G"


def test_another_version_is_another_chip(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("player.block._VERSION", 0x20)
    assert bench.sample() == "X"


@pytest.mark.parametrize("milliw", [40_000_000, -40_000_000])
def test_energy_that_wraps_and_energy_beyond_one_sample_are_whole(
    bench: Bench, milliw: int
) -> None:
    sign = 1 if milliw > 0 else -1
    bench.block._flow.parts = sign * (WRAP - 1000) * PARTS
    bench.block._write()
    bench.sensor.skip()
    bench.block.tell(milliw)
    bench.sample(3)
    bench.error = errno.ENODEV
    bench.sample(10)
    bench.error = 0
    bench.sample(10)
    bench.block.tell(0)
    bench.sample(3)
    played = 40_000 * 23 * 1000 // 3600
    assert bench.milliwh == ((played, 0) if sign > 0 else (0, played))


def test_readings_are_played_whatever_is_selected(bench: Bench) -> None:
    meter = bench.meter
    assert (meter.own_input, meter.input) == (STIMULUS, STIMULUS)
    bench.block.tell(3_600_000)
    meter.inject(1_800_000, False)
    meter.select_input(INJECTED)
    bench.sample(10)
    meter.select_input(meter.own_input)
    bench.sample(2)
    assert bench.milliwh == (5000 + 2000, 0)
    assert meter.fiscal.input == STIMULUS
    assert SENSOR not in (meter.fiscal.input, meter.input)


def test_what_is_played_ends_a_minute_after_it_was_told(ticks: Ticks) -> None:
    flow = Flow()
    flow.tell(1000)
    ticks.ms += 59_000
    flow.tell(1000)
    made = 0
    for _ in range(100):
        ticks.ms += 1234
        made += flow.advance(ticks.ms)
    assert made == 1000 * 60_000
    assert flow.parts == 1000 * 119_000
    assert flow.milliw == 0
