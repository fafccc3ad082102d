"""A second implementation's view of a record: cbor2 for the values, ecdsa for the signature."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2
import ecdsa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wattest.wire import cbor, parse_sign1

_TAG_SIGN1 = 18
_HALF = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """What the others say.

    Args:
        cbor2_agrees: cbor2 decodes header and payload to the same values.
        openssl: the signature holds by OpenSSL, or None when no key was given.
        ecdsa: the signature holds by python-ecdsa, or None when no key was given.
    """

    cbor2_agrees: bool
    openssl: bool | None
    ecdsa: bool | None

    @property
    def holds(self) -> bool:
        """Whether nothing that was checked is wrong."""
        return self.cbor2_agrees and self.openssl is not False and self.ecdsa is not False

    def as_json(self) -> dict[str, Any]:
        """Return plain values; None where no key was given."""
        return {
            "cbor2_agrees": self.cbor2_agrees,
            "signature_openssl": self.openssl,
            "signature_ecdsa": self.ecdsa,
        }


def look_again(data: bytes, key: bytes | None) -> SecondLook:
    """Decode and, with a ``key`` of 64 bytes, verify a record by other implementations.

    Args:
        data: a well-formed record.
        key: public key of the node, x and y, or None.
    """
    message = parse_sign1(data)
    again = cbor2.loads(data)
    agrees = (
        isinstance(again, cbor2.CBORTag)
        and again.tag == _TAG_SIGN1
        and again.value == [message.protected, {}, message.payload, message.signature]
        and cbor2.loads(message.protected) == cbor.decode(message.protected)
        and cbor2.loads(message.payload) == cbor.decode(message.payload)
    )
    if key is None:
        return SecondLook(cbor2_agrees=agrees, openssl=None, ecdsa=None)
    signed = message.to_be_signed()
    return SecondLook(
        cbor2_agrees=agrees,
        openssl=_holds_by_openssl(key, message.signature, signed),
        ecdsa=_holds_by_ecdsa(key, message.signature, signed),
    )


def _holds_by_openssl(key: bytes, signature: bytes, signed: bytes) -> bool:
    r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key)
        public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _holds_by_ecdsa(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        public = ecdsa.VerifyingKey.from_string(key, curve=ecdsa.NIST256p)
        public.verify(signature, signed, hashfunc=sha256)
    except (ecdsa.BadSignatureError, ecdsa.errors.MalformedPointError):
        return False
    return True
