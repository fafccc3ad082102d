"""The board passport: what happened to each board, across runs, in one SQLite file.

Events are only ever added. Several programs may note at once: a note waits its turn for a few
seconds, and readers never wait.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import itertools
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wattest.errors import StoreError
from wattest.store.passport_facts import BoardEntry, BoardFacts, Event, PassportEvent, Value, fold
from wattest.store.sqlite_file import FileKind, explain, open_for_reading, open_for_writing


def _layout() -> str:
    return importlib.resources.files(__package__).joinpath("passport.sql").read_text("utf-8")


PASSPORT = FileKind(
    what="passport",
    usual_name="passport.sqlite",
    application_id=0x77707373,  # "wpss"
    version=1,
    layout=_layout,
    when_damaged="move the file away: a new one is begun",
)

_CHIP_ID = re.compile(r"[0-9a-f]{12}")
_DETAIL_CHARS_MAX = 4096


class Passport:
    """A passport file, for reading and noting.

    Args:
        path: the file; its folder is made when missing.
        read_only: only look; there must be a file.
        busy_timeout_s: how long to wait for another program, s.

    Raises:
        StoreError: the file is something else, or it cannot be opened or made.
    """

    def __init__(
        self, path: Path | str, *, read_only: bool = False, busy_timeout_s: float = 10.0
    ) -> None:
        self._path = Path(path)
        if read_only:
            self._connection = open_for_reading(
                self._path, busy_timeout_s=busy_timeout_s, kind=PASSPORT
            )
            return
        _make_folder(self._path.parent)
        if not self._path.exists():
            _begin(self._path)
        self._connection = open_for_writing(
            self._path, create=True, busy_timeout_s=busy_timeout_s, kind=PASSPORT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; calling again does nothing."""
        self._connection.close()

    def note(
        self,
        chip_id: str,
        kind: str,
        detail: Mapping[str, Value] | None = None,
        *,
        at_ms: int,
        slot: str | None = None,
        once: str | None = None,
    ) -> int:
        """Add an event, flushed to the disk.

        Args:
            chip_id: base MAC of the board, 12 lower-case hex digits.
            kind: one of `PassportEvent`.
            detail: flat names and values, at most 4096 characters as JSON.
            at_ms: when it happened, UTC ms since 1970.
            slot: physical place of the board, such as its USB location.
            once: names what may come to light several times but happened once, such as the reset
                that a record tells of; noted again, nothing is added.

        Returns:
            Number of the event: of the first one, if it was noted before.

        Raises:
            ValueError: ``chip_id``, ``kind`` or ``detail`` is not as said above.
            StoreError: nothing was noted.
        """
        _check_chip_id(chip_id)
        values = (chip_id, at_ms, PassportEvent(kind).value, slot, _document(detail or {}), once)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                number = self._insert(values)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise explain(exc, self._path, f"noting {kind} of {chip_id}", kind=PASSPORT) from exc
        return number

    def boards(self) -> list[BoardEntry]:
        """Return all boards, the one seen last first."""
        rows = self._fetch(
            "SELECT chip_id, id, at_ms, kind, slot, detail FROM event ORDER BY chip_id, at_ms, id"
        )
        entries = []
        for chip_id, group in itertools.groupby(rows, key=lambda row: row[0]):
            facts = fold(chip_id, [self._event(row[1:]) for row in group])
            assert facts.first_seen_ms is not None, "a board of a row has been seen"
            assert facts.last_seen_ms is not None, "a board of a row has been seen"
            entries.append(
                BoardEntry(
                    chip_id=chip_id,
                    chip=facts.chip,
                    board=facts.board,
                    serial=facts.serial,
                    slot=facts.slot,
                    kid=facts.kid,
                    first_seen_ms=facts.first_seen_ms,
                    last_seen_ms=facts.last_seen_ms,
                    state=facts.state,
                )
            )
        return sorted(entries, key=lambda entry: (-entry.last_seen_ms, entry.chip_id))

    def chip_ids(self, prefix: str = "") -> list[str]:
        """Return the boards whose chip id begins with ``prefix``, sorted."""
        sql = "SELECT DISTINCT chip_id FROM event ORDER BY chip_id"
        return [row[0] for row in self._fetch(sql) if row[0].startswith(prefix)]

    def events(self, chip_id: str) -> list[Event]:
        """Return what happened to a board, in order of time; none if it is not known."""
        sql = (
            "SELECT id, at_ms, kind, slot, detail FROM event WHERE chip_id = ? ORDER BY at_ms, id"
        )
        return [self._event(row) for row in self._fetch(sql, (chip_id,))]

    def facts(self, chip_id: str) -> BoardFacts:
        """Return what is true of a board now; of one not known, that nothing is."""
        return fold(chip_id, self.events(chip_id))

    def _insert(self, values: tuple[Any, ...]) -> int:
        chip_id, *_, once = values
        if once is not None:
            sql = "SELECT id FROM event WHERE chip_id = ? AND once = ?"
            for (number,) in self._connection.execute(sql, (chip_id, once)).fetchall():
                return int(number)
        cursor = self._connection.execute(
            "INSERT INTO event (chip_id, at_ms, kind, slot, detail, once) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )
        assert cursor.lastrowid is not None, "a row was inserted"
        return cursor.lastrowid

    def _fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise explain(exc, self._path, "reading", kind=PASSPORT) from exc

    def _event(self, row: tuple[Any, ...]) -> Event:
        number, at_ms, kind, slot, detail = row
        try:
            values = json.loads(detail)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise StoreError(
                f"{self._path}: event {number}: expected an object in detail, got {detail!r}",
                hint="restore a copy, or move the file away",
            )
        return Event(id=number, at_ms=at_ms, kind=kind, slot=slot, detail=values)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(
            f"{path}: cannot be made: {exc.strerror}", hint="check path and permissions"
        ) from exc


def _begin(path: Path) -> None:
    """Lay out a new file aside and put it in place whole: another program may do so too.

    Whoever opens it meets a finished file, and of two new ones the first stays.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".passport-") as aside:
            new = Path(aside) / path.name
            connection = open_for_writing(new, create=True, busy_timeout_s=0, kind=PASSPORT)
            with contextlib.closing(connection):  # which would not say that the disk is full
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with contextlib.suppress(OSError):  # it is there by now; or no links on this medium
                os.link(new, path)
    except sqlite3.Error as exc:
        raise explain(exc, path, "making it", kind=PASSPORT) from exc
    except OSError as exc:
        raise StoreError(
            f"{path}: cannot be made: {exc.strerror}", hint="check path and permissions"
        ) from exc


def _check_chip_id(chip_id: str) -> None:
    if not _CHIP_ID.fullmatch(chip_id):
        raise ValueError(f"chip id: expected 12 lower-case hex digits, got {chip_id!r}")


def _document(detail: Mapping[str, Value]) -> str:
    for name, value in detail.items():
        if value is not None and not isinstance(value, str | int):
            raise ValueError(f"{name}: expected a text, a whole number or a bool, got {value!r}")
    text = json.dumps(dict(detail), ensure_ascii=False, separators=(",", ":"))
    if len(text) > _DETAIL_CHARS_MAX:
        raise ValueError(f"detail: expected {_DETAIL_CHARS_MAX} characters, got {len(text)}")
    return text
