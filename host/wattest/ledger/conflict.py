"""What is logged when a node signed two contents for one number: a finding and a dispute.

The finding keeps the later record as evidence; the dispute right behind it holds back what every
contract would pay for the doubtful interval (docs/accounts.md).

Source: docs/formats.md section 4.
"""

from __future__ import annotations

from wattest.ledger.entry import EntryKind, NewEntry, RecordFacts
from wattest.wire.enrolment import KeptFinding
from wattest.wire.entries import MachineDispute

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


def dispute_entry(facts: RecordFacts, first_index: int, finding_index: int) -> NewEntry:
    """Make the dispute entry that follows a finding entry.

    Args:
        facts: of the later record.
        first_index: the entry that holds the identity's first content.
        finding_index: the finding entry.
    """
    dispute = MachineDispute(
        kid=facts.kid,
        ctx=facts.ctx,
        seq=facts.seq,
        first_index=first_index,
        finding_index=finding_index,
    )
    return NewEntry(kind=EntryKind.DISPUTE, body=dispute.to_cbor())
