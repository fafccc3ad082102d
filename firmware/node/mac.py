"""HMAC-SHA-256 (RFC 2104), for RFC 6979 nonces and for command authentication."""

from hashlib import sha256

_INNER = b"\x36" * 32
_OUTER = b"\x5c" * 32
_INNER_INT = int.from_bytes(_INNER, "big")
_OUTER_INT = int.from_bytes(_OUTER, "big")


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC over the concatenation of the parts.

    Args:
        key: 32 bytes; both uses have keys of that size, so no other size is supported.
        parts: message, in pieces.

    Returns:
        32 bytes.
    """
    number = int.from_bytes(key, "big")
    inner = sha256((number ^ _INNER_INT).to_bytes(32, "big"))
    inner.update(_INNER)
    for part in parts:
        inner.update(part)
    outer = sha256((number ^ _OUTER_INT).to_bytes(32, "big"))
    outer.update(_OUTER)
    outer.update(inner.digest())
    return outer.digest()


def same_bytes(left: bytes, right: bytes) -> bool:
    """Compare without leaving at the first difference."""
    if len(left) != len(right):
        return False
    difference = 0
    for index in range(len(left)):
        difference |= left[index] ^ right[index]
    return difference == 0
