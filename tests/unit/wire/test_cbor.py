"""Deterministic CBOR: each rule refused by name and place, everything else kept exactly."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattest.errors import CborError
from wattest.wire import cbor

INTEGERS = st.integers(-(2**64), 2**64 - 1)
KEYS = st.one_of(INTEGERS, st.binary(max_size=12), st.text(max_size=12))
VALUES = st.recursive(
    st.one_of(INTEGERS, st.binary(max_size=300), st.text(max_size=40), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=30), st.dictionaries(KEYS, inner, max_size=30)
    ),
    max_leaves=30,
)

BROKEN = [
    ("", "truncated", 0),
    ("18", "truncated", 0),
    ("1a0000", "truncated", 0),
    ("43aabb", "truncated", 0),
    ("8201", "truncated", 0),
    ("9affffffff", "truncated", 0),
    ("bbffffffffffffffff", "truncated", 0),
    ("a101", "truncated", 0),
    ("a2010203", "truncated", 0),
    ("0000", "trailing", 1),
    ("a000", "trailing", 1),
    ("1817", "shortest-head", 0),
    ("1900ff", "shortest-head", 0),
    ("1a0000ffff", "shortest-head", 0),
    ("1b00000000ffffffff", "shortest-head", 0),
    ("3817", "shortest-head", 0),
    ("8158014f", "shortest-head", 1),
    ("7801ff", "shortest-head", 0),
    ("9800", "shortest-head", 0),
    ("b800", "shortest-head", 0),
    ("1c", "reserved-head", 0),
    ("1f", "reserved-head", 0),
    ("3f", "reserved-head", 0),
    ("fd", "reserved-head", 0),
    ("f818", "reserved-head", 0),
    ("5f4101ff", "indefinite", 0),
    ("7f6161ff", "indefinite", 0),
    ("9fff", "indefinite", 0),
    ("bfff", "indefinite", 0),
    ("ff", "break", 0),
    ("8201ff", "break", 2),
    ("62c328", "utf-8", 1),
    ("6161626162", "trailing", 2),
    ("a1f401", "map-key", 1),
    ("a18001", "map-key", 1),
    ("a202000100", "map-order", 3),
    ("a220000a00", "map-order", 3),
    ("a201000101", "map-duplicate", 3),
    ("c000", "tag", 0),
    ("81d81800", "tag", 1),
    ("f6", "null", 0),
    ("f7", "simple", 0),
    ("e0", "simple", 0),
    ("f8ff", "simple", 0),
    ("f93e00", "float", 0),
    ("8181818181818181" + "80", "depth", 8),
]


@pytest.mark.parametrize(("encoded", "rule", "offset"), BROKEN)
def test_decoder_names_the_rule_and_the_byte(encoded: str, rule: str, offset: int) -> None:
    with pytest.raises(CborError, match=rf"^cbor: {rule} at byte {offset}\b") as caught:
        cbor.decode(bytes.fromhex(encoded))
    assert (caught.value.rule, caught.value.offset) == (rule, offset)


@pytest.mark.parametrize(
    ("encoded", "options", "rule", "offset"),
    [
        ("1b8000000000000000", {"int64": True}, "integer-range", 0),
        ("813b8000000000000000", {"int64": True}, "integer-range", 1),
        ("a1616100", {"int_keys": True}, "map-key", 1),
        ("a1416100", {"int_keys": True}, "map-key", 1),
        ("80", {"max_depth": 0}, "depth", 0),
        ("8180", {"max_depth": 1}, "depth", 1),
        ("43000000", {"max_bytes": 3}, "size", 3),
        ("fa3fc00000", {"allow_float": True}, "shortest-float", 0),
        ("f97e01", {"allow_float": True}, "shortest-float", 0),
    ],
)
def test_decoder_keeps_the_bounds_of_its_caller(
    encoded: str, options: dict[str, Any], rule: str, offset: int
) -> None:
    with pytest.raises(CborError, match=rf"^cbor: {rule} at byte {offset}\b"):
        cbor.decode(bytes.fromhex(encoded), **options)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_decoder_accepts_the_ends_of_64_bits_signed(value: int) -> None:
    assert cbor.decode(cbor2.dumps(value), int64=True) == value


@given(VALUES)
def test_what_is_encoded_decodes_to_itself_here_and_in_cbor2(value: Any) -> None:
    encoded = cbor.encode(value)
    assert cbor.decode(encoded, max_depth=64) == value
    assert cbor2.loads(encoded) == value


@given(VALUES)
def test_truncation_at_every_byte_is_refused(value: Any) -> None:
    encoded = cbor.encode(value)
    for size in range(min(len(encoded), 200)):
        with pytest.raises(CborError, match=r"truncated|utf-8"):
            cbor.decode(encoded[:size], max_depth=64)


@given(st.binary(max_size=40))
def test_what_is_accepted_has_one_encoding_and_the_value_cbor2_sees(data: bytes) -> None:
    try:
        value = cbor.decode(data, allow_float=True)
    except CborError:
        return
    assert cbor.encode(value, allow_float=True) == data
    other = cbor2.loads(data)
    assert other == value or other != other  # noqa: PLR0124  NaN equals nothing


@given(VALUES, st.data())
def test_one_flipped_bit_never_decodes_to_the_same_value(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(cbor.encode(value))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    try:
        other = cbor.decode(bytes(encoded), max_depth=64)
    except CborError:
        return
    assert cbor.encode(other) != cbor.encode(value)


@pytest.mark.parametrize(
    "value", [None, 1.5, {True: 1}, {(1,): 1}, {None: 1}, object(), {1.0: 2}, bytearray(b"a")]
)
def test_encoder_refuses_what_has_no_deterministic_form(value: Any) -> None:
    with pytest.raises(TypeError, match="no deterministic encoding"):
        cbor.encode(value)


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_encoder_refuses_integers_beyond_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="out of the range"):
        cbor.encode(value)


def test_offset_of_finds_values_on_a_path() -> None:
    encoded = cbor2.dumps({1: [10, {5: b"abc"}], 1000: "x"})
    for path, expected in (
        ((), 0),
        ((1,), 2),
        ((1, 1), 4),
        ((1, 1, 5), 6),
        ((1000,), 13),
        ((7,), 0),
        ((1, 9), 2),
        ((1000, 3), 13),
    ):
        assert cbor.offset_of(encoded, path) == expected
