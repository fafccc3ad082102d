"""TI INA228 power monitor at register level, fed by an exact load.

The chip converts on its own oscillator, whose error is declared like every other error of the
instance. Nothing is simulated step by step: what a register holds is worked out when it is read,
from the number of conversions that have finished by then and the mean of the load over their
window. The truth stays with the load; the chip only quantises it.

Positive CURRENT is import. ENERGY and POWER have no sign (magnitude), CHARGE has.

Source: TI INA228 data sheet SBOSA20, section 7.6 (registers) and 8.1 (scaling). Known limits of
the model are listed in docs/emulated-board.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wattest.emulator.ina228_adc import (
    CONVERSION_US,
    AdcSettings,
    ChipErrors,
    divide_toward_zero,
    noise_unit,
    shunt_count,
    voltage_count,
)

MANUFACTURER_ID = 0x5449
DEVICE_ID = 0x2281

_CONFIG, _ADC_CONFIG, _SHUNT_CAL, _SHUNT_TEMPCO = 0x00, 0x01, 0x02, 0x03
_VSHUNT, _VBUS, _DIETEMP, _CURRENT, _POWER, _ENERGY, _CHARGE = range(0x04, 0x0B)
_DIAG_ALRT = 0x0B
_SOVL, _SUVL, _BOVL, _BUVL, _TEMP_LIMIT, _PWR_LIMIT = range(0x0C, 0x12)
_MANUFACTURER, _DEVICE = 0x3E, 0x3F

_WIDTH_BYTES = {_VSHUNT: 3, _VBUS: 3, _CURRENT: 3, _POWER: 3, _ENERGY: 5, _CHARGE: 5}
_RESET = {
    _CONFIG: 0x0000,
    _ADC_CONFIG: 0xFB68,
    _SHUNT_CAL: 0x1000,
    _SHUNT_TEMPCO: 0x0000,
    _SOVL: 0x7FFF,
    _SUVL: 0x8000,
    _BOVL: 0x7FFF,
    _BUVL: 0x0000,
    _TEMP_LIMIT: 0x7FFF,
    _PWR_LIMIT: 0xFFFF,
}
_WRITABLE_BITS = {
    _CONFIG: 0x3FF0,
    _SHUNT_CAL: 0x7FFF,
    _SHUNT_TEMPCO: 0x3FFF,
    _BOVL: 0x7FFF,
    _BUVL: 0x7FFF,
}

ALATCH = 1 << 15
ENERGYOF = 1 << 11
CHARGEOF = 1 << 10
MATHOF = 1 << 9
TMPOL = 1 << 7
SHNTOL = 1 << 6
SHNTUL = 1 << 5
BUSOL = 1 << 4
BUSUL = 1 << 3
POL = 1 << 2
CNVRF = 1 << 1
MEMSTAT = 1 << 0
_DIAG_WRITABLE = 0xF000  # ALATCH CNVR SLOWALERT APOL
_LIMIT_FLAGS = TMPOL | SHNTOL | SHNTUL | BUSOL | BUSUL | POL

_RST = 1 << 15
_RSTACC = 1 << 14
_ENERGY_SPAN = 1 << 40
_CHARGE_HALF = 1 << 39
_CURRENT_MAX = (1 << 19) - 1
_POWER_MAX = (1 << 24) - 1
_SETTLE_NS = 1_000_000_000
_SETTLE_REST = 64  # the last step takes a rest of less than 1/64 step along
_SETTLE_STEPS_MAX = 10_000


class Load(Protocol):
    """The exact physics a chip sees. Times are virtual ns since the run began, ``t0 < t1``."""

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean power over ``[t0, t1)``, µW, positive when importing, nearest."""

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean bus voltage over ``[t0, t1)``, µV, nearest."""


@dataclass(slots=True, kw_only=True)
class _Results:
    """Result registers as counts, and what their batch was."""

    batch: int = 0
    shunt: int = 0
    bus: int = 0
    temperature: int = 0
    current: int = 0
    power: int = 0
    overflow: bool = False


class Ina228:
    """One chip; implements the bus's ``I2cDevice`` port.

    Args:
        load: what it measures.
        shunt_uohm: the resistor at its shunt inputs, µΩ, > 0.
        errors: declared deviations of this instance from an ideal chip.
        temperature_millicelsius: die temperature.
        device_id: content of register 3Fh; another value plays a wrong part on the board.
    """

    def __init__(
        self,
        load: Load,
        *,
        shunt_uohm: int,
        errors: ChipErrors | None = None,
        temperature_millicelsius: int = 25_000,
        device_id: int = DEVICE_ID,
    ) -> None:
        if shunt_uohm <= 0:
            raise ValueError(f"shunt must be positive, got {shunt_uohm} µΩ")
        self.load = load
        self.shunt_uohm = shunt_uohm
        self.errors = errors or ChipErrors()
        self.temperature_millicelsius = temperature_millicelsius
        self.device_id = device_id
        self._registers: dict[int, int] = {}
        self.power_on(0)

    # ---- the bus's port ----------------------------------------------------------------------

    def power_on(self, t_ns: int) -> None:
        """Take reset values; conversions start at ``t_ns``."""
        self._registers = dict(_RESET)
        self._pointer = 0
        self._results = _Results()
        self._diag = MEMSTAT
        self._seen_batch = 0
        self._clear_accumulators()
        self._restart(t_ns)

    def write(self, data: bytes, t_ns: int) -> None:
        """Set the pointer; two more bytes write the register. Other lengths write nothing."""
        self._pointer = data[0]
        if len(data) == 3:
            self._write_register(data[0], data[1] << 8 | data[2], t_ns)

    def read(self, size: int, t_ns: int) -> bytes:
        """Read the register at the pointer, big-endian; SDA is left high behind its end."""
        register = self._pointer
        width = _WIDTH_BYTES.get(register, 2)
        data = self.register(register, t_ns).to_bytes(width, "big")
        return data[:size] if size <= width else data + b"\xff" * (size - width)

    # ---- registers ---------------------------------------------------------------------------

    def register(self, register: int, t_ns: int) -> int:
        """Return what a read at ``t_ns`` gives, with its side effects; unused registers read 0."""
        if _VSHUNT <= register <= _POWER:
            self._update_results(t_ns)
            return self._result(register)
        if register in (_ENERGY, _CHARGE):
            self._settle(t_ns)
            return self._accumulator(register)
        if register == _DIAG_ALRT:
            return self._read_diagnostics(t_ns)
        if register == _MANUFACTURER:
            return MANUFACTURER_ID
        if register == _DEVICE:
            return self.device_id
        return self._registers.get(register, 0)

    def _result(self, register: int) -> int:
        results = self._results
        if register == _VSHUNT:
            return (results.shunt << 4) & 0xFFFFFF
        if register == _VBUS:
            return (results.bus << 4) & 0xFFFFFF
        if register == _DIETEMP:
            return results.temperature & 0xFFFF
        if register == _CURRENT:
            return (results.current << 4) & 0xFFFFFF
        return results.power

    def _accumulator(self, register: int) -> int:
        if register == _ENERGY:
            self._diag &= ~ENERGYOF
            return self._energy // 16_000_000_000 % _ENERGY_SPAN
        self._diag &= ~CHARGEOF
        return divide_toward_zero(self._charge, 1_000_000_000) % _ENERGY_SPAN

    def _read_diagnostics(self, t_ns: int) -> int:
        self._update_results(t_ns)
        self._settle(t_ns)
        value = self._diag
        self._diag &= ~(CNVRF | _LIMIT_FLAGS)
        return value

    def _write_register(self, register: int, value: int, t_ns: int) -> None:
        if register == _CONFIG:
            self._write_config(value, t_ns)
            return
        if register == _DIAG_ALRT:
            self._diag = self._diag & ~_DIAG_WRITABLE | value & _DIAG_WRITABLE
            return
        if register not in _RESET:
            return
        if register in (_ADC_CONFIG, _SHUNT_CAL):
            self._update_results(t_ns)
            self._settle(t_ns)
        self._registers[register] = value & _WRITABLE_BITS.get(register, 0xFFFF)
        if register == _ADC_CONFIG:
            self._diag &= ~(CNVRF | MATHOF)
            self._restart(t_ns)

    def _write_config(self, value: int, t_ns: int) -> None:
        if value & _RST:
            self.power_on(t_ns)
            return
        self._update_results(t_ns)
        self._settle(t_ns)
        if value & _RSTACC:
            self._clear_accumulators()
            self._diag &= ~(ENERGYOF | CHARGEOF | MATHOF)
        kept = value & _WRITABLE_BITS[_CONFIG]
        if kept != self._registers[_CONFIG]:
            self._registers[_CONFIG] = kept
            self._restart(t_ns)

    # ---- conversions -------------------------------------------------------------------------

    def _restart(self, t_ns: int) -> None:
        """Begin conversions anew with the settings the registers hold now."""
        config = self._registers[_CONFIG]
        self._adc = AdcSettings.decode(self._registers[_ADC_CONFIG])
        self._fine_range = bool(config & 0x10)
        delay_ns = (config >> 6 & 0xFF) * 2_000_000
        self._start_ns = t_ns + delay_ns
        self._settled_cycles = 0
        self._seen_batch = 0
        self._results.batch = 0

    def _cycles(self, t_ns: int) -> int:
        """Return how many conversion cycles have finished since the restart."""
        elapsed = t_ns - self._start_ns
        if elapsed <= 0 or not self._adc.cycle_ns:
            return 0
        rate = 1_000_000 + self.errors.oscillator_ppm
        cycles = elapsed * rate // (self._adc.cycle_ns * 1_000_000)
        return cycles if self._adc.continuous else min(cycles, self._adc.averages)

    def _time_of(self, cycles: int) -> int:
        """Return the true time at which that many cycles had finished."""
        rate = 1_000_000 + self.errors.oscillator_ppm
        return self._start_ns + cycles * self._adc.cycle_ns * 1_000_000 // rate

    def _update_results(self, t_ns: int) -> None:
        averages = self._adc.averages
        batch = self._cycles(t_ns) // averages
        if batch == self._seen_batch:
            return
        self._seen_batch = batch
        t0_ns = self._time_of((batch - 1) * averages)
        t1_ns = self._time_of(batch * averages)
        shunt, bus = self._convert(t0_ns, t1_ns, batch)
        results = self._results
        results.batch = batch
        if self._adc.shunt:
            results.shunt = shunt
        if self._adc.bus:
            results.bus = bus
        if self._adc.temperature:
            results.temperature = self.temperature_millicelsius * 10_000 // 78_125
        results.current, results.power, overflow = self._calculate(results.shunt, results.bus)
        if overflow:
            self._diag |= MATHOF
        self._diag |= CNVRF
        self._compare_limits()

    def _convert(self, t0_ns: int, t1_ns: int, batch: int) -> tuple[int, int]:
        """Return VSHUNT and VBUS counts of a mean over a window."""
        power_uw = self.load.power_mean_uw(t0_ns, t1_ns)
        voltage_uv = self.load.voltage_mean_uv(t0_ns, t1_ns)
        errors = self.errors
        noise_pv = noise_uv = 0
        if errors.noise_seed is not None:
            noise_pv = noise_unit(errors.noise_seed, 2 * batch) * errors.noise_nv >> 10
            noise_pv *= 1_000
            noise_uv = noise_unit(errors.noise_seed, 2 * batch + 1) * errors.noise_uv >> 10
        shunt_pv = 0
        if voltage_uv > 0:
            shunt_pv = divide_toward_zero(power_uw * self.shunt_uohm * 1_000_000, voltage_uv)
        shunt = shunt_count(shunt_pv + noise_pv, errors=errors, fine_range=self._fine_range)
        return shunt, voltage_count(voltage_uv + noise_uv, errors=errors)

    def _calculate(self, shunt: int, bus: int) -> tuple[int, int, bool]:
        """Return CURRENT and POWER counts and whether one did not fit."""
        calibration = self._registers[_SHUNT_CAL]
        if not calibration:
            return 0, 0, False
        current = divide_toward_zero(shunt * 4096, calibration)
        overflow = not -_CURRENT_MAX - 1 <= current <= _CURRENT_MAX
        if overflow:
            current = _CURRENT_MAX if current > 0 else -_CURRENT_MAX - 1
        power = abs(bus * current) >> 14
        if power > _POWER_MAX:
            return current, _POWER_MAX, True
        return current, power, overflow

    # ---- accumulators ------------------------------------------------------------------------

    def _clear_accumulators(self) -> None:
        self._energy = 0  # POWER counts x ns of the chip's own time
        self._charge = 0  # CURRENT counts x ns

    def _settle(self, t_ns: int) -> None:
        """Bring ENERGY and CHARGE up to the last finished cycle.

        Mean power over the window, one second at a time: a window in which the load changes
        sign would otherwise lose magnitude. A node that reads once a second costs one step.
        """
        if not (self._adc.continuous and self._adc.shunt):
            return
        cycles = self._cycles(t_ns)
        todo = cycles - self._settled_cycles
        if todo <= 0:
            return
        step = max(1, _SETTLE_NS // self._adc.cycle_ns, todo // _SETTLE_STEPS_MAX)
        while self._settled_cycles < cycles:
            upto = self._settled_cycles + step
            self._accumulate(upto if upto + step // _SETTLE_REST < cycles else cycles)
        self._fold_overflow()

    def _accumulate(self, upto: int) -> None:
        first = self._settled_cycles
        shunt, bus = self._convert(self._time_of(first), self._time_of(upto), -upto)
        if not self._adc.bus:
            bus = self._results.bus
        current, power, overflow = self._calculate(shunt, bus)
        if overflow:
            self._diag |= MATHOF
        own_ns = (upto - first) * self._adc.cycle_ns
        self._charge += current * own_ns
        if self._adc.bus:
            self._energy += power * own_ns
        self._settled_cycles = upto

    def _fold_overflow(self) -> None:
        span = _ENERGY_SPAN * 16_000_000_000
        if self._energy >= span:
            self._energy %= span
            self._diag |= ENERGYOF
        half = _CHARGE_HALF * 1_000_000_000
        if not -half <= self._charge < half:
            self._charge = (self._charge + half) % (2 * half) - half
            self._diag |= CHARGEOF

    # ---- limits ------------------------------------------------------------------------------

    def _compare_limits(self) -> None:
        registers, results = self._registers, self._results
        flags = 0
        if results.shunt >> 4 > _signed(registers[_SOVL]):
            flags |= SHNTOL
        if results.shunt >> 4 < _signed(registers[_SUVL]):
            flags |= SHNTUL
        if results.bus >> 4 > registers[_BOVL]:
            flags |= BUSOL
        if results.bus >> 4 < registers[_BUVL]:
            flags |= BUSUL
        if results.temperature > _signed(registers[_TEMP_LIMIT]):
            flags |= TMPOL
        if results.power >> 8 > registers[_PWR_LIMIT]:
            flags |= POL
        if self._diag & ALATCH:
            self._diag |= flags
        else:
            self._diag = self._diag & ~_LIMIT_FLAGS | flags


def _signed(value: int) -> int:
    return value - 0x10000 if value & 0x8000 else value


__all__ = ["CONVERSION_US", "ChipErrors", "Ina228", "Load"]
