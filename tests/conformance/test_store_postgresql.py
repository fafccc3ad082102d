"""The PostgreSQL store: what it refuses, what it says, and that nothing is lost when it fails."""

import builtins
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest

from ledger_samples import SampleNode, entry_of, fill, plain, signer
from postgresql_samples import own_schema, run_sql, server_url, with_schema
from wattest.errors import DamagedStore, ForeignStore, StoreError
from wattest.ledger import Duplicate, Ledger, LedgerView, Receipt
from wattest.ledger.audit import audit_report
from wattest.store import open_store
from wattest.store.postgresql import TAKE_TURN, PostgresqlStore

EACH_ROW = "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"


@pytest.fixture
def url():
    with own_schema() as named:
        yield named


def terminate(url, store):
    """End the server's side of a connection, as a restart of the server does."""
    pid = store._connection.info.backend_pid
    run_sql(url, f"SELECT pg_terminate_backend({pid}, 5000)")


def filled(url, count=20):
    with PostgresqlStore(url) as store:
        fill(Ledger(store, signer()), SampleNode(), count)


@contextmanager
def somebody_else_has_the_turn(url):
    with psycopg.connect(url) as connection:
        connection.execute(TAKE_TURN)
        yield connection


def test_new_ledger_is_laid_out_once(url):
    filled(url)
    with PostgresqlStore(url) as store:
        assert not store.is_new
        assert store.head().size == 21
        assert list(store.damage()) == []


