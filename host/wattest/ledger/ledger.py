"""The append side of the ledger: idempotent, atomic, signed.

Invariants:
- What a receipt names is durable and covered by a signed checkpoint of the same commit.
- No two entries of kind reading or event share an identity (kid, ctx, seq).
- No checkpoint is signed unless it is proved consistent with the one before.
- A failed commit leaves the stored ledger as it was, and this object usable.
- The ledger goes on from the checkpoint kept outside of it, if there is one: a ledger that was cut
  short, or an older copy put in its place, is refused before anything is signed.

Several programs may append to one ledger: each waits for its turn, looks at what the others logged
meanwhile, and goes on from there. They share the key that signs checkpoints.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wattest.errors import CheckpointInconsistent, ProofInvalid, StoreError
from wattest.ledger.checkpoint import CheckpointSigner, SignedCheckpoint
from wattest.ledger.conflict import conflict_entry, dispute_entry
from wattest.ledger.entry import (
    Conflict,
    ConflictRow,
    Duplicate,
    Entry,
    NewEntry,
    Outcome,
    Receipt,
    RecordFacts,
    RecordRow,
)
from wattest.ledger.kept_checkpoint import CheckpointCopy, check_kept
from wattest.ledger.proof import verify_consistency
from wattest.ledger.rotation import rotation_entry, signed_by_both
from wattest.ledger.store import Batch, Store, StoredCheckpoint, StoredEdge, StoredTile
from wattest.ledger.tree import leaf_hash
from wattest.ledger.view import ConsistencyProof, InclusionProof, LedgerView


@dataclass(slots=True)
class _Draft:
    """What one append call is about to commit."""

    first_index: int
    entries: list[Entry] = field(default_factory=list)
    records: dict[tuple[bytes, int, int], RecordRow] = field(default_factory=dict)
    conflicts: dict[tuple[bytes, int, int, bytes], ConflictRow] = field(default_factory=dict)


class Ledger:
    """An append-only ledger over a store.

    Args:
        store: empty, or a ledger that this signer's key has signed.
        signer: signs one checkpoint per commit.
        kept: the newest checkpoint outside of the store; replaced after each commit is durable.

    Raises:
        StoreError: the store, or the kept checkpoint, cannot be read.
        NoteError: the kept checkpoint is damaged.
        SignatureInvalid: the stored ledger belongs to another key or origin.
        CheckpointInconsistent: the stored tree is not the one last signed.
        ForkFound: it does not go on from the kept checkpoint.

    Every other method raises CheckpointInconsistent when the store goes back behind, or away from,
    what this object has seen there.
    """

    def __init__(
        self, store: Store, signer: CheckpointSigner, *, kept: CheckpointCopy | None = None
    ) -> None:
        self._store = store
        self._signer = signer
        self._successor: CheckpointSigner | None = None
        self._kept = kept
        self._view = LedgerView(store, signer.verifier)
        self._last_seq: dict[tuple[bytes, int], int] = {}
        self._known = self._view.checkpoint()
        self._stale = False
        self._copied = kept is None
        self._check_kept()

    @property
    def size(self) -> int:
        """Number of entries when this object last appended or looked."""
        return self._current().size

    def root(self) -> bytes:
        """Return the root over all entries, 32 bytes."""
        return self._current().root()

    def checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest signed checkpoint; None in an empty ledger."""
        return self._current().checkpoint()

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""
        return self._current().entries(start, stop)

    def proven_entries(self) -> Iterator[Entry]:
        """Yield all entries; as :meth:`LedgerView.proven_entries`."""
        return self._current().proven_entries()

    def entry(self, index: int) -> Entry:
        """Return one entry; raises as :meth:`LedgerView.entry`."""
        return self._current().entry(index)

    def prove_inclusion(self, index: int, size: int | None = None) -> InclusionProof:
        """Prove that an entry is in the tree; raises as :meth:`LedgerView.prove_inclusion`."""
        return self._current().prove_inclusion(index, size)

    def prove_consistency(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """Prove append-only growth; raises as :meth:`LedgerView.prove_consistency`."""
        return self._current().prove_consistency(old_size, new_size)

    def append(self, entries: Sequence[NewEntry]) -> list[Outcome]:
        """Log entries in one durable transaction, with one new checkpoint.

        While another program appends, this one waits. Signatures of records are verified before:
        the turn to write is held for a few milliseconds.

        A record whose identity is logged already is not logged again: the same content gives
        :class:`Duplicate`, whatever its signature; another content is kept inside a finding entry,
        a dispute entry right behind it says that it is disputed, and gives :class:`Conflict`, the
        same one however often that content comes back.

        Args:
            entries: in order; a few hundred at a time amortise the disk's flush.

        Returns:
            One outcome per entry, in order.

        Raises:
            StoreError: nothing of this call was logged; call again when the cause is gone.
            CheckpointInconsistent: the new tree does not extend the last signed one; nothing was
                signed or logged.
        """
        if not entries:
            return []
        self._copy()  # of the commit before, if that failed
        try:
            with self._store.turn() as size:
                self._stale |= size != self._view.size
                view = self._current()
                draft = _Draft(first_index=view.size)
                placed = [self._place(entry, draft) for entry in entries]
                if draft.entries:
                    self._commit(draft)
        except BaseException:
            self._stale = True
            raise
        size = view.size
        return [Receipt(index=x, size=size) if isinstance(x, int) else x for x in placed]

    def rotate(self, successor: CheckpointSigner) -> Receipt:
        """Let another key sign from now on; the old one names it in an entry.

        The checkpoint of this commit is signed by both keys, later ones by the new key alone.

        Raises:
            ValueError: it is the same key, or one of another ledger.
            StoreError: nothing was logged, the old key goes on.
        """
        entry = rotation_entry(self._signer, successor.verifier)
        self._successor = successor
        try:
            (outcome,) = self.append([entry])
        finally:
            self._successor = None
        assert isinstance(outcome, Receipt), "only records can be duplicates"
        self._signer = successor
        self._view.follow(successor.verifier)
        if self._kept is not None:
            self._kept = self._kept.of(successor.verifier)
            self._keep_copy()
        return outcome

    def _sign(self, size: int, root: bytes) -> SignedCheckpoint:
        signed = self._signer.sign(size, root)
        if self._successor is not None:
            signed = signed_by_both(signed, self._successor.sign(size, root))
        return signed

    def _current(self) -> LedgerView:
        """Look again where the ledger stands, if others may have appended or a commit failed."""
        if not self._stale:
            return self._view
        self._view.refresh()
        try:
            _check_extends(self._view, self._known, self._view.root())
        except ProofInvalid as exc:
            raise CheckpointInconsistent(
                f"the stored ledger is not the one that was written to: {exc}",
                hint="stop every program that writes to it, then run `wattest verify`",
            ) from exc
        self._known = self._view.checkpoint()
        self._last_seq.clear()
        self._stale = False
        return self._view

    def _place(self, entry: NewEntry, draft: _Draft) -> int | Duplicate | Conflict:
        """Put an entry into the draft, or say which logged one stands for it."""
        facts = entry.facts
        if facts is None:
            return self._draft_entry(entry, draft)
        known = self._logged(facts, draft)
        if known is None:
            index = self._draft_entry(entry, draft)
            row = RecordRow(index=index, facts=facts)
            draft.records[facts.kid, facts.ctx, facts.seq] = row
            return index
        if known.facts.content_digest == facts.content_digest:
            return Duplicate(index=known.index)
        return self._place_conflict(entry, facts, known.index, draft)

    def _place_conflict(
        self, entry: NewEntry, facts: RecordFacts, first_index: int, draft: _Draft
    ) -> Conflict:
        place = (facts.kid, facts.ctx, facts.seq, facts.content_digest)
        row = draft.conflicts.get(place) or self._store.find_conflict(*place)
        if row is None:
            finding = conflict_entry(facts, entry.body, first_index)
            index = self._draft_entry(finding, draft)
            self._draft_entry(dispute_entry(facts, first_index, index), draft)
            row = ConflictRow(
                kid=facts.kid,
                ctx=facts.ctx,
                seq=facts.seq,
                content_digest=facts.content_digest,
                first_index=first_index,
                index=index,
            )
            draft.conflicts[place] = row
        return Conflict(index=row.index, first_index=first_index)

    def _logged(self, facts: RecordFacts, draft: _Draft) -> RecordRow | None:
        """Find the row of an identity; a seq above all logged ones needs no look-up."""
        series = (facts.kid, facts.ctx)
        last = self._last_seq.get(series)
        if last is None:
            last = self._store.last_seq(*series)
        self._last_seq[series] = max(last, facts.seq)
        if facts.seq > last:
            return None
        row = draft.records.get((facts.kid, facts.ctx, facts.seq))
        return row or self._store.find_record(facts.kid, facts.ctx, facts.seq)

    def _draft_entry(self, entry: NewEntry, draft: _Draft) -> int:
        index = draft.first_index + len(draft.entries)
        kind = int(entry.kind)
        leaf = leaf_hash(kind, entry.body)
        draft.entries.append(Entry(index=index, kind=kind, body=entry.body, leaf=leaf))
        self._view.tree.push(leaf)
        return index

    def _commit(self, draft: _Draft) -> None:
        tree = self._view.tree
        root = tree.root()
        self._check_extends_last(root)
        signed = self._sign(tree.size, root)
        self._store.commit(
            Batch(
                first_index=draft.first_index,
                entries=draft.entries,
                records=tuple(draft.records.values()),
                conflicts=tuple(draft.conflicts.values()),
                tiles=[
                    StoredTile(level=level, number=number, hashes=hashes)
                    for level, number, hashes in tree.full_tiles()
                ],
                edges=[
                    StoredEdge(level=level, hashes=hashes)
                    for level, hashes in tree.touched_edges()
                ],
                checkpoint=StoredCheckpoint(size=tree.size, root=root, note=signed.note),
            )
        )
        self._view.settle(signed)
        self._known = signed
        self._keep_copy()

    def _check_kept(self) -> None:
        note = None if self._kept is None else self._kept.read()
        if self._kept is not None and note is not None:
            check_kept(self._view, note, where=self._kept.where)

    def _keep_copy(self) -> None:
        """Keep the checkpoint of this commit outside; if that fails, the next append says so."""
        self._copied = self._kept is None
        with contextlib.suppress(StoreError):
            self._copy()

    def _copy(self) -> None:
        """Keep the newest checkpoint outside, too, unless it is there."""
        if self._kept is not None and self._known is not None and not self._copied:
            self._kept.write(self._known.note)
        self._copied = True

    def _check_extends_last(self, root: bytes) -> None:
        try:
            _check_extends(self._view, self._view.checkpoint(), root)
        except ProofInvalid as exc:
            raise CheckpointInconsistent(f"refused to sign a checkpoint: {exc}") from exc


def _check_extends(view: LedgerView, last: SignedCheckpoint | None, root: bytes) -> None:
    """Check that a view's tree, which has ``root``, only appended to an older one."""
    if last is None:
        return
    old = last.checkpoint
    if old.size > view.size:
        raise ProofInvalid(f"expected {old.size} entries or more, got {view.size}")
    proof = view.prove_consistency(old.size)
    verify_consistency(old.size, proof.new_size, old.root, root, proof.path)
