"""Logged statements with what exports show beside them: zone, records, registers over time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wattest.errors import DecodeError, ProofInvalid, SettlementError
from wattest.exports.placed import EvidenceRecord, PlacedStatement, record_indexes
from wattest.exports.statement_form import check_form
from wattest.ledger import EntryKind, LedgerView, RecordFacts, RecordRow, leaf_hash
from wattest.operations.kept.ledger_view import open_view
from wattest.settlement import read_statement, terms_from_cbor
from wattest.wire import parse_record

_Series = dict[tuple[bytes, str], tuple[tuple[int, int], ...]]


def statements_of(path: Path) -> tuple[PlacedStatement, ...]:
    """Return the statements of the run in ``path``, in the ledger's order, without their evidence.

    All entries are checked against the newest checkpoint; amounts are not recomputed here: the
    audit does that.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        CheckpointInconsistent: its entries are not those the checkpoint covers.
        SettlementError: an entry is no statement.
    """
    found = []
    zones: dict[bytes, str] = {}
    with open_view(path) as view:
        for entry in view.proven_entries():
            if entry.kind == EntryKind.TERMS:
                zones[hashlib.sha256(entry.body).digest()] = _zone(entry.body)
            if entry.kind != EntryKind.STATEMENT:
                continue
            document = read_statement(entry.body)
            found.append(_placed(view, entry.index, document, zones, path))
    return tuple(found)


def with_evidence(
    path: Path, statements: Sequence[PlacedStatement]
) -> tuple[PlacedStatement, ...]:
    """Return statements with the records they name, and the registers of their keys over time.

    Args:
        path: the kept run they come from.
        statements: any of its statements.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        ProofInvalid: an entry is not the one the checkpoint covers.
    """
    with open_view(path) as view:
        rows: dict[bytes, list[RecordRow]] = {}
        return tuple(
            replace(
                placed,
                records={
                    at: record
                    for at in sorted(set(record_indexes(placed.document)))
                    if (record := _record(view, at)) is not None
                },
                series=_series(view, placed.document, rows),
            )
            for placed in statements
        )


def _placed(
    view: LedgerView, index: int, document: dict[str, Any], zones: dict[bytes, str], path: Path
) -> PlacedStatement:
    newest = view.checkpoint()
    try:
        check_form(document)
    except SettlementError as exc:
        raise SettlementError(f"entry {index}: {exc}") from exc
    return PlacedStatement(
        index=index,
        document=document,
        zone=zones.get(document["terms"], "UTC"),
        origin="" if newest is None else newest.checkpoint.origin,
        folder=str(path),
    )


def _zone(body: bytes) -> str:
    """Return the zone of logged terms; those of another version are read as UTC."""
    try:
        return terms_from_cbor(body).zone
    except SettlementError:
        return "UTC"


def _record(view: LedgerView, index: int) -> EvidenceRecord | None:
    """Return the record at an entry, or None if another thing or nothing lies there."""
    if not 0 <= index < view.size:
        return None
    proof, entry = view.prove_inclusion(index), view.entry(index)
    proof.verify(view.root())
    if leaf_hash(entry.kind, entry.body) != proof.leaf:
        raise ProofInvalid(f"entry {index}: not the one that the checkpoint covers")
    try:
        record = parse_record(entry.body)
    except DecodeError:
        return None
    return EvidenceRecord(
        index=index,
        kid=record.kid,
        ctx=int(record.ctx),
        seq=record.seq,
        content_digest=record.content_digest,
        leaf=entry.leaf,
    )


def _series(
    view: LedgerView, document: Mapping[str, Any], rows: dict[bytes, list[RecordRow]]
) -> _Series:
    """Return the registers of every key of a statement over its period, times ascending."""
    start_ms, end_ms = document["period"]
    size = document["cutoff"]["size"]
    wanted = {
        (key["kid"], line["quantity"])
        for line in document["lines"]
        for usage in line.get("usage", ())
        for key in usage["keys"]
    }
    found: _Series = {}
    for kid, quantity in sorted(wanted):
        if kid not in rows:
            rows[kid] = list(view.records(kid))
        points = [
            (row.facts.time_ms, value)
            for row in rows[kid]
            if row.index < size
            and row.facts.time_ms is not None
            and start_ms <= row.facts.time_ms <= end_ms
            and (value := _register(row.facts, quantity)) is not None
        ]
        found[kid, quantity] = tuple(sorted(points))
    return found


def _register(facts: RecordFacts, quantity: str) -> int | None:
    return {
        "import_energy": facts.import_milliwh,
        "export_energy": facts.export_milliwh,
        "use_time": facts.use_s,
    }.get(quantity)
