"""The folder that holds all of a run, so that anybody can audit it later, elsewhere.

Layout:

    run.json        what ran: scenario, seed, nodes, totals, verdicts; replaced whole
    scenario.toml   the scenario as it ran: `wattest run` takes it again
    ledger.sqlite   entries, tiles, checkpoints; its public key is in run.json
    ledger.url      instead of it: the database that holds the ledger, maybe for other benches, too
    frames.bin      every byte the nodes sent, in order of arrival
    frames.csv      t_ns,node,offset,length: one line a chunk of frames.bin
    witnesses.txt   keys of the witnesses whose cosignatures the ledger keeps
    statements/     one .json, .txt and .cbor a contract and period
    digests.txt     SHA-256 of the files above but the ledger, which explains itself entry by
                    entry, as `sha256sum -c` reads it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wattest.errors import ConfigError, StoreError

_FORMAT = 1
CHECKPOINT_KEY = "checkpoint_key"
"""Where run.json names the ledger's verifier key, as ``CheckpointVerifier.to_text`` writes it."""
LIVE_ORIGIN = "wattest/live"
"""Name of the ledger of a live collection; a run in virtual time names its own."""


@dataclass(frozen=True, slots=True)
class RunDir:
    """Paths of one run; nothing is opened or made by asking for them."""

    path: Path

    @property
    def run_json(self) -> Path:
        """What ran, and how it ended."""
        return self.path / "run.json"

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.path / "ledger.sqlite"

    @property
    def ledger_url(self) -> Path:
        """The file that names a database, if the ledger is in one."""
        return self.path / "ledger.url"

    @property
    def ledger_place(self) -> Path | str:
        """Where the ledger is, for ``open_store``: the SQLite file, or the URL of a database.

        Raises:
            ConfigError: ledger.url cannot be read, or is not one line.
        """
        if not self.ledger_url.exists():
            return self.ledger
        try:
            url = self.ledger_url.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot be read: {error}", path=str(self.ledger_url)) from error
        if "://" not in url or len(url.split()) != 1:
            raise ConfigError(
                "expected one line with the URL of a database",
                path=str(self.ledger_url),
                hint="write postgresql://user@host:5432/database",
            )
        return url

    @property
    def scenario(self) -> Path:
        """The scenario as it ran."""
        return self.path / "scenario.toml"

    @property
    def statements(self) -> Path:
        """Folder of the statements."""
        return self.path / "statements"

    @property
    def frames(self) -> Path:
        """Raw bytes from the nodes."""
        return self.path / "frames.bin"

    @property
    def frames_index(self) -> Path:
        """Times and nodes of the raw bytes."""
        return self.path / "frames.csv"

    @property
    def witnesses(self) -> Path:
        """Keys of the witnesses whose cosignatures the ledger keeps, a line each."""
        return self.path / "witnesses.txt"

    @property
    def digests(self) -> Path:
        """SHA-256 of every other file."""
        return self.path / "digests.txt"

    def make(self, *, scenario: str) -> None:
        """Create the folder for a new run.

        Args:
            scenario: text of the scenario as it will run.

        Raises:
            ConfigError: it is a file, or already holds a run.
            StoreError: it cannot be made.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError("is a file, expected a folder", path=f"--out {self.path}")
        if self.ledger.exists() or (self.ledger_url.exists() and self.run_json.exists()):
            raise ConfigError(
                "already holds a run",
                path=f"--out {self.path}",
                hint="choose another folder, or delete this one",
            )
        try:
            self.statements.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot make the folder: {error.strerror}") from error
        write_whole(self.scenario, scenario.encode())

    def write_json(self, values: Mapping[str, Any]) -> None:
        """Replace run.json whole: a reader sees the old one or the new one."""
        text = json.dumps({"format": _FORMAT, **values}, indent=2, sort_keys=True) + "\n"
        write_whole(self.run_json, text.encode())

    def read_json(self) -> dict[str, Any]:
        """Return run.json.

        Raises:
            ConfigError: this is not the folder of a run.
        """
        hint = "give the folder that `--out` named"
        if not self.path.is_dir():
            raise ConfigError("no such folder", path=str(self.path), hint=hint)
        if not self.run_json.exists():
            raise ConfigError("holds no run.json", path=str(self.path), hint=hint)
        try:
            values = json.loads(self.run_json.read_bytes())
            json.dumps(values, ensure_ascii=False).encode()  # refuses halves of characters
        except (ValueError, RecursionError, OSError) as error:
            raise ConfigError(f"cannot be read: {error}", path=str(self.run_json)) from error
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise ConfigError(f"expected format {_FORMAT}", path=str(self.run_json), hint=hint)
        return values

    def file_names(self) -> list[str]:
        """Return the name of every file below the folder, in order, that digests.txt lists.

        Not the ledger, which explains itself entry by entry. What SQLite keeps beside an open
        ledger belongs to it; so do the keys of its witnesses, who may come after the end.
        """
        return sorted(
            file.relative_to(self.path).as_posix()
            for file in self.path.rglob("*")
            if file.is_file()
            and file not in (self.digests, self.witnesses, self.ledger)
            and not file.name.endswith(("-wal", "-shm"))
        )

    def write_digests(self) -> None:
        """List SHA-256 of every file of the run but its ledger."""
        names = self.file_names()
        lines = (f"{_sha256(self.path / name)}  {name}\n" for name in names)
        write_whole(self.digests, "".join(lines).encode())


class FrameLog:
    """Appends every received byte to frames.bin and its time to frames.csv.

    Raises:
        StoreError: a file cannot be opened.
    """

    def __init__(self, run: RunDir) -> None:
        self._path = run.path
        with self._explained():
            self._bytes: BinaryIO = run.frames.open("ab")
            self._index: BinaryIO = run.frames_index.open("ab")
            self._offset = self._bytes.tell()
            if not self._index.tell():
                self._index.write(b"t_ns,node,offset,length\n")

    def append(self, t_ns: int, node: str, data: bytes) -> None:
        """Record ``data``, received from ``node`` at ``t_ns``.

        Raises:
            StoreError: the disk is full.
        """
        with self._explained():
            self._bytes.write(data)
            self._index.write(b"%d,%s,%d,%d\n" % (t_ns, node.encode(), self._offset, len(data)))
        self._offset += len(data)

    def flush(self) -> None:
        """Put everything on disk.

        Raises:
            StoreError: the disk is full.
        """
        with self._explained():
            for file in (self._bytes, self._index):
                file.flush()
                os.fsync(file.fileno())

    def close(self) -> None:
        """Close; what was flushed before is on disk."""
        for file in (self._bytes, self._index):
            with contextlib.suppress(OSError):
                file.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._path}: received bytes cannot be kept: {error.strerror}",
                hint="free some space, then run again",
            ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader never sees half of it.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
