"""The finding entry that keeps a record whose identity was logged with another content.

Source: docs/formats.md section 4.
"""

from __future__ import annotations

from wattest.ledger.entry import EntryKind, NewEntry, RecordFacts
from wattest.wire.enrolment import KeptFinding

CONFLICT_CODE = "conflict"


def conflict_entry(facts: RecordFacts, body: bytes, first_index: int) -> NewEntry:
    """Make the finding entry.

    Args:
        facts: of the later record.
        body: its exact bytes.
        first_index: the entry that holds the identity's first content.
    """
    message = f"identity already logged with another content as entry {first_index}"
    finding = KeptFinding(
        code=CONFLICT_CODE,
        kid=facts.kid,
        ctx=facts.ctx,
        seq=facts.seq,
        message=message,
        record=body,
    )
    return NewEntry(kind=EntryKind.FINDING, body=finding.to_cbor())
