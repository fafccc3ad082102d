"""The sensor of a board as a frozen value: one class a chip, each with its exact weights.

A node measures in whole numbers only. What follows from the wiring is worked out here as exact
rationals; `measurement_constants` refuses what is not whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

_INA228_CURRENT_COUNT_MAX = (1 << 19) - 1
_INA228_RANGE_NV = (163_840_000, 40_960_000)
_INA228_CONVERSION_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
_INA228_AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)

ADE7953_FULL_SCALE_UV = 500_000
"""Largest peak voltage at an input of the ADE7953 at gain 1, µV."""
ADE7953_COUNTS_PER_S = 206_900
"""AENERGYA counts a second with full-scale inputs, in phase (data sheet, active energy)."""
ADE7953_UNIT_GAIN = 0x400000
ADE7953_NO_LOAD_RATIO = 10_000
"""Full-scale power over the power below which the chip counts nothing, at its default."""

_UJ_PER_MILLIWATTHOUR = 3_600_000
_MILLIWATTHOURS_PER_KWH = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ina228Wiring:
    """TI INA228, a power monitor for direct current on I2C.

    Args:
        address: 7-bit I2C address.
        shunt_uohm: shunt resistor, µΩ.
        shunt_cal: content of SHUNT_CAL, 1..32767.
        adc_range: 0 is ±163.84 mV, 1 is ±40.96 mV.
        adc_config: content of ADC_CONFIG.
    """

    chip: str = "ina228"
    address: int
    shunt_uohm: int
    shunt_cal: int
    adc_range: int
    adc_config: int

    @property
    def voltage_max_mv(self) -> int:
        """Largest voltage at VBUS, mV."""
        return 85_000

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
        shunt = Fraction(_INA228_RANGE_NV[self.adc_range], self.shunt_uohm)
        return min(shunt, self.current_lsb_a * _INA228_CURRENT_COUNT_MAX * 1000)

    @property
    def window_us(self) -> int:
        """Nominal time of one averaged result, µs: what POWER is the mean of."""
        mode = self.adc_config >> 12
        conversions = (
            (mode & 1) * _INA228_CONVERSION_US[self.adc_config >> 9 & 7]
            + (mode >> 1 & 1) * _INA228_CONVERSION_US[self.adc_config >> 6 & 7]
            + (mode >> 2 & 1) * _INA228_CONVERSION_US[self.adc_config >> 3 & 7]
        )
        return conversions * _INA228_AVERAGES[self.adc_config & 7]

    @property
    def node_keys(self) -> dict[str, int]:
        """Keys of ``/node.json`` that are this chip's own."""
        return {
            "sensor_address": self.address,
            "sensor_config": self.config,
            "sensor_adc_config": self.adc_config,
            "sensor_shunt_cal": self.shunt_cal,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ade7953Wiring:
    """Analog Devices ADE7953, a single-phase energy meter chip on I2C; current channel A.

    Args:
        address: 7-bit I2C address; the chip has only 0x38.
        voltage_divider: mains voltage over the voltage at VP.
        shunt_uohm: volts at IAP per ampere, in µΩ: a shunt, or a burden over its turns.
        pga_voltage: gain of the voltage channel: 1, 2, 4, 8 or 16.
        pga_current: gain of current channel A: 1, 2, 4, 8, 16 or 22.
        energy_uj_per_count: what an AENERGYA count is calibrated to, µJ.
    """

    chip: str = "ade7953"
    address: int
    voltage_divider: int
    shunt_uohm: int
    pga_voltage: int
    pga_current: int
    energy_uj_per_count: int

    @property
    def full_scale_mv(self) -> int:
        """RMS voltage of the largest sine the voltage channel converts, mV, rounded down."""
        peak_uv = ADE7953_FULL_SCALE_UV * self.voltage_divider // self.pga_voltage
        return isqrt(peak_uv * peak_uv // 2) // 1000

    @property
    def full_scale_ma(self) -> int:
        """RMS current of the largest sine that channel A converts, mA, rounded down."""
        peak_ua = ADE7953_FULL_SCALE_UV * 1_000_000 // (self.shunt_uohm * self.pga_current)
        return isqrt(peak_ua * peak_ua // 2) // 1000

    @property
    def voltage_max_mv(self) -> int:
        """Largest RMS voltage it measures, mV."""
        return self.full_scale_mv

    @property
    def full_scale_uw(self) -> Fraction:
        """Active power of two full-scale sines in phase, µW."""
        peaks_uv = ADE7953_FULL_SCALE_UV**2 * self.voltage_divider
        return Fraction(peaks_uv, 2 * self.pga_voltage * self.pga_current * self.shunt_uohm)

    @property
    def nominal_uj_per_count(self) -> Fraction:
        """Weight of an AENERGYA count at unit gain, µJ, with parts without tolerance."""
        return self.full_scale_uw / ADE7953_COUNTS_PER_S

    @property
    def active_gain(self) -> int:
        """Content of AWGAIN that gives a count its weight, nearest (within 0.25 ppm)."""
        gain = ADE7953_UNIT_GAIN * self.nominal_uj_per_count / self.energy_uj_per_count
        return round(gain)

    @property
    def no_load_uw(self) -> Fraction:
        """Power below which the chip counts nothing, so that it does not creep, µW."""
        return self.full_scale_uw / ADE7953_NO_LOAD_RATIO

    @property
    def milliwatthours_per_count(self) -> Fraction:
        """Energy of a count, mWh."""
        return Fraction(self.energy_uj_per_count, _UJ_PER_MILLIWATTHOUR)

    @property
    def node_keys(self) -> dict[str, int]:
        """Keys of ``/node.json`` that are this chip's own."""
        return {
            "sensor_address": self.address,
            "sensor_pga_voltage": _pga_code(self.pga_voltage),
            "sensor_pga_current": _pga_code(self.pga_current),
            "sensor_active_gain": self.active_gain,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pzem004tWiring:
    """PZEM-004T version 3, a single-phase meter module: Modbus RTU on a UART at 9600 baud.

    Args:
        address: Modbus address, 1..247.
        full_scale_ma: 10 000 (built-in shunt) or 100 000 (current transformer).
    """

    chip: str = "pzem004t"
    address: int
    full_scale_ma: int

    @property
    def voltage_max_mv(self) -> int:
        """Largest RMS voltage it measures, mV."""
        return 260_000

    @property
    def starting_ma(self) -> int:
        """Current below which the module shows and counts nothing, mA."""
        return 20 if self.full_scale_ma > 10_000 else 10

    @property
    def milliwatthours_per_count(self) -> Fraction:
        """Energy of a count, mWh: the module counts watt-hours."""
        return Fraction(1000)

    @property
    def node_keys(self) -> dict[str, int]:
        """Keys of ``/node.json`` that are this module's own."""
        return {"sensor_address": self.address}


@dataclass(frozen=True, slots=True, kw_only=True)
class S0Wiring:
    """The pulse output of another meter (IEC 62053-31, class A), on a pin with a pull-up.

    Args:
        pin: goes low while a pulse lasts.
        impulses_per_kwh: the meter constant.
        pulse_ms: length of a pulse, 30..500 ms.
        exporting: pulses stand for exported energy.
    """

    chip: str = "s0"
    pin: int
    impulses_per_kwh: int
    pulse_ms: int
    exporting: bool

    @property
    def voltage_max_mv(self) -> int:
        """Largest voltage of the meter behind it, mV: no board file states more."""
        return 400_000

    @property
    def milliwatthours_per_count(self) -> Fraction:
        """Energy of a pulse, mWh."""
        return Fraction(_MILLIWATTHOURS_PER_KWH, self.impulses_per_kwh)

    @property
    def node_keys(self) -> dict[str, int]:
        """Keys of ``/node.json`` that are this input's own."""
        return {
            "sensor_pin": self.pin,
            "sensor_pulse_ms": self.pulse_ms,
            "sensor_exporting": int(self.exporting),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedWiring:
    """A sensor that a second board plays on I2C: nothing is measured, and readings say so.

    Args:
        address: 7-bit I2C address of the stimulus board.
    """

    chip: str = "played"
    address: int

    @property
    def voltage_max_mv(self) -> int:
        """Largest voltage at it, mV: there is none, so any rating can be played."""
        return 400_000

    @property
    def milliwatthours_per_count(self) -> Fraction:
        """Energy of a count, mWh: 10 mJ."""
        return Fraction(10_000, _UJ_PER_MILLIWATTHOUR)

    @property
    def node_keys(self) -> dict[str, int]:
        """Keys of ``/node.json`` that are this sensor's own."""
        return {"sensor_address": self.address}


EnergyWiring: TypeAlias = Ade7953Wiring | Pzem004tWiring | S0Wiring | PlayedWiring
"""Sensors that count energy; the INA228 states power, and the node integrates it."""

SensorWiring: TypeAlias = Ina228Wiring | EnergyWiring

ADE7953_GAINS = (1, 2, 4, 8, 16, 22)


def _pga_code(gain: int) -> int:
    """Return the content of a PGA register."""
    return ADE7953_GAINS.index(gain)
