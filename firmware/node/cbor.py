"""Deterministic CBOR (RFC 8949, section 4.2.1): writers into a buffer, and a small strict reader.

A writer has the form `encode_x(buf, offset, value) -> offset`; the caller owns the buffer and
sees to it that it is large enough (a slice assignment past its end raises).
"""

from micropython import const

_UINT = const(0)
_NEGATIVE = const(1)
_BYTES = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)
_TAG = const(6)
_SIMPLE = const(7)


class CborError(ValueError):
    """Bytes that are not deterministic CBOR of the subset the node reads."""


def _head(buf: bytearray, offset: int, major: int, value: int) -> int:
    first = major << 5
    if value < 24:
        buf[offset] = first | value
        return offset + 1
    if value < 0x100:
        width = 1
        code = 24
    elif value < 0x10000:
        width = 2
        code = 25
    elif value < 0x100000000:
        width = 4
        code = 26
    else:
        width = 8
        code = 27
    buf[offset] = first | code
    offset += 1
    buf[offset : offset + width] = value.to_bytes(width, "big")
    return offset + width


def encode_int(buf: bytearray, offset: int, value: int) -> int:
    """Signed integer of up to 64 bits."""
    if value < 0:
        return _head(buf, offset, _NEGATIVE, -1 - value)
    return _head(buf, offset, _UINT, value)


def encode_bytes(buf: bytearray, offset: int, value: bytes) -> int:
    """Byte string."""
    size = len(value)
    offset = _head(buf, offset, _BYTES, size)
    buf[offset : offset + size] = value
    return offset + size


def encode_bytes_head(buf: bytearray, offset: int, size: int) -> int:
    """Head of a byte string whose content follows elsewhere."""
    return _head(buf, offset, _BYTES, size)


def encode_text(buf: bytearray, offset: int, value: str) -> int:
    """Text string; the node's own texts are ASCII."""
    data = value.encode()
    size = len(data)
    offset = _head(buf, offset, _TEXT, size)
    buf[offset : offset + size] = data
    return offset + size


def encode_bool(buf: bytearray, offset: int, value: bool) -> int:
    """true or false."""
    buf[offset] = _SIMPLE << 5 | (21 if value else 20)
    return offset + 1


def encode_array_head(buf: bytearray, offset: int, size: int) -> int:
    """Head of an array of `size` items, which follow."""
    return _head(buf, offset, _ARRAY, size)


def encode_map_head(buf: bytearray, offset: int, size: int) -> int:
    """Head of a map of `size` pairs, which follow in bytewise order of their keys."""
    return _head(buf, offset, _MAP, size)


def encode_tag(buf: bytearray, offset: int, tag: int) -> int:
    """Tag of the item that follows."""
    return _head(buf, offset, _TAG, tag)


def decode_map(data: bytes) -> dict:
    """Read one flat map with unsigned integer keys: a command.

    Returns:
        Keys to values; a value is an int, bytes or str.

    Raises:
        CborError: not well-formed, not deterministic, of another shape, or trailing bytes.
    """
    major, size, offset = _decode_head(data, 0)
    if major != _MAP:
        raise CborError("not a map")
    result = {}
    previous = -1
    for _ in range(size):
        major, key, offset = _decode_head(data, offset)
        if major != _UINT or key <= previous:
            raise CborError("map keys are not ascending unsigned integers")
        previous = key
        result[key], offset = _decode_scalar(data, offset)
    if offset != len(data):
        raise CborError("trailing bytes")
    return result


def _decode_scalar(data: bytes, offset: int) -> tuple:
    major, value, offset = _decode_head(data, offset)
    if major == _UINT:
        return value, offset
    if major == _NEGATIVE:
        return -1 - value, offset
    if major not in (_BYTES, _TEXT):
        raise CborError("type not expected here")
    end = offset + value
    if end > len(data):
        raise CborError("truncated string")
    content = bytes(data[offset:end])
    if major == _BYTES:
        return content, end
    try:
        return content.decode(), end
    except (ValueError, UnicodeError):
        raise CborError("text is not UTF-8")


def _decode_head(data: bytes, offset: int) -> tuple:
    """Major type, argument, offset behind the head."""
    if offset >= len(data):
        raise CborError("truncated")
    first = data[offset]
    offset += 1
    code = first & 31
    if code < 24:
        return first >> 5, code, offset
    if code > 27:
        raise CborError("indefinite length or reserved head")
    width = 1 << (code - 24)
    end = offset + width
    if end > len(data):
        raise CborError("truncated head")
    value = int.from_bytes(data[offset:end], "big")
    if value < (24, 0x100, 0x10000, 0x100000000)[code - 24]:
        raise CborError("head is not the shortest")
    if value >= 1 << 63:
        raise CborError("integer beyond 64 bits signed")
    return first >> 5, value, end
