"""A second implementation's view of a record: cbor2 for the values, ecdsa for the signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from wattest.errors import SignatureInvalid, VerificationError
from wattest.verify.second_opinion import second_opinion
from wattest.verify.signature import load_key, verify_es256
from wattest.wire import Record, parse_sign1, spki_der
from wattest.wire.claims import claims_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """What the others say.

    Args:
        cbor2_agrees: cbor2 reads the same claims.
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


def look_again(record: Record, key: bytes | None) -> SecondLook:
    """Read and, with a ``key`` of 64 bytes, verify a record by other implementations.

    Args:
        record: as we read it.
        key: public key of the node, x and y, or None.
    """
    message = parse_sign1(record.encoded)
    agrees = bool(cbor2.loads(message.payload) == claims_of(record))
    if key is None:
        return SecondLook(cbor2_agrees=agrees, openssl=None, ecdsa=None)
    return SecondLook(
        cbor2_agrees=agrees,
        openssl=_holds_by_openssl(key, message.to_be_signed(), message.signature),
        ecdsa=_holds_by_ecdsa(record, key),
    )


def _holds_by_openssl(key: bytes, signed: bytes, signature: bytes) -> bool:
    try:
        verify_es256(load_key(spki_der(key)), signed, signature)
    except SignatureInvalid:
        return False
    return True


def _holds_by_ecdsa(record: Record, key: bytes) -> bool:
    try:
        second_opinion(record, spki_der(key))
    except VerificationError:
        return False
    return True
