"""A sensor that a second board plays: firmware/stimulus in its role "i2c".

Wiring: SCL and SDA of both boards together with pull-ups, and ground to ground.

    sensor = Played(i2c, 0x42, power_nw_per_count=1_000_000)
    sensor.begin()
    if sensor.sample():
        print(sensor.energy, sensor.exporting)

The block that is read at memory address 0, big-endian (docs/stimulus.md):

    0       number of the block, changes ten times a second
    1       version 1 in the high half, bit 0: the power is exported
    2, 3    drawn when the stimulus board starts: its energy began anew
    4..7    power, milliwatts
    8..11   energy since then, 10 mJ, import less export, modulo 2**30
    12, 13  CRC-16 (Modbus) of what is before
    14      number of the block

Nothing is measured: every reading says so (input 2).
"""

import errno
import time

from micropython import const

_BLOCK_BYTES = const(15)
_CHECKED_BYTES = const(12)
_VERSION = const(1)
_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)
# Energy that registers take at once; the rest comes with the next sample.
_ENERGY_MAX = const((1 << 23) - 1)
_STALE_MS = const(2000)
_HALF_MILLIW_NW = const(500_000)
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip

GOOD = "G"
WRONG_CHIP = "X"
NO_ANSWER = "D"
BUS_STUCK = "T"
READ_ERROR = "F"
MANIPULATED = "M"


def crc16(data, size: int) -> int:
    """CRC-16 as in Modbus: 0x8005 reflected, begun with ones."""
    crc = 0xFFFF
    for index in range(size):
        crc ^= data[index]
        crc = crc >> 4 ^ _CRC[crc & 15]
        crc = crc >> 4 ^ _CRC[crc & 15]
    return crc


class Played:
    """One stimulus board.

    After `sample` the attributes hold the result:

        status: one letter of the record format; "G" if the sample is usable.
        energy: counts of 10 mJ since the last good sample.
        counts: power, in POWER counts.
        exporting: direction of the energy; without any, of the power.

    Args:
        i2c: bus with readfrom_mem_into.
        address: 0x08..0x77.
        power_nw_per_count: weight of a POWER count, a multiple of half a milliwatt.
    """

    counts_energy = True
    played = True
    span_ms = 120_000  # 2**29 times 10 mJ at 44 kW
    arithmetic = False

    def __init__(self, i2c, address: int, *, power_nw_per_count: int) -> None:
        self._i2c = i2c
        self._address = address
        self._halves_per_count = power_nw_per_count // _HALF_MILLIW_NW
        self._block = bytearray(_BLOCK_BYTES)
        self._life = -1
        self._base = 0
        self._number = -1
        self._number_at = time.ticks_ms()
        self.status = NO_ANSWER
        self.energy = 0
        self.counts = 0
        self.exporting = False

    def use_bus(self, i2c) -> None:
        """Go on over a bus that was set up anew."""
        self._i2c = i2c

    def begin(self) -> bool:
        """Look who answers. The energy of a board that started anew counts from now on."""
        if not self._read():
            return False
        block = self._block
        life = block[2] << 8 | block[3]
        if life != self._life:
            self._life = life
            self._base = _long(block, 8)
        self.status = GOOD
        return True

    def check(self) -> bool:
        """Was the last sample good? Each block proves its version."""
        return self.status == GOOD

    def skip(self) -> bool:
        """Forget what was counted until now."""
        self._life = -1
        return self.begin()

    def sample(self) -> bool:
        """Take the energy since the last good sample; True if it can be trusted."""
        self.energy = 0
        if not self._read():
            return False
        block = self._block
        now = time.ticks_ms()
        if block[0] != self._number:
            self._number = block[0]
            self._number_at = now
        elif time.ticks_diff(now, self._number_at) > _STALE_MS:
            self.status = READ_ERROR  # its program has stopped, its I2C goes on
            return False
        if block[2] << 8 | block[3] != self._life:
            self.status = MANIPULATED
            return False
        energy = (_long(block, 8) - self._base) & _MASK
        power_exported = block[1] & 1 != 0
        if energy >= _HALF:
            energy = min(_MASK - energy + 1, _ENERGY_MAX)
            self._base = (self._base - energy) & _MASK
            self.exporting = True
        else:
            energy = min(energy, _ENERGY_MAX)
            # Not base + energy, which may be too large for a small int.
            self._base = (self._base - _MASK - 1 + energy) & _MASK
            self.exporting = power_exported and not energy
        self.energy = energy
        self.counts = _long(block, 4) * 2 // self._halves_per_count
        self.status = GOOD
        return True

    def _read(self) -> bool:
        """Read a block that is whole, at the second try at the latest."""
        block = self._block
        for _ in (0, 1):
            try:
                self._i2c.readfrom_mem_into(self._address, 0, block)
            except OSError as error:
                self._fail(error)
                return False
            crc = block[12] << 8 | block[13]
            if block[0] == block[14] and crc == crc16(block, _CHECKED_BYTES):
                if block[1] >> 4 == _VERSION:
                    return True
                self.status = WRONG_CHIP
                return False
        self.status = READ_ERROR
        return False

    def _fail(self, error: OSError) -> None:
        if error.errno == errno.ENODEV:
            self.status = NO_ANSWER
        elif error.errno == errno.ETIMEDOUT:
            self.status = BUS_STUCK
        else:
            self.status = READ_ERROR


def _long(block, at: int) -> int:
    """A number below 2**30."""
    return (block[at] & 63) << 24 | block[at + 1] << 16 | block[at + 2] << 8 | block[at + 3]
