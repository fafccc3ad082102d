"""Analog Devices ADE7953 at register level, fed by an exact load.

The chip integrates active power on its own crystal; AENERGYA goes round at 24 bits with sign.
Nothing is simulated step by step: a register is worked out when it is read. The load is a sine of
its mean power and voltage, with a declared power factor.

Source: ADE7953 data sheet Rev. B, tables 13 to 17. Known limits of the model are listed in
docs/sensors.md.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from wattest.emulator.i2c import Nack
from wattest.emulator.ina228 import Load
from wattest.emulator.sensor_errors import MeterErrors, own_seconds

ADDRESS = 0x38
VERSION = 0x03
GAINS = (1, 2, 4, 8, 16, 22)
LOCKED_GAIN_PPM = 15_000
"""How far off a chip is that was not unlocked; the data sheet only says that it is off."""

_UNLOCK, _RESERVED = 0x0FE, 0x120
_LAST_OP, _LAST_ADD = 0x0FD, 0x1FE
_LAST_DATA = frozenset({0x0FF, 0x1FF, 0x2FF, 0x3FF})
_READ, _WRITE = 0x35, 0xCA
_WRITE_PROTECT, _CONFIG, _LCYCMODE, _DISNOLOAD = 0x040, 0x102, 0x004, 0x001
_PGA_V, _PGA_IA = 0x007, 0x008
_SWRST, _RSTREAD = 1 << 7, 1 << 6
_ACCMODE, _AP_NOLOAD = 0x201, 0x203
_AWATT, _IRMSA, _VRMS, _AENERGYA = 0x212, 0x21A, 0x21C, 0x21E
_AIGAIN, _AVGAIN, _AWGAIN, _AWATTOS = 0x280, 0x281, 0x282, 0x285
_PERIOD, _PFA = 0x10E, 0x10A
_UNIT_GAIN = 0x400000
_RESET = {
    _DISNOLOAD: 0,
    _LCYCMODE: 0x40,
    _PGA_V: 0,
    _PGA_IA: 0,
    0x009: 0,
    _WRITE_PROTECT: 0,
    0x101: 0,
    _CONFIG: 0x8004,
    0x103: 0x3F,
    0x104: 0x3F,
    0x107: 0x300,
    0x108: 0,
    0x109: 0,
    _RESERVED: 0,
    _ACCMODE: 0,
    _AP_NOLOAD: 0x00E419,
    _AIGAIN: _UNIT_GAIN,
    _AVGAIN: _UNIT_GAIN,
    _AWGAIN: _UNIT_GAIN,
    _AWATTOS: 0,
}
_FULL_SCALE_UV = 500_000
_COUNTS_PER_S = 206_900
_WATT_FULL_SCALE = 4_862_401
_RMS_FULL_SCALE = 9_032_007
_PERIOD_HZ = 223_750
_LINE_HZ = 50
_NO_LOAD_RATIO = 10_000
_NS_PER_S = 10**9
_STEP_NS = _NS_PER_S
_GRID_NS = 10_000_000
_PARTS_BITS = 32
_SINE_RMS = Fraction(isqrt(5 * 10**17), 10**9)
_STEPS_MAX = 10_000


class Ade7953:
    """One chip; implements the bus's ``I2cDevice`` port.

    Args:
        load: what it measures.
        voltage_divider: mains voltage over the voltage at VP.
        shunt_uohm: volts at IAP per ampere, in µΩ.
        errors: declared deviations of this instance from an ideal chip.
        power_factor: of the load, 0 < value <= 1.

    Attributes:
        foreign: another part sits at the address: it answers, with a pointer of one byte.
    """

    def __init__(
        self,
        load: Load,
        *,
        voltage_divider: int,
        shunt_uohm: int,
        errors: MeterErrors | None = None,
        power_factor: Fraction = Fraction(1),
    ) -> None:
        if not 0 < power_factor <= 1:
            raise ValueError(f"power factor must be above 0 and at most 1, got {power_factor}")
        self.load = load
        self.errors = errors or MeterErrors()
        self.foreign = False
        self._divider = voltage_divider
        self._shunt_uohm = shunt_uohm
        self._power_factor = power_factor
        self.power_on(0)

    # ---- the bus's port ----------------------------------------------------------------------

    def power_on(self, t_ns: int) -> None:
        """Take reset values; accumulation starts at ``t_ns``."""
        self._registers = dict(_RESET)
        self._unlocked = False
        self._key_turned = False
        self._last = (0, 0, 0)
        self._pointer = 0
        self._energy = 0  # counts, in parts of 2^-32
        self._settled_ns = t_ns

    def write(self, data: bytes, t_ns: int) -> None:
        """Set the pointer; as many more bytes as the register is wide write it."""
        if len(data) < 2:
            if self.foreign:
                return
            raise Nack(ADDRESS)
        self._pointer = data[0] << 8 | data[1]
        value = data[2:]
        if value and len(value) == width_bytes(self._pointer) and not self.foreign:
            self._write_register(self._pointer, int.from_bytes(value), t_ns)

    def read(self, size: int, t_ns: int) -> bytes:
        """Read the register at the pointer, big-endian; SDA is left high behind its end."""
        if self.foreign:
            return bytes(size)
        width = width_bytes(self._pointer)
        data = (self.register(self._pointer, t_ns) % (1 << 8 * width)).to_bytes(width)
        if self._pointer not in _LAST_DATA | {_LAST_OP, _LAST_ADD}:
            self._last = (_READ, self._pointer, int.from_bytes(data))
        self._key_turned = False
        return data[:size] if size <= width else data + b"\xff" * (size - width)

    # ---- registers ---------------------------------------------------------------------------

    def register(self, address: int, t_ns: int) -> int:
        """Return what a read at ``t_ns`` gives, with its side effects; negative if it has sign."""
        if address == _LAST_OP:
            return self._last[0]
        if address == _LAST_ADD:
            return self._last[1]
        if address in _LAST_DATA:
            return self._last[2]
        if address == 0x702:
            return VERSION
        register = _short(address)
        if register in (_AENERGYA, _AWATT, _IRMSA, _VRMS, _PERIOD, _PFA):
            return self._measured(register, t_ns)
        return self._registers.get(register, 0)

    def _measured(self, register: int, t_ns: int) -> int:
        if register == _AENERGYA:
            self._settle(t_ns)
            whole = self._energy >> _PARTS_BITS
            if self._registers[_LCYCMODE] & _RSTREAD:
                self._energy -= whole << _PARTS_BITS
            return (whole + (1 << 23)) % (1 << 24) - (1 << 23)
        if register == _PERIOD:
            return _PERIOD_HZ // _LINE_HZ - 1
        if register == _PFA:
            return int(self._power_factor * 0x7FFF)
        last = max(_GRID_NS, t_ns // _GRID_NS * _GRID_NS)
        power, amperes, volts = self._seen(max(0, last - _NS_PER_S), last)
        if register == _AWATT:
            return int(power * _WATT_FULL_SCALE)
        return int((amperes if register == _IRMSA else volts) * _RMS_FULL_SCALE)

    def _write_register(self, address: int, value: int, t_ns: int) -> None:
        key_turned, self._key_turned = self._key_turned, False
        self._last = (_WRITE, address, value)
        if address == _UNLOCK:
            self._key_turned = value == 0xAD
            return
        register = _short(address)
        protected = self._registers[_WRITE_PROTECT]
        bank = min(2, (address >> 8) & 3)
        if register not in _RESET or (protected >> bank & 1 and register != _WRITE_PROTECT):
            return
        if register == _RESERVED and not key_turned:
            return
        self._settle(t_ns)
        if register == _CONFIG and value & _SWRST:
            self.power_on(t_ns)
            return
        self._registers[register] = value & 0xFFFFFF
        if register == _RESERVED:
            self._unlocked = value == 0x30

    # ---- measuring ---------------------------------------------------------------------------

    def _settle(self, t_ns: int) -> None:
        """Accumulate up to ``t_ns``, a second of mean power at a time."""
        todo = t_ns - self._settled_ns
        if todo <= 0:
            return
        step = max(_STEP_NS, todo // _STEPS_MAX)
        while self._settled_ns < t_ns:
            first = self._settled_ns
            upto = min(first + step, t_ns)
            power, _, _ = self._seen(first, upto)
            mode = self._registers[_ACCMODE] & 3
            power = max(power, Fraction(0)) if mode == 1 else abs(power) if mode == 2 else power
            if abs(power) * _NO_LOAD_RATIO >= 1 or self._registers[_DISNOLOAD] & 1:
                own_s = own_seconds(upto - first, self.errors.oscillator_ppm)
                self._energy += int(power * own_s * (_COUNTS_PER_S << _PARTS_BITS))
            self._settled_ns = upto

    def _seen(self, t0_ns: int, t1_ns: int) -> tuple[Fraction, Fraction, Fraction]:
        """Return active power, RMS current and RMS voltage of a window, in full scales.

        A sine at the end of the converter is one full scale; a larger one is cut there.
        """
        power_uw = self.load.power_mean_uw(t0_ns, t1_ns)
        voltage_uv = self.load.voltage_mean_uv(t0_ns, t1_ns)
        if voltage_uv <= 0:
            return Fraction(0), Fraction(0), Fraction(0)
        registers, errors = self._registers, self.errors
        gain_v = Fraction(GAINS[registers[_PGA_V] % 6] * (1_000_000 + errors.gain_voltage_ppm))
        gain_i = Fraction(GAINS[registers[_PGA_IA] % 6] * (1_000_000 + errors.gain_current_ppm))
        # Volts at the inputs, RMS, over the peak that is full scale: a sine has sqrt(2) between.
        volts = gain_v * voltage_uv / (self._divider * _FULL_SCALE_UV * 1_000_000)
        amps_ua = Fraction(abs(power_uw) * 1_000_000, voltage_uv) / self._power_factor
        amps = gain_i * amps_ua * self._shunt_uohm / (_FULL_SCALE_UV * 10**12)
        volts_seen, amps_seen = min(volts, _SINE_RMS), min(amps, _SINE_RMS)
        power = 2 * volts_seen * amps_seen * self._power_factor * registers[_AWGAIN] / _UNIT_GAIN
        if not self._unlocked:
            power *= 1 + Fraction(LOCKED_GAIN_PPM, 1_000_000)
        sign = -1 if power_uw < 0 else 1
        return sign * power, amps_seen / _SINE_RMS, volts_seen / _SINE_RMS


def width_bytes(address: int) -> int:
    """Return how wide a register is: the page of its address says so."""
    return min(4, (address >> 8) + 1) if address < 0x400 else 1


def _short(address: int) -> int:
    """Registers of three and four bytes are the same ones."""
    return address - 0x100 if 0x300 <= address < 0x400 else address


__all__ = ["ADDRESS", "Ade7953", "width_bytes"]
