"""COSE_Sign1 in the one form a node sends (RFC 9052 section 4.2, docs/formats.md section 1).

    D2 84                      tag 18, array of four
    58 nn  A3 01 26 04 48 kid 10 78 nn typ    protected: alg ES256, kid of 8 bytes, typ (RFC 9596)
    A0                         unprotected: empty, because what is not signed is not said
    5x payload                 a byte string, never nil
    58 40 r s                  64 bytes, fixed width, big-endian

Everything else is refused: an untagged message, another algorithm, an unprotected header,
``crit``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wattest.errors import CborError, CoseError
from wattest.wire import cbor

ES256: Final = -7
KID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
RECORD_TYPE: Final = "application/vnd.wattest.record+cwt"

_TAG_18 = 0xD2
_ARRAY_OF_4 = 0x84
_EMPTY_MAP = b"\xa0"
_SIGNATURE_HEAD = b"\x58\x40"
_CONTEXT = b"\x84\x6aSignature1"
_HEADER_ALG, _HEADER_KID, _HEADER_TYPE = 1, 4, 16
_BSTR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign1:
    """A COSE_Sign1 message and the exact bytes it came as.

    Args:
        protected: the encoded protected header, as signed.
        kid: key identifier, 8 bytes.
        alg: COSE algorithm; always ES256.
        typ: media type of the payload.
        payload: the signed bytes.
        signature: r and s, 32 bytes each.
        encoded: the whole message.
        payload_offset: where ``payload`` begins in ``encoded``.
    """

    protected: bytes
    kid: bytes
    alg: int
    typ: str
    payload: bytes
    signature: bytes
    encoded: bytes
    payload_offset: int

    def to_be_signed(self) -> bytes:
        """Return the Sig_structure over which the signature stands."""
        return sig_structure(self.protected, self.payload)


def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """Encode the Sig_structure of a COSE_Sign1 (RFC 9052 section 4.4).

    An encoded empty map as protected header is signed as a byte string of length zero.
    """
    if protected == _EMPTY_MAP:
        protected = b""
    return b"".join(
        (
            _CONTEXT,
            cbor.head(_BSTR, len(protected)),
            protected,
            cbor.head(_BSTR, len(external_aad)),
            external_aad,
            cbor.head(_BSTR, len(payload)),
            payload,
        )
    )


def protected_header(kid: bytes, typ: str = RECORD_TYPE) -> bytes:
    """Encode the protected header for ``kid`` (8 bytes)."""
    if len(kid) != KID_BYTES:
        raise ValueError(f"kid: expected {KID_BYTES} bytes, got {len(kid)}")
    return cbor.encode({_HEADER_ALG: ES256, _HEADER_KID: kid, _HEADER_TYPE: typ})


def seal_sign1(
    kid: bytes, payload: bytes, sign: Callable[[bytes], bytes], *, typ: str = RECORD_TYPE
) -> bytes:
    """Build a signed message.

    Args:
        kid: key identifier, 8 bytes.
        payload: bytes to sign.
        sign: takes the Sig_structure, returns r and s as 64 bytes.
        typ: media type of the payload.

    Raises:
        ValueError: a kid or signature of another length.
    """
    protected = protected_header(kid, typ)
    signature = sign(sig_structure(protected, payload))
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"signature: expected {SIGNATURE_BYTES} bytes, got {len(signature)}")
    return b"".join(
        (
            bytes((_TAG_18, _ARRAY_OF_4)),
            cbor.encode(protected),
            _EMPTY_MAP,
            cbor.encode(payload),
            _SIGNATURE_HEAD,
            signature,
        )
    )


def parse_sign1(data: bytes, *, typ: str = RECORD_TYPE) -> Sign1:
    """Take a signed message apart; the signature is not checked here.

    Args:
        data: the message and nothing after it.
        typ: the only media type accepted.

    Raises:
        CoseError: names the rule and the byte offset. Rules: ``tag``, ``array``, ``protected``,
            ``header``, ``alg``, ``kid``, ``typ``, ``unprotected``, ``payload``, ``signature``,
            ``trailing``.
    """
    data = bytes(data)
    if data[:1] != bytes((_TAG_18,)):
        raise CoseError("tag", 0, "expected tag 18")
    if data[1:2] != bytes((_ARRAY_OF_4,)):
        raise CoseError("array", 1, "expected an array of 4")
    protected, pos = _byte_string(data, 2, "protected")
    kid = _check_header(protected, pos - len(protected), typ)
    if data[pos : pos + 1] != _EMPTY_MAP:
        raise CoseError("unprotected", pos, "expected an empty map")
    payload, stop = _byte_string(data, pos + 1, "payload")
    if not payload:
        raise CoseError("payload", pos + 1, "expected at least one byte")
    signature, end = _byte_string(data, stop, "signature")
    if len(signature) != SIGNATURE_BYTES:
        raise CoseError("signature", stop, f"expected 64 bytes, got {len(signature)}")
    if end != len(data):
        raise CoseError("trailing", end, f"{len(data) - end} bytes")
    return Sign1(
        protected=protected,
        kid=kid,
        alg=ES256,
        typ=typ,
        payload=payload,
        signature=signature,
        encoded=data,
        payload_offset=stop - len(payload),
    )


def _byte_string(data: bytes, pos: int, rule: str) -> tuple[bytes, int]:
    """Return the definite, shortest byte string at ``pos`` and the offset behind it."""
    if pos >= len(data):
        raise CoseError(rule, pos, "expected a byte string, got the end")
    initial = data[pos]
    if not 0x40 <= initial <= 0x5B:
        raise CoseError(rule, pos, f"expected a byte string, got initial byte {initial:02x}")
    info = initial & 31
    begin = pos + 1 if info < 24 else pos + 1 + (1 << (info - 24))
    size = info if info < 24 else int.from_bytes(data[pos + 1 : begin])
    stop = begin + size
    if stop > len(data) or begin > len(data):
        raise CoseError(rule, pos, f"{size} bytes announced, {max(0, len(data) - begin)} left")
    if data[pos:begin] != cbor.head(_BSTR, size):
        raise CoseError(rule, pos, f"length {size} not in its shortest form")
    return data[begin:stop], stop


def _check_header(protected: bytes, offset: int, typ: str) -> bytes:
    """Return the kid of a protected header that says exactly alg, kid and typ."""
    try:
        header = cbor.decode(protected, max_depth=2, int_keys=True)
    except CborError as exc:
        raise CoseError("protected", offset + exc.offset, exc.rule) from None
    if not isinstance(header, dict):
        raise CoseError("protected", offset, "expected a map")
    if header.get(_HEADER_ALG) != ES256:
        at = cbor.offset_of(protected, (_HEADER_ALG,))
        raise CoseError("alg", offset + at, f"expected {ES256}, got {header.get(_HEADER_ALG)}")
    kid = header.get(_HEADER_KID)
    if not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise CoseError(
            "kid", offset + cbor.offset_of(protected, (_HEADER_KID,)), "expected 8 bytes"
        )
    if header.get(_HEADER_TYPE) != typ:
        raise CoseError(
            "typ", offset + cbor.offset_of(protected, (_HEADER_TYPE,)), f"expected {typ}"
        )
    if len(header) != 3:
        extra = next(key for key in header if key not in (_HEADER_ALG, _HEADER_KID, _HEADER_TYPE))
        at = cbor.offset_of(protected, (extra,))
        raise CoseError("header", offset + at, f"expected labels 1, 4, 16, got also {extra}")
    return kid


_RECORD_PROTECTED_STOP = 2 + 2 + len(protected_header(bytes(KID_BYTES)))


def record_to_be_signed(encoded: bytes) -> bytes:
    """Return the Sig_structure of a record, cut out of its bytes.

    The protected header of a record has one length, so nothing has to be parsed again.

    Args:
        encoded: bytes that `parse_sign1` accepts as `RECORD_TYPE`.
    """
    return b"".join(
        (
            _CONTEXT,
            encoded[2:_RECORD_PROTECTED_STOP],
            b"\x40",
            encoded[_RECORD_PROTECTED_STOP + 1 : -SIGNATURE_BYTES - len(_SIGNATURE_HEAD)],
        )
    )
