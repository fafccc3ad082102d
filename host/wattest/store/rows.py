"""Rows of the ledger's tables: values in the order of the columns, and back.

What is stored may be damaged: a value of another type is named where it would break the reader,
and otherwise handed on, for the audit to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from wattest.errors import StoreError
from wattest.ledger.entry import ConflictRow, Entry, RecordFacts, RecordRow
from wattest.ledger.store import (
    Rows,
    StoredCheckpoint,
    StoredCosignature,
    StoredEdge,
    StoredTile,
)

Values: TypeAlias = tuple[Any, ...]
"""One row, as it is written and read."""


def _entry_values(row: Entry) -> Values:
    """Return the values of a row in the order of the table's columns; the others likewise."""
    return (row.index, row.kind, row.body, row.leaf)


def _record_values(row: RecordRow) -> Values:
    """Return the values of a record row."""
    facts = row.facts
    return (
        facts.kid,
        facts.ctx,
        facts.seq,
        row.index,
        facts.time_ms,
        facts.tsync,
        facts.mono_ms,
        facts.bootseed,
        facts.import_milliwh,
        facts.export_milliwh,
        facts.use_s,
        facts.power_milliwatts,
        facts.status,
        facts.err,
        facts.input,
        facts.content_digest,
    )


def _conflict_values(row: ConflictRow) -> Values:
    """Return the values of a conflict row."""
    return (row.kid, row.ctx, row.seq, row.content_digest, row.first_index, row.index)


def _tile_values(row: StoredTile) -> Values:
    """Return the values of a tile."""
    return (row.level, row.number, row.hashes)


def _edge_values(row: StoredEdge) -> Values:
    """Return the values of an edge."""
    return (row.level, row.hashes)


def _checkpoint_values(row: StoredCheckpoint) -> Values:
    """Return the values of a checkpoint."""
    return (row.size, row.root, row.note)


def _cosignature_values(row: StoredCosignature) -> Values:
    """Return the values of a cosignature."""
    return (row.size, row.line)


_VALUES: Mapping[str, tuple[str, Callable[[Any], Values]]] = {
    "entry": ("entries", _entry_values),
    "record": ("records", _record_values),
    "conflict": ("conflicts", _conflict_values),
    "tile": ("tiles", _tile_values),
    "edge": ("edges", _edge_values),
    "checkpoint": ("checkpoints", _checkpoint_values),
    "cosignature": ("cosignatures", _cosignature_values),
}


def values_by_table(rows: Rows) -> Iterator[tuple[str, Sequence[Values]]]:
    """Yield each table that gets rows, with their values."""
    for table, (attribute, values) in _VALUES.items():
        found = getattr(rows, attribute)
        if found:
            yield table, list(map(values, found))


def entry_of(row: Values) -> Entry:
    """Build an entry."""
    index, kind, body, leaf = row
    if type(kind) is not int or type(body) is not bytes or type(leaf) is not bytes:
        blob_of(body, "entry", index)
        blob_of(leaf, "entry", index)
        raise StoreError(f"entry {index}: expected an integer, got {type(kind).__name__}")
    return Entry(index=index, kind=kind, body=body, leaf=leaf)


def record_of(row: Values) -> RecordRow:
    """Build a row as stored; the audit compares it with the entry, so types need no check here."""
    kid, ctx, seq, index, *others = row
    time_ms, tsync, mono_ms, bootseed, *others = others
    import_milliwh, export_milliwh, use_s, power_milliwatts, *others = others
    status, err, from_where, content_digest = others
    facts = RecordFacts(
        kid=kid,
        ctx=ctx,
        seq=seq,
        time_ms=time_ms,
        tsync=tsync,
        mono_ms=mono_ms,
        bootseed=bootseed,
        import_milliwh=import_milliwh,
        export_milliwh=export_milliwh,
        use_s=use_s,
        power_milliwatts=power_milliwatts,
        status=status,
        err=err,
        input=from_where,
        content_digest=content_digest,
    )
    return RecordRow(index=index, facts=facts)


def conflict_of(row: Values) -> ConflictRow:
    """Build a conflict row as stored."""
    return ConflictRow(
        kid=row[0],
        ctx=row[1],
        seq=row[2],
        content_digest=row[3],
        first_index=row[4],
        index=row[5],
    )


def edge_of(row: Values) -> StoredEdge:
    """Build an edge."""
    level, hashes = row
    return StoredEdge(level=level, hashes=blob_of(hashes, "edge", level))


def checkpoint_of(row: Values) -> StoredCheckpoint:
    """Build a checkpoint."""
    size, root, note = row
    return StoredCheckpoint(
        size=size, root=blob_of(root, "checkpoint", size), note=blob_of(note, "checkpoint", size)
    )


def blob_of(value: Any, table: str, place: object) -> bytes:
    """Return a value that must be bytes; say where, if it is not."""
    if not isinstance(value, bytes):
        raise StoreError(f"{table} {place}: expected a blob, got {type(value).__name__}")
    return value
