"""Energy registers in small limbs, in an array that is copied to RTC memory as it is.

All numbers of the hot path stay below 2**30, so that they are small ints on a 32-bit VM and
nothing is allocated. Energy is the sum of raw POWER counts times milliseconds; its limbs are

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
# The longest time one sample may stand for; it keeps every product below 2**30.
DT_MAX_MS = const(16_000)
COUNTS_PER_MILLIWH_MIN = const(1 << 20)

# Words of the array.
_MAGIC_AT = const(0)
_TAG_AT = const(1)
_POSITION_AT = const(2)
_IMPORT_AT = const(3)
_EXPORT_AT = const(7)
_USE_S_AT = const(11)
_USE_MS_AT = const(12)
_INPUT_AT = const(13)
_CHECK_AT = const(14)
_WORDS = const(16)
# Words of one direction.
_WH = const(0)
_MILLIWH = const(1)
_HIGH = const(2)
_LOW = const(3)

_MAGIC = const(0x1B7E1516)
_CHECK_MASK = const(0x1FFFFFFF)
TAG_MASK = const(0x1FFFFFFF)
_STATE = "<11I"
STATE_BYTES = const(44)
_STATE_WORDS = const(11)


class Registers:
    """Import, export and time in use, and their copy that survives resets.

    The copy is written whole with each sample. It survives soft, watchdog, panic and hard resets;
    a checksum tells whether it is one, a tag whose it is.

    Args:
        counts_per_milliwh: raw POWER counts times milliseconds in one milliwatt-hour,
            2**20 <= value < 2**30; the host computes it from shunt and calibration.
        start_counts: POWER counts above which the node counts as in use.
        energy_milliwh, energy_parts: what a count of an energy sensor is worth: whole
            milliwatt-hours, and the rest in POWER counts times milliseconds, below 2**22.

    Attributes:
        words: the array; only `startup` needs it, to make a view of its bytes.
    """

    def __init__(
        self,
        counts_per_milliwh: int,
        start_counts: int,
        energy_milliwh: int = 0,
        energy_parts: int = 0,
    ) -> None:
        self.energy_milliwh = energy_milliwh
        self.energy_parts = energy_parts
        self._per_high = counts_per_milliwh >> _LIMB_BITS
        self._per_low = counts_per_milliwh & _LIMB_MASK
        self._start_counts = start_counts
        self.words = array("I", bytearray(4 * _WORDS))
        self.words[_MAGIC_AT] = _MAGIC

    def attach(self, memory, image) -> None:
        """Say where the copy goes.

        Args:
            memory: `machine.RTC().memory`: without argument reads, with a buffer writes.
            image: the bytes of `words`, as a buffer that shares their memory.
        """
        self._memory = memory
        self._image = image

    # ---- hot path ----

    def integrate(self, counts: int, exporting: bool, dt_ms: int) -> None:
        """Add `counts` of POWER over `dt_ms` (0..16000) to a direction. Allocates nothing."""
        self._add(_EXPORT_AT if exporting else _IMPORT_AT, counts, dt_ms)
        self.use(counts, dt_ms)

    def add_energy(self, energy: int, exporting: bool) -> None:
        """Add `energy` counts (0..2**23) of an energy sensor. Allocates nothing."""
        at = _EXPORT_AT if exporting else _IMPORT_AT
        self.words[at + _MILLIWH] += energy * self.energy_milliwh
        parts = self.energy_parts
        if energy > parts:
            self._add(at, energy, parts)
        else:
            self._add(at, parts, energy)

    def use(self, counts: int, dt_ms: int) -> None:
        """Count `dt_ms` as time in use if the power is above the start. Allocates nothing."""
        if counts > self._start_counts:
            words = self.words
            use_ms = words[_USE_MS_AT] + dt_ms
            if use_ms >= 1000:
                words[_USE_S_AT] += use_ms // 1000
                use_ms %= 1000
            words[_USE_MS_AT] = use_ms

    def _add(self, at: int, counts: int, factor: int) -> None:
        """Add a product to a direction: `counts` below 2**24 times `factor` below 2**16."""
        words = self.words
        low = words[at + _LOW] + (counts & _LIMB_MASK) * factor
        high = words[at + _HIGH] + (counts >> _LIMB_BITS) * factor + (low >> _LIMB_BITS)
        low &= _LIMB_MASK
        per_high = self._per_high
        per_low = self._per_low
        milliwh = words[at + _MILLIWH]
        while high > per_high or (high == per_high and low >= per_low):
            # Never too large, and at most a few units too small: the loop ends soon.
            quotient = high // (per_high + 1) or 1
            low -= quotient * per_low
            high += (low >> _LIMB_BITS) - quotient * per_high
            low &= _LIMB_MASK
            milliwh += quotient
        words[at + _HIGH] = high
        words[at + _LOW] = low
        if milliwh >= 1000:
            words[at + _WH] += milliwh // 1000
            milliwh %= 1000
        words[at + _MILLIWH] = milliwh

    def save(self) -> None:
        """Copy the registers to RTC memory. Allocates nothing."""
        words = self.words
        words[_CHECK_AT] = _checksum(words)
        self._memory(self._image)

    # ---- values ----

    def import_milliwh(self) -> int:
        """Active energy import, milliwatt-hours."""
        return self.words[_IMPORT_AT] * 1000 + self.words[_IMPORT_AT + _MILLIWH]

    def export_milliwh(self) -> int:
        """Active energy export, milliwatt-hours."""
        return self.words[_EXPORT_AT] * 1000 + self.words[_EXPORT_AT + _MILLIWH]

    def use_s(self) -> int:
        """Time in use, seconds."""
        return self.words[_USE_S_AT]

    def mark_input(self, seen: int) -> None:
        """Keep the largest input of the running intervals: fiscal | transaction << 4."""
        self.words[_INPUT_AT] = seen

    def input_seen(self) -> int:
        """What mark_input kept."""
        return self.words[_INPUT_AT]

    def mark_position(self, position: int) -> None:
        """Keep the journal's next position beside the registers."""
        self.words[_POSITION_AT] = position & _CHECK_MASK

    # ---- surviving ----

    def set_tag(self, tag: int) -> None:
        """Say which key the copy belongs to: 29 bits."""
        self.words[_TAG_AT] = tag

    def take_copy(self) -> int:
        """Take over the copy in RTC memory if it is sound, ours and not behind.

        Returns:
            The journal position it was written at, or -1 if it was not taken.
        """
        data = self._memory()
        if len(data) < 4 * _WORDS:
            return -1
        found = array("I", data[: 4 * _WORDS])
        words = self.words
        if (
            found[_MAGIC_AT] != _MAGIC
            or found[_TAG_AT] != words[_TAG_AT]
            or max(found) > _CHECK_MASK
            or found[_CHECK_AT] != _checksum(found)
        ):
            return -1
        for at in (_IMPORT_AT, _EXPORT_AT):
            if (found[at], found[at + _MILLIWH]) < (words[at], words[at + _MILLIWH]):
                return -1
        for index in range(_WORDS):
            words[index] = found[index]
        return found[_POSITION_AT]

    def pack_state(self, buf: bytearray, offset: int) -> None:
        """Write the registers, STATE_BYTES long, for the journal."""
        pack_into(_STATE, buf, offset, *self.words[_IMPORT_AT : _IMPORT_AT + _STATE_WORDS])

    def unpack_state(self, buf: bytes, offset: int) -> None:
        """Take over registers written by pack_state."""
        for index, value in enumerate(unpack_from(_STATE, buf, offset)):
            self.words[_IMPORT_AT + index] = value


def _checksum(words: array) -> int:
    """Fletcher's sums over the words before the check, in 29 bits; words are below 2**29.

    The second sum counts twice, so that a change of any one word, which enters the first sum once
    and the second n times, changes the total by an odd multiple of itself.
    """
    first = 1
    second = 0
    for index in range(_CHECK_AT):
        first = (first + words[index]) & _CHECK_MASK
        second = (second + first) & _CHECK_MASK
    return ((first + second & _CHECK_MASK) + second) & _CHECK_MASK
