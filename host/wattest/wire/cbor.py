"""Deterministic CBOR, both ways, in one form only.

What this module accepts is RFC 8949 with core deterministic encoding (section 4.2.1): shortest
heads, definite lengths, map keys in bytewise order of their encodings, none twice. Tags, null,
undefined and other simple values are refused always, floats unless the caller allows them. One
value has one encoding, so bytes that decode need never be encoded again to be compared.

    decoder rule      the first thing that broke
    truncated         an item or an announced length runs past the input
    trailing          bytes after the item
    size              more input than the caller's bound
    depth             nested deeper than the caller's bound
    shortest-head     a length or integer in more bytes than needed
    reserved-head     additional information 28 to 30, or 31 where it means nothing
    indefinite        an indefinite-length string, array or map
    break             a break code outside of an indefinite-length item
    utf-8             text that is not UTF-8
    map-key           a key that is not an integer, byte string or text
    map-order         keys not in bytewise order
    map-duplicate     the same key twice
    integer-range     an integer outside of the caller's range
    tag, null, simple, float, shortest-float
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

from wattest.errors import CborError

MAX_DEPTH = 8
MAX_BYTES = 65536

_LEAST_ARGUMENT = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
_FLOAT_FORMATS = {25: ">e", 26: ">f", 27: ">d"}
_NAN = b"\xf9\x7e\x00"
_INT64_LIMIT = 1 << 63


class _Decoder:
    """One pass over ``data``; ``pos`` is the next unread byte."""

    __slots__ = ("allow_float", "data", "end", "int64", "int_keys", "max_depth", "pos")

    def __init__(
        self, data: bytes, *, max_depth: int, allow_float: bool, int_keys: bool, int64: bool
    ) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.max_depth = max_depth
        self.allow_float = allow_float
        self.int_keys = int_keys
        self.int64 = int64

    def item(self, depth: int) -> Any:
        """Decode the item at ``pos``; ``depth`` counts the arrays and maps around it."""
        start = self.pos
        if start >= self.end:
            raise CborError("truncated", start, "expected an item")
        initial = self.data[start]
        info = initial & 31
        major = initial >> 5
        if info < 24:
            argument = info
            self.pos = start + 1
        else:
            argument = self._long_argument(start, major, info)
        if major == 0:
            if self.int64 and argument >= _INT64_LIMIT:
                raise CborError("integer-range", start, "expected at most 2^63-1")
            return argument
        if major == 2:
            return self._take(argument, start)
        if major == 3:
            return self._text(argument, start)
        if major == 4:
            return self._array(argument, start, depth)
        if major == 5:
            return self._map(argument, start, depth)
        if major == 1:
            if self.int64 and argument >= _INT64_LIMIT:
                raise CborError("integer-range", start, "expected at least -2^63")
            return -1 - argument
        if major == 6:
            raise CborError("tag", start, f"tag {argument}")
        return self._simple(argument, start, info)

    def _long_argument(self, start: int, major: int, info: int) -> int:
        """Return the argument of a head of two to nine bytes, or refuse the head."""
        if info > 27:
            if info < 31 or major in (0, 1, 6):
                raise CborError("reserved-head", start, f"initial byte {self.data[start]:02x}")
            raise CborError("break" if major == 7 else "indefinite", start)
        stop = start + 1 + (1 << (info - 24))
        if stop > self.end:
            raise CborError("truncated", start, f"head needs {stop - start} bytes")
        self.pos = stop
        argument = int.from_bytes(self.data[start + 1 : stop])
        if major != 7 and argument < _LEAST_ARGUMENT[info]:
            raise CborError("shortest-head", start, f"{argument} in {stop - start} bytes")
        return argument

    def _take(self, size: int, start: int) -> bytes:
        begin = self.pos
        stop = begin + size
        if stop > self.end:
            raise CborError("truncated", start, f"{size} bytes announced, {self.end - begin} left")
        self.pos = stop
        return self.data[begin:stop]

    def _text(self, size: int, start: int) -> str:
        raw = self._take(size, start)
        try:
            return raw.decode()
        except UnicodeDecodeError as exc:
            raise CborError("utf-8", self.pos - size + exc.start) from None

    def _array(self, size: int, start: int, depth: int) -> list[Any]:
        self._open(size, start, depth)
        item = self.item
        depth += 1
        return [item(depth) for _ in range(size)]

    def _map(self, size: int, start: int, depth: int) -> dict[Any, Any]:
        self._open(2 * size, start, depth)
        data = self.data
        item = self.item
        depth += 1
        result: dict[Any, Any] = {}
        last = b""
        for _ in range(size):
            at = self.pos
            key = item(depth)
            if type(key) is not int and (self.int_keys or type(key) not in (str, bytes)):
                raise CborError("map-key", at, f"{type(key).__name__} as a key")
            encoded = data[at : self.pos]
            if encoded <= last:
                raise CborError("map-duplicate" if encoded == last else "map-order", at)
            last = encoded
            result[key] = item(depth)
        return result

    def _open(self, items: int, start: int, depth: int) -> None:
        """Check bounds before anything is allocated: every item takes at least one byte."""
        if depth >= self.max_depth:
            raise CborError("depth", start, f"deeper than {self.max_depth}")
        if items > self.end - self.pos:
            raise CborError("truncated", start, f"{items} items announced")

    def _simple(self, argument: int, start: int, info: int) -> bool | float:
        if info in _FLOAT_FORMATS:
            if not self.allow_float:
                raise CborError("float", start)
            value: float = struct.unpack(_FLOAT_FORMATS[info], self.data[start + 1 : self.pos])[0]
            if _encode_float(value) != self.data[start : self.pos]:
                raise CborError("shortest-float", start)
            return value
        if info == 24 and argument < 32:
            raise CborError("reserved-head", start, f"simple value {argument} in two bytes")
        if argument in (20, 21):
            return argument == 21
        raise CborError("null" if argument == 22 else "simple", start, f"simple value {argument}")


def decode(
    data: bytes,
    *,
    max_depth: int = MAX_DEPTH,
    max_bytes: int = MAX_BYTES,
    allow_float: bool = False,
    int_keys: bool = False,
    int64: bool = False,
) -> Any:
    """Decode exactly one item in deterministic encoding.

    Args:
        data: the encoded item and nothing after it.
        max_depth: arrays and maps that may be inside each other; 0 allows scalars only.
        max_bytes: longest input looked at.
        allow_float: accept floats, shortest form, one NaN.
        int_keys: accept only integers as map keys.
        int64: refuse integers that do not fit 64 bits signed.

    Returns:
        int, bytes, str, bool, list, dict, or float where allowed.

    Raises:
        CborError: names the rule and the byte offset.
    """
    if len(data) > max_bytes:
        raise CborError("size", max_bytes, f"{len(data)} bytes, at most {max_bytes}")
    decoder = _Decoder(
        bytes(data), max_depth=max_depth, allow_float=allow_float, int_keys=int_keys, int64=int64
    )
    value = decoder.item(0)
    if decoder.pos != decoder.end:
        raise CborError("trailing", decoder.pos, f"{decoder.end - decoder.pos} bytes")
    return value


def head(major: int, argument: int) -> bytes:
    """Encode the shortest head of ``major`` (0 to 7) with ``argument`` (0 to 2^64-1)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    if argument < 1 << 8:
        return bytes((major << 5 | 24, argument))
    if argument < 1 << 16:
        return bytes((major << 5 | 25,)) + argument.to_bytes(2)
    if argument < 1 << 32:
        return bytes((major << 5 | 26,)) + argument.to_bytes(4)
    if argument < 1 << 64:
        return bytes((major << 5 | 27,)) + argument.to_bytes(8)
    raise ValueError(f"integer out of the range of CBOR: {argument}")


