"""Role "i2c": a sensor that the node's driver "played" reads, through machine.I2CTarget.

Wiring: SCL and SDA of both boards together with pull-ups, and ground to ground.

MicroPython's target on ESP32 chips serves a memory: what a controller reads is a block of bytes
from the address on, and no program is asked. So no chip with registers of several bytes can be
played, but a block that carries its own number and checksum can: docs/stimulus.md has its layout.
"""

import os
import time

from player.flow import Flow

_BLOCK_BYTES = 15
_CHECKED_BYTES = 12
_VERSION = 0x10
_PERIOD_MS = 100
_PARTS_PER_COUNT = 10_000  # 10 mJ
_MASK = 0x3FFFFFFF
_PARTS_PER_MILLIWH = 3_600_000
_HIGHEST_MILLIW = 40_000_000
_POLYNOMIAL = 0xA001


class Block:
    """One block of memory that a node reads.

    Attributes:
        lowest, highest: powers that can be played, milliwatts.

    Args:
        serve: called with the block, which it serves from then on; returns what stops that.
    """

    name = "i2c"
    lowest = -_HIGHEST_MILLIW
    highest = _HIGHEST_MILLIW

    def __init__(self, serve) -> None:
        self._flow = Flow()
        self._next = bytearray(_BLOCK_BYTES)
        self._next[2:4] = os.urandom(2)
        self._number = 0
        self._served = bytearray(_BLOCK_BYTES)
        self._due_at = time.ticks_ms()
        self._write()
        self._target = serve(self._served)

    def tell(self, milliw: int) -> None:
        """Play this power from now on."""
        self._flow.tell(milliw)
        self._write()

    def milliwh(self) -> int:
        """Energy played since the start, import less export, rounded to zero."""
        parts = self._flow.parts
        whole = abs(parts) // _PARTS_PER_MILLIWH
        return whole if parts >= 0 else -whole

    def turn(self, now) -> int:
        """Write a new block when it is time; returns milliseconds until the next."""
        left_ms = time.ticks_diff(self._due_at, now)
        if left_ms > 0:
            return left_ms
        self._due_at = time.ticks_add(now, _PERIOD_MS)
        self._flow.advance(now)
        self._write()
        return _PERIOD_MS

    def stop(self) -> None:
        """Answer no more."""
        self._target.deinit()

    def _write(self) -> None:
        flow = self._flow
        block = self._next
        self._number = (self._number + 1) & 0xFF
        block[0] = block[14] = self._number
        block[1] = _VERSION | (flow.milliw < 0)
        block[4:8] = abs(flow.milliw).to_bytes(4, "big")
        block[8:12] = (flow.parts // _PARTS_PER_COUNT & _MASK).to_bytes(4, "big")
        block[12:14] = _crc16(block).to_bytes(2, "big")
        # In one piece; a controller that reads in the middle of it sees two numbers.
        self._served[:] = block


def _crc16(block) -> int:
    """CRC-16 as in Modbus, of the checked bytes."""
    crc = 0xFFFF
    for index in range(_CHECKED_BYTES):
        crc ^= block[index]
        for _ in range(8):
            crc = crc >> 1 ^ _POLYNOMIAL if crc & 1 else crc >> 1
    return crc
