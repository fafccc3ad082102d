"""Maps with whole-number keys, as entry bodies have them: read strictly, every refusal named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from wattest.errors import CborError, RecordError
from wattest.wire import cbor

Check: TypeAlias = Callable[[Any], bool]


def is_a(kind: type) -> Check:
    """Accept values of exactly this type: True is no number."""
    return lambda value: type(value) is kind


def sized(size: int) -> Check:
    """Accept byte strings of this length."""
    return lambda value: type(value) is bytes and len(value) == size


def text(longest: int) -> Check:
    """Accept texts of 1 to ``longest`` characters."""
    return lambda value: type(value) is str and 1 <= len(value) <= longest


def uint(value: Any) -> bool:
    """Accept whole numbers from 0."""
    return type(value) is int and value >= 0


def count(value: Any) -> bool:
    """Accept whole numbers from 1."""
    return type(value) is int and value >= 1


def span(value: Any) -> bool:
    """Accept a half-open stretch of time, ``[begin, end]`` in ms, that is not empty."""
    return (
        type(value) is list
        and [type(item) for item in value] == [int, int]
        and value[0] < value[1]
    )


def read_fields(
    body: bytes,
    what: str,
    checks: Mapping[int, Check],
    optional: Collection[int] = (),
    *,
    max_bytes: int = cbor.MAX_BYTES,
) -> dict[int, Any]:
    """Decode a map and check every field of it.

    Args:
        body: deterministic CBOR, nothing after it.
        what: rule that a refusal names.
        checks: what each key may hold; other keys are refused.
        optional: keys that may be absent.
        max_bytes: longest body looked at.

    Raises:
        RecordError: rule ``what`` or one of deterministic CBOR, with the offset in ``body``.
    """
    try:
        fields = cbor.decode(body, max_depth=2, int_keys=True, int64=True, max_bytes=max_bytes)
    except CborError as exc:
        raise RecordError(exc.rule, exc.offset, what) from None
    if type(fields) is not dict:
        raise RecordError(what, 0, "expected a map")
    for key, value in fields.items():
        if key not in checks or not checks[key](value):
            raise RecordError(what, cbor.offset_of(body, (key,)), f"key {key}")
    missing = checks.keys() - fields.keys() - set(optional)
    if missing:
        raise RecordError(what, 0, f"key {min(missing)} is missing")
    return fields
