"""The envelope: one form, every other refused by name and place."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_oracle import KID, TYPE, ordered, reading, seal

from wattest.errors import CoseError
from wattest.wire import parse_sign1, seal_sign1, sig_structure
from wattest.wire.cose import protected_header, record_to_be_signed

GOOD = seal(reading())
HEAD = len(protected_header(KID))
PAYLOAD_AT = 4 + HEAD + 1
"""Where the payload's head begins."""
SIGNATURE_AT = len(GOOD) - 66


def message(
    header: Any, unprotected: Any = None, payload: Any = b"\xa0", signature: Any = None
) -> bytes:
    """An envelope with one part changed."""
    head = header if isinstance(header, bytes) else cbor2.dumps(ordered(header))
    signature = bytes(64) if signature is None else signature
    return cbor2.dumps(cbor2.CBORTag(18, [head, unprotected or {}, payload, signature]))


STANDARD = {1: -7, 4: KID, 16: TYPE}
BROKEN = [
    ("untagged", GOOD[1:], "tag", 0),
    ("tag 17", b"\xd1" + GOOD[1:], "tag", 0),
    ("tag 18 in two bytes", b"\xd8\x12" + GOOD[1:], "tag", 0),
    ("array of 5", b"\xd2\x85" + GOOD[2:], "array", 1),
    ("array of 4 in two bytes", b"\xd2\x98\x04" + GOOD[2:], "array", 1),
    ("indefinite array", b"\xd2\x9f" + GOOD[2:] + b"\xff", "array", 1),
    ("protected header as a map", GOOD[:2] + b"\xa0" + GOOD[4 + HEAD :], "protected", 2),
    ("protected header empty", message(b""), "protected", 3),
    ("protected header long form", GOOD[:2] + b"\x59\x00" + GOOD[3:], "protected", 2),
    (
        "protected header unsorted",
        message(cbor2.dumps({16: TYPE, 1: -7, 4: KID})),
        "protected",
        42,
    ),
    ("protected header an array", message([1]), "protected", 3),
    ("alg ES384", message({**STANDARD, 1: -35}), "alg", 6),
    ("alg missing", message({4: KID, 16: TYPE}), "alg", 4),
    ("kid of 7 bytes", message({**STANDARD, 4: KID[1:]}), "kid", 8),
    ("kid as text", message({**STANDARD, 4: "12345678"}), "kid", 8),
    ("kid missing", message({1: -7, 16: TYPE}), "kid", 4),
    ("typ missing", message({1: -7, 4: KID}), "typ", 3),
    ("typ of another thing", message({**STANDARD, 16: "text/plain"}), "typ", 18),
    ("crit", message({**STANDARD, 2: [1]}), "header", 8),
    ("unprotected kid", message(STANDARD, {4: KID}), "unprotected", 4 + HEAD),
    ("unprotected null", GOOD[: 4 + HEAD] + b"\xf6" + GOOD[5 + HEAD :], "unprotected", 4 + HEAD),
    ("payload nil", GOOD[: 5 + HEAD] + b"\xf6" + GOOD[SIGNATURE_AT:], "payload", PAYLOAD_AT),
    ("payload empty", message(STANDARD, payload=b""), "payload", PAYLOAD_AT),
    ("payload indefinite", GOOD[: 5 + HEAD] + b"\x5f" + GOOD[6 + HEAD :], "payload", PAYLOAD_AT),
    ("signature of 63", message(STANDARD, signature=bytes(63)), "signature", PAYLOAD_AT + 2),
    ("signature of 65", message(STANDARD, signature=bytes(65)), "signature", PAYLOAD_AT + 2),
    ("a byte after", GOOD + b"\x00", "trailing", len(GOOD)),
]


@pytest.mark.parametrize(
    ("data", "rule", "offset"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_parser_names_the_rule_and_the_byte(data: bytes, rule: str, offset: int) -> None:
    with pytest.raises(CoseError, match=rf"^cose: {rule} at byte {offset}\b"):
        parse_sign1(data)


def test_truncation_at_every_byte_is_refused() -> None:
    for size in range(len(GOOD)):
        with pytest.raises(CoseError, match="at byte"):
            parse_sign1(GOOD[:size])


def test_parts_are_the_exact_bytes() -> None:
    parsed = parse_sign1(GOOD)
    protected, unprotected, payload, signature = cbor2.loads(GOOD).value
    assert unprotected == {}
    assert (parsed.protected, parsed.payload, parsed.signature) == (protected, payload, signature)
    assert (parsed.kid, parsed.alg, parsed.typ) == (KID, -7, TYPE)
    assert GOOD[parsed.payload_offset :].startswith(payload)
    assert parsed.encoded == GOOD


@given(st.binary(min_size=1, max_size=70_000), st.binary(min_size=64, max_size=64))
def test_sealed_message_parses_to_its_parts(payload: bytes, signature: bytes) -> None:
    asked = []

    def sign(to_be_signed: bytes) -> bytes:
        asked.append(to_be_signed)
        return signature

    sealed = seal_sign1(KID, payload, sign)
    parsed = parse_sign1(sealed)
    assert (parsed.payload, parsed.signature) == (payload, signature)
    assert asked == [parsed.to_be_signed()] == [record_to_be_signed(sealed)]
    assert cbor2.loads(asked[0]) == ["Signature1", parsed.protected, b"", payload]


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_sig_structure_is_what_cbor2_writes(protected: bytes, aad: bytes, payload: bytes) -> None:
    signed = b"" if protected == b"\xa0" else protected
    expected = cbor2.dumps(["Signature1", signed, aad, payload])
    assert sig_structure(protected, payload, aad) == expected


def test_sealing_refuses_a_kid_or_signature_of_another_length() -> None:
    with pytest.raises(ValueError, match="kid: expected 8 bytes, got 7"):
        seal_sign1(bytes(7), b"a", lambda _: bytes(64))
    with pytest.raises(ValueError, match="signature: expected 64 bytes, got 63"):
        seal_sign1(KID, b"a", lambda _: bytes(63))