def test_ledgers_are_made_by_several_programs_at_once(url):
    opened = []
    threads = [Thread(target=lambda: opened.append(PostgresqlStore(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(store.is_new for store in opened) == 1
    for store in opened:
        store.close()


def test_every_commit_is_flushed_even_if_the_user_is_set_up_otherwise(url):
    relaxed = url.replace("options=", "options=-csynchronous_commit%3Doff%20")
    with PostgresqlStore(relaxed) as store:
        assert store._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_empty_schema_is_no_ledger_and_stays_empty(url, options):
    with pytest.raises(ForeignStore, match="no ledger in schema test_"):
        PostgresqlStore(url, **options)
    assert run_sql(url, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()") == [
        (0,)
    ]


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_schema_with_other_tables_is_refused_and_left_alone(url, options):
    run_sql(url, "CREATE TABLE songs (title TEXT)")
    with pytest.raises(ForeignStore, match="holds no ledger, but songs"):
        PostgresqlStore(url, **options)
    tables = run_sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    assert tables == [("songs",)]


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_ledger_of_a_newer_format_is_refused(url, options):
    filled(url)
    run_sql(url, "UPDATE wattest_ledger SET format = 3")
    with pytest.raises(ForeignStore, match="expected ledger format 2, got 3") as caught:
        PostgresqlStore(url, **options)
    assert "newer" in caught.value.hint


def test_search_path_that_leads_nowhere_is_refused():
    with pytest.raises(StoreError, match="names no schema that exists"):
        PostgresqlStore(with_schema(server_url(), "no_such_schema"))


def test_unknown_database_is_one_line_without_the_password():
    url = server_url().replace("wattest@", "wattest:secret@").replace("/postgres", "/nowhere")
    with pytest.raises(StoreError, match="there is no such database") as caught:
        PostgresqlStore(url)
    line = caught.value.diagnostics()
    assert "createdb" in line
    assert "secret" not in line
    assert "\n" not in line


def test_unknown_user_is_one_line():
    with pytest.raises(StoreError, match="the server refuses the user or the password"):
        PostgresqlStore(server_url().replace("wattest@", "nobody@"))


def test_server_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(StoreError, match="no connection to the server") as caught:
        PostgresqlStore(f"postgresql://wattest@/postgres?host={tmp_path}")
    assert "check that the server runs" in caught.value.diagnostics()


@pytest.mark.parametrize("url", ["postgresql://host:port/x", "postgresql://h/x?nonsense=1"])
def test_url_that_is_none_is_one_line(url):
    with pytest.raises(StoreError, match=r"cannot be read|no connection") as caught:
        open_store(url)
    assert "\n" not in caught.value.diagnostics()


def test_url_of_another_database_is_refused():
    with pytest.raises(StoreError, match=r"mysql://\.\.\.: no ledger can be kept there"):
        open_store("mysql://user:secret@host/name")


def test_missing_client_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_client(name, *args):
        if name == "wattest.store.postgresql":
            raise ImportError("No module named 'psycopg'")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_client)
    with pytest.raises(StoreError, match="needs psycopg") as caught:
        open_store("postgresql://host/name")
    assert "pip install 'wattest[postgresql]'" in caught.value.hint


def test_writer_that_does_not_let_go_is_named_and_nothing_is_lost(url):
    with PostgresqlStore(url, busy_timeout_s=0.05) as store:
        ledger = Ledger(store, signer())
        ledger.append([plain(0)])
        with (
            somebody_else_has_the_turn(url),
            pytest.raises(StoreError, match="another program holds the ledger") as caught,
        ):
            ledger.append([plain(1)])
        assert "close it" in caught.value.hint
        assert ledger.append([plain(1)]) == [Receipt(index=1, size=2)]


def test_readers_do_not_wait_for_a_writer(url):
    filled(url)
    with somebody_else_has_the_turn(url), PostgresqlStore(url, read_only=True) as store:
        assert audit_report(store, signer().verifier).sound


def test_read_only_store_cannot_append(url):
    filled(url)
    with PostgresqlStore(url, read_only=True) as store:
        ledger = Ledger(store, signer())
        with pytest.raises(StoreError, match="it is read-only"):
            ledger.append([plain(1)])
        assert ledger.size == 21


def test_connection_that_was_lost_between_two_appends_is_made_again(url):
    with PostgresqlStore(url) as store:
        ledger, node = Ledger(store, signer()), SampleNode()
        fill(ledger, node, 3)
        terminate(url, store)
        record = entry_of(node.reading())
        with pytest.raises(StoreError, match="the server went away"):
            ledger.append([record])
        assert ledger.append([record]) == [Receipt(index=4, size=5)]
        terminate(url, store)
        with pytest.raises(StoreError, match="the server went away"):
            store.head()
        assert store.head().size == 5


def test_walk_whose_connection_is_lost_ends_with_one_line_and_the_next_one_goes_well(url):
    filled(url, 600)
    with PostgresqlStore(url) as store:
        walk = store.records()
        next(walk)
        terminate(url, store)
        with pytest.raises(StoreError, match=r"the server went away|cursor"):
            list(walk)
        assert len(list(store.records())) == 600
        Ledger(store, signer()).append([plain(1)])


def test_connection_that_is_lost_within_a_turn_leaves_nothing_behind(url):
    with PostgresqlStore(url) as store:
        ledger = Ledger(store, signer())
        ledger.append([plain(0)])
        with store.turn():
            terminate(url, store)
            with pytest.raises(StoreError, match="the server went away"):
                store.head()
        assert ledger.append([plain(1)]) == [Receipt(index=1, size=2)]


class _Cut:
    """A connection that dies at COMMIT: before the server did it, or after."""

    def __init__(self, url, store, *, done):
        self._real = store._connection
        self._end = lambda: terminate(url, store)
        self._done = done

    def __getattr__(self, name):
        return getattr(self._real, name)

    def execute(self, sql, *args, **kwargs):
        if sql != "COMMIT":
            return self._real.execute(sql, *args, **kwargs)
        if self._done:
            self._real.execute(sql)
        self._end()
        return self._real.execute("SELECT 1")  # tells the client that the server is gone


@pytest.mark.parametrize("done", [False, True])
def test_commit_whose_answer_is_lost_is_found_out(url, done):
    with PostgresqlStore(url) as store:
        ledger, node = Ledger(store, signer()), SampleNode()
        fill(ledger, node, 3)
        record = entry_of(node.reading())
        store._connection = _Cut(url, store, done=done)
        if done:
            assert ledger.append([record]) == [Receipt(index=4, size=5)]
        else:
            with pytest.raises(StoreError, match="the server went away"):
                ledger.append([record])
            assert ledger.append([record]) == [Receipt(index=4, size=5)]
        assert ledger.append([record]) == [Duplicate(index=4)]


def test_commit_whose_answer_is_lost_with_the_server_says_that_it_is_not_known(url, tmp_path):
    with PostgresqlStore(url) as store:
        ledger = Ledger(store, signer())
        ledger.append([plain(0)])
        store._connection = _Cut(url, store, done=True)
        store._url = f"postgresql://wattest@/postgres?host={tmp_path}"
        with pytest.raises(StoreError, match="it is not known whether they are") as caught:
            ledger.append([plain(1)])
        assert "append them again" in caught.value.hint
        store._url = url
        assert ledger.size == 2


def test_closed_store_says_so(url):
    store = PostgresqlStore(url)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.head()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("CREATE RULE quiet AS ON DELETE TO entry DO INSTEAD NOTHING", "rule quiet on entry"),
        (f"CREATE TRIGGER t BEFORE UPDATE ON tile {EACH_ROW}", "trigger t on tile"),
        ("CREATE POLICY p ON record USING (seq > 3)", "policy p on record"),
        ("ALTER TABLE record ADD COLUMN note TEXT", "table record: its columns are not those"),
        ("UPDATE entry SET idx = -1 WHERE idx = 3", "entry -1: expected indexes from 0"),
    ],
)
def test_what_no_ledger_has_is_found(url, change, line):
    filled(url)
    run_sql(url, change)
    with PostgresqlStore(url, read_only=True) as store:
        assert any(found.startswith(line) for found in store.damage())
        assert not audit_report(store, signer().verifier).sound


def test_missing_table_is_damage(url):
    filled(url)
    run_sql(url, "DROP TABLE checkpoint")
    with (
        PostgresqlStore(url, read_only=True) as store,
        pytest.raises(DamagedStore, match="a table of the ledger is missing"),
    ):
        LedgerView(store, signer().verifier)


def test_new_ledger_that_stays_empty_can_be_taken_away(url):
    PostgresqlStore(url).discard()
    assert run_sql(url, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()") == [
        (0,)
    ]
    filled(url)
    PostgresqlStore(url).discard()
    with PostgresqlStore(url) as store:
        assert store.head().size == 21
