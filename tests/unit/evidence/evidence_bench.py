"""A ledger made on the host, from a seed: meters, parties and witnesses that sign real bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wattest.evidence.build import BundleMaker
from wattest.evidence.manifest import ReadingSubject
from wattest.evidence.select import subjects_of
from wattest.ledger import CheckpointSigner, EntryKind, Ledger, NewEntry, Receipt, record_entry
from wattest.ledger.cosignature import Cosigner
from wattest.settlement import (
    Cutoff,
    ReadingBook,
    Statement,
    Terms,
    Window,
    node_of_enrolment,
    parse_terms,
    settle,
    terms_hash,
    terms_to_cbor,
)
from wattest.settlement.estimate import estimates_of
from wattest.store import SqliteStore
from wattest.store.memory import MemoryStore
from wattest.wire import cbor
from wattest.wire.act import AnyAct, seal_act
from wattest.wire.cose import seal_sign1
from wattest.wire.enrolment import Enrolment, EnrolmentAction, EnrolmentKind
from wattest.wire.entries import LoggedEstimate
from wattest.wire.keys import kid_of, public_key_of
from wattest.wire.note import parse_note
from wattest.wire.record import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE, Record
from wattest.wire.record_reader import parse_record

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
EPOCH_MS = 1_767_225_600_000
MINUTE_MS = 60_000
MAKER = "wattest bench"
ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class Signer:
    """A P-256 key from a number."""

    def __init__(self, number: int) -> None:
        self._key = ec.derive_private_key(0xC0FFEE + number, ec.SECP256R1())
        self.spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = public_key_of(self.spki)
        self.kid = kid_of(self.spki)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ALGORITHM))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def act(self, act: AnyAct) -> bytes:
        return seal_act(act, self.public_key, self.sign)


class Meter(Signer):
    """Seals a chain of records as a node does.

    Args:
        number: makes key and serial.
        asset: what it meters.
    """

    def __init__(self, number: int, asset: str) -> None:
        super().__init__(number)
        self.serial = f"demo-{number:04d}"
        self.asset = asset
        self.seq = [0, 0, 0]
        self.prev = bytes(32)
        self.bootseed = bytes([number]) * 8
        self.boot_ms = EPOCH_MS - 60 * MINUTE_MS
        self.import_milliwh = 1_000_000 * number

    def enrolment(self, **changes: Any) -> Enrolment:
        values: dict[str, Any] = {
            "kid": self.kid,
            "spki": self.spki,
            "serial": self.serial,
            "kind": EnrolmentKind.REAL,
            "board": "esp32-c3",
            "cfg": bytes(16),
            "demo": False,
            "power_max_milliwatts": 10_000_000,
            "enrolled_ms": EPOCH_MS - 10 * MINUTE_MS,
            "asset": self.asset,
        }
        return Enrolment(**{**values, **changes})

    def seal(self, time_ms: int, ctx: int = 0, *, timed: bool = True, **changes: Any) -> bytes:
        """Return the next record of a context; ``changes`` replace fields of its body."""
        self.seq[ctx] += 1
        body: dict[int, Any] = {
            1: self.seq[ctx],
            2: ctx,
            3: time_ms if timed else None,
            4: 2 if timed else 0,
            5: time_ms - self.boot_ms,
            6: [
                [OBIS_IMPORT, self.import_milliwh, -3, 30],
                [OBIS_EXPORT, 0, -3, 30],
                [OBIS_USE, (time_ms - self.boot_ms) // 1000, 0, 7],
                [OBIS_POWER, 3_000_000, -3, 27],
            ],
            7: "G",
            10: self.seq[2],
            11: self.prev,
            12: bytes(16),
            16: 0,
            **{int(key[1:]): value for key, value in changes.items()},
        }
        body = {key: value for key, value in body.items() if value is not None}
        data = self.sealed({2: self.serial, 267: 1, 268: self.bootseed, -65537: body})
        self.prev = sha256(data).digest()
        return data

    def sealed(self, claims: Mapping[int, Any]) -> bytes:
        return seal_sign1(self.kid, cbor.encode(dict(claims)), self.sign)

    def readings(self, minutes: Sequence[int], *, watthours: int = 50) -> Iterator[bytes]:
        """Yield a reading at each minute after the epoch."""
        for minute in minutes:
            self.import_milliwh += 1_000 * watthours
            yield self.seal(EPOCH_MS + minute * MINUTE_MS)


def resigned(data: bytes) -> bytes:
    """Return the same record under the other valid signature, (r, n - s)."""
    s = ORDER - int.from_bytes(data[-32:], "big")
    return data[:-32] + s.to_bytes(32, "big")


class Bench:
    """A ledger in memory with what it takes to make bundles of it.

    Args:
        seed: of the log's key.
        store: where it is kept; in memory if left out.
    """

    def __init__(self, seed: int = 1, store: MemoryStore | SqliteStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.signer = CheckpointSigner("wattest/bench", bytes([seed]) * 32)
        self.ledger = Ledger(self.store, self.signer)
        self.enrolments: list[tuple[int, Enrolment]] = []
        self.records: list[tuple[int, Record]] = []
        self.terms: dict[str, Terms] = {}
        self.estimates: dict[int, LoggedEstimate] = {}

    @property
    def log(self) -> str:
        return self.signer.verifier.to_text()

    def append(self, kind: EntryKind, body: bytes) -> int:
        (outcome,) = self.ledger.append([NewEntry(kind=kind, body=body)])
        assert isinstance(outcome, Receipt)
        return outcome.index

    def enrol(self, enrolment: Enrolment) -> int:
        index = self.append(EntryKind.ENROLMENT, enrolment.to_cbor())
        if enrolment.action is not EnrolmentAction.RETIRE:
            self.enrolments.append((index, enrolment))
        return index

    def add(self, *bodies: bytes) -> None:
        """Log records in one commit; a second content of a number becomes a conflict."""
        records = [parse_record(body) for body in bodies]
        outcomes = self.ledger.append([record_entry(record) for record in records])
        for record, outcome in zip(records, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                self.records.append((outcome.index, record))

    def log_terms(self, text: str) -> Terms:
        terms = parse_terms(text, "terms.toml")
        self.append(EntryKind.TERMS, terms_to_cbor(terms))
        self.terms[terms.contract] = terms
        return terms

    def settle(
        self,
        contract: str,
        start_ms: int,
        end_ms: int,
        *,
        generation: int = 1,
        final: bool = False,
        opening: int | None = None,
    ) -> Statement:
        """Draw and log a statement on everything that is there."""
        newest = self.ledger.checkpoint()
        assert newest is not None
        bound = Cutoff(size=newest.checkpoint.size, root=newest.checkpoint.root)
        book = ReadingBook()
        for index, record in self.records:
            book.add(record, index=index)
        statement = settle(
            self.terms[contract],
            book.readings(),
            Window(start_ms=start_ms, end_ms=end_ms),
            nodes=[node_of_enrolment(e, index=index) for index, e in self.enrolments],
            cutoff=bound,
            generation=generation,
            final=final,
            opening=opening,
            estimates=estimates_of(self.estimates),
        )
        self.append(EntryKind.STATEMENT, statement.to_cbor())
        return statement

    def digest(self, contract: str) -> bytes:
        return terms_hash(self.terms[contract])

    def cosign(self, *witnesses: Cosigner) -> None:
        """Have witnesses cosign the newest checkpoint."""
        newest = self.ledger.checkpoint()
        assert newest is not None
        text = parse_note(newest.note).text
        lines = [w.sign(text, EPOCH_MS // 1000 + 7_200).line.encode() for w in witnesses]
        self.store.add_cosignatures(newest.checkpoint.size, [line.strip() for line in lines])

    def rotate(self, seed: int) -> None:
        """Let another key of the log sign from now on."""
        self.signer = CheckpointSigner("wattest/bench", bytes([seed]) * 32)
        self.ledger.rotate(self.signer)

    def maker(self) -> BundleMaker:
        return BundleMaker(self.store, self.signer.verifier, MAKER)

    def bundle(self, contract: str, *, place: int = -1) -> bytes:
        """Return the bundle of one statement of a contract, by default of the last period."""
        maker = self.maker()
        return maker.statement(subjects_of(maker.catalogue, contract)[place])

    def session(self) -> bytes:
        """Return the bundle of the first session."""
        maker = self.maker()
        return maker.session(maker.selection.sessions()[0][1])

    def reading(self, meter: Meter, seq: int, ctx: int = 0) -> bytes:
        return self.maker().reading(ReadingSubject(kid=meter.kid, ctx=ctx, seq=seq))


def witness(number: int) -> Cosigner:
    return Cosigner(f"witness.example/{number}", bytes([0x40 + number]) * 32)
