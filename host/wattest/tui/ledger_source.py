"""Where the ledger screen reads entries and proofs: the run's own file, opened beside the run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import DecodeError, SettlementError
from wattest.ledger import Entry, EntryKind, LedgerView
from wattest.operations.kept.ledger_view import open_view
from wattest.settlement import read_statement, terms_from_cbor
from wattest.tui.words import energy_text
from wattest.wire import parse_enrolment, parse_finding, parse_record

ENTRIES_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """An entry and its proof, which was checked against the signed root.

    Args:
        index: the entry.
        size: of the ledger.
        leaf: its leaf hash.
        path: siblings, lowest first.
        root: the signed root that they lead to.
        note: the signed checkpoint, whose signature holds.
    """

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes
    note: str


class LedgerSource:
    """The ledger of a run that is kept in a folder, read by a connection of its own.

    Args:
        folder: the run's.

    Raises:
        WattestError: it cannot be read, or its newest checkpoint does not hold.
    """

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._view: LedgerView = self._stack.enter_context(open_view(folder))

    @property
    def size(self) -> int:
        """Entries of the ledger, as of the last refresh."""
        return self._view.size

    def refresh(self) -> None:
        """Look again where the ledger stands; raises as the constructor does."""
        self._view.refresh()

    def newest(self) -> list[Entry]:
        """Return the newest entries, newest first."""
        start = max(self._view.size - ENTRIES_MAX, 0)
        return list(self._view.entries(start, self._view.size))[::-1]

    def prove(self, index: int) -> Inclusion:
        """Prove that an entry is under the newest checkpoint.

        Raises:
            ProofInvalid: it is not.
            StoreError: the ledger cannot be read.
        """
        signed = self._view.checkpoint()
        assert signed is not None, "an entry has a checkpoint above it"
        proof = self._view.prove_inclusion(index)
        proof.verify(signed.checkpoint.root)
        return Inclusion(
            index=index,
            size=proof.size,
            leaf=proof.leaf,
            path=proof.path,
            root=signed.checkpoint.root,
            note=signed.note.decode(),
        )

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


def entry_text(entry: Entry, names: dict[bytes, str]) -> str:
    """Say in a few words what an entry is.

    Args:
        entry: any entry.
        names: of the nodes, by key id.
    """
    try:
        return _entry_text(entry, names)
    except (DecodeError, SettlementError) as error:
        return f"cannot be read: {error}"


def _entry_text(entry: Entry, names: dict[bytes, str]) -> str:
    match entry.kind:
        case EntryKind.READING | EntryKind.EVENT:
            record = parse_record(entry.body)
            text = f"{names.get(record.kid, record.kid.hex())} {int(record.ctx)}/{record.seq}"
            if record.event is not None:
                return f"{text} {record.event.kind.name.lower().replace('_', '-')}"
            exported, imported = record.export_milliwatthours, record.import_milliwatthours
            if exported is None or imported is None:
                return text
            if exported > imported:
                return f"{text} {energy_text(exported)} out"
            return f"{text} {energy_text(imported)} in"
        case EntryKind.ENROLMENT:
            enrolment = parse_enrolment(entry.body)
            done = enrolment.action.name.lower()
            what = "enrolment" if done == "enrol" else f"enrolment ({done})"
            return f"{what} {enrolment.serial} ({enrolment.kind.name.lower()})"
        case EntryKind.TERMS:
            return f"terms of {terms_from_cbor(entry.body).contract}"
        case EntryKind.STATEMENT:
            return f"statement of {read_statement(entry.body)['contract']}"
        case EntryKind.FINDING:
            return f"finding {parse_finding(entry.body).code}"
        case _:
            return f"kind {entry.kind}"
