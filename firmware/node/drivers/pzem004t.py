"""PZEM-004T version 3: single-phase meter module, Modbus RTU on a UART.

Wiring: 5 V to the module's interface (its side of the optocouplers), TX of the chip to RX of the
module and back; the module itself is supplied from the mains it measures.

    uart = machine.UART(2, baudrate=BAUD, tx=machine.Pin(17), rx=machine.Pin(16))
    sensor = Pzem004t(uart, 1, power_nw_per_count=1_000_000)
    sensor.begin()
    time.sleep_ms(500)
    if sensor.sample():
        print(sensor.energy, "Wh since the last sample,", sensor.counts)

A sample takes the answer to the request that the sample before sent, and sends the next: it never
waits for the line. So what it says is one period old.

The module counts whole watt-hours, and anybody on the line can clear its counter (function 42h,
without protection). So the legal register is the node's; a counter that goes back is told as
manipulation, and what it shows then is the new beginning, not energy. It knows no direction.
"""

import time

from micropython import const

BAUD = 9600
_READ_INPUT = const(0x04)
_FAILED = const(0x80)
_REQUEST = b"\x04\x00\x00\x00\x0a"
_DATA_BYTES = const(20)
_FRAME_BYTES = const(25)
_ERROR_BYTES = const(5)
# Where its registers stand in the answer: the low word comes first.
_POWER_AT = const(9)
_ENERGY_AT = const(13)
_ALARM_AT = const(21)
_DECIWATT_NW = 100_000_000
# 34 ms of line, and the module's own time.
_ANSWER_MS = const(300)
# More than this in a second it cannot measure: 100 A at 260 V, rounded up.
_WH_PER_S_MAX = const(8)
_ENERGY_SLACK_WH = const(2)
_ENERGY_END_WH = const(10_000_000)

GOOD = "G"
WRONG_MODULE = "X"
NO_ANSWER = "D"
READ_ERROR = "F"
OVERFLOW = "O"
MANIPULATED = "M"

# CRC-16 of Modbus, by half bytes.
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def crc16(data, size: int) -> int:
    """Check number over the first `size` bytes; it stands behind them with its low byte first."""
    crc = 0xFFFF
    for index in range(size):
        crc ^= data[index]
        crc = crc >> 4 ^ _CRC[crc & 15]
        crc = crc >> 4 ^ _CRC[crc & 15]
    return crc


class Pzem004t:
    """One module.

    After `sample` the attributes hold the result:

        status: one letter of the record format; "G" if the sample is usable.
        energy: watt-hours since the last good sample.
        counts: power, in POWER counts.

    Args:
        uart: port with any, readinto and write, at BAUD.
        address: Modbus address, 1..247.
        power_nw_per_count: weight of a POWER count.
    """

    counts_energy = True
    span_ms = 1 << 29
    arithmetic = False
    exporting = False

    def __init__(self, uart, address: int, *, power_nw_per_count: int) -> None:
        self._uart = uart
        self._address = address
        self._counts_per_deciwatt = _DECIWATT_NW // power_nw_per_count
        request = bytes((address,)) + _REQUEST
        self._request = request + crc16(request, len(request)).to_bytes(2, "little")
        self._frame = bytearray(_FRAME_BYTES + 1)
        self._base = -1
        self._base_at = time.ticks_ms()
        self._asked_at = self._base_at
        self._asked = False
        self.status = NO_ANSWER
        self.energy = 0
        self.counts = 0

    def use_bus(self, uart) -> None:
        """Go on over a port that was set up anew."""
        self._uart = uart
        self._asked = False

    def begin(self) -> bool:
        """Ask; the next sample says what came. True: nothing is known against the module."""
        self._ask()
        return True

    def check(self) -> bool:
        """Was the last answer good? Each of them proves address, length and content."""
        return self.status == GOOD

    def skip(self) -> bool:
        """Forget what was counted until now: the next answer is the new beginning."""
        self._base = -1
        self._ask()
        return True

    def sample(self) -> bool:
        """Take the answer to the last request; True if it is usable. Allocates nothing."""
        self.energy = 0
        if not self._asked:
            self._ask()
            return self._refuse(NO_ANSWER)
        waiting = self._uart.any()
        if waiting < _FRAME_BYTES and not self._said_no(waiting):
            if time.ticks_diff(time.ticks_ms(), self._asked_at) < _ANSWER_MS:
                self.status = GOOD  # it may still come
                return True
            return self._refuse(READ_ERROR if waiting else NO_ANSWER)
        got = self._uart.readinto(self._frame)
        self._asked = False
        if not got:
            return self._refuse(READ_ERROR)
        self.status = GOOD
        usable = self._take(got)
        if usable or self.status == OVERFLOW:  # begin is not called for an answer that is whole
            self._ask()
        return usable

    def _said_no(self, waiting: int) -> bool:
        """Has what came been quiet for as long as a whole answer takes?"""
        if waiting < _ERROR_BYTES:
            return False
        return time.ticks_diff(time.ticks_ms(), self._asked_at) >= _ANSWER_MS

    def _take(self, got: int) -> bool:
        frame = self._frame
        if got < _ERROR_BYTES or crc16(frame, got - 2) != frame[got - 2] | frame[got - 1] << 8:
            return self._refuse(READ_ERROR)
        if frame[0] != self._address:
            return self._refuse(WRONG_MODULE)
        if got != _FRAME_BYTES or frame[1] != _READ_INPUT or frame[2] != _DATA_BYTES:
            return self._refuse(READ_ERROR)
        power = _long(frame, _POWER_AT)
        if not self._count(_long(frame, _ENERGY_AT), power * self._counts_per_deciwatt):
            return False
        # Its alarm is set to the end of its range when it is delivered.
        return frame[_ALARM_AT] == 0 or self._refuse(OVERFLOW)

    def _count(self, counter: int, counts: int) -> bool:
        base = self._base
        asked_at = self._asked_at
        elapsed_ms = time.ticks_diff(asked_at, self._base_at)
        self._base = counter
        self._base_at = asked_at
        self.counts = counts
        if base < 0:
            return True
        if counter < base or counter >= _ENERGY_END_WH:
            return self._refuse(MANIPULATED)
        if counter - base > _ENERGY_SLACK_WH + elapsed_ms // 1000 * _WH_PER_S_MAX:
            return self._refuse(WRONG_MODULE)
        self.energy = counter - base
        return True

    def _refuse(self, status: str) -> bool:
        self.status = status
        return False

    def _ask(self) -> None:
        """Send the request; what still lies there is no answer to it."""
        while self._uart.any():
            self._uart.readinto(self._frame)
        self._uart.write(self._request)
        self._asked = True
        self._asked_at = time.ticks_ms()


def _long(frame, at: int) -> int:
    """A number of two registers, low word first."""
    return frame[at + 2] << 24 | frame[at + 3] << 16 | frame[at] << 8 | frame[at + 1]
