"""A ledger in another place is the same ledger, or it is not there."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ledger_samples import SampleNode, entry_of, fill, plain, signer
from postgresql_samples import own_schema, run_sql
from wattest.errors import (
    CheckpointInconsistent,
    ConfigError,
    ForeignStore,
    SignatureInvalid,
    StoreError,
)
from wattest.ledger import CheckpointSigner, EntryKind, Ledger, LedgerView, NewEntry
from wattest.ledger.audit import audit_report
from wattest.operations.kept.migrate import MigrateProgress, MigrateReport, migrate
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import SqliteStore, open_store
from wattest.wire.record_reader import parse_record

TESTS = Path(__file__).parent.parent.parent
KEY = signer().verifier.to_text()
TABLES = ["entry", "record", "conflict", "tile", "edge", "checkpoint", "cosignature"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A ledger file with rows in every table, more than one chunk of entries."""
    path = tmp_path_factory.mktemp("original") / "source.sqlite"
    with SqliteStore(path) as store:
        ledger, node = Ledger(store, signer()), SampleNode()
        fill(ledger, node, 300)
        ledger.append([entry_of(node.sealed(7, 5)), plain(1)])
        ledger.append([plain(number) for number in range(1000)])
        store.add_cosignatures(ledger.size, [b"one line", b"another line"])
    return path


@pytest.fixture
def source(original, tmp_path):
    """A copy of it, to be spoilt."""
    return Path(shutil.copy(original, tmp_path / "source.sqlite"))


@pytest.fixture(params=["file", "database"])
def target(request, tmp_path):
    """Where no ledger is yet."""
    if request.param == "file":
        yield tmp_path / "target.sqlite"
        return
    with own_schema() as url:
        yield url


def nothing_at(target):
    """Tell whether a place is as empty as it was."""
    if isinstance(target, Path):
        return not list(target.parent.glob("target.sqlite*"))
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
    return run_sql(target, tables) == [(0,)]


def copied(source, target, key=KEY):
    *progress, report = migrate(source, target, key)
    assert isinstance(report, MigrateReport)
    assert all(isinstance(event, MigrateProgress) for event in progress)
    return report


def test_copy_is_the_same_ledger(source, target):
    report = copied(source, target)
    assert list(report.digests) == TABLES
    assert report.key == KEY
    with open_store(source, read_only=True) as one, open_store(target, read_only=True) as two:
        assert one.head() == two.head()
        assert list(one.checkpoints()) == list(two.checkpoints())
        assert list(one.cosigned()) == list(two.cosigned())
        assert report.root == LedgerView(two, signer().verifier).root()
        assert audit_report(two, signer().verifier).sound
        assert report.rows["entry"] == report.size == two.head().size


def test_copy_goes_on_where_the_original_ended(source, target):
    copied(source, target)
    node = SampleNode()
    record = parse_record(node.sealed(301, 1))
    with open_store(source) as one, open_store(target) as two:
        left, right = Ledger(one, signer()), Ledger(two, signer())
        for ledger in (left, right):
            ledger.append([plain(9), entry_of(record.encoded), entry_of(node.sealed(7, 5))])
        assert left.root() == right.root()


def test_way_there_and_back_gives_the_same_digests(source, tmp_path):
    with own_schema() as url:
        there = copied(source, url)
        back = copied(url, tmp_path / "back.sqlite")
    assert there == back


def test_empty_ledger_is_copied(tmp_path, target):
    path = tmp_path / "source.sqlite"
    SqliteStore(path).close()
    report = copied(path, target)
    assert (report.size, dict(report.digests)) == (0, {})
    with open_store(target, create=False) as store:
        Ledger(store, signer()).append([plain(0)])


def test_place_that_holds_a_ledger_is_refused_and_left_alone(source, target):
    with open_store(target) as store:
        Ledger(store, signer()).append([plain(0)])
    before = target.read_bytes() if isinstance(target, Path) else None
    with pytest.raises(ConfigError, match="holds a ledger of 1 entries"):
        copied(source, target)
    with open_store(target, read_only=True) as store:
        assert store.head().size == 1
    assert before is None or target.read_bytes() == before


def test_empty_ledger_may_be_copied_into(source, target):
    open_store(target).close()
    assert copied(source, target).size == 1304


def test_ledger_is_not_copied_onto_itself(source):
    before = source.read_bytes()
    with pytest.raises(ConfigError, match="holds a ledger of 1304 entries"):
        copied(source, source)
    assert source.read_bytes() == before


def change(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(sql)
        connection.commit()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE entry SET body = x'00' WHERE idx = 1200", "entry 1200: expected entry 1200 with"),
        ("DELETE FROM entry WHERE idx = 1200", "entry 1201: expected entry 1200"),
        ("UPDATE entry SET kind = 99 WHERE idx = 3", "entry 3: expected entry 3 with"),
        ("DELETE FROM checkpoint WHERE size = 1304", "got 1304 with"),
    ],
)
def test_damaged_ledger_is_not_copied_and_leaves_nothing_behind(source, target, sql, message):
    change(source, sql)
    with pytest.raises(CheckpointInconsistent, match=message):
        copied(source, target)
    assert nothing_at(target)


