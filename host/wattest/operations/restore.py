"""A verifier as it was when the host died: folded from what the ledger holds."""

from __future__ import annotations

from wattest.ledger import EntryKind, LedgerView
from wattest.ledger.store import Store
from wattest.verify import Verifier
from wattest.wire import parse_enrolment, parse_record


def restored_verifier(view: LedgerView, store: Store) -> Verifier:
    """Return a verifier that goes on where the ledger ends.

    Args:
        view: the ledger, opened under its key.
        store: answers for records that are no longer remembered.
    """
    verifier = Verifier(lookup=lambda kid, ctx, seq: _content_digest(store, kid, ctx, seq))
    for entry in view.entries():
        if entry.kind == EntryKind.ENROLMENT:
            verifier.enrol(parse_enrolment(entry.body))
        elif entry.kind in (EntryKind.READING, EntryKind.EVENT):
            verifier.fold(parse_record(entry.body))
    return verifier


def _content_digest(store: Store, kid: bytes, ctx: int, seq: int) -> bytes | None:
    row = store.find_record(kid, ctx, seq)
    return row.facts.content_digest if row else None
