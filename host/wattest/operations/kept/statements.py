"""The statements of a kept run, as its ledger holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattest.ledger import Entry, EntryKind, LedgerView
from wattest.operations.kept.ledger_view import open_view
from wattest.settlement import read_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedStatement:
    """A statement and its place.

    Args:
        index: entry of the ledger; its inclusion under the newest checkpoint was checked.
        document: what it says.
    """

    index: int
    document: dict[str, Any]


def statements_of(path: Path) -> tuple[LoggedStatement, ...]:
    """Return the statements in the ledger of the run in ``path``, in the order they were logged.

    Their amounts are not recomputed here: the audit does that.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        ProofInvalid: an entry is not the one the checkpoint covers.
        SettlementError: an entry is no statement.
    """
    with open_view(path) as view:
        entries = [entry for entry in view.entries() if entry.kind == EntryKind.STATEMENT]
        return tuple(_read(view, entry) for entry in entries)


def _read(view: LedgerView, entry: Entry) -> LoggedStatement:
    view.prove_inclusion(entry.index).verify(view.root())
    return LoggedStatement(index=entry.index, document=read_statement(entry.body))
