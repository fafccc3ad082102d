"""PZEM-004T version 3 at frame level: Modbus RTU at 9600 baud, fed by an exact load.

The module is a meter of its own, supplied from the mains it measures: it goes on counting while
the node is off. It knows no direction, so it counts the magnitude of the power.

Source: the manufacturer's manual of the version 3 (registers, functions, example frames). Known
limits of the model are listed in docs/sensors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.emulator.ina228 import Load
from wattest.emulator.sensor_errors import MeterErrors, own_seconds

BAUD = 9600
GENERAL_ADDRESS = 0xF8
_READ_INPUT, _READ_HOLDING, _WRITE = 0x04, 0x03, 0x06
_CALIBRATE, _RESET_ENERGY = 0x41, 0x42
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
_ALARM, _ADDRESS = 1, 2
_ADDRESS_MAX = 0xF7
_LATENCY_NS = 20_000_000
_NS_PER_S = 10**9
_STEPS_MAX = 10_000
_ENERGY_END_WH = 10_000_000
_VOLTS_MIN_UV = 80_000_000
_LINE_DECIHERTZ = 500
_UW_NS_PER_WH = 3600 * 10**6 * _NS_PER_S


def crc16(data: bytes) -> bytes:
    """Return the two check bytes of a Modbus RTU frame, as they stand behind it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


@dataclass(slots=True, kw_only=True)
class LineTrouble:
    """What goes wrong between module and node.

    Args:
        silent: nothing arrives.
        every: every so many answers a bit is turned; 0 for never.
        bit: which one, counted from the first on the wire.
    """

    silent: bool = False
    every: int = 0
    bit: int = 0


