"""The folder of a live collection: a run's folder that is gone on with, over and over.

Beside what every run has it holds `ledger.key`, the seed of the ledger's signing key, drawn from
the operating system and readable by its owner only, and a lock: one collector at a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wattest import __version__
from wattest.errors import ConfigError, StoreError
from wattest.ledger import Ledger, LedgerView, Receipt
from wattest.ledger.kept_checkpoint import check_kept
from wattest.operations.live.ledger_key import LedgerKey
from wattest.operations.rundir import CHECKPOINT_KEY, FrameLog, RunDir
from wattest.store import open_store
from wattest.witness import FileCopy

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class LiveDir:
    """The open folder; a context manager.

    Args:
        path: made if it is not there; gone on with if it holds a live collection.
        epoch_ms: now, UTC ms since 1970.
        interval_ms: record interval of the nodes.
        demo_keys: some of the nodes' keys derive from a seed.
        copies: folder outside that keeps the ledger's newest checkpoint, too; None: nobody does.

    Attributes:
        resumed: it held one.

    Raises:
        ConfigError: it is a file, or holds another kind of run, or another collector has it.
        StoreError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        epoch_ms: int,
        interval_ms: int,
        demo_keys: bool,
        copies: Path | None = None,
    ) -> None:
        self.run = RunDir(path)
        if path.exists() and not path.is_dir():
            raise ConfigError("is a file, expected a folder", path=f"--out {path}")
        self.resumed = self._is_live()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.run.statements.mkdir(exist_ok=True)
            self._lock = os.open(path / "collector.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise StoreError(f"{path}: cannot make the folder: {exc.strerror}") from exc
        try:
            self._take_lock()
            self._key = LedgerKey(path)
            self.signer = self._key.signer(make=not self.resumed)
            self._values = self._begun(epoch_ms)
            self._begin(interval_ms=interval_ms, demo_keys=demo_keys)
            self.store = open_store(self.run.ledger_place, create=True)
        except BaseException:
            os.close(self._lock)
            raise
        try:
            self._follow_key()
        except BaseException:
            self.store.close()
            os.close(self._lock)
            raise
        self._copy = None if copies is None else FileCopy(copies, self.signer.verifier)
        mend_frames(self.run)
        self.frames = FrameLog(self.run)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything and let the lock go."""
        self.frames.close()
        self.store.close()
        os.close(self._lock)

    @property
    def begun_ms(self) -> int:
        """When the first collection into this folder began, UTC ms since 1970."""
        return int(self._values["epoch_ms"])

    def _begin(self, *, interval_ms: int, demo_keys: bool) -> None:
        """Say in run.json that a collection goes on, before there is a ledger without one."""
        self._values["interval_ms"] = interval_ms
        self._values["demo_keys"] = demo_keys or bool(self._values.get("demo_keys"))
        self._values["finished"] = False
        self.run.write_json(self._values)

    def end(self, values: Mapping[str, Any]) -> None:
        """Say in run.json how the collection ended."""
        self.run.write_json({**self._values, **values, "finished": True})

    def open_ledger(self) -> Ledger:
        """Return the ledger; it must go on from every checkpoint of it that was kept elsewhere.

        Raises:
            NoteError: a kept checkpoint is damaged.
            StoreError: the ledger or a kept checkpoint cannot be read.
            VerificationError: the ledger was cut short, replaced by an older copy, or rewritten.
        """
        ledger = Ledger(self.store, self.signer, kept=self._copy)
        note = self._values.get("checkpoint")
        if isinstance(note, str) and note:
            view = LedgerView(self.store, self.signer.verifier)
            check_kept(view, note.encode(), where=str(self.run.run_json))
        return ledger

    def _is_live(self) -> bool:
        if not self.run.run_json.exists():
            if self.run.ledger.exists():
                raise ConfigError("holds a ledger without run.json", path=f"--out {self.run.path}")
            return False
        if self.run.read_json().get("live") is not True:
            raise ConfigError(
                "holds a run that is no live collection",
                path=f"--out {self.run.path}",
                hint="choose another folder",
            )
        return True

    def _take_lock(self) -> None:
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._lock, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise ConfigError(
                "another collector is at work there",
                path=f"--out {self.run.path}",
                hint="stop it, or choose another folder",
            ) from exc

    def _follow_key(self) -> None:
        """Finish a change of the key that was interrupted, and name the key that signs now."""
        if self._key.settle(self.store):
            self.signer = self._key.signer(make=False)
        named = self.signer.verifier.to_text()
        head = self.store.head().checkpoint
        if head is not None and self._values.get(CHECKPOINT_KEY) != named:
            self.signer.verifier.open(head.note)  # refuses a key that never signed this ledger
            self._values[CHECKPOINT_KEY] = named
            self.run.write_json(self._values)

    def rotate(self, ledger: Ledger) -> Receipt:
        """Let another key sign the ledger from now on, and keep that one in place of the old.

        Raises:
            StoreError: the old key goes on.
        """
        successor = self._key.prepare()
        receipt = ledger.rotate(successor)
        self._key.take()
        self.signer = successor
        self._follow_key()
        return receipt

    def _begun(self, epoch_ms: int) -> dict[str, Any]:
        if self.resumed:
            return self.run.read_json()
        return {
            "wattest": __version__,
            CHECKPOINT_KEY: self.signer.verifier.to_text(),
            "scenario": "live",
            "title": "live collection",
            "live": True,
            "epoch_ms": epoch_ms,
            "seed": 0,
            "duration_ns": 0,
        }


def mend_frames(run: RunDir) -> None:
    """Cut frames.bin and frames.csv back to the last chunk that both hold whole.

    A program that was killed may have written one further than the other.
    """
    if not run.frames.exists() or not run.frames_index.exists():
        return
    size = run.frames.stat().st_size
    lines = run.frames_index.read_bytes().splitlines(keepends=True)
    while len(lines) > 1 and not _is_whole(lines[-1], size):
        lines.pop()
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    os.truncate(run.frames_index, sum(map(len, lines)))
    os.truncate(run.frames, _end(lines[-1]) if len(lines) > 1 else 0)


def _is_whole(line: bytes, size: int) -> bool:
    return line.endswith(b"\n") and _end(line) <= size


def _end(line: bytes) -> int:
    _, _, offset, length = line.rsplit(b",", 3)
    return int(offset) + int(length)
