"""Signed readings made on the host, and what it takes to verify them and nothing else."""

from __future__ import annotations

from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from wattest.verify import Enrolment, EnrolmentKind
from wattest.wire import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE, cbor, parse_record
from wattest.wire.cose import record_to_be_signed, seal_sign1
from wattest.wire.keys import kid_of

ALGORITHM = ec.ECDSA(hashes.SHA256())

Bare: TypeAlias = tuple[ec.EllipticCurvePublicKey, bytes, bytes]
"""A public key, a signature as OpenSSL wants it, and what was signed."""


class Node:
    """A key with an enrolment, signing plausible readings."""

    def __init__(self, number: int) -> None:
        self.key = ec.derive_private_key(number + 1, ec.SECP256R1())
        self.public_key = self.key.public_key()
        self.spki = self.public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = kid_of(self.spki)
        self.prev = bytes(32)

    def enrolment(self) -> Enrolment:
        return Enrolment(
            kid=self.kid,
            spki=self.spki,
            serial="benchmark",
            kind=EnrolmentKind.BENCH,
            board="emulated-esp32",
            cfg=bytes(16),
            demo=True,
            power_max_milliwatts=10**10,
            enrolled_ms=0,
            asset="none",
        )

    def reading(self, seq: int) -> bytes:
        registers = [
            [OBIS_IMPORT, seq * 1000, -3, 30],
            [OBIS_EXPORT, 0, -3, 30],
            [OBIS_USE, seq * 60, 0, 7],
            [OBIS_POWER, 60_000, -3, 27],
        ]
        body = {1: seq, 2: 0, 3: 1_767_225_600_000 + seq * 60_000, 4: 2, 5: seq * 60_000}
        body |= {6: registers, 7: "G", 10: 0, 11: self.prev, 12: bytes(16), 16: 0}
        claims = {2: "benchmark", 267: 1, 268: bytes(8), -65537: body}
        data = seal_sign1(self.kid, cbor.encode(claims), self._sign)
        self.prev = parse_record(data).digest
        return data

    def _sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(message, ALGORITHM))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def bare_of(node: Node, data: bytes) -> Bare:
    r, s = int.from_bytes(data[-64:-32], "big"), int.from_bytes(data[-32:], "big")
    return node.public_key, encode_dss_signature(r, s), record_to_be_signed(data)


def verify_bare(prepared: list[Bare]) -> None:
    for key, signature, message in prepared:
        key.verify(signature, message, ALGORITHM)


def body_of(index: int) -> bytes:
    return index.to_bytes(8, "big") * 12
