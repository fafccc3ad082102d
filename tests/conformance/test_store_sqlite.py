"""The SQLite store: what it refuses, what it says, and that nothing is lost when it fails."""

import os
import resource
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger_samples import SampleNode, entry_of, fill, plain, signer
from wattest.errors import StoreError
from wattest.ledger import Duplicate, Ledger, LedgerView, Receipt
from wattest.ledger.audit import audit_report
from wattest.store import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def filled(path, count=20):
    with SqliteStore(path) as store:
        fill(Ledger(store, signer()), SampleNode(), count)


def test_file_is_set_up_as_specified(path):
    filled(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(entry)")]
    assert columns == ["idx", "kind", "body", "leaf"]
    tables = dict(
        connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    )
    assert {t for t, strict in tables.items() if strict} == {
        "entry",
        "record",
        "conflict",
        "tile",
        "edge",
        "checkpoint",
        "cosignature",
    }
    connection.close()


def test_every_commit_is_flushed_to_the_disk(path):
    with SqliteStore(path) as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_closed_ledger_is_one_file(path):
    filled(path)
    assert [p.name for p in path.parent.iterdir()] == ["ledger.sqlite"]


def test_closed_store_says_so(path):
    store = SqliteStore(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed database"):
        store.head()


def test_folder_in_the_way_is_refused(path):
    path.mkdir()
    with pytest.raises(StoreError, match="expected a ledger file, got a folder"):
        SqliteStore(path)


def test_missing_folder_is_refused(path):
    with pytest.raises(StoreError, match=r"expected a folder at .*gone, found nothing"):
        SqliteStore(path.parent / "gone" / "ledger.sqlite")


def test_file_where_the_folder_should_be_is_refused(path):
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"expected a folder at .*ledger\.sqlite, found a file"):
        SqliteStore(path / "ledger.sqlite")


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_missing_ledger_is_refused_and_not_made(path, options):
    with pytest.raises(StoreError, match="no ledger there"):
        SqliteStore(path, **options)
    assert not path.exists()


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_empty_file_is_no_ledger(path, options):
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="the file is empty, not a ledger"):
        SqliteStore(path, **options)
    assert path.read_bytes() == b""


def test_empty_file_becomes_a_new_ledger(path):
    path.write_bytes(b"")
    filled(path)


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_file_that_is_not_sqlite_is_refused_and_left_alone(path, options):
    path.write_bytes(b"time;power\n0;17\n" * 100)
    with pytest.raises(StoreError, match="not a ledger file: expected it to begin with"):
        SqliteStore(path, **options)
    assert path.read_bytes().startswith(b"time;power\n")


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_foreign_database_is_refused_and_left_alone(path, options):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="an SQLite file, but not a ledger"):
        SqliteStore(path, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_ledger_of_a_newer_format_is_refused_and_left_alone(path, options):
    filled(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="expected ledger format 1, 2, got 3") as caught:
        SqliteStore(path, **options)
    assert "newer" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_truncated_ledger_is_refused(path, options):
    filled(path, 300)
    data = path.read_bytes()
    path.write_bytes(data[:4096])
    with pytest.raises(StoreError, match="the file is damaged"):
        Ledger(SqliteStore(path, **options), signer())


def test_damaged_schema_is_refused(path):
    filled(path)
    data = bytearray(path.read_bytes())
    data[100:200] = bytes(100)  # the first page: the schema
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"the file is damaged|not a ledger"):
        SqliteStore(path)


def test_full_disk_loses_nothing_and_the_ledger_goes_on(path):
    store = SqliteStore(path)
    ledger = Ledger(store, signer())
    node = SampleNode()
    fill(ledger, node, 50)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    root, more = ledger.root(), [entry_of(node.reading()) for _ in range(200)]
    with pytest.raises(StoreError, match=r"the disk is full .appending 200 entries") as caught:
        ledger.append(more)
    assert "free some space" in caught.value.hint
    assert (ledger.size, ledger.root()) == (51, root)
    ledger.prove_inclusion(50).verify(root)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert ledger.append(more) == [Receipt(index=51 + i, size=251) for i in range(200)]
    store.close()
    with SqliteStore(path, read_only=True) as again:
        view = LedgerView(again, signer().verifier)
        assert view.size == 251
        view.prove_consistency(51).verify(root, view.root())


