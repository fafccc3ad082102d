"""COSE against published examples: one Sig_structure, and a profile that lets none of them in."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from third_party import load, vectors

from wattest.errors import CoseError, SignatureInvalid
from wattest.verify.signature import load_key, verify_es256
from wattest.wire import parse_sign1, sig_structure, spki_der

COSE_WG = sorted(
    p.relative_to(vectors()).as_posix() for p in (vectors() / "cose-wg").rglob("*.json")
)
GLUECOSE = sorted(
    p.relative_to(vectors()).as_posix() for p in (vectors() / "gluecose").glob("*.json")
)
PASS = [p for p in COSE_WG if "fail" not in p and "ecdsa-sig-01" not in p]


def b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def load_p256(key: dict[str, str]) -> ec.EllipticCurvePublicKey:
    """The key of an example, by our own loader."""
    x, y = (bytes.fromhex(key[f"{c}_hex"]) if f"{c}_hex" in key else b64url(key[c]) for c in "xy")
    return load_key(spki_der(x + y))


def message_of(vector: dict[str, Any]) -> tuple[bytes, Any]:
    data = bytes.fromhex(vector["output"]["cbor"])
    decoded = cbor2.loads(data)
    return data, getattr(decoded, "value", decoded)


@pytest.mark.parametrize("path", COSE_WG)
def test_working_group_example_is_outside_of_our_profile(path: str) -> None:
    data, _ = message_of(load(path))
    with pytest.raises(CoseError, match=r"^cose: (tag|array|kid|alg|protected) at byte \d+"):
        parse_sign1(data)


@pytest.mark.parametrize("path", PASS)
def test_sig_structure_is_the_published_one_and_the_signature_holds(path: str) -> None:
    vector = load(path)
    sign = vector["input"]["sign0"]
    _, (protected, _, payload, signature) = message_of(vector)
    aad = bytes.fromhex(sign.get("external", ""))
    to_be_signed = sig_structure(protected, payload, aad)
    assert to_be_signed.hex() == vector["intermediates"]["ToBeSign_hex"].lower()
    key = load_p256(sign["key"])
    verify_es256(key, to_be_signed, signature)
    with pytest.raises(SignatureInvalid, match="does not match"):
        verify_es256(key, to_be_signed + b"\x00", signature)


@pytest.mark.parametrize("path", [p for p in COSE_WG if "sign-fail" in p])
def test_failing_example_does_not_verify_over_its_own_bytes(path: str) -> None:
    vector = load(path)
    data, (protected, _, payload, signature) = message_of(vector)
    key = load_p256(vector["input"]["sign0"]["key"])
    if "sign-fail-01" in path:  # the signature holds; what is wrong is the tag
        assert data[:3].hex() == "d903e6"
        verify_es256(key, sig_structure(protected, payload), signature)
        return
    with pytest.raises(SignatureInvalid, match="does not match"):
        verify_es256(key, sig_structure(protected, payload), signature)


@pytest.mark.parametrize("path", [p for p in GLUECOSE if "sign1-sign" in p])
def test_gluecose_sig_structure_is_the_published_one(path: str) -> None:
    case = load(path)["sign1::sign"]
    protected, payload, external = (
        bytes.fromhex(text)
        for text in (
            case["protectedHeaders"]["cborHex"],
            case["payload"],
            case.get("external", ""),
        )
    )
    assert sig_structure(protected, payload, external).hex() == case["tbsHex"]["cborHex"]


@pytest.mark.parametrize("path", [p for p in GLUECOSE if "sign1-verify" in p])
def test_gluecose_message_verifies_with_es256_only(path: str) -> None:
    vector = load(path)
    case = vector["sign1::verify"]
    data = bytes.fromhex(case["taggedCOSESign1"]["cborHex"])
    protected, _, payload, signature = cbor2.loads(data).value
    with pytest.raises(CoseError, match=r"^cose: (kid|alg) at byte \d+"):
        parse_sign1(data)
    if vector["key"]["crv"] != "P-256":
        with pytest.raises(ValueError, match="public key: expected 64 bytes"):
            load_p256(vector["key"])
        return
    external = bytes.fromhex(case.get("external", ""))
    assert case["shouldVerify"]
    verify_es256(load_p256(vector["key"]), sig_structure(protected, payload, external), signature)
