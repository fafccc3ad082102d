"""From a record to its ledger entry and to the row that indexes it."""

from __future__ import annotations

from wattest.ledger.entry import EntryKind, NewEntry, RecordFacts
from wattest.wire.record import Ctx, Record

_STORED_MAX = 2**63 - 1


def record_kind(record: Record) -> EntryKind:
    """Return the kind of entry a record becomes: event for ctx 2, else reading."""
    return EntryKind.EVENT if record.ctx == Ctx.EVENT else EntryKind.READING


def record_entry(record: Record) -> NewEntry:
    """Make the entry for a verified record: its exact bytes, with the facts that index it."""
    return NewEntry(kind=record_kind(record), body=record.encoded, facts=facts_of(record))


def facts_of(record: Record) -> RecordFacts:
    """Derive the row of a record; the audit derives it again and compares."""
    return RecordFacts(
        kid=record.kid,
        ctx=int(record.ctx),
        seq=record.seq,
        time_ms=record.time_ms,
        tsync=int(record.tsync),
        mono_ms=record.mono_ms,
        bootseed=record.bootseed,
        import_milliwh=_storable(record.import_milliwatthours),
        export_milliwh=_storable(record.export_milliwatthours),
        use_s=_storable(record.use_s),
        power_milliwatts=_storable(record.power_milliwatts),
        status=record.status,
        err=record.err,
        input=int(record.input),
        content_digest=record.content_digest,
    )


def _storable(value: int | None) -> int | None:
    """Drop what a signed 64-bit column cannot hold; the record's bytes keep it."""
    return None if value is None or abs(value) > _STORED_MAX else value
