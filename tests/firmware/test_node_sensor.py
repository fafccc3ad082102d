"""The INA228 driver on a fake bus, and the meter on top of it."""

import errno

import pytest
from node.clock import Clock
from node.drivers.ina228 import Ina228
from node.meter import COUNTS_MAX, INJECTED, SENSOR, Meter
from node.registers import Registers
from node_ticks import Ticks

ADDRESS = 0x40
PERIOD_MS = 1000
PER = 58_982_400


class FakeChip:
    """Registers behind a bus; a conversion has finished whenever it is asked."""

    def __init__(self) -> None:
        self.error = 0
        self.identity = (0x5449, 0x2281)
        self.power = 4_718_592
        self.current = 314_572
        self.flags = 0x0002
        self.converts = True
        self.transfers = 0
        self.reset()

    def reset(self) -> None:
        self.words = {0x00: 0, 0x01: 0xFB68, 0x02: 0x1000, 0x0B: 0x0001}

    def readfrom_mem_into(self, address: int, register: int, buf: bytearray) -> None:
        self._transfer(address)
        buf[:] = self._value(register).to_bytes(len(buf), "big")

    def writeto_mem(self, address: int, register: int, buf: bytearray) -> None:
        self._transfer(address)
        value = int.from_bytes(buf, "big")
        if register == 0x00 and value & 0x8000:
            self.reset()
        else:
            self.words[register] = value & ~0xC000 if register == 0 else value

    def _transfer(self, address: int) -> None:
        self.transfers += 1
        if self.error or address != ADDRESS:
            raise OSError(self.error or errno.ENODEV, "bus")

    def _value(self, register: int) -> int:
        if register == 0x07:
            return (self.current & 0xFFFFF) << 4
        if register == 0x08:
            return self.power
        if register == 0x0B:
            ready = self.flags if self.converts else self.flags & ~2
            return self.words[0x0B] & 0xF000 | ready
        if register in (0x3E, 0x3F):
            return self.identity[register - 0x3E]
        return self.words[register]


def make_sensor(chip: FakeChip) -> Ina228:
    return Ina228(chip, ADDRESS, config=0, adc_config=0xF717, shunt_cal=4050)


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip()


@pytest.fixture
def sensor(chip: FakeChip) -> Ina228:
    sensor = make_sensor(chip)
    assert sensor.begin()
    return sensor


def test_begin_checks_resets_and_configures(chip: FakeChip) -> None:
    chip.words[0x02] = 1
    assert make_sensor(chip).begin()
    assert (chip.words[0x00], chip.words[0x01], chip.words[0x02]) == (0, 0xF717, 4050)
    assert chip.words[0x0B] & 0xF000 == 0x9000


@pytest.mark.parametrize(
    "identity", [(0x5448, 0x2281), (0x5449, 0x2270), (0, 0), (65_535, 65_535)]
)
def test_wrong_chip_is_not_read(identity: tuple[int, int], chip: FakeChip) -> None:
    chip.identity = identity
    sensor = make_sensor(chip)
    assert not sensor.begin()
    assert sensor.status == "X"
    before = chip.transfers
    assert not sensor.sample()
    assert (sensor.status, chip.transfers) == ("X", before)


@pytest.mark.parametrize(
    ("current", "exporting"),
    [(0, False), (1, False), (-1, True), (300_000, False), (-300_000, True)],
)
def test_direction_is_the_sign_of_current(
    current: int,
    exporting: bool,
    chip: FakeChip,
    sensor: Ina228,
) -> None:
    chip.current = current
    assert sensor.sample()
    assert (sensor.counts, sensor.exporting, sensor.status) == (4_718_592, exporting, "G")


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENODEV, "D"),
        (errno.ETIMEDOUT, "T"),
        (errno.EIO, "F"),
        (errno.EINVAL, "F"),
    ],
)
def test_bus_errors_have_their_letter(
    number: int,
    status: str,
    chip: FakeChip,
    sensor: Ina228,
) -> None:
    chip.error = number
    assert not sensor.sample()
    assert sensor.status == status
    assert not sensor.begin()
    assert sensor.status == status
    chip.error = 0
    assert sensor.begin()
    assert sensor.sample()


@pytest.mark.parametrize(
    ("change", "arithmetic"),
    [
        ({"flags": 0x0202}, True),
        ({"flags": 0x0042}, False),
        ({"flags": 0x0022}, False),
        ({"flags": 0x0012}, False),
        ({"flags": 0x0006}, False),
        ({"current": 524_287}, False),
        ({"current": -524_288}, False),
        ({"power": 0xFFFFFF}, False),
    ],
    ids=str,
)
def test_saturation_and_overflow_make_a_sample_unusable(
    change: dict[str, int],
    arithmetic: bool,
    chip: FakeChip,
    sensor: Ina228,
) -> None:
    for name, value in change.items():
        setattr(chip, name, value)
    assert not sensor.sample()
    assert (sensor.status, sensor.arithmetic) == ("O", arithmetic)


def test_current_saturates_where_the_shunt_converter_ends(chip: FakeChip) -> None:
    """With SHUNT_CAL above 4096 the full-scale shunt voltage is a smaller count."""
    sensor = Ina228(chip, ADDRESS, config=0, adc_config=0xF717, shunt_cal=8192)
    assert sensor.begin()
    chip.current = 524_287 // 2 - 2
    assert sensor.sample()
    chip.current = 524_287 // 2
    assert not sensor.sample()
    assert sensor.status == "O"


