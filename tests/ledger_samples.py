"""Signed records made on the host, for tests of the ledger: real bytes, no board."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wattest.ledger import CheckpointSigner, Entry, EntryKind, Ledger, NewEntry, record_entry
from wattest.wire import cbor
from wattest.wire.cose import seal_sign1
from wattest.wire.enrolment import Enrolment, EnrolmentKind
from wattest.wire.keys import kid_of
from wattest.wire.record import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE
from wattest.wire.record_reader import parse_record

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
EPOCH_MS = 1_767_225_600_000
INTERVAL_MS = 60_000
ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class SampleNode:
    """Signs a chain of readings like a node does.

    Args:
        number: makes key and serial.
    """

    def __init__(self, number: int = 1) -> None:
        self._key = ec.derive_private_key(0xC0FFEE + number, ec.SECP256R1())
        self.spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = kid_of(self.spki)
        self.serial = f"demo-{number:04d}"
        self.seq = 0
        self.prev = bytes(32)

    def enrolment(self, **changes: Any) -> NewEntry:
        """Return the enrolment entry of this node; ``changes`` make another one of it."""
        enrolment = Enrolment(
            kid=self.kid,
            spki=self.spki,
            serial=self.serial,
            kind=EnrolmentKind.EMULATED,
            board="emulated-esp32",
            cfg=bytes(16),
            demo=True,
            power_max_milliwatts=10**10,
            enrolled_ms=EPOCH_MS,
            asset="turbine",
        )
        body = replace(enrolment, **changes).to_cbor()
        return NewEntry(kind=EntryKind.ENROLMENT, body=body)

    def reading(self) -> bytes:
        """Return the next fiscal reading."""
        self.seq += 1
        data = self.sealed(self.seq, self.seq * 1_000)
        self.prev = sha256(data).digest()
        return data

    def sealed(self, seq: int, energy_milliwh: int) -> bytes:
        """Return a fiscal reading with any number and energy, outside of the chain."""
        body = {
            1: seq,
            2: 0,
            3: EPOCH_MS + seq * INTERVAL_MS,
            4: 2,
            5: seq * INTERVAL_MS,
            6: [
                [OBIS_IMPORT, energy_milliwh, -3, 30],
                [OBIS_EXPORT, 0, -3, 30],
                [OBIS_USE, 0, 0, 7],
                [OBIS_POWER, 60_000, -3, 27],
            ],
            7: "G",
            10: 0,
            11: self.prev,
            12: bytes(16),
            16: 0,
        }
        claims = {2: self.serial, 267: 1, 268: bytes(8), -65537: body}
        return seal_sign1(self.kid, cbor.encode(claims), self._sign)

    def _sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ALGORITHM))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def resigned(data: bytes) -> bytes:
    """Return the same record under the other valid signature, (r, n - s)."""
    s = ORDER - int.from_bytes(data[-32:], "big")
    return data[:-32] + s.to_bytes(32, "big")


def entry_of(data: bytes) -> NewEntry:
    """Return the ledger entry of a record."""
    return record_entry(parse_record(data))


def signer(number: int = 1) -> CheckpointSigner:
    """Return a checkpoint signer."""
    return CheckpointSigner("wattest/test", bytes([number]) * 32)


def fill(ledger: Ledger, node: SampleNode, count: int, *, batch: int = 64) -> None:
    """Enrol a node and log ``count`` readings of it."""
    ledger.append([node.enrolment()])
    for start in range(0, count, batch):
        some = range(min(batch, count - start))
        ledger.append([entry_of(node.reading()) for _ in some])


def plain(number: int) -> NewEntry:
    """Return a small entry that is no record."""
    return NewEntry(kind=EntryKind.TERMS, body=b"terms %d" % number)


def moved(entry: Entry, **changes: object) -> Entry:
    """Return an entry with other values."""
    return replace(entry, **changes)  # type: ignore[arg-type]
