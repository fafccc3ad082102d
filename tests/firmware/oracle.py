"""Records as the specification wants them, made by other people's code.

cbor2 writes the maps in the order given here (which is the bytewise order), ecdsa signs with RFC
6979 nonces. Nothing of the firmware and nothing of the host is used, so that both can be held
against what comes out.
"""

from hashlib import sha256
from typing import Any

import cbor2
from ecdsa import NIST256p, SigningKey
from ecdsa.util import sigencode_string

SPKI_PREFIX = bytes.fromhex(
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
)
CONTENT_TYPE = "application/vnd.wattest.record+cwt"
OBIS_IMPORT = bytes.fromhex("0100010800ff")
OBIS_EXPORT = bytes.fromhex("0100020800ff")
OBIS_USE = bytes.fromhex("0000600800ff")
OBIS_POWER = bytes.fromhex("0100100700ff")


def signing_key(private: bytes) -> SigningKey:
    """Key of ecdsa from the 32-byte scalar."""
    return SigningKey.from_string(private, curve=NIST256p, hashfunc=sha256)


def public_key(private: bytes) -> bytes:
    """64 bytes x | y."""
    return signing_key(private).verifying_key.to_string()


def key_id(public: bytes) -> bytes:
    """First 8 bytes of SHA-256 over the SPKI DER."""
    return sha256(SPKI_PREFIX + public).digest()[:8]


def sign_record(private: bytes, claims: dict[int, Any]) -> bytes:
    """COSE_Sign1 over the claims, which must be in bytewise key order."""
    protected = cbor2.dumps({1: -7, 4: key_id(public_key(private)), 16: CONTENT_TYPE})
    payload = cbor2.dumps(claims)
    to_be_signed = cbor2.dumps(["Signature1", protected, b"", payload])
    signature = signing_key(private).sign_deterministic(
        to_be_signed,
        hashfunc=sha256,
        sigencode=sigencode_string,
    )
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def registers(
    import_milliwh: int,
    export_milliwh: int,
    use_s: int,
    power_milliw: int,
) -> list[list[Any]]:
    """The four registers of every record, in order."""
    return [
        [OBIS_IMPORT, import_milliwh, -3, 30],
        [OBIS_EXPORT, export_milliwh, -3, 30],
        [OBIS_USE, use_s, 0, 7],
        [OBIS_POWER, power_milliw, -3, 27],
    ]
