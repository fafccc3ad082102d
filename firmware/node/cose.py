"""COSE_Sign1 (RFC 9052, section 4.2) with ES256, always tagged, nothing unprotected.

What signs is a signer: a key in software (node.software_key) or a secure element
(node.drivers.atecc608). It has

    public_key() -> bytes | None        x | y, 64 bytes; None if there is no key yet
    make_key() -> bytes                 a new key in the place of the old one; its x | y
    sign(digest, pause) -> bytes        r | s, 64 bytes; s may be high or low
    failure                             the exception each of them may raise, or ()
"""

from hashlib import sha256

from micropython import const

from node import cbor

_TAG_SIGN1 = const(18)
_ALGORITHM = const(1)
_KEY_ID = const(4)
_TYPE = const(16)
_ES256 = const(-7)
_SIGNATURE_BYTES = const(64)
CONTENT_TYPE = "application/vnd.wattest.record+cwt"


_SPKI_PREFIX = b"0Y0\x13\x06\x07*\x86H\xce=\x02\x01\x06\x08*\x86H\xce=\x03\x01\x07\x03B\x00\x04"


def public_key_id(public: bytes) -> bytes:
    """kid: the first 8 bytes of SHA-256 over the SPKI DER of x | y (64 bytes)."""
    digest = sha256(_SPKI_PREFIX)
    digest.update(public)
    return digest.digest()[:8]


class Sealer:
    """Wraps payloads of one key into signed messages.

    Attributes:
        sign: takes a SHA-256 digest and a callable to pause with, gives r | s.

    Args:
        kid: 8 bytes.
        sign: likewise.
    """

    def __init__(self, kid: bytes, sign) -> None:
        self.sign = sign
        header = bytearray(64)
        end = cbor.encode_map_head(header, 0, 3)
        end = cbor.encode_int(header, end, _ALGORITHM)
        end = cbor.encode_int(header, end, _ES256)
        end = cbor.encode_int(header, end, _KEY_ID)
        end = cbor.encode_bytes(header, end, kid)
        end = cbor.encode_int(header, end, _TYPE)
        end = cbor.encode_text(header, end, CONTENT_TYPE)
        self._protected = bytes(header[:end])

    def digest(self, payload: bytes) -> bytes:
        """SHA-256 of the Sig_structure: what is signed."""
        head = bytearray(96)
        end = cbor.encode_array_head(head, 0, 4)
        end = cbor.encode_text(head, end, "Signature1")
        end = cbor.encode_bytes(head, end, self._protected)
        end = cbor.encode_bytes(head, end, b"")
        end = cbor.encode_bytes_head(head, end, len(payload))
        hasher = sha256(memoryview(head)[:end])
        hasher.update(payload)
        return hasher.digest()

    def seal(self, target: bytearray, payload: bytes, pause) -> int:
        """Write the signed message; returns its size.

        Args:
            target: large enough for the payload and 140 bytes more.
            payload: deterministic CBOR of the claims.
            pause: handed to the signer.
        """
        signature = self.sign(self.digest(payload), pause)
        end = cbor.encode_tag(target, 0, _TAG_SIGN1)
        end = cbor.encode_array_head(target, end, 4)
        end = cbor.encode_bytes(target, end, self._protected)
        end = cbor.encode_map_head(target, end, 0)
        end = cbor.encode_bytes(target, end, payload)
        return cbor.encode_bytes(target, end, signature)