def _encode_float(value: float) -> bytes:
    """Encode the shortest float that keeps the value (RFC 8949 section 4.2.2)."""
    if math.isnan(value):
        return _NAN
    for initial, layout in ((0xF9, ">e"), (0xFA, ">f")):
        try:
            packed = struct.pack(layout, value)
        except OverflowError:
            continue
        if struct.unpack(layout, packed)[0] == value:
            return bytes((initial,)) + packed
    return b"\xfb" + struct.pack(">d", value)


def encode(value: Any, *, allow_float: bool = False) -> bytes:
    """Encode a value deterministically.

    Args:
        value: int within 64 bits, bytes, str, bool, list, tuple or dict of these; keys int, bytes
            or str.
        allow_float: also accept float.

    Raises:
        ValueError: an integer out of range.
        TypeError: a value or key that has no encoding here.
    """
    kind = type(value)
    if kind is bool:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, int(value)) if value >= 0 else head(1, -1 - int(value))
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return head(3, len(raw)) + raw
    if kind is list or kind is tuple:
        parts = [encode(item, allow_float=allow_float) for item in value]
        return head(4, len(parts)) + b"".join(parts)
    if kind is dict:
        return _encode_map(value, allow_float=allow_float)
    if kind is float and allow_float:
        return _encode_float(value)
    raise TypeError(f"no deterministic encoding for {kind.__name__}")


def _encode_map(value: dict[Any, Any], *, allow_float: bool) -> bytes:
    for key in value:
        if isinstance(key, bool) or not isinstance(key, (int, bytes, str)):
            raise TypeError(f"no deterministic encoding for a key of {type(key).__name__}")
    pairs = sorted(
        (encode(key), encode(item, allow_float=allow_float)) for key, item in value.items()
    )
    return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)


def offset_of(data: bytes, path: Sequence[int | str | bytes]) -> int:
    """Find where the item at ``path`` begins, for messages about data that decodes.

    Args:
        data: an item that ``decode`` accepts.
        path: a key for each map, an index for each array on the way down.

    Returns:
        Offset of the item, or of the innermost item on the path that exists.
    """
    decoder = _Decoder(data, max_depth=64, allow_float=True, int_keys=False, int64=False)
    for step in path:
        start = decoder.pos
        if not _descend(decoder, step):
            return start
    return decoder.pos


def _descend(decoder: _Decoder, step: int | str | bytes) -> bool:
    """Move ``decoder`` to the child ``step`` of the item it stands at, if there is one."""
    major = decoder.data[decoder.pos] >> 5
    if major not in (4, 5):
        return False
    size = len(_Decoder.item(_copy(decoder), 0))
    info = decoder.data[decoder.pos] & 31
    decoder.pos += 1 if info < 24 else 1 + (1 << (info - 24))
    for index in range(size):
        key = decoder.item(0) if major == 5 else index
        if key == step:
            return True
        decoder.item(0)
    return False


def _copy(decoder: _Decoder) -> _Decoder:
    twin = _Decoder(decoder.data, max_depth=64, allow_float=True, int_keys=False, int64=False)
    twin.pos = decoder.pos
    return twin
