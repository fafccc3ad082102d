"""A second opinion on a record, by other people's code: cbor2 reads it, python-ecdsa verifies it.

It shares no line with the first opinion but the record's values that it is compared with. It is
slow (a few ms a record) and accepts sloppier encodings; agreement is what counts.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import cbor2
import ecdsa

from wattest.errors import SignatureInvalid, VerificationError
from wattest.wire.claims import claims_of
from wattest.wire.record import Record

_TAG_SIGN1: Final = 18


def second_opinion(record: Record, spki: bytes) -> None:
    """Check a record again, from its bytes alone.

    Args:
        record: what our decoder made of them.
        spki: public key, SubjectPublicKeyInfo DER.

    Raises:
        SignatureInvalid: the signature does not hold, or the key cannot be used.
        VerificationError: cbor2 reads something else than we did.
    """
    protected, payload, signature = _parts(record.encoded)
    try:
        header, claims = cbor2.loads(protected), cbor2.loads(payload)
    except cbor2.CBORDecodeError as exc:
        raise VerificationError(f"second opinion: cbor2 cannot read the record: {exc}") from exc
    if header.get(4) != record.kid or header.get(1) != -7:
        raise VerificationError("second opinion: cbor2 reads another header")
    if claims != claims_of(record):
        raise VerificationError("second opinion: cbor2 reads other claims")
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    try:
        key = ecdsa.VerifyingKey.from_der(spki)
        key.verify(signature, signed, hashfunc=sha256)
    except (
        ecdsa.BadSignatureError,
        ecdsa.errors.MalformedPointError,
        ecdsa.der.UnexpectedDER,
    ) as e:
        raise SignatureInvalid("second opinion: the signature does not hold") from e


def _parts(encoded: bytes) -> tuple[bytes, bytes, bytes]:
    try:
        message = cbor2.loads(encoded)
    except cbor2.CBORDecodeError as exc:
        raise VerificationError(f"second opinion: cbor2 cannot read the message: {exc}") from exc
    if not isinstance(message, cbor2.CBORTag) or message.tag != _TAG_SIGN1:
        raise VerificationError("second opinion: cbor2 sees no COSE_Sign1")
    protected, unprotected, payload, signature = message.value
    if unprotected != {}:
        raise VerificationError("second opinion: cbor2 sees an unprotected header")
    return protected, payload, signature
