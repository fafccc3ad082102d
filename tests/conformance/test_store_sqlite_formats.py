"""Ledger files of format 1: read as they are, made format 2 when something is written to them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger_samples import SampleNode, fill, plain, signer
from wattest.errors import StoreError
from wattest.ledger import EntryKind, Ledger, LedgerView, NewEntry, Receipt
from wattest.ledger.audit import audit_report
from wattest.store import SqliteStore

LAYOUT_1 = (Path(__file__).parent / "ledger_format_1.sql").read_text(encoding="utf-8")
TABLES = ("entry", "record", "conflict", "tile", "edge", "checkpoint")


def rows_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES}


@pytest.fixture
def path(tmp_path):
    """A sound file of format 1."""
    path = tmp_path / "ledger.sqlite"
    with SqliteStore(path) as store:
        fill(Ledger(store, signer()), SampleNode(), 300)
    rows = rows_of(path)
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(LAYOUT_1)
        connection.execute("PRAGMA application_id = 0x77617474")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("BEGIN")
        for table, found in rows.items():
            for row in found:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    return path


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_older_file_is_read_as_it_is(path):
    before = path.read_bytes()
    with SqliteStore(path, read_only=True) as store:
        assert audit_report(store, signer().verifier).sound
        assert LedgerView(store, signer().verifier).size == 301
        assert store.cosignatures(301) == []
        assert list(store.cosigned()) == []
    assert path.read_bytes() == before


def test_older_file_is_made_new_with_every_row_when_it_is_opened_for_writing(path):
    before = rows_of(path)
    SqliteStore(path).close()
    assert rows_of(path) == before
    assert version_of(path) == 2
    with SqliteStore(path) as store:
        ledger = Ledger(store, signer())
        newest = NewEntry(kind=EntryKind.PAYMENT, body=b"\xa0")
        assert ledger.append([newest]) == [Receipt(index=301, size=302)]
        store.add_cosignatures(302, [b"a line"])
        assert store.cosignatures(302) == [b"a line"]
    with closing(sqlite3.connect(path)) as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master")]
    assert sorted(n for n in names if not n.startswith("sqlite_")) == sorted(
        [*TABLES, "cosignature"]
    )


def test_two_programs_may_make_an_older_file_new_at_once(path):
    with SqliteStore(path) as one, SqliteStore(path) as two:
        Ledger(one, signer()).append([plain(1)])
        assert Ledger(two, signer()).size == 302


def test_older_file_that_does_not_hold_together_is_left_as_it_is(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE entry SET leaf = x'00' WHERE idx = 7")
    before = rows_of(path)
    with pytest.raises(StoreError, match=r"schema refuses the rows .opening") as caught:
        SqliteStore(path)
    assert "wattest verify" in caught.value.hint
    assert rows_of(path) == before
    assert version_of(path) == 1
    with SqliteStore(path, read_only=True) as store:
        assert not audit_report(store, signer().verifier).sound
