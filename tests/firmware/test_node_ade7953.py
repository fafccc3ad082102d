"""The ADE7953 driver on the register model of its chip, with faults on the bus, and the meter."""

from __future__ import annotations

import errno

import pytest
from node.clock import Clock
from node.drivers.ade7953 import Ade7953
from node.meter import INJECTED, SENSOR, Meter
from node.registers import Registers
from node_ticks import Ticks

from wattest.boards import load_board
from wattest.emulator import ade7953 as model
from wattest.emulator.i2c import BitErrorFault, BusStuck, I2cBus, Nack, NackFault, StuckBusFault

BOARD = load_board("emulated-esp32-ade7953")
ADDRESS = 0x38
UJ_PER_COUNT = 40_000


class Load:
    """A load that a test changes."""

    def __init__(self) -> None:
        self.power_uw = 1_000_000_000
        self.voltage_uv = 230_000_000

    def power_mean_uw(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.power_uw

    def voltage_mean_uv(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.voltage_uv


class Bus:
    """`machine.I2C` over the model; time is what the test says."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.load = Load()
        sensor = BOARD.sensor
        self.chip = model.Ade7953(
            self.load, voltage_divider=sensor.voltage_divider, shunt_uohm=sensor.shunt_uohm
        )
        self.bus = I2cBus({ADDRESS: self.chip})

    @property
    def t_ns(self) -> int:
        return self.ticks.ms * 1_000_000

    def readfrom_mem_into(
        self, address: int, register: int, buf: bytearray, addrsize: int = 8
    ) -> None:
        prefix = register.to_bytes(addrsize // 8)
        buf[:] = self.bus.write_read(address, prefix, len(buf), self.t_ns)

    def writeto_mem(self, address: int, register: int, buf: bytearray, addrsize: int = 8) -> None:
        self.bus.write(address, register.to_bytes(addrsize // 8) + bytes(buf), self.t_ns)


def make_sensor(bus: Bus) -> Ade7953:
    keys = BOARD.sensor.node_keys
    return Ade7953(
        bus,
        keys["sensor_address"],
        pga_voltage=keys["sensor_pga_voltage"],
        pga_current=keys["sensor_pga_current"],
        active_gain=keys["sensor_active_gain"],
    )


class Bench:
    """Chip, driver and meter; a sample a second."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.bus = Bus(ticks)
        self.load = self.bus.load
        self.sensor = make_sensor(self.bus)
        constants = BOARD.constants
        self.registers = Registers(
            constants.counts_per_milliwatthour,
            constants.starting_counts,
            constants.milliwatthours_per_energy_count,
            constants.parts_per_energy_count,
        )
        self.registers.attach(lambda _buf=None: b"", b"")
        self.meter = Meter(self.sensor, self.registers, Clock(60), 1000)
        assert self.meter.begin()

    def sample(self, times: int = 1, after_ms: int = 1000) -> None:
        for _ in range(times):
            self.ticks.ms += after_ms
            self.meter.sample()
            if self.meter.status not in "GO":  # as the application does
                self.meter.recover()

    def milliwh(self) -> int:
        return self.registers.import_milliwh()


@pytest.fixture
def bench(ticks: Ticks) -> Bench:
    return Bench(ticks)


def true_milliwh(seconds: int, power_w: int = 1000) -> int:
    return seconds * power_w * 1000 // 3600


def test_hour_of_a_load_is_metered_within_two_counts(bench: Bench) -> None:
    bench.sample(3600)
    # AWGAIN is within 0.13 ppm; a count is 1/90 mWh, one may be missing at either end.
    assert abs(bench.milliwh() - 1_000_000) <= 1
    assert bench.meter.power_milliw(1_000_000) == pytest.approx(1_000_000, abs=40)
    assert bench.registers.use_s() == 3600
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("G", "")


def test_export_has_its_own_register(bench: Bench) -> None:
    bench.load.power_uw = -2_000_000_000
    bench.sample(90)
    assert bench.milliwh() == 0
    assert bench.registers.export_milliwh() == pytest.approx(50_000, abs=1)
    assert bench.meter.power_milliw(1_000_000) == pytest.approx(-2_000_000, abs=40)


def test_counter_that_goes_round_loses_nothing(bench: Bench) -> None:
    bench.load.power_uw = 4_600_000_000
    bench.sample(300)  # 24 bits are over twice
    assert abs(bench.milliwh() - true_milliwh(300, 4600)) <= 1


def test_reads_that_fail_are_flagged_and_their_energy_comes_later(bench: Bench) -> None:
    bench.sample()
    fault = NackFault(ADDRESS)
    bench.bus.bus.add_fault(fault)
    bench.sample(30)
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("D", "E")
    assert bench.meter.fiscal.missed == 30
    bench.bus.bus.remove_fault(fault)
    bench.sample()
    assert bench.meter.status == "G"
    assert abs(bench.milliwh() - true_milliwh(32)) <= 1


def test_gap_in_which_the_counter_could_have_gone_round_is_not_counted(bench: Bench) -> None:
    bench.sample()
    before = bench.milliwh()
    bench.sample(after_ms=41_000)
    assert bench.milliwh() == before
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("F", "E")
    bench.sample()
    assert abs(bench.milliwh() - before - true_milliwh(1)) <= 1


def test_late_sample_is_whole(bench: Bench) -> None:
    bench.sample(after_ms=9_000)
    assert abs(bench.milliwh() - true_milliwh(9)) <= 1
    assert bench.meter.fiscal.err() == ""


@pytest.mark.parametrize("seconds", [1, 3])
def test_chip_that_was_reset_is_noticed_set_up_and_its_count_is_no_energy(
    seconds: int, bench: Bench
) -> None:
    bench.sample(10)
    before = bench.milliwh()
    bench.bus.chip.power_on(bench.bus.t_ns)
    bench.sample()
    assert bench.milliwh() == before
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("F", "E")
    bench.sample(seconds)
    assert abs(bench.milliwh() - before - true_milliwh(seconds)) <= 1


@pytest.mark.parametrize("bit", range(0, 32, 5))
def test_bit_that_turns_on_the_bus_never_becomes_energy(bit: int, bench: Bench) -> None:
    bench.sample(5)
    fault = BitErrorFault(ADDRESS, every=7, bit=bit, step=7)
    bench.bus.bus.add_fault(fault)
    bench.sample(20)
    assert bench.meter.fiscal.err() == "E"
    bench.bus.bus.remove_fault(fault)
    bench.sample(2)
    assert bench.meter.status == "G"
    assert abs(bench.milliwh() - true_milliwh(27)) <= 1, "nor does it cost any"


def test_wrong_chip_is_told_and_not_read(bench: Bench, ticks: Ticks) -> None:
    bench.bus.chip.foreign = True
    sensor = make_sensor(bench.bus)
    assert not sensor.begin()
    assert sensor.status == "X"
    before = bench.bus.bus.transfers
    assert not sensor.sample()
    assert bench.bus.bus.transfers == before
    bench.sample(2)
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("X", "E")
    bench.bus.chip.foreign = False
    bench.sample(2)
    assert bench.meter.status == "G"
    assert abs(bench.milliwh() - true_milliwh(4)) <= 1


@pytest.mark.parametrize(("fault", "status"), [(NackFault(None), "D"), (StuckBusFault(), "T")])
def test_bus_errors_have_their_letter(fault: object, status: str, bench: Bench) -> None:
    bench.bus.bus.add_fault(fault)
    assert not bench.sensor.sample()
    assert bench.sensor.status == status
    assert not bench.sensor.begin()
    assert not bench.sensor.check()
    assert bench.sensor.status == status
    bench.bus.bus.remove_fault(fault)
    assert bench.sensor.begin()
    assert bench.sensor.sample()


def test_error_numbers_are_those_the_driver_knows() -> None:
    assert (Nack(1).errno, BusStuck().errno) == (errno.ENODEV, errno.ETIMEDOUT)


@pytest.mark.parametrize("excess", ["current", "voltage"])
def test_input_beyond_full_scale_is_flagged_and_not_counted(excess: str, bench: Bench) -> None:
    bench.sample()
    before = bench.milliwh()
    if excess == "current":
        bench.load.power_uw = 6_000_000_000
    else:
        bench.load.voltage_uv = 360_000_000
    bench.sample(2)
    assert bench.sensor.status == "O"
    bench.load.power_uw, bench.load.voltage_uv = 10**9, 230_000_000
    bench.sample()  # its window still holds the excess
    bench.sample()
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("O", "E")
    assert bench.milliwh() - before <= true_milliwh(2) + 1


@pytest.mark.parametrize(
    ("register", "value", "width"),
    [(0x382, 0x400000, 4), (0x007, 1, 1), (0x301, 2, 4), (0x385, 9, 4), (0x120, 0, 2)],
)
def test_check_finds_a_setting_that_changed(
    register: int, value: int, width: int, bench: Bench
) -> None:
    chip = bench.bus.chip
    assert bench.sensor.check()
    for address, data in ((0x040, b"\0"), (0x0FE, b"\xad"), (register, value.to_bytes(width))):
        chip.write(address.to_bytes(2) + data, bench.bus.t_ns)
    assert not bench.meter.check()
    assert bench.meter.status == "F"
    bench.meter.recover()
    assert bench.sensor.check()


def test_chip_is_unlocked_calibrated_and_protected(bench: Bench) -> None:
    chip = bench.bus.chip
    t_ns = bench.bus.t_ns
    assert chip.register(0x120, t_ns) == 0x30
    assert chip.register(0x382, t_ns) == BOARD.sensor.active_gain
    assert chip.register(0x040, t_ns) == 7
    chip.write(b"\x03\x82" + bytes(4), t_ns)
    assert chip.register(0x382, t_ns) == BOARD.sensor.active_gain


@pytest.mark.parametrize("answers", [True, False])
def test_what_the_chip_counted_during_injection_is_not_added(answers: bool, bench: Bench) -> None:
    bench.sample(2)
    bench.meter.inject(500_000, False)
    bench.meter.select_input(INJECTED)
    bench.sample(10)
    fault = NackFault(None)
    if not answers:
        bench.bus.bus.add_fault(fault)
    bench.meter.select_input(SENSOR)
    if not answers:
        bench.sample()
        bench.bus.bus.remove_fault(fault)
        bench.meter.recover()
    bench.sample(2)
    assert abs(bench.milliwh() - true_milliwh(4) - true_milliwh(10, 500)) <= 1
    assert bench.meter.fiscal.err() == ("" if answers else "E")


def test_counts_of_the_board_file_are_microjoules() -> None:
    assert BOARD.constants.parts_per_energy_count == UJ_PER_COUNT
    assert BOARD.constants.counts_per_milliwatthour == 90 * UJ_PER_COUNT
