"""A kept ledger opened to log acts and statements under the key that signed it so far.

A live collection keeps that key in `ledger.key`. That of a run in virtual time derives from its
seed, as all its keys do: whoever has the folder can go on with it, and its statements say TEST.
Files beside the ledger are brought up to date when the desk is closed; a program killed before
that leaves a sound ledger, and the next one to close brings them up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from wattest.errors import ConfigError, VerificationError
from wattest.ledger import (
    CheckpointSigner,
    CheckpointVerifier,
    Entry,
    EntryKind,
    Ledger,
    LedgerView,
    NewEntry,
    Receipt,
    leaf_hash,
)
from wattest.ledger.kept_checkpoint import check_kept
from wattest.ledger.store import Store
from wattest.operations.commission.home import Home
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.kept.statement_files import statement_files
from wattest.operations.live.folder import LiveDir
from wattest.operations.party_key import PartyKey
from wattest.operations.rundir import RunDir, write_whole
from wattest.operations.virtual.demo_keys import demo_key
from wattest.settlement import read_statement
from wattest.settlement.folding import AccountsFold, problems
from wattest.store import open_store
from wattest.wire.act import AnyAct


class AccountsDesk:
    """The open folder; a context manager.

    Args:
        path: folder of a kept run.

    Attributes:
        ledger: to append to.
        fold: the accounts as far as the ledger was read.

    Raises:
        ConfigError: this is no kept run, it goes on, or the key of its ledger is not here.
        StoreError: its ledger cannot be used.
        CheckpointInconsistent: its ledger is not the one that was kept.
    """

    def __init__(self, path: Path) -> None:
        self.run = RunDir(path)
        self._values = self.run.read_json()
        self._stack = ExitStack()
        self._live: LiveDir | None = None
        try:
            self._store, self._signer = self._open()
            self.ledger = self._take_up()
            self.fold = AccountsFold()
            self._read = 0
            self.catch_up()
        except BaseException:
            self._leave_as_found()
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bring the files beside the ledger up to date, and let it go."""
        try:
            self._write_beside()
        finally:
            self._stack.close()

    def log(self, entries: Sequence[NewEntry]) -> list[int]:
        """Log entries, durably; return their places.

        Raises:
            StoreError: nothing was logged.
        """
        outcomes = self.ledger.append(entries)
        self.catch_up()
        return [item.index for item in outcomes if isinstance(item, Receipt)]

    def act(self, act: AnyAct, key: PartyKey) -> int:
        """Sign an act, see what it would do, and log it; return its place.

        Raises:
            VerificationError: it would do nothing, and why; it is not logged.
            StoreError: it was not logged.
        """
        entry = key.entry(act)
        expected = self._read  # another bench may be there first
        leaf = leaf_hash(int(entry.kind), entry.body)
        self.fold.take(Entry(index=expected, kind=int(entry.kind), body=entry.body, leaf=leaf))
        refused = [text for place, text in problems(self.fold) if place == expected]
        self.fold, self._read = AccountsFold(), 0
        if refused:
            self.catch_up()
            raise VerificationError(f"{act.kind.name.lower()}: not logged: {refused[0]}")
        (index,) = self.log([entry])
        return index

    def rotate(self) -> tuple[Receipt, CheckpointVerifier]:
        """Let another key sign the ledger from now on; return the entry and the new key.

        Raises:
            ConfigError: the key derives from the seed of a run, so another one would prove less.
            StoreError: the old key goes on.
        """
        if self._live is None:
            raise ConfigError(
                "the key of a run in virtual time derives from its seed and stays",
                path=str(self.run.path),
                hint="give the folder of a live collection",
            )
        receipt = self._live.rotate(self.ledger)
        self._signer = self._live.signer
        self._values = self.run.read_json() | {"finished": self._values.get("finished")}
        self.catch_up()
        return receipt, self._signer.verifier

    def catch_up(self) -> None:
        """Fold what was appended to the ledger since."""
        whole = self._read == 0  # what we appended since needs no proof
        for entry in self.ledger.proven_entries() if whole else self.ledger.entries(self._read):
            self.fold.take(entry)
            self._read = entry.index + 1

    def _open(self) -> tuple[Store, CheckpointSigner]:
        if self._values.get("live") is True:
            home = Home.find()
            self._live = self._stack.enter_context(
                LiveDir(
                    self.run.path,
                    epoch_ms=int(self._values["epoch_ms"]),
                    interval_ms=int(self._values["interval_ms"]),
                    demo_keys=False,
                    copies=home.ledgers if home.path.is_dir() else None,
                )
            )
            return self._live.store, self._live.signer
        if self._values.get("finished") is not True:
            raise ConfigError(
                "the run has not come to its end",
                path=str(self.run.path),
                hint="let it finish, or run it again",
            )
        verifier = checkpoint_verifier(self.run)
        seed = self._values.get("seed")
        signer = CheckpointSigner(verifier.origin, demo_key(int(seed or 0), "ledger"))
        if signer.verifier.to_text() != verifier.to_text():
            raise ConfigError(
                "the key that signs this ledger is not here, so nothing can be added",
                path=str(self.run.path),
            )
        return self._stack.enter_context(open_store(self.run.ledger_place)), signer

    def _take_up(self) -> Ledger:
        """Open the ledger; it must go on from every checkpoint of it that is kept outside."""
        if self._live is not None:
            return self._live.open_ledger()
        note = self._values.get("checkpoint")
        if isinstance(note, str) and note:
            view = LedgerView(self._store, self._signer.verifier)
            check_kept(view, note.encode(), where=str(self.run.run_json))
        return Ledger(self._store, self._signer)

    def _leave_as_found(self) -> None:
        """Take back what opening wrote: no collection goes on in a folder that was refused."""
        if self._live is not None and self._values.get("finished") is True:
            self._live.end(self._values)

    def _write_beside(self) -> None:
        """Write what repeats the ledger: newest statements, size and checkpoint, digests."""
        signed = self.ledger.checkpoint()
        stated = {
            "entries": self.ledger.size,
            "checkpoint": signed.note.decode() if signed else "",
        }
        if self._live is not None:
            if self._values.get("finished") is True:
                self._live.end({**self._values, **stated})
            return
        changed = {**self._values, **stated} != self._values
        for entry in self.ledger.entries():
            if entry.kind == EntryKind.STATEMENT:
                changed |= self._write_statement(entry)
        if changed:
            self.run.write_json({**self._values, **stated})
            self.run.write_digests()

    def _write_statement(self, entry: Entry) -> bool:
        """Write the files of the newest generation of a period; return whether they are new."""
        document = read_statement(entry.body)
        contract = self.fold.contracts.get(document["contract"])
        account = contract and contract.periods.get(document["period"][0])
        if not account or account.index != entry.index:
            return False
        changed = False
        for name, content in statement_files(entry.body, index=entry.index).items():
            path = self.run.statements / name
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)
                changed = True
        return changed
