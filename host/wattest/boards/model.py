"""A board as a frozen value, and the exact constants its node measures with.

Everything a node's measurement rests on is exact: the current LSB follows from the integer
SHUNT_CAL, never the other way round, so nothing is rounded between the board file, the chip and
the register.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import ConfigError

_CURRENT_COUNT_MAX = (1 << 19) - 1
POWER_COUNT_MAX = (1 << 24) - 1
# The node keeps this remainder in small ints of a 32-bit MicroPython; docs/firmware.md.
_COUNTS_MIN = 1 << 20
_COUNTS_MAX = (1 << 30) - 1
_RANGE_NV = (163_840_000, 40_960_000)
_CONVERSION_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
_AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
_NANOWATT_MS_PER_MILLIWATTHOUR = 3_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashGeometry:
    """Flash of a board, bytes; the file system reaches from ``vfs_offset`` to the end."""

    size_bytes: int
    firmware_offset: int
    nvs_offset: int
    nvs_bytes: int
    vfs_offset: int

    @property
    def vfs_bytes(self) -> int:
        """Size of the file system's part."""
        return self.size_bytes - self.vfs_offset


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroPythonImage:
    """The interpreter of a board, and where it is to be had.

    Args:
        board: name of MicroPython's own board.
        version: release the digest belongs to, e.g. ``"1.28.0"``.
        url: where its combined image is.
        sha256: digest of that file, 64 hex digits, or ``""``: then it cannot be downloaded.
    """

    board: str
    version: str
    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the image file."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class I2cWiring:
    """The bus the sensor hangs on."""

    id: int
    scl_pin: int
    sda_pin: int
    frequency_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorWiring:
    """The sensor chip and the constants its registers are read with.

    Args:
        chip: always ``ina228`` so far.
        address: 7-bit I2C address.
        shunt_uohm: shunt resistor, µΩ.
        shunt_cal: content of SHUNT_CAL, 1..32767.
        adc_range: 0 is ±163.84 mV, 1 is ±40.96 mV.
        adc_config: content of ADC_CONFIG.
    """

    chip: str
    address: int
    shunt_uohm: int
    shunt_cal: int
    adc_range: int
    adc_config: int

    @property
    def config(self) -> int:
        """Content of CONFIG: only ADCRANGE (bit 4) is used."""
        return self.adc_range << 4

    @property
    def current_lsb_a(self) -> Fraction:
        """Weight of a CURRENT count, A.

        Source: INA228 data sheet 8.1.2: SHUNT_CAL = 13107.2e6 * CURRENT_LSB * R, times 4 in
        range 1.
        """
        scale = 4 if self.adc_range else 1
        return Fraction(self.shunt_cal * 10, 131_072 * self.shunt_uohm * scale)

    @property
    def power_lsb_nw(self) -> Fraction:
        """Weight of a POWER count, nW: 3.2 * CURRENT_LSB watts."""
        return self.current_lsb_a * Fraction(16, 5) * 10**9

    @property
    def full_scale_ma(self) -> Fraction:
        """Current at which the shunt input or the CURRENT register saturates, mA."""
        shunt = Fraction(_RANGE_NV[self.adc_range], self.shunt_uohm)
        return min(shunt, self.current_lsb_a * _CURRENT_COUNT_MAX * 1000)

    @property
    def window_us(self) -> int:
        """Nominal time of one averaged result, µs: what POWER is the mean of."""
        mode = self.adc_config >> 12
        conversions = (
            (mode & 1) * _CONVERSION_US[self.adc_config >> 9 & 7]
            + (mode >> 1 & 1) * _CONVERSION_US[self.adc_config >> 6 & 7]
            + (mode >> 2 & 1) * _CONVERSION_US[self.adc_config >> 3 & 7]
        )
        return conversions * _AVERAGES[self.adc_config & 7]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRating:
    """What the node is a meter for, in the vocabulary of IEC 62053; no claim of approval.

    Args:
        un_mv: nominal voltage, mV.
        iref_ma: reference current, mA.
        imax_ma: largest current, mA.
        ist_ma: starting current, mA: time in use counts above it.
        accuracy_class: the limit table a suite uses, e.g. ``"1"``.
        sample_period_ms: one sample each, ms.
        current_kind: ``"dc"`` or ``"ac"``; every record states it.
    """

    un_mv: int
    iref_ma: int
    imax_ma: int
    ist_ma: int
    accuracy_class: str
    sample_period_ms: int
    current_kind: str

    @property
    def power_max_uw(self) -> int:
        """Largest power a load may have, µW: Un * Imax."""
        return self.un_mv * self.imax_ma

    @property
    def power_max_milliwatts(self) -> int:
        """Largest plausible power, mW, rounded up."""
        return -(-self.power_max_uw // 1000)

    @property
    def starting_milliwatts(self) -> int:
        """Un * Ist, mW, rounded up: time in use counts above it."""
        return -(-self.un_mv * self.ist_ma // 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """RAM the firmware may count on, bytes."""

    heap_bytes: int
    p256_table_bytes: int
    rtc_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBudget:
    """Flash the node's journal may use, bytes."""

    total_bytes: int
    segment_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The output that switches the load: its pin, the level that closes it, its state at boot."""

    pin: int
    closed_level: int
    closed_at_boot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbId:
    """One USB identity of the board, and what answers there."""

    vid: int
    pid: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPin:
    """A strapping pin and the rule it obeys at reset."""

    pin: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLink:
    """The serial port of the console."""

    kind: str
    baud: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementConstants:
    """Exact integers the firmware measures with; derived, so board file and node cannot disagree.

    Args:
        shunt_cal: SHUNT_CAL register.
        config: CONFIG register.
        adc_config: ADC_CONFIG register.
        power_nw_per_count: weight of a POWER count, nW.
        counts_per_milliwatthour: POWER counts times milliseconds that make one milliwatt-hour.
        sample_period_ms: the period those counts are taken at, ms.
        starting_counts: smallest POWER count that counts as in use (Un * Ist, rounded up).
        power_max_counts: POWER count of Un * Imax, rounded up.
    """

    shunt_cal: int
    config: int
    adc_config: int
    power_nw_per_count: int
    counts_per_milliwatthour: int
    sample_period_ms: int
    starting_counts: int
    power_max_counts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A hardware definition.

    Args:
        name: file name without ``.toml``.
        title: what a person calls it.
        emulated: true when only the emulator embodies it.
        chip: ``esp32``, ``esp32s3``, ``esp32c3`` or ``esp32c6``.
        micropython: the interpreter, and where it is to be had.
        relay: output that opens and closes the supply of the load, or None.
        watchdog_ms: bound on one turn of the node's loop, ms; 0 for none.
        i2c_target: the chip can play a sensor for another board.
        reset_causes: event -> value of machine.reset_cause().
    """

    name: str
    title: str
    emulated: bool
    chip: str
    micropython: MicroPythonImage
    relay: Relay | None
    i2c_target: bool
    flash: FlashGeometry
    i2c: I2cWiring
    sensor: SensorWiring
    meter: MeterRating
    memory: Memory
    journal: JournalBudget
    watchdog_ms: int
    usb: tuple[UsbId, ...]
    boot_pins: tuple[BootPin, ...]
    link: ConsoleLink
    reset_causes: tuple[tuple[str, int], ...]

    @property
    def constants(self) -> MeasurementConstants:
        """Derive the firmware's measurement constants; ``load_board`` proved them whole."""
        return measurement_constants(self.sensor, self.meter)


def measurement_constants(sensor: SensorWiring, meter: MeterRating) -> MeasurementConstants:
    """Derive the integers the firmware measures with.

    Raises:
        ConfigError: a constant is no whole number, or does not fit the node's small ints.
    """
    power_nw = sensor.power_lsb_nw
    if power_nw.denominator != 1:
        raise ConfigError(
            f"shunt_cal and shunt_uohm must give a whole power_nw_per_count, got {power_nw} nW",
            key="sensor.shunt_cal",
            hint=f"a multiple of {_whole_step(sensor)} does",
        )
    counts = Fraction(_NANOWATT_MS_PER_MILLIWATTHOUR) / power_nw
    if counts.denominator != 1 or not _COUNTS_MIN <= counts <= _COUNTS_MAX:
        raise ConfigError(
            f"counts_per_milliwatthour whole and {_COUNTS_MIN} to {_COUNTS_MAX} expected, "
            f"got {counts}",
            key="sensor.shunt_cal",
            hint="choose another shunt_cal",
        )
    return MeasurementConstants(
        shunt_cal=sensor.shunt_cal,
        config=sensor.config,
        adc_config=sensor.adc_config,
        power_nw_per_count=int(power_nw),
        counts_per_milliwatthour=int(counts),
        sample_period_ms=meter.sample_period_ms,
        starting_counts=_ceil(meter.un_mv * meter.ist_ma * 1000 / power_nw),
        power_max_counts=_ceil(meter.power_max_uw * 1000 / power_nw),
    )


def _whole_step(sensor: SensorWiring) -> int:
    """Return the step of SHUNT_CAL at which the power LSB is whole nanowatts."""
    return (sensor.power_lsb_nw / sensor.shunt_cal).denominator


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
