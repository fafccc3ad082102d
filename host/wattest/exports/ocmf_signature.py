"""Signatures of OCMF: ECDSA in DER over the bytes of the second part, keys as SPKI DER.

The curves are those that the OCMF text names and that `cryptography` has; secp192k1 it has not.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import string
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from wattest.exports.ocmf import Ocmf, join_ocmf
from wattest.wire import public_key_of

DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"
DEFAULT_ENCODING: Final = "hex"
DER_TYPE: Final = "application/x-der"
CURVES: Final = {
    "ECDSA-secp192k1-SHA256": "secp192k1",
    "ECDSA-secp192r1-SHA256": "secp192r1",
    "ECDSA-secp256k1-SHA256": "secp256k1",
    "ECDSA-secp256r1-SHA256": "secp256r1",
    "ECDSA-secp384r1-SHA256": "secp384r1",
    "ECDSA-brainpool256r1-SHA256": "brainpoolP256r1",
    "ECDSA-brainpool384r1-SHA256": "brainpoolP384r1",
}
"""Curve of each algorithm that the OCMF text lists, as `cryptography` names it."""

_SPACES = str.maketrans("", "", " \t\r\n:")
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SignatureState(StrEnum):
    """What became of checking a signature."""

    VALID = "valid"
    INVALID = "invalid"
    UNREADABLE = "unreadable"
    """The signature section or the key is not what it says."""
    UNSUPPORTED = "unsupported"
    """An algorithm that cannot be computed here."""
    UNCHECKED = "unchecked"
    """No key was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureCheck:
    """The outcome for one text.

    Args:
        state: see `SignatureState`.
        message: what is wrong, or ``""``.
        curve: of the key, or ``""``.
    """

    state: SignatureState
    message: str = ""
    curve: str = ""


def read_key(text: str) -> bytes:
    """Return the bytes of a public key given as hexadecimal digits or base64.

    White space and colons between digits do not count.

    Raises:
        ValueError: neither.
    """
    digits = text.translate(_SPACES)
    if digits and not set(digits) - set(string.hexdigits) and len(digits) % 2 == 0:
        return bytes.fromhex(digits)
    return _from_base64(digits)


def verify_ocmf(ocmf: Ocmf, spki: bytes | None) -> SignatureCheck:
    """Check the signature of a text over its exact bytes.

    Args:
        ocmf: as it was read.
        spki: public key, SubjectPublicKeyInfo DER; None: there is none.
    """
    if spki is None:
        return SignatureCheck(state=SignatureState.UNCHECKED, message="no key was given")
    algorithm = ocmf.signature.get("SA", DEFAULT_ALGORITHM)
    if type(algorithm) is not str or algorithm not in CURVES:
        return SignatureCheck(
            state=SignatureState.UNSUPPORTED, message=f"algorithm {algorithm!r} is not OCMF's"
        )
    try:
        der = signature_bytes(ocmf.signature)
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        return SignatureCheck(state=SignatureState.UNREADABLE, message=str(error).lower())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return SignatureCheck(state=SignatureState.UNREADABLE, message="not a key of ECDSA")
    curve = key.curve.name
    if curve != CURVES[algorithm]:
        message = f"algorithm {algorithm}, but the key is of {curve}"
        return SignatureCheck(state=SignatureState.INVALID, message=message, curve=curve)
    try:
        key.verify(der, ocmf.payload_text.encode("ascii"), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return SignatureCheck(
            state=SignatureState.INVALID,
            message="the signature does not belong to these bytes and this key",
            curve=curve,
        )
    except UnsupportedAlgorithm:
        message = f"curve {curve} cannot be computed here"
        return SignatureCheck(state=SignatureState.UNSUPPORTED, message=message, curve=curve)
    return SignatureCheck(state=SignatureState.VALID, curve=curve)


def signature_bytes(section: Any) -> bytes:
    """Return the DER bytes that a signature section spells.

    Raises:
        ValueError: no data, an unknown encoding, or data that is not in it.
    """
    data, encoding = section.get("SD"), section.get("SE", DEFAULT_ENCODING)
    if type(data) is not str or not data:
        raise ValueError("SD: expected the signature as text")
    if encoding == "hex":
        if set(data) - set(string.hexdigits) or len(data) % 2:
            raise ValueError("SD: expected an even number of hexadecimal digits")
        return bytes.fromhex(data)
    if encoding == "base64":
        return _from_base64(data)
    raise ValueError(f"SE: expected hex or base64, got {encoding!r}")


def sealed(payload_text: str, der: bytes) -> str:
    """Return the whole text of a payload and its signature over P-256."""
    return join_ocmf(payload_text, {"SA": DEFAULT_ALGORITHM, "SD": der.hex()})


class OcmfSigner:
    """A key of P-256 that signs payloads; the same payload gives the same text.

    Args:
        private: scalar, 1 to n - 1.
    """

    def __init__(self, private: int) -> None:
        self._key = ec.derive_private_key(private, ec.SECP256R1())

    @property
    def spki(self) -> bytes:
        """Public key, SubjectPublicKeyInfo DER, 91 bytes."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def public_key(self) -> bytes:
        """Public key, x and y, 64 bytes."""
        return public_key_of(self.spki)

    def sign(self, payload_text: str) -> str:
        """Return the whole text; the nonce is that of RFC 6979."""
        data = payload_text.encode("ascii")
        der = self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return sealed(payload_text, der)


def derived_signer(secret: bytes, kid: bytes) -> OcmfSigner:
    """Return the key of P-256 that a bench signs with for one key of a node.

    Args:
        secret: of the bench, 32 bytes.
        kid: of the node's key, 8 bytes.

    The scalar is drawn by rejection from HMAC-SHA-256 under the secret over a fixed text, the kid
    and a count, so it says nothing about the secret and is used for nothing else.
    """
    for count in range(256):
        message = b"wattest ocmf gateway key\0" + kid + bytes((count,))
        scalar = int.from_bytes(hmac.digest(secret, message, "sha256"))
        if 0 < scalar < _ORDER:
            return OcmfSigner(scalar)
    raise AssertionError("256 draws above the order of P-256: less likely than 2**-8000")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"neither hexadecimal digits nor base64: {error}") from None
