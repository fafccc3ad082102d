"""CBOR and COBS against published vectors: what is not deterministic is refused, with its rule."""

from __future__ import annotations

import math
from typing import Any

import cbor2
import pytest
from third_party import load, vectors

from wattest.errors import CborError, FrameError
from wattest.wire import cbor
from wattest.wire.frame import cobs_decode, cobs_encode

APPENDIX_A = load("cbor/appendix_a.json")
APPENDIX_F = load("cbor/rfc8949_appendix_f_not_well_formed.json")["not_well_formed"]
FACTS = load("cbor/rfc8949_deterministic_facts.json")
COBS = load("cobs/cobs_facts.json")["pairs"]
OUTSIDE = {"tag", "null", "simple", "indefinite", "map-key"}
"""Rules by which a well-formed item is outside of what we accept."""


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


@pytest.mark.parametrize("item", APPENDIX_A, ids=lambda item: item["hex"][:40])
def test_appendix_a_item_is_read_exactly_or_refused_by_rule(item: dict[str, Any]) -> None:
    data = bytes.fromhex(item["hex"])
    try:
        value = cbor.decode(data, allow_float=True)
    except CborError as exc:
        rule = exc.rule
    else:
        assert same(value, cbor2.loads(data))
        assert "decoded" not in item or same(value, item["decoded"])
        assert cbor.encode(value, allow_float=True) == data
        assert item["roundtrip"]
        return
    assert rule in OUTSIDE or not item["roundtrip"] or item["hex"] == "f818"
    # f8 18 was a simple value in RFC 7049 and is not well-formed in RFC 8949
    assert rule in OUTSIDE | {"shortest-float", "shortest-head", "reserved-head"}


def test_appendix_a_is_mostly_read() -> None:
    read = 0
    for item in APPENDIX_A:
        try:
            cbor.decode(bytes.fromhex(item["hex"]), allow_float=True)
        except CborError:
            continue
        read += 1
    assert (len(APPENDIX_A), read) == (82, 52)


@pytest.mark.parametrize("item", APPENDIX_F, ids=lambda item: item["hex"][:40])
def test_appendix_f_item_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(CborError, match=r"^cbor: [a-z0-9-]+ at byte \d+"):
        cbor.decode(bytes.fromhex(item["hex"]), allow_float=True)


@pytest.mark.parametrize("item", APPENDIX_A, ids=lambda item: item["hex"][:40])
def test_a_byte_more_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(CborError, match=r"^cbor: [a-z0-9-]+ at byte \d+"):
        cbor.decode(bytes.fromhex(item["hex"]) + b"\x00", allow_float=True)


def good_items() -> list[dict[str, Any]]:
    """Items of the working group's good.cbor; its own nesting passes the usual limit of cbor2."""
    with (vectors() / "cbor/rfc8949/good.cbor").open("rb") as file:
        return cbor2.CBORDecoder(file, max_depth=2000).decode()["tests"]


@pytest.mark.parametrize("item", good_items(), ids=lambda item: item["description"])
def test_working_group_item_is_read_exactly_or_refused_by_rule(item: dict[str, Any]) -> None:
    try:
        value = cbor.decode(item["encoded"], allow_float=True)
    except CborError as exc:
        assert exc.rule in OUTSIDE | {"shortest-head", "shortest-float", "depth", "map-order"}  # noqa: PT017
        return
    # the file marks these two although half precision keeps them: its own encoder does not
    preferred = item.get("roundtrip", True) or item["description"].startswith("f16: Largest sub")
    assert preferred, "an encoding that is not preferred was accepted"
    assert same(value, item["decoded"])
    assert cbor.encode(value, allow_float=True) == item["encoded"]


@pytest.mark.parametrize("fact", FACTS["int_boundaries"], ids=lambda fact: fact["hex"])
def test_integer_boundary_has_the_published_encoding(fact: dict[str, Any]) -> None:
    assert cbor.encode(fact["value"]).hex() == fact["hex"]
    assert cbor.decode(bytes.fromhex(fact["hex"])) == fact["value"]


@pytest.mark.parametrize("fact", FACTS["shortest_float"], ids=lambda fact: fact["hex"])
def test_float_has_the_published_shortest_encoding(fact: dict[str, Any]) -> None:
    value = float(fact["value"])
    assert cbor.encode(value, allow_float=True).hex() == fact["hex"]
    assert same(cbor.decode(bytes.fromhex(fact["hex"]), allow_float=True), value)


def test_keys_go_in_bytewise_order_and_not_by_length() -> None:
    def one_map(keys: list[str]) -> bytes:
        usable = [
            key for key in keys if key[0] in "01236"
        ]  # integers and text: no other keys here
        assert len(usable) == 5
        return bytes((0xA0 + len(usable),)) + b"".join(bytes.fromhex(k) + b"\x00" for k in usable)

    bytewise = one_map(FACTS["key_order_bytewise"])
    value = cbor.decode(bytewise)
    assert cbor.encode(dict(reversed(value.items()))) == bytewise
    with pytest.raises(CborError, match=r"^cbor: map-order at byte"):
        cbor.decode(one_map(FACTS["key_order_length_first_rfc7049"]))


@pytest.mark.parametrize("pair", COBS, ids=lambda pair: pair["decoded"][:40])
def test_cobs_pair_is_met_both_ways(pair: dict[str, str]) -> None:
    decoded, encoded = bytes.fromhex(pair["decoded"]), bytes.fromhex(pair["encoded"])
    assert cobs_encode(decoded) == encoded
    assert cobs_decode(encoded) == decoded


@pytest.mark.parametrize("pair", COBS, ids=lambda pair: pair["decoded"][:40])
def test_truncated_cobs_never_gives_the_same_bytes(pair: dict[str, str]) -> None:
    decoded, encoded = bytes.fromhex(pair["decoded"]), bytes.fromhex(pair["encoded"])
    for size in range(1, len(encoded)):
        try:
            assert cobs_decode(encoded[:size]) != decoded or encoded[:size] == cobs_encode(decoded)
        except FrameError:
            continue
