"""ES256 against Wycheproof and RFC 6979, by our own verify path."""

from __future__ import annotations

from typing import Any

import pytest
from third_party import load

from wattest.errors import SignatureInvalid
from wattest.verify.signature import load_key, signature_der, verify_es256
from wattest.wire import spki_der

WYCHEPROOF = load("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json")
CASES = [(group, case) for group in WYCHEPROOF["testGroups"] for case in group["tests"]]
RFC6979 = load("rfc6979/a2_5_p256_sha256.json")


def holds(group: dict[str, Any], case: dict[str, Any]) -> bool:
    public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
    try:
        key = load_key(spki_der(public))
        verify_es256(key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
    except SignatureInvalid:
        return False
    return True


@pytest.mark.parametrize(
    ("group", "case"), CASES, ids=[f"{case['tcId']}-{case['comment'][:40]}" for _, case in CASES]
)
def test_wycheproof_verdict(group: dict[str, Any], case: dict[str, Any]) -> None:
    assert holds(group, case) == (case["result"] == "valid")


def test_wycheproof_has_its_262_verdicts() -> None:
    valid = sum(case["result"] == "valid" for _, case in CASES)
    assert (len(CASES), valid) == (WYCHEPROOF["numberOfTests"], 173)


@pytest.mark.parametrize("fact", RFC6979["signatures"], ids=lambda fact: fact["message_ascii"])
def test_rfc_6979_signature_holds_and_its_neighbours_do_not(fact: dict[str, str]) -> None:
    key = load_key(spki_der(bytes.fromhex(RFC6979["key"]["Ux"] + RFC6979["key"]["Uy"])))
    message = bytes.fromhex(fact["message_hex"])
    signature = bytes.fromhex(fact["r"] + fact["s"])
    verify_es256(key, message, signature)
    order = int(RFC6979["key"]["q"], 16)
    other = (order - int(fact["s"], 16)).to_bytes(32)
    verify_es256(key, message, signature[:32] + other)  # why a signature is never an identity
    for index in range(64):
        flipped = bytearray(signature)
        flipped[index] ^= 1 << index % 8
        with pytest.raises(SignatureInvalid, match="does not match"):
            verify_es256(key, message, bytes(flipped))


def test_der_of_small_and_large_integers_is_minimal() -> None:
    assert signature_der(bytes(64)).hex() == "3006020100020100"
    assert signature_der(bytes(31) + b"\x7f" + bytes(31) + b"\x80").hex() == "300702017f02020080"
    assert len(signature_der(b"\xff" * 64)) == 72
    with pytest.raises(SignatureInvalid, match="expected 64 bytes, got 63"):
        signature_der(bytes(63))