class Pzem004t:
    """One module; implements the port's ``SerialDevice``.

    Args:
        load: what it measures.
        address: Modbus address.
        full_scale_ma: 10 000 or 100 000; decides the starting current.
        errors: declared deviations of this instance.
        power_factor: of the load, 0 < value <= 1.

    Attributes:
        address: may be changed from outside.
        counter_offset_wh: what another module in its place had counted before.
        trouble: faults of the line.
    """

    def __init__(
        self,
        load: Load,
        *,
        address: int = 1,
        full_scale_ma: int = 100_000,
        errors: MeterErrors | None = None,
        power_factor: Fraction = Fraction(1),
    ) -> None:
        if not 0 < power_factor <= 1:
            raise ValueError(f"power factor must be above 0 and at most 1, got {power_factor}")
        self.baud = BAUD
        self.load = load
        self.address = address
        self.errors = errors or MeterErrors()
        self.counter_offset_wh = 0
        self.trouble = LineTrouble()
        self._starting_ma = 20 if full_scale_ma > 10_000 else 10
        self._power_factor = power_factor
        self._alarm_w = 23_000 if full_scale_ma > 10_000 else 2_300
        self._energy = 0  # µW * ns
        self._settled_ns = 0
        self._answers = 0

    def receive(self, data: bytes, t_ns: int) -> tuple[int, bytes] | None:
        """Answer a request; a damaged one, or one to another address, is not answered."""
        if self.trouble.silent or self.load.voltage_mean_uv(t_ns, t_ns + 1) < _VOLTS_MIN_UV:
            return None
        if len(data) < 4 or crc16(data[:-2]) != data[-2:]:
            return None
        if data[0] not in (self.address, GENERAL_ADDRESS):
            return None
        answer = self._served(data[1], data[2:-2], t_ns)
        frame = bytes((self.address,)) + answer
        return t_ns + _LATENCY_NS, self._damaged(frame + crc16(frame))

    def reset_energy(self, t_ns: int) -> None:
        """Clear the counter, as anybody on the line can."""
        self._settle(t_ns)
        self._energy = 0

    def energy_wh(self, t_ns: int) -> int:
        """Return the counter."""
        self._settle(t_ns)
        counted_wh = self._energy // _UW_NS_PER_WH
        return (counted_wh + self.counter_offset_wh) % _ENERGY_END_WH

    # ---- functions ---------------------------------------------------------------------------

    def _served(self, function: int, body: bytes, t_ns: int) -> bytes:
        if function == _RESET_ENERGY and not body:
            self.reset_energy(t_ns)
            return bytes((function,))
        if function == _CALIBRATE:
            return bytes((function,)) + body
        if function not in (_READ_INPUT, _READ_HOLDING, _WRITE) or len(body) != 4:
            return bytes((function | 0x80, _ILLEGAL_FUNCTION))
        first, second = int.from_bytes(body[:2]), int.from_bytes(body[2:])
        if function == _WRITE:
            return self._write(first, second, body)
        words = self._input_words(t_ns) if function == _READ_INPUT else self._holding_words()
        start = 0 if function == _READ_INPUT else 1
        left = start + len(words) - first
        if first < start or not 1 <= second <= left:
            return bytes((function | 0x80, _ILLEGAL_ADDRESS))
        found = words[first - start : first - start + second]
        return bytes((function, 2 * second)) + b"".join(word.to_bytes(2) for word in found)

    def _write(self, register: int, value: int, body: bytes) -> bytes:
        if register not in (_ALARM, _ADDRESS):
            return bytes((_WRITE | 0x80, _ILLEGAL_ADDRESS))
        if register == _ADDRESS and not 1 <= value <= _ADDRESS_MAX:
            return bytes((_WRITE | 0x80, _ILLEGAL_VALUE))
        if register == _ALARM:
            self._alarm_w = value
        else:
            self.address = value
        return bytes((_WRITE,)) + body

    def _holding_words(self) -> list[int]:
        return [self._alarm_w, self.address]

    def _input_words(self, t_ns: int) -> list[int]:
        last = max(t_ns, 1)
        first = max(0, last - _NS_PER_S)
        power_uw = self._seen_uw(first, last)
        voltage_uv = self._seen_uv(first, last)
        current_ma = int(Fraction(power_uw * 1000, voltage_uv) / self._power_factor)
        decawatts = power_uw // 100_000
        energy_wh = self.energy_wh(t_ns)
        return [
            voltage_uv // 100_000,
            current_ma & 0xFFFF,
            current_ma >> 16,
            decawatts & 0xFFFF,
            decawatts >> 16,
            energy_wh & 0xFFFF,
            energy_wh >> 16,
            _LINE_DECIHERTZ,
            int(self._power_factor * 100) if power_uw else 0,
            0xFFFF if power_uw // 10**6 > self._alarm_w else 0,
        ]

    def _damaged(self, frame: bytes) -> bytes:
        trouble = self.trouble
        self._answers += 1
        if not trouble.every or self._answers % trouble.every:
            return frame
        bit = trouble.bit % (8 * len(frame))
        turned = bytearray(frame)
        turned[bit // 8] ^= 0x80 >> bit % 8
        return bytes(turned)

    # ---- measuring ---------------------------------------------------------------------------

    def _settle(self, t_ns: int) -> None:
        """Accumulate up to ``t_ns``, a second of mean power at a time."""
        step = max(_NS_PER_S, (t_ns - self._settled_ns) // _STEPS_MAX)
        while self._settled_ns < t_ns:
            upto = min(self._settled_ns + step, t_ns)
            power_uw = self._seen_uw(self._settled_ns, upto)
            own_s = own_seconds(upto - self._settled_ns, self.errors.oscillator_ppm)
            self._energy += int(power_uw * own_s * _NS_PER_S)
            self._settled_ns = upto

    def _seen_uv(self, t0_ns: int, t1_ns: int) -> int:
        volts = self.load.voltage_mean_uv(t0_ns, t1_ns)
        return volts * (1_000_000 + self.errors.gain_voltage_ppm) // 1_000_000

    def _seen_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Return the magnitude of the power it sees; nothing below the starting current."""
        power_uw = abs(self.load.power_mean_uw(t0_ns, t1_ns))
        voltage_uv = self.load.voltage_mean_uv(t0_ns, t1_ns)
        if power_uw * 1000 < self._starting_ma * voltage_uv * self._power_factor:
            return 0
        return int(power_uw * self.errors.power_gain)
