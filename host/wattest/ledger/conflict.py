"""The finding entry that keeps a record whose identity was logged with another content.

    {1: "conflict", 2: kid, 3: ctx, 4: seq, 5: message, 6: the later record's bytes}

Source: docs/formats.md section 4.
"""

from __future__ import annotations

from wattest.ledger.entry import EntryKind, NewEntry, RecordFacts
from wattest.wire import cbor

CONFLICT_CODE = "conflict"


def conflict_entry(facts: RecordFacts, body: bytes, first_index: int) -> NewEntry:
    """Make the finding entry.

    Args:
        facts: of the later record.
        body: its exact bytes.
        first_index: the entry that holds the identity's first content.
    """
    message = f"identity already logged with another content as entry {first_index}"
    finding = {1: CONFLICT_CODE, 2: facts.kid, 3: facts.ctx, 4: facts.seq, 5: message, 6: body}
    return NewEntry(kind=EntryKind.FINDING, body=cbor.encode(finding))
