"""Copies a ledger from one place to another and proves that the copy is the same ledger.

Everything is written in one turn, and it is kept only after the copy was read back: the root
recomputed from its entries, its checkpoints, and the digest of every table. So a copy that fails
at any moment leaves nothing behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from wattest.errors import CheckpointInconsistent, ConfigError, StoreError
from wattest.ledger import CheckpointVerifier
from wattest.ledger.store import Head, LedgerReader, Rows
from wattest.ledger.tree import GrowingTree, leaf_hash
from wattest.operations.kept.ledger_view import LedgerPlace, checkpoint_verifier, find_ledger
from wattest.operations.rundir import RunDir
from wattest.store import is_url, open_store
from wattest.store.rows import values_by_table
from wattest.store.sql_store import SqlStore

_ROWS_PER_CHUNK = 1000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateProgress:
    """How far the copy is.

    Attributes:
        doing: ``copying`` or ``comparing``.
        rows: copied or compared so far, of all tables.
        done: entries copied and entries compared so far.
        whole: what ``done`` will be.
    """

    doing: str
    rows: int
    done: int
    whole: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateReport:
    """The copy is in place and the same ledger.

    Attributes:
        size: entries.
        root: over all of them, recomputed from the copy, 32 bytes.
        checkpoints: how many.
        rows: how many each table has.
        digests: SHA-256 over all rows of each table, equal in both places, hex.
        key: whose signature the newest checkpoint has, or None if nobody said.
    """

    size: int
    root: bytes
    checkpoints: int
    rows: Mapping[str, int]
    digests: Mapping[str, str]
    key: str | None


MigrateEvent: TypeAlias = MigrateProgress | MigrateReport


def migrate(
    source: Path | str, target: Path | str, key: str | None = None
) -> Generator[MigrateEvent, None, None]:
    """Copy a ledger.

    Args:
        source: folder of a kept run, a ledger file, or the URL of a database.
        target: a folder, a file, or the URL of a database; without a ledger, or with an empty one.
        key: checkpoint key of a source that is no run.

    Yields:
        Progress, and the report last.

    Raises:
        ConfigError: there is no ledger to copy, or the target holds one.
        StoreError: one of them cannot be read or written; the target is as it was.
        SignatureInvalid: the source is not signed by the key, or not by that of the target's run.
        CheckpointInconsistent: the source does not hold together, or the copy is not the same.
    """
    found = find_ledger(source, key)
    with ExitStack() as stack:
        reader = stack.enter_context(open_store(found.store, read_only=True))
        head = reader.head()
        _check_signed(head, found.verifier)
        writer = stack.enter_context(_empty_target(target))
        _check_signed(head, _key_of_run(target))
        with writer.turn() as size:
            _check_empty(writer.place, size)
            yield from _copy(reader, writer, head, found)


@contextmanager
def _empty_target(target: Path | str) -> Iterator[SqlStore]:
    """Open a ledger to copy into; take it away again if what follows fails."""
    place = target if is_url(target) else Path(target)
    if isinstance(place, Path) and place.is_dir():
        place = RunDir(place).ledger_place
    if isinstance(place, Path) and place.exists() and place.stat().st_size:
        with open_store(place, read_only=True) as there:  # which changes nothing in it
            _check_empty(there.place, there.head().size)
    store = open_store(place)
    try:
        yield store
    except BaseException:
        store.discard()
        raise
    store.close()


def _copy(
    reader: LedgerReader, writer: SqlStore, head: Head, found: LedgerPlace
) -> Iterator[MigrateEvent]:
    expected, got = _Tally(), _Tally()
    whole = 2 * head.size
    for rows in _chunks(reader, head.size):
        expected.take(rows)
        writer.write(rows)
        yield expected.progress("copying", 0, whole)
    now = reader.head()
    if now != head:
        raise StoreError(
            f"the ledger grew from {head.size} to {now.size} entries while it was copied",
            hint="stop every program that writes to it, then copy again",
        )
    expected.check_root(head, "the ledger to copy")
    for rows in _chunks(writer, head.size):
        got.take(rows)
        yield got.progress("comparing", head.size, whole)
    got.check_root(head, "the copy")
    _check_same(expected.digests(), got.digests())
    if writer.head() != head:
        raise CheckpointInconsistent("the copy: its edges or its newest checkpoint are others")
    writer.keep()
    yield MigrateReport(
        size=head.size,
        root=got.tree.root(),
        checkpoints=got.rows.get("checkpoint", 0),
        rows=got.rows,
        digests=got.digests(),
        key=found.verifier.to_text() if found.verifier else None,
    )


class _Tally:
    """What all rows of a ledger come to: a digest of each table, and the tree over the entries."""

    def __init__(self) -> None:
        self.tree = GrowingTree()
        self.rows: dict[str, int] = {}
        self._digests: dict[str, Any] = {}

    def take(self, rows: Rows) -> None:
        """Take the next rows.

        Raises:
            CheckpointInconsistent: an entry is not in its place, or not what its leaf hash says.
        """
        for entry in rows.entries:
            if entry.index != self.tree.size or entry.leaf != leaf_hash(entry.kind, entry.body):
                raise CheckpointInconsistent(
                    f"entry {entry.index}: expected entry {self.tree.size} with the hash of its "
                    "content",
                    hint="run `wattest verify` on the ledger",
                )
            self.tree.push(entry.leaf)
        self.tree.settle()
        for table, values in values_by_table(rows):
            digest = self._digests.setdefault(table, hashlib.sha256())
            self.rows[table] = self.rows.get(table, 0) + len(values)
            digest.update(b"".join(_encoded(value) for row in values for value in row))

    def progress(self, doing: str, before: int, whole: int) -> MigrateProgress:
        """Return how far this is; ``before`` it so many entries were done."""
        rows, done = sum(self.rows.values()), before + self.tree.size
        return MigrateProgress(doing=doing, rows=rows, done=done, whole=whole)

    def check_root(self, head: Head, what: str) -> None:
        """Check that the tree is the one that the newest checkpoint signs.

        Raises:
            CheckpointInconsistent: it is another one.
        """
        newest = head.checkpoint
        size, root = (newest.size, newest.root) if newest else (0, self.tree.root())
        if (self.tree.size, self.tree.root()) != (size, root):
            raise CheckpointInconsistent(
                f"{what}: expected {size} entries with root {root.hex()}, got {self.tree.size} "
                f"with {self.tree.root().hex()}",
                hint="run `wattest verify` on the ledger",
            )

    def digests(self) -> dict[str, str]:
        """Return SHA-256 over the rows of each table that has any, hex."""
        return {table: digest.hexdigest() for table, digest in self._digests.items()}


def _chunks(reader: LedgerReader, size: int) -> Iterator[Rows]:
    """Yield all rows of a ledger, table by table, a thousand at a time."""
    for entries in _batched(reader.entries(0, size)):
        yield Rows(entries=entries)
    for records in _batched(reader.records()):
        yield Rows(records=records)
    for conflicts in _batched(reader.conflicts()):
        yield Rows(conflicts=conflicts)
    for tiles in _batched(reader.tiles()):
        yield Rows(tiles=tiles)
    yield Rows(edges=reader.head().edges)
    for checkpoints in _batched(reader.checkpoints()):
        yield Rows(checkpoints=checkpoints)
    for cosignatures in _batched(reader.cosigned()):
        yield Rows(cosignatures=cosignatures)


def _batched(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    rest = iter(items)
    while some := list(islice(rest, _ROWS_PER_CHUNK)):
        yield some


def _encoded(value: int | str | bytes | None) -> bytes:
    """Write a value so that no two rows look alike."""
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        return b"t%d:%b" % (len(text), text)
    return b"b%d:%b" % (len(value), value)


def _check_same(expected: Mapping[str, str], got: Mapping[str, str]) -> None:
    for table in sorted({*expected, *got}):
        if expected.get(table) != got.get(table):
            raise CheckpointInconsistent(
                f"the copy: table {table}: expected digest {expected.get(table)}, "
                f"got {got.get(table)}"
            )


def _check_signed(head: Head, verifier: CheckpointVerifier | None) -> None:
    """Check the newest checkpoint's signature, if it is known whose it must be."""
    if verifier is not None and head.checkpoint is not None:
        verifier.open(head.checkpoint.note)


def _key_of_run(target: Path | str) -> CheckpointVerifier | None:
    """Return the key of the run that a ledger is copied back into."""
    if is_url(target) or not RunDir(Path(target)).run_json.exists():
        return None
    return checkpoint_verifier(RunDir(Path(target)))


def _check_empty(place: str, size: int) -> None:
    if size:
        raise ConfigError(
            f"holds a ledger of {size} entries",
            path=place,
            hint="copy to another place: a ledger is never written over",
        )