def test_what_the_target_refuses_leaves_nothing_behind(source, target):
    change(source, "UPDATE tile SET hashes = x'00' WHERE n = 1")
    with pytest.raises(StoreError, match="the schema refuses the rows"):
        copied(source, target)
    assert nothing_at(target)


def test_copy_that_is_given_up_half_way_leaves_nothing_behind(source, target):
    events = migrate(source, target, KEY)
    assert next(events).doing == "copying"
    next(events)
    events.close()
    assert nothing_at(target)


def test_ledger_that_grows_meanwhile_is_not_copied(source, target):
    events = migrate(source, target, KEY)
    next(events)
    with SqliteStore(source) as store:
        Ledger(store, signer()).append([plain(5)])
    with pytest.raises(StoreError, match="grew from 1304 to 1305"):
        list(events)
    assert nothing_at(target)


@pytest.mark.parametrize("table", TABLES)
def test_copy_that_differs_in_one_row_is_not_kept(source, tmp_path, monkeypatch, table):
    """The disk or the driver loses one bit on the way."""
    changes = {
        "entry": "kind = 5 WHERE idx = 310",
        "record": "use_s = 1 WHERE seq = 200",
        "conflict": "first_idx = 1",
        "tile": "hashes = zeroblob(8192) WHERE n = 2",
        "edge": "hashes = zeroblob(32) WHERE level = 1",
        "checkpoint": "note = x'00' WHERE size = 301",
        "cosignature": "line = x'00' WHERE line = CAST('one line' AS BLOB)",
    }
    write = SqliteStore.write

    def and_flip(store, rows):
        write(store, rows)
        store._connection.execute(f"UPDATE {table} SET {changes[table]}")

    monkeypatch.setattr(SqliteStore, "write", and_flip)
    target = tmp_path / "target.sqlite"
    with pytest.raises(CheckpointInconsistent, match=rf"the copy: table {table}|entry 310"):
        copied(source, target)
    assert nothing_at(target)


def test_ledger_signed_by_another_key_is_not_copied(source, target):
    with pytest.raises(SignatureInvalid, match="expected a signature of wattest/test"):
        copied(source, target, signer(2).verifier.to_text())
    assert nothing_at(target)


def test_ledger_without_a_key_is_copied_and_the_report_says_that_nobody_checked(source, target):
    assert copied(source, target, None).key is None


def test_ledger_goes_back_into_the_folder_of_its_run_and_of_no_other(source, tmp_path):
    run = RunDir(tmp_path / "OUT")
    run.make(scenario="")
    run.write_json({CHECKPOINT_KEY: KEY})
    assert copied(source, run.path).size == 1304
    assert copied(run.path, tmp_path / "again.sqlite", None).key == KEY
    other = RunDir(tmp_path / "OTHER")
    other.make(scenario="")
    stranger = CheckpointSigner("wattest/other", bytes(32)).verifier
    other.write_json({CHECKPOINT_KEY: stranger.to_text()})
    with pytest.raises(SignatureInvalid, match="wattest/other"):
        copied(source, other.path)
    assert not other.ledger.exists()


@pytest.mark.parametrize("content", [b"", b"time;power\n0;1\n"])
def test_file_that_is_something_else_is_left_alone(source, tmp_path, content):
    target = tmp_path / "target.csv"
    target.write_bytes(content)
    if not content:
        assert copied(source, target).size == 1304
        return
    with pytest.raises(ForeignStore, match="not a ledger file"):
        copied(source, target)
    assert target.read_bytes() == content


CHILD = """
import os, signal, sys
from wattest.operations.kept.migrate import migrate
for number, event in enumerate(migrate(sys.argv[1], sys.argv[2])):
    if number == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_copy_can_be_made_again(source, target):
    """What is left is at most an empty ledger."""
    command = [sys.executable, "-c", CHILD, str(source), str(target), "12"]
    done = subprocess.run(command, check=False, capture_output=True, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with open_store(target) as store:
        with store.turn() as size:
            assert size == 0
        assert list(store.entries()) == []
    assert copied(source, target).size == 1304


@pytest.mark.long
def test_ledger_of_two_hundred_thousand_entries_there_and_back(tmp_path):
    path = tmp_path / "source.sqlite"
    with SqliteStore(path) as store:
        ledger = Ledger(store, signer())
        for start in range(0, 200_000, 1000):
            some = range(start, start + 1000)
            ledger.append(
                [NewEntry(kind=EntryKind.TERMS, body=number.to_bytes(8) * 12) for number in some]
            )
    with own_schema() as url:
        there = copied(path, url)
        assert there == copied(url, tmp_path / "back.sqlite")
    assert there.size == 200_000
