"""ES256 over exact bytes, with the keys held ready."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from wattest.errors import SignatureInvalid
from wattest.wire.cose import SIGNATURE_BYTES
from wattest.wire.keys import public_key_of

_ES256: Final = ec.ECDSA(hashes.SHA256())
_INTEGER_BYTES = 32


def load_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """Load a P-256 public key.

    Args:
        spki: SubjectPublicKeyInfo DER, uncompressed point.

    Raises:
        SignatureInvalid: another key, or a point that is not on the curve.
    """
    try:
        public_key_of(spki)
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise SignatureInvalid(f"public key not usable: {str(exc).lower()}") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureInvalid("public key not usable: expected P-256")
    return key


def _der_integer(raw: bytes) -> bytes:
    """Encode 32 big-endian bytes as a DER INTEGER."""
    if not raw[0]:
        raw = raw.lstrip(b"\0") or b"\0"
    if raw[0] & 0x80:
        return b"\x02%c\0%b" % (len(raw) + 1, raw)
    return b"\x02%c%b" % (len(raw), raw)


def signature_der(signature: bytes) -> bytes:
    """Turn r and s (64 bytes) into the DER form of RFC 3279.

    Raises:
        SignatureInvalid: not 64 bytes.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalid(
            f"signature: expected {SIGNATURE_BYTES} bytes, got {len(signature)}"
        )
    content = _der_integer(signature[:_INTEGER_BYTES]) + _der_integer(signature[_INTEGER_BYTES:])
    return b"\x30" + bytes((len(content),)) + content


def verify_es256(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> None:
    """Check an ES256 signature.

    Args:
        key: a P-256 key.
        message: the bytes signed; hashed here.
        signature: r and s, 32 bytes each.

    Raises:
        SignatureInvalid: it does not hold.
    """
    try:
        key.verify(signature_der(signature), message, _ES256)
    except InvalidSignature:
        raise SignatureInvalid("signature does not match the bytes and the key") from None
