"""A board as a frozen value, and the exact constants its node measures with.

Everything a node's measurement rests on is exact: the current LSB follows from the integer
SHUNT_CAL, never the other way round, so nothing is rounded between the board file, the chip and
the register.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.boards.sensors import Ina228Wiring, SensorWiring
from wattest.errors import ConfigError

POWER_COUNT_MAX = (1 << 24) - 1
# The node keeps this remainder in small ints of a 32-bit MicroPython; docs/firmware.md.
_COUNTS_MIN = 1 << 20
_COUNTS_MAX = (1 << 30) - 1
_NANOWATT_MS_PER_MILLIWATTHOUR = 3_600_000_000_000
_POWER_UNITS_NW = (1_000_000, 2_000_000, 2_500_000)
"""What a node with a sensor that counts energy states power in: the finest that can hold Imax."""


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
class SecureElement:
    """The chip that has the node's key and signs with it.

    Args:
        chip: ``atecc608``.
        address: 7-bit I2C address.
        slot: its slot that holds the key, 0..15.
        i2c: its bus, at most 100 kHz; may be the one of the sensor.
    """

    chip: str
    address: int
    slot: int
    i2c: I2cWiring


@dataclass(frozen=True, slots=True, kw_only=True)
class UartWiring:
    """A serial port of the chip, other than the console."""

    id: int
    tx_pin: int
    rx_pin: int


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
    """RAM the firmware may count on, bytes; no signer's table with a secure element."""

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
        power_nw_per_count: weight of a power count, nW.
        counts_per_milliwatthour: power counts times milliseconds that make one milliwatt-hour.
        sample_period_ms: the period those counts are taken at, ms.
        starting_counts: smallest power count that counts as in use (Un * Ist, rounded up).
        power_max_counts: power count of Un * Imax, rounded up.
        milliwatthours_per_energy_count: whole part of an energy count, for sensors that have one.
        parts_per_energy_count: the rest of it, in power counts times milliseconds.
    """

    power_nw_per_count: int
    counts_per_milliwatthour: int
    sample_period_ms: int
    starting_counts: int
    power_max_counts: int
    milliwatthours_per_energy_count: int = 0
    parts_per_energy_count: int = 0


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
        i2c: the bus of its chips, sensor or other.
        uart: the port of a sensor that has one, or None.
        secure_element: what has the node's key; None: the node has it, in NVS.
        reset_causes: event -> value of machine.reset_cause().
        qemu_machine: what Espressif's QEMU calls the hardware, or ``""``: it does not embody it.
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
    uart: UartWiring | None
    sensor: SensorWiring
    meter: MeterRating
    memory: Memory
    journal: JournalBudget
    watchdog_ms: int
    usb: tuple[UsbId, ...]
    boot_pins: tuple[BootPin, ...]
    link: ConsoleLink
    reset_causes: tuple[tuple[str, int], ...]
    secure_element: SecureElement | None = None
    qemu_machine: str = ""

    @property
    def constants(self) -> MeasurementConstants:
        """Derive the firmware's measurement constants; ``load_board`` proved them whole."""
        return measurement_constants(self.sensor, self.meter)


def measurement_constants(sensor: SensorWiring, meter: MeterRating) -> MeasurementConstants:
    """Derive the integers the firmware measures with.

    Raises:
        ConfigError: a constant is no whole number, or does not fit the node's small ints.
    """
    power_nw = _power_count_nw(sensor, meter)
    counts = Fraction(_NANOWATT_MS_PER_MILLIWATTHOUR, power_nw)
    if counts.denominator != 1 or not _COUNTS_MIN <= counts <= _COUNTS_MAX:
        raise ConfigError(
            f"counts_per_milliwatthour whole and {_COUNTS_MIN} to {_COUNTS_MAX} expected, "
            f"got {counts}",
            key="sensor.shunt_cal",
            hint="choose another shunt_cal",
        )
    whole, parts = 0, Fraction(0)
    if not isinstance(sensor, Ina228Wiring):
        whole = int(sensor.milliwatthours_per_count)
        parts = (sensor.milliwatthours_per_count - whole) * counts
    if parts.denominator != 1:
        raise ConfigError(
            f"an energy count of a whole number of 1/{counts} mWh expected, got {parts}",
            key="sensor",
            hint="a meter constant made of factors 2, 3 and 5 does",
        )
    return MeasurementConstants(
        power_nw_per_count=power_nw,
        counts_per_milliwatthour=int(counts),
        sample_period_ms=meter.sample_period_ms,
        starting_counts=-(-meter.un_mv * meter.ist_ma * 1000 // power_nw),
        power_max_counts=-(-meter.power_max_uw * 1000 // power_nw),
        milliwatthours_per_energy_count=whole,
        parts_per_energy_count=int(parts),
    )


def _power_count_nw(sensor: SensorWiring, meter: MeterRating) -> int:
    """Return the weight of a power count, nW."""
    if isinstance(sensor, Ina228Wiring):
        power_nw = sensor.power_lsb_nw
        if power_nw.denominator != 1:
            step = (power_nw / sensor.shunt_cal).denominator
            raise ConfigError(
                "shunt_cal and shunt_uohm must give a whole power_nw_per_count, "
                f"got {power_nw} nW",
                key="sensor.shunt_cal",
                hint=f"a multiple of {step} does",
            )
        return int(power_nw)
    for unit_nw in _POWER_UNITS_NW:
        if meter.power_max_uw * 1000 <= unit_nw * POWER_COUNT_MAX:
            return unit_nw
    largest_w = _POWER_UNITS_NW[-1] * POWER_COUNT_MAX // 10**9
    raise ConfigError(
        f"Un * Imax of at most {largest_w} W expected, got {meter.power_max_uw // 10**6} W",
        key="meter.imax_ma",
    )
