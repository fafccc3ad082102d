"""Make a bundle from a ledger: choose the entries, prove them, pack them. Same ledger, same bytes.

Source: docs/evidence.md sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from wattest.errors import NoteError, SettlementError, SignatureInvalid, VerificationError
from wattest.evidence import bundle
from wattest.evidence.catalogue import Catalogue, catalogue_of
from wattest.evidence.manifest import (
    GENERATIONS_MAX,
    ReadingSubject,
    SessionSubject,
    StatementSubject,
    WitnessAsk,
)
from wattest.evidence.manifest import Subject as ManifestSubject
from wattest.evidence.multiproof import prove_entries
from wattest.evidence.select import Selection, Subject
from wattest.evidence.steps_contract import witness_ask
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.cosignature import WitnessPolicy
from wattest.ledger.entry import Entry
from wattest.ledger.store import LedgerReader, StoredCheckpoint
from wattest.ledger.view import LedgerView
from wattest.settlement import terms_from_cbor
from wattest.wire.note import parse_note


class BundleMaker:
    """Makes bundles from one ledger.

    Args:
        reader: the ledger's storage.
        verifier: origin and key of its checkpoints.
        maker: program and version, for the manifest.

    Raises:
        StoreError: it cannot be read.
        VerificationError: its newest checkpoint does not hold.
    """

    def __init__(self, reader: LedgerReader, verifier: CheckpointVerifier, maker: str) -> None:
        self._reader = reader
        self._view = LedgerView(reader, verifier)
        self._log = verifier.to_text()
        self._maker = maker
        self.catalogue: Catalogue = catalogue_of(self._view.entries())
        self.selection = Selection(reader, self.catalogue)

    def statement(self, subject: Subject, extra: Mapping[str, bytes] | None = None) -> bytes:
        """Make the bundle of a statement.

        Args:
            subject: the statement.
            extra: members for people, such as ``statement.html``.

        Raises:
            VerificationError: what the statement rests on is not in this ledger.
            SettlementError: its terms cannot be read.
        """
        document = [*subject.statements.values()][-1]
        if len(subject.statements) > GENERATIONS_MAX:
            raise VerificationError(f"at most {GENERATIONS_MAX} generations expected")
        terms = {
            sha256(self.catalogue.bodies[index]).digest(): terms_from_cbor(
                self.catalogue.bodies[index]
            )
            for index, form in self.catalogue.terms.items()
            if form.get("contract") == subject.contract
        }
        indexes = self.selection.statement(subject, terms)
        ask = self._witness_ask(subject, document["terms"])
        newest = self._newest(max(indexes), ask)
        members: dict[str, bytes] = {}
        for number, statement in enumerate(subject.statements.values(), 1):
            cutoff = self._cutoff(statement["cutoff"]["size"])
            proof = self._view.prove_consistency(cutoff.size, newest.size)
            members[bundle.cutoff_name(number)] = cutoff.note
            members[bundle.consistency_name(number)] = b"".join(proof.path)
        about = StatementSubject(
            contract=subject.contract,
            period=subject.period,
            generations=len(subject.statements),
            terms=document["terms"],
            witness=ask,
        )
        return self._pack(about, indexes, newest, {**members, **(extra or {})})

    def session(self, subject: SessionSubject, extra: Mapping[str, bytes] | None = None) -> bytes:
        """Make the bundle of a session; ``extra`` as in :meth:`statement`."""
        indexes = self.selection.session(subject)
        return self._pack(subject, indexes, self._newest(max(indexes), WitnessAsk()), extra)

    def reading(self, subject: ReadingSubject, extra: Mapping[str, bytes] | None = None) -> bytes:
        """Make the bundle of one record; ``extra`` as in :meth:`statement`.

        Raises:
            UsageError: the ledger has no such record.
        """
        indexes = self.selection.reading(subject)
        return self._pack(subject, indexes, self._newest(max(indexes), WitnessAsk()), extra)

    def _pack(
        self,
        about: ManifestSubject,
        indexes: Iterable[int],
        newest: StoredCheckpoint,
        members: Mapping[str, bytes] | None = None,
    ) -> bytes:
        order = sorted(indexes)
        return bundle.pack(
            about,
            maker=self._maker,
            log=self._log,
            members={
                bundle.CHECKPOINT: self._with_cosignatures(newest),
                bundle.ENTRIES: bundle.encode_entries(self._read(order)),
                bundle.PROOF: prove_entries(self._view.node, order, newest.size),
                **(members or {}),
            },
        )

    def _read(self, order: list[int]) -> list[Entry]:
        """Read entries; neighbours together, for most of a bundle lies close together."""
        found: list[Entry] = []
        start = 0
        for place in range(1, len(order) + 1):
            if place == len(order) or order[place] - order[place - 1] > _READ_OVER:
                wanted = set(order[start:place])
                low, high = order[start], order[place - 1] + 1
                found += [e for e in self._view.entries(low, high) if e.index in wanted]
                start = place
        return found

    def _witness_ask(self, subject: Subject, digest: bytes) -> WitnessAsk:
        for index, document in self.catalogue.terms.items():
            if sha256(self.catalogue.bodies[index]).digest() == digest:
                return witness_ask(document)
        raise SettlementError(
            f"contract {subject.contract}: terms {digest.hex()} expected in the ledger, got none"
        )

    def _cutoff(self, size: int) -> StoredCheckpoint:
        for checkpoint in self._reader.checkpoints(size):
            if checkpoint.size == size:
                return checkpoint
            break
        raise VerificationError(f"the cut-off at {size} entries is no checkpoint of this ledger")

    def _newest(self, index: int, ask: WitnessAsk) -> StoredCheckpoint:
        """Return the newest checkpoint that covers an entry and has the witnesses it needs."""
        covering = [*self._reader.checkpoints(index + 1)]
        if not covering:
            raise VerificationError(f"a checkpoint that covers entry {index} expected, got none")
        if ask.threshold == 0:
            return covering[-1]
        policy = WitnessPolicy.from_texts(ask.threshold, ask.keys)
        for checkpoint in reversed(covering):
            note = parse_note(self._with_cosignatures(checkpoint))
            try:
                if len(policy.cosignatures(note.text, note.signatures)) >= ask.threshold:
                    return checkpoint
            except (NoteError, SignatureInvalid):
                continue
        raise VerificationError(
            f"no checkpoint that covers entry {index} has the cosignatures of {ask.threshold} of "
            f"{len(ask.keys)} witnesses, which the terms ask for",
            hint="have the newest checkpoint cosigned, then make the bundle again",
        )

    def _with_cosignatures(self, checkpoint: StoredCheckpoint) -> bytes:
        lines = [line.rstrip(b"\n") + b"\n" for line in self._reader.cosignatures(checkpoint.size)]
        return checkpoint.note + b"".join(lines)


_READ_OVER = 32
"""Entries in between that are read and dropped rather than asked around."""