def test_locked_ledger_loses_nothing_and_goes_on(path):
    store = SqliteStore(path, busy_timeout_s=0)
    ledger = Ledger(store, signer())
    ledger.append([plain(0)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds the ledger") as caught:
        ledger.append([plain(1)])
    assert "close it" in caught.value.hint
    assert ledger.size == 1
    other.execute("ROLLBACK")
    other.close()
    assert ledger.append([plain(1)]) == [Receipt(index=1, size=2)]
    store.close()


def test_two_writers_take_turns_without_doubling(path):
    one, two = SqliteStore(path), SqliteStore(path)
    first, second = Ledger(one, signer()), Ledger(two, signer())
    node = SampleNode()
    one_record, two_record = entry_of(node.reading()), entry_of(node.reading())
    assert first.append([one_record]) == [Receipt(index=0, size=1)]
    both = [one_record, two_record]
    assert second.append(both) == [Duplicate(index=0), Receipt(index=1, size=2)]
    assert first.append(both) == [Duplicate(index=0), Duplicate(index=1)]
    one.close()
    two.close()


def test_readers_neither_block_the_writer_nor_see_half_a_commit(path):
    store = SqliteStore(path, busy_timeout_s=0)
    ledger = Ledger(store, signer())
    ledger.append([plain(i) for i in range(10)])
    with SqliteStore(path, read_only=True, busy_timeout_s=0) as reader:
        view = LedgerView(reader, signer().verifier)
        walk = view.entries()
        assert next(walk).index == 0
        ledger.append([plain(i) for i in range(10, 20)])
        assert view.size == 10
        view.refresh()
        assert view.size == 20
    store.close()


def test_read_only_store_cannot_append(path):
    filled(path)
    with SqliteStore(path, read_only=True) as store:
        ledger = Ledger(store, signer())
        with pytest.raises(StoreError, match=r"read-only"):
            ledger.append([plain(1)])


def test_reading_changes_no_byte(path):
    filled(path, 300)
    before = path.read_bytes()
    with SqliteStore(path, read_only=True) as store:
        view = LedgerView(store, signer().verifier)
        assert len(list(view.entries())) == 301
        view.prove_inclusion(3)
        assert list(store.damage()) == []
    assert path.read_bytes() == before


def test_path_with_special_characters_opens_read_only(tmp_path):
    path = tmp_path / "a?b#c%20d" / "ledger.sqlite"
    path.parent.mkdir()
    filled(path)
    with SqliteStore(path, read_only=True) as store:
        assert store.head().size == 21


def test_damage_of_the_file_structure_is_reported(path):
    filled(path, 300)
    data = bytearray(path.read_bytes())
    data[36:40] = (5).to_bytes(4, "big")  # SQLite file format 1.2: number of free pages
    path.write_bytes(bytes(data))
    with SqliteStore(path, read_only=True) as store:
        assert any("freelist" in line for line in store.damage())


@pytest.fixture
def file_size_limit():
    """Let every write beyond a size fail, as a full disk does: in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 100, 4096, 5000, 20_000, 60_000])
def test_write_that_fails_half_way_loses_nothing(path, file_size_limit, room):
    store = SqliteStore(path)
    ledger, node = Ledger(store, signer()), SampleNode()
    fill(ledger, node, 50)
    root = ledger.root()
    more = [entry_of(node.reading()) for _ in range(200)]
    log = path.with_name("ledger.sqlite-wal")
    file_size_limit(log.stat().st_size + room)
    with pytest.raises(StoreError, match=r"the disk (is full|reports an error) .appending 200"):
        ledger.append(more)
    file_size_limit(resource.RLIM_INFINITY)
    assert (ledger.size, ledger.root()) == (51, root)
    assert ledger.append(more)[-1] == Receipt(index=250, size=251)
    store.close()
    with SqliteStore(path, read_only=True) as again:
        assert audit_report(again, signer().verifier).sound


def test_ledger_that_cannot_be_made_leaves_room_for_another_try(path, file_size_limit):
    file_size_limit(1000)
    with pytest.raises(StoreError, match=r"the disk (is full|reports an error) .opening"):
        SqliteStore(path)
    file_size_limit(resource.RLIM_INFINITY)
    filled(path)


def test_ledger_of_a_killed_writer_is_read_from_its_log(path, tmp_path):
    store = SqliteStore(path)
    fill(Ledger(store, signer()), SampleNode(), 30)
    other = tmp_path / "copy"
    other.mkdir()
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        shutil.copy(path.with_name(name), other / name)
    store.close()
    with SqliteStore(other / "ledger.sqlite", read_only=True) as copy:
        assert LedgerView(copy, signer().verifier).size == 31


@pytest.fixture
def open_folder():
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextmanager
def nothing_can_be_written(folder):
    """Take away the right to write, as a read-only medium does; root has to step down for it."""
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)


def test_ledger_is_read_where_nothing_can_be_written(open_folder):
    path = open_folder / "ledger.sqlite"
    filled(path)
    with nothing_can_be_written(open_folder), SqliteStore(path, read_only=True) as store:
        assert LedgerView(store, signer().verifier).size == 21
    assert [file.name for file in open_folder.iterdir()] == ["ledger.sqlite"]


def test_log_that_cannot_be_read_is_not_passed_over(path, open_folder):
    store = SqliteStore(path)
    fill(Ledger(store, signer()), SampleNode(), 30)
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        shutil.copy(path.with_name(name), open_folder / name)
    store.close()
    with (
        nothing_can_be_written(open_folder),
        pytest.raises(StoreError, match="the file cannot be opened"),
    ):
        SqliteStore(open_folder / "ledger.sqlite", read_only=True)


def test_folder_that_cannot_be_written_to_gets_no_ledger(open_folder):
    with (
        nothing_can_be_written(open_folder),
        pytest.raises(StoreError, match="the file cannot be opened") as caught,
    ):
        SqliteStore(open_folder / "ledger.sqlite")
    assert "check the path and its permissions" in caught.value.diagnostics()