def test_chip_that_lost_its_configuration_is_noticed_at_once(
    chip: FakeChip,
    sensor: Ina228,
) -> None:
    chip.reset()
    assert not sensor.sample()
    assert sensor.status == "F"


@pytest.mark.parametrize("register", [0x00, 0x01, 0x02])
def test_check_reads_the_configuration_back(
    register: int,
    chip: FakeChip,
    sensor: Ina228,
) -> None:
    assert sensor.check()
    chip.words[register] ^= 1
    assert not sensor.check()
    assert sensor.status == "F"
    chip.identity = (0, 0)
    assert not sensor.check()
    assert sensor.status == "X"


# ---- the meter ----


class Bench:
    """A meter whose time the test moves."""

    def __init__(self, chip: FakeChip, ticks: Ticks) -> None:
        self.chip = chip
        self.ticks = ticks
        self.registers = Registers(PER, 100)
        self.registers.attach(self._memory, b"")
        self.saves = 0
        self.clock = Clock(60)
        self.meter = Meter(make_sensor(chip), self.registers, self.clock, PERIOD_MS)
        self.meter.begin()

    def _memory(self, buf=None):
        self.saves += buf is not None
        return b""

    def sample(self, after_ms: int = PERIOD_MS) -> None:
        self.ticks.ms += after_ms
        self.meter.sample()


@pytest.fixture
def bench(chip: FakeChip, ticks: Ticks) -> Bench:
    return Bench(chip, ticks)


def test_each_sample_integrates_its_time_and_saves(bench: Bench) -> None:
    for after_ms in (1000, 1003, 997, 1000):
        bench.sample(after_ms)
    assert bench.registers.import_milliwh() == 4 * 4_718_592 * 1000 // PER
    assert bench.saves == 4
    assert bench.meter.power_milliw(61_035) == 288_000 - 1
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("G", "")


def test_first_window_after_setting_up_stands_for_the_time_since(bench: Bench) -> None:
    bench.chip.converts = False
    bench.sample()
    assert bench.registers.import_milliwh() == 0
    bench.chip.converts = True
    bench.sample()
    assert bench.registers.import_milliwh() == 2 * 4_718_592 * 1000 // PER
    assert bench.meter.fiscal.err() == ""


def test_chip_that_never_finishes_a_window_is_a_read_error(bench: Bench) -> None:
    bench.chip.converts = False
    for _ in range(14):
        bench.sample()
    assert bench.meter.status == "G"
    bench.sample()
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("F", "E")


def test_failed_samples_are_counted_and_their_time_is_not_metered(bench: Bench) -> None:
    bench.sample()
    bench.chip.error = errno.ENODEV
    for _ in range(3):
        bench.sample()
        bench.meter.recover()
    bench.chip.error = 0
    bench.meter.recover()
    for _ in range(2):
        bench.sample()
    assert bench.registers.import_milliwh() == 3 * 4_718_592 * 1000 // PER
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("D", "E")
    assert bench.meter.fiscal.missed == 3


def test_worst_status_of_the_interval_wins(bench: Bench) -> None:
    order = [("O", None), ("F", errno.EIO), ("T", errno.ETIMEDOUT), ("D", errno.ENODEV)]
    for status, number in order:
        bench.chip.error = number or 0
        bench.chip.power = 0xFFFFFF if number is None else 1000
        bench.sample()
        assert bench.meter.fiscal.status() == status
    bench.chip.error = 0
    bench.meter.recover()
    bench.sample()
    assert bench.meter.fiscal.status() == "D"
    bench.meter.next_interval(bench.meter.fiscal)
    assert bench.meter.fiscal.status() == "G"
    assert bench.meter.transaction.status() == "D"


def test_gap_longer_than_two_periods_is_missing_energy(bench: Bench) -> None:
    bench.sample()
    bench.sample(2000)
    assert bench.meter.fiscal.err() == ""
    bench.sample(5000)
    assert bench.meter.fiscal.err() == "E"
    assert bench.meter.fiscal.missed == 4
    assert bench.registers.import_milliwh() == 4 * 4_718_592 * 1000 // PER


def test_injected_power_replaces_the_sensor_and_marks_both_intervals(bench: Bench) -> None:
    bench.sample()
    bench.meter.inject(1_000_000, True)
    bench.meter.select_input(INJECTED)
    bench.chip.error = errno.ENODEV
    bench.sample()
    assert bench.registers.export_milliwh() == 1_000_000 * 1000 // PER
    assert bench.meter.power_milliw(61_035) == -61_035
    bench.chip.error = 0
    bench.meter.select_input(SENSOR)
    assert (bench.meter.fiscal.input, bench.meter.transaction.input) == (1, 1)
    bench.meter.next_interval(bench.meter.fiscal)
    assert (bench.meter.fiscal.input, bench.meter.transaction.input) == (0, 1)
    assert bench.registers.input_seen() == 0x10


def test_power_of_an_unusable_sample_is_not_stated(bench: Bench) -> None:
    bench.sample()
    bench.chip.error = errno.EIO
    bench.sample()
    assert bench.meter.power_milliw(61_035) == 0
    assert COUNTS_MAX == 0xFFFFFF
