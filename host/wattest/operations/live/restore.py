"""What a collector knew when it died, from what the ledger holds."""

from __future__ import annotations

from typing import Protocol

from wattest.ledger import EntryKind, LedgerView
from wattest.ledger.store import Store
from wattest.verify import Verdict, Verifier
from wattest.wire import Enrolment, Record, parse_enrolment, parse_record


class Rememberer(Protocol):
    """Who else wants to know what was logged before."""

    def enrolled(self, enrolment: Enrolment, index: int) -> None:
        """An enrolment is logged at ``index``."""

    def logged(self, record: Record, index: int, verdict: Verdict) -> None:
        """A record is logged at ``index``, with these findings; its key was enrolled before."""


def restored_verifier(
    view: LedgerView, store: Store, rememberer: Rememberer | None = None
) -> Verifier:
    """Return a verifier that goes on where the ledger ends.

    Args:
        view: the ledger, opened under its key.
        store: answers for records that are no longer remembered.
        rememberer: is told of every enrolment and record, in ledger order.

    Raises:
        StoreError: an entry is missing.
        CheckpointInconsistent: the entries are not those that were signed.
    """
    verifier = Verifier(lookup=lambda kid, ctx, seq: _content_digest(store, kid, ctx, seq))
    for entry in view.proven_entries():
        if entry.kind == EntryKind.ENROLMENT:
            enrolment = parse_enrolment(entry.body)
            verifier.enrol(enrolment)
            if rememberer is not None:
                rememberer.enrolled(enrolment, entry.index)
        elif entry.kind in (EntryKind.READING, EntryKind.EVENT):
            record = parse_record(entry.body)
            verdict = verifier.fold(record)
            if rememberer is not None:
                rememberer.logged(record, entry.index, verdict)
    return verifier


def _content_digest(store: Store, kid: bytes, ctx: int, seq: int) -> bytes | None:
    row = store.find_record(kid, ctx, seq)
    return row.facts.content_digest if row else None
