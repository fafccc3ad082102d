"""Public keys of nodes: SubjectPublicKeyInfo of P-256 (RFC 5480), and the kid made of it."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

KEY_BYTES: Final = 64

# SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 00 04 x y } }
_SPKI_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def spki_der(public_key: bytes) -> bytes:
    """Encode a public key, x and y of 32 bytes each, as SubjectPublicKeyInfo (91 bytes).

    Raises:
        ValueError: not 64 bytes.
    """
    if len(public_key) != KEY_BYTES:
        raise ValueError(f"public key: expected {KEY_BYTES} bytes, got {len(public_key)}")
    return _SPKI_PREFIX + public_key


def public_key_of(spki: bytes) -> bytes:
    """Return x and y (64 bytes) of an uncompressed P-256 SubjectPublicKeyInfo.

    Raises:
        ValueError: any other key or form.
    """
    if len(spki) != len(_SPKI_PREFIX) + KEY_BYTES or not spki.startswith(_SPKI_PREFIX):
        raise ValueError("spki: expected an uncompressed P-256 key of 91 bytes")
    return spki[len(_SPKI_PREFIX) :]


def kid_of(spki: bytes) -> bytes:
    """Return the key identifier: the first 8 bytes of SHA-256 over the SPKI DER."""
    return sha256(spki).digest()[:8]
