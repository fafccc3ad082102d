"""OCMF texts: read strictly, kept exactly, written in ASCII, signed over their bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocmf_samples import SIGNER, payload_of, text_of

from wattest.errors import OcmfError
from wattest.exports.ocmf import Digits, page_of, read_ocmf, write_json
from wattest.exports.ocmf_signature import (
    SignatureState,
    derived_signer,
    read_key,
    sealed,
    verify_ocmf,
)

STATE = SignatureState


def test_text_is_given_back_byte_for_byte() -> None:
    text = 'OCMF|{"FV":"1.0", "RV":12.5900,"X":[1,2]}|{"SD":"00"}'
    ocmf = read_ocmf(f"\n {text}\r\n")
    assert ocmf.text == text
    assert ocmf.payload["RV"] == "12.5900"
    assert isinstance(ocmf.payload["RV"], Digits)


BROKEN = {
    "nothing": ("", "header"),
    "another format": ("OCPP|{}|{}", "header"),
    "two parts": ("OCMF|{}", "sections"),
    "four parts": ("OCMF|{}|{}|{}", "sections"),
    "a bar inside": ('OCMF|{"ID":"a|b"}|{"SD":""}', "sections"),
    "not JSON": ("OCMF|{FV}|{}", "json"),
    "a list": ("OCMF|[]|{}", "object"),
    "a key twice": ('OCMF|{"FV":"1","FV":"1"}|{}', "duplicate-key"),
    "a key twice inside": ('OCMF|{"RD":[{"A":1,"A":1}]}|{}', "duplicate-key"),
    "not a number": ('OCMF|{"RV":NaN}|{}', "json"),
    "infinity": ('OCMF|{"RV":-Infinity}|{}', "json"),
    "brackets": ("OCMF|" + "[" * 100_000 + "|{}", "depth"),
    "too deep": ('OCMF|{"RD":' + "[" * 9 + "1,2,3,4,5,6,7,8,9,10" + "]" * 9 + "}|{}", "depth"),
    "other than ASCII": ('OCMF|{"ID":"\u00fc"}|{}', "ascii"),
    "a tab inside": ('OCMF|{"FV":\t"1.0"}|{}', "ascii"),
    "a byte": (b"OCMF|{}|{}\xff", "ascii"),
    "endless": (b"O" * ((1 << 20) + 1), "size"),
}


@pytest.mark.parametrize(("data", "rule"), BROKEN.values(), ids=BROKEN)
def test_text_of_another_form_is_refused_by_name(data: bytes | str, rule: str) -> None:
    with pytest.raises(OcmfError, match=f"^ocmf: {rule} at byte"):
        read_ocmf(data)


@given(st.binary(max_size=60))
def test_reader_never_fails_in_another_way(data: bytes) -> None:
    for whole in (data, b"OCMF|" + data, b'OCMF|{"A":' + data + b"}|{}"):
        with contextlib.suppress(OcmfError):
            assert read_ocmf(whole).text.encode() == whole.strip(b" \t\r\n")


@given(st.text(max_size=30))
def test_any_text_is_written_in_ascii_without_a_bar_and_read_back(text: str) -> None:
    written = write_json({"ID": text, "RV": Digits("1.50"), "n": [1, True, None]})
    assert written.isascii()
    assert "|" not in written
    found = read_ocmf(f"OCMF|{written}|{{}}").payload
    assert found["ID"] == text
    assert found["RV"] == "1.50"


def test_a_float_is_never_written() -> None:
    with pytest.raises(ValueError, match=r"a whole number, Digits"):
        write_json({"RV": 1.5})


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("T1", ("T", 1)), ("F0", ("F", 0)), ("T907", ("T", 907)), ("T01", None), ("T", None),
        ("X1", None), ("T-1", None), ("T1 ", None), ("T\u0663", None), (None, None), (7, None),
    ],
)  # fmt: skip
def test_page_is_a_letter_and_a_number_without_leading_zeros(
    page: object, found: tuple[str, int] | None
) -> None:
    assert page_of(page) == found


def test_every_byte_of_the_payload_is_signed() -> None:
    """Goal: no byte of part 1 can be changed. Method: each, by each of its seven bits."""
    text = text_of(payload_of())
    assert verify_ocmf(read_ocmf(text), SIGNER.spki).state is STATE.VALID
    begin, end = text.index(b"|") + 1, text.rindex(b"|")
    for place in range(begin, end):
        for bit in range(8):
            forged = bytearray(text)
            forged[place] ^= 1 << bit
            try:
                state = verify_ocmf(read_ocmf(bytes(forged)), SIGNER.spki).state
            except OcmfError:
                continue
            assert state is STATE.INVALID, place


def test_keys_in_another_order_are_another_text() -> None:
    payload = payload_of()
    other = dict(reversed(payload.items()))
    ocmf = read_ocmf(text_of(payload))
    forged = read_ocmf(f"OCMF|{write_json(other)}|{ocmf.signature_text}")
    assert forged.payload == ocmf.payload
    assert verify_ocmf(forged, SIGNER.spki).state is STATE.INVALID


def test_number_spelled_otherwise_is_another_text() -> None:
    text = text_of(payload_of()).replace(b"3.500", b"3.50")
    assert verify_ocmf(read_ocmf(text), SIGNER.spki).state is STATE.INVALID


def test_signature_that_cannot_be_checked_says_why() -> None:
    ocmf = read_ocmf(text_of(payload_of()))
    assert verify_ocmf(ocmf, None).state is STATE.UNCHECKED
    assert verify_ocmf(ocmf, b"no key").state is STATE.UNREADABLE
    for section, state in (
        ('{"SD":"00"}', STATE.INVALID),
        ('{"SD":"0"}', STATE.UNREADABLE),
        ('{"SD":7}', STATE.UNREADABLE),
        ("{}", STATE.UNREADABLE),
        ('{"SE":"base32","SD":"00"}', STATE.UNREADABLE),
        ('{"SA":"RSA","SD":"00"}', STATE.UNSUPPORTED),
        ('{"SA":"ECDSA-secp384r1-SHA256","SD":"00"}', STATE.INVALID),
    ):
        forged = read_ocmf(f"OCMF|{ocmf.payload_text}|{section}")
        assert verify_ocmf(forged, SIGNER.spki).state is state, section


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [
        ("SECP192R1", "ECDSA-secp192r1-SHA256"),
        ("SECP256K1", "ECDSA-secp256k1-SHA256"),
        ("SECP384R1", "ECDSA-secp384r1-SHA256"),
        ("BrainpoolP256R1", "ECDSA-brainpool256r1-SHA256"),
        ("BrainpoolP384R1", "ECDSA-brainpool384r1-SHA256"),
    ],
)
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_the_other_curves_of_the_standard_are_checked(
    curve: str, algorithm: str, encoding: str
) -> None:
    import base64

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.derive_private_key(12345, getattr(ec, curve)())
    payload = write_json(payload_of())
    der = key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
    data = der.hex() if encoding == "hex" else base64.b64encode(der).decode()
    section = write_json({"SA": algorithm, "SE": encoding, "SD": data})
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    good = read_ocmf(f"OCMF|{payload}|{section}")
    assert verify_ocmf(good, spki).state is STATE.VALID
    forged = read_ocmf(f"OCMF|{payload.replace('3.500', '9.500')}|{section}")
    assert verify_ocmf(forged, spki).state is STATE.INVALID


def test_key_is_read_as_hexadecimal_with_spaces_or_as_base64() -> None:
    import base64

    spki = SIGNER.spki
    spaced = " ".join(spki.hex().upper()[i : i + 4] for i in range(0, 182, 4))
    assert read_key(spaced) == read_key(base64.b64encode(spki).decode()) == spki
    with pytest.raises(ValueError, match="neither hexadecimal digits nor base64"):
        read_key("not a key!")


def test_bench_has_another_key_for_each_key_of_a_node_and_the_same_again() -> None:
    secrets, kids = (b"a" * 32, b"b" * 32), (b"1" * 8, b"2" * 8)
    keys = [derived_signer(secret, kid).spki for secret in secrets for kid in kids]
    assert len(set(keys)) == 4
    payload = write_json(payload_of())
    texts = {derived_signer(secrets[0], kids[0]).sign(payload) for _ in range(3)}
    assert len(texts) == 1
    assert verify_ocmf(read_ocmf(texts.pop()), keys[0]).state is STATE.VALID


def test_signature_in_der_is_what_is_written() -> None:
    assert sealed("{}", b"\x30\x00") == 'OCMF|{}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3000"}'
