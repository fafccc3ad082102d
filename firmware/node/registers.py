"""Energy registers in small limbs, and their copy in RTC memory.

All numbers of the hot path stay below 2**30, so that they are small ints on a 32-bit VM and
nothing is allocated. Energy is the sum of raw POWER counts times milliseconds; the limbs are

    watt-hours | milliwatt-hours 0..999 | remainder high | remainder low (12 bits)

where the remainder counts raw*ms below one milliwatt-hour.

Rectangles, not trapezoids: the sensor's result is already the mean over (nearly) the whole time
since the last sample, so the product with that time is the energy; a trapezoid would average
twice and smear each step over two samples.
"""

from array import array
from struct import pack_into, unpack_from

from micropython import const

_LIMB_BITS = const(12)
_LIMB_MASK = const(0xFFF)
STATE_BYTES = const(31)
# The longest time one sample may stand for; it keeps every product below 2**30.
DT_MAX_MS = const(16_000)
COUNTS_PER_MILLIWH_MIN = const(1 << 20)

_MAGIC = const(0x2B7E1516)
_SERIAL_MASK = const(0xFFFFFFF)
_SLOT_HEAD = const(16)
_SLOT_CRC = const(47)
_SLOT_STRIDE = const(52)


class Flow:
    """Energy in one direction."""

    def __init__(self) -> None:
        self.wh = 0
        self.milliwh = 0
        self.high = 0
        self.low = 0

    def total_milliwh(self) -> int:
        """The register, milliwatt-hours."""
        return self.wh * 1000 + self.milliwh


class Registers:
    """Import, export and time in use.

    Args:
        counts_per_milliwh: raw POWER counts times milliseconds in one milliwatt-hour,
            2**20 <= value < 2**30; the host computes it from shunt and calibration.
        start_counts: POWER counts above which the node counts as in use.
    """

    def __init__(self, counts_per_milliwh: int, start_counts: int) -> None:
        self._per_high = counts_per_milliwh >> _LIMB_BITS
        self._per_low = counts_per_milliwh & _LIMB_MASK
        self._start_counts = start_counts
        self.imported = Flow()
        self.exported = Flow()
        self.use_s = 0
        self.use_ms = 0
        # The largest input of the running intervals: low half fiscal, high half transaction.
        # 0 sensor, 1 injected, 2 stimulus board.
        self.input_seen = 0

    def integrate(self, counts: int, exporting: bool, dt_ms: int) -> None:
        """Add `counts` of POWER over `dt_ms` (0..16000) to a direction. Allocates nothing."""
        flow = self.exported if exporting else self.imported
        low = flow.low + (counts & _LIMB_MASK) * dt_ms
        high = flow.high + (counts >> _LIMB_BITS) * dt_ms + (low >> _LIMB_BITS)
        low &= _LIMB_MASK
        per_high = self._per_high
        per_low = self._per_low
        milliwh = flow.milliwh
        while high > per_high or (high == per_high and low >= per_low):
            # Never too large, and at most a few units too small: the loop ends soon.
            quotient = high // (per_high + 1) or 1
            low -= quotient * per_low
            high += (low >> _LIMB_BITS) - quotient * per_high
            low &= _LIMB_MASK
            milliwh += quotient
        flow.high = high
        flow.low = low
        flow.wh += milliwh // 1000
        flow.milliwh = milliwh % 1000
        if counts > self._start_counts:
            use_ms = self.use_ms + dt_ms
            self.use_s += use_ms // 1000
            self.use_ms = use_ms % 1000

    def pack_state(self, buf: bytearray, offset: int) -> None:
        """Write the registers, STATE_BYTES long, for the journal."""
        imported = self.imported
        exported = self.exported
        pack_into(
            "<IHIH", buf, offset, imported.wh, imported.milliwh, imported.high, imported.low
        )
        pack_into(
            "<IHIHIHB",
            buf,
            offset + 12,
            exported.wh,
            exported.milliwh,
            exported.high,
            exported.low,
            self.use_s,
            self.use_ms,
            self.input_seen,
        )

    def unpack_state(self, buf: bytes, offset: int) -> None:
        """Take over registers written by pack_state."""
        imported = self.imported
        exported = self.exported
        imported.wh, imported.milliwh, imported.high, imported.low = unpack_from(
            "<IHIH", buf, offset
        )
        (
            exported.wh,
            exported.milliwh,
            exported.high,
            exported.low,
            self.use_s,
            self.use_ms,
            self.input_seen,
        ) = unpack_from("<IHIHIHB", buf, offset + 12)


def _make_crc_table() -> array:
    """CRC-16/X-25, reflected, one entry a byte value."""
    table = array("H", bytearray(512))
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 if crc & 1 else crc >> 1
        table[value] = crc
    return table


class RegisterMemory:
    """A copy of the registers that survives soft, watchdog, panic and hard resets.

    Two slots are written in turn, so a write torn by a reset spoils only the younger one:

        magic u32 | tag of the key u32 | serial u32 | journal position u32 | registers | CRC-16

    Args:
        memory: `machine.RTC().memory`: without argument reads, with a buffer writes.
        tag: 30 bits of the key's id; a copy that belongs to another key is not taken.
    """

    def __init__(self, memory, tag: int) -> None:
        self._memory = memory
        self._tag = tag
        self._image = bytearray(2 * _SLOT_STRIDE)
        self._crc_table = _make_crc_table()
        self._serial = 0

    def load(self, registers: Registers) -> int:
        """Take over the younger valid slot.

        Returns:
            The journal position it was written at, or -1 if no slot is valid.
        """
        image = self._memory()
        if len(image) < 2 * _SLOT_STRIDE:
            return -1
        best = -1
        found = -1
        for slot in (0, _SLOT_STRIDE):
            magic, tag, serial, position = unpack_from("<IIII", image, slot)
            if magic != _MAGIC or tag != self._tag or serial <= best:
                continue
            if self._crc(image, slot) != unpack_from("<H", image, slot + _SLOT_CRC)[0]:
                continue
            best = serial
            found = position
            registers.unpack_state(image, slot + _SLOT_HEAD)
        if found >= 0:
            self._serial = best
        return found

    def save(self, registers: Registers, position: int) -> None:
        """Write the registers. Allocates nothing."""
        serial = (self._serial + 1) & _SERIAL_MASK
        self._serial = serial
        image = self._image
        slot = _SLOT_STRIDE if serial & 1 else 0
        pack_into("<IIII", image, slot, _MAGIC, self._tag, serial, position)
        registers.pack_state(image, slot + _SLOT_HEAD)
        pack_into("<H", image, slot + _SLOT_CRC, self._crc(image, slot))
        self._memory(image)

    def _crc(self, image: bytes, slot: int) -> int:
        table = self._crc_table
        crc = 0xFFFF
        for index in range(slot, slot + _SLOT_CRC):
            crc = table[(crc ^ image[index]) & 0xFF] ^ crc >> 8
        return crc
