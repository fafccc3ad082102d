"""Frames from the node to the host: COBS between two zeros, CRC-32 inside.

00  COBS( kind | body | CRC-32 of kind and body, little-endian )  00
"""

from binascii import crc32

from micropython import const

RECORD = const(1)
HELLO = const(2)
REPLY = const(3)
TAKEN = const(4)
SHOWN = const(5)
_RUN_MAX = const(254)
_CRC_BYTES = const(4)


class FrameWriter:
    """Builds frames in buffers of its own.

    Args:
        body_max: size of the largest body, bytes.
    """

    def __init__(self, body_max: int) -> None:
        plain = body_max + 1 + _CRC_BYTES
        self._plain = bytearray(plain)
        self._encoded = bytearray(plain + plain // _RUN_MAX + 4)
        self._size = 1

    def begin(self, kind: int) -> None:
        """Start a frame of this kind."""
        self._plain[0] = kind
        self._size = 1

    def add(self, part: bytes) -> None:
        """Append bytes to the body."""
        end = self._size + len(part)
        if end + _CRC_BYTES > len(self._plain):
            raise ValueError("frame: body too large")
        self._plain[self._size : end] = part
        self._size = end

    def finish(self) -> memoryview:
        """The encoded frame; valid until the next one begins."""
        size = self._size
        body = memoryview(self._plain)
        crc = crc32(body[:size])
        self._plain[size : size + _CRC_BYTES] = crc.to_bytes(_CRC_BYTES, "little")
        end = encode_cobs(self._encoded, 1, self._plain, size + _CRC_BYTES)
        self._encoded[0] = 0
        self._encoded[end] = 0
        return memoryview(self._encoded)[: end + 1]


def encode_cobs(target: bytearray, offset: int, source: bytearray, size: int) -> int:
    """Encode the first `size` bytes of source, without delimiters.

    Returns:
        Offset behind the last byte written.

    Source:
        Cheshire and Baker, Consistent Overhead Byte Stuffing (1997).
    """
    start = 0
    while True:
        stop = source.find(b"\x00", start, size)
        if stop < 0:
            stop = size
        while stop - start >= _RUN_MAX:
            target[offset] = _RUN_MAX + 1
            offset += 1
            target[offset : offset + _RUN_MAX] = source[start : start + _RUN_MAX]
            offset += _RUN_MAX
            start += _RUN_MAX
            if start == size:
                return offset
        length = stop - start
        target[offset] = length + 1
        offset += 1
        target[offset : offset + length] = source[start:stop]
        offset += length
        if stop == size:
            return offset
        start = stop + 1
