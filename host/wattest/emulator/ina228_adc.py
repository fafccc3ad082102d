"""The INA228's converter: settings, declared errors, and volts to counts in exact integers."""

from __future__ import annotations

from dataclasses import dataclass

CONVERSION_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
_COUNT_MAX = (1 << 19) - 1
_COARSE_LSB_PV = 312_500
_FINE_LSB_PV = 78_125


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipErrors:
    """How one chip deviates from an ideal one; all of it belongs into the uncertainty budget.

    Args:
        gain_current_ppm: of the shunt voltage, shunt tolerance included.
        gain_voltage_ppm: of the bus voltage.
        offset_nv: added to the shunt voltage.
        offset_uv: added to the bus voltage.
        oscillator_ppm: positive: the chip's clock is fast, so it counts too much time.
        noise_seed: noise replays from it; None means no noise.
        noise_nv: amplitude (about two standard deviations) of the shunt voltage's noise.
        noise_uv: the same of the bus voltage.
    """

    gain_current_ppm: int = 0
    gain_voltage_ppm: int = 0
    offset_nv: int = 0
    offset_uv: int = 0
    oscillator_ppm: int = 0
    noise_seed: int | None = None
    noise_nv: int = 0
    noise_uv: int = 0

    def __post_init__(self) -> None:
        if abs(self.oscillator_ppm) >= 100_000:
            raise ValueError(f"oscillator error of {self.oscillator_ppm} ppm is out of range")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdcSettings:
    """What ADC_CONFIG says.

    Args:
        continuous: converts without end.
        bus: VBUS is converted; likewise ``shunt`` and ``temperature``.
        cycle_ns: nominal time of one cycle over the enabled inputs; 0 when shut down.
        averages: cycles averaged into one result.
    """

    continuous: bool
    bus: bool
    shunt: bool
    temperature: bool
    cycle_ns: int
    averages: int

    @classmethod
    def decode(cls, value: int) -> AdcSettings:
        """Decode the 16-bit register: MODE 15:12, VBUSCT 11:9, VSHCT 8:6, VTCT 5:3, AVG 2:0."""
        mode = value >> 12
        bus, shunt, temperature = bool(mode & 1), bool(mode & 2), bool(mode & 4)
        cycle_us = (
            bus * CONVERSION_US[value >> 9 & 7]
            + shunt * CONVERSION_US[value >> 6 & 7]
            + temperature * CONVERSION_US[value >> 3 & 7]
        )
        return cls(
            continuous=mode > 8,
            bus=bus,
            shunt=shunt,
            temperature=temperature,
            cycle_ns=cycle_us * 1_000,
            averages=AVERAGES[value & 7],
        )


def shunt_count(shunt_pv: int, *, errors: ChipErrors, fine_range: bool) -> int:
    """Return the VSHUNT count of a shunt voltage in pV, saturated at the converter's range."""
    seen_pv = shunt_pv + errors.offset_nv * 1_000
    if errors.gain_current_ppm:
        seen_pv += divide_toward_zero(shunt_pv * errors.gain_current_ppm, 1_000_000)
    lsb_pv = _FINE_LSB_PV if fine_range else _COARSE_LSB_PV
    return max(-_COUNT_MAX - 1, min(_COUNT_MAX, (2 * seen_pv + lsb_pv) // (2 * lsb_pv)))


def voltage_count(voltage_uv: int, *, errors: ChipErrors) -> int:
    """Return the VBUS count of a bus voltage in µV (195.3125 µV each); never negative."""
    seen_uv = voltage_uv + errors.offset_uv
    if errors.gain_voltage_ppm:
        seen_uv += divide_toward_zero(voltage_uv * errors.gain_voltage_ppm, 1_000_000)
    return max(0, min(_COUNT_MAX, (seen_uv * 20_000 + 1_953_125) // 3_906_250))


def divide_toward_zero(numerator: int, denominator: int) -> int:
    """Divide by a positive number, truncating."""
    if numerator >= 0:
        return numerator // denominator
    return -(-numerator // denominator)


def noise_unit(seed: int, index: int) -> int:
    """Return a reproducible value in -1024..1024, roughly normal (sum of eight bytes)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + 0x2545F491) & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    mixed ^= mixed >> 31
    return (sum(mixed.to_bytes(8, "little")) - 1020) * 1024 // 1020


_MASK = (1 << 64) - 1
