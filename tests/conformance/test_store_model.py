"""Any sequence of appends, failures, restarts and other writers gives what plain Python gives."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_samples import SampleNode, entry_of, plain, resigned, signer
from postgresql_samples import own_schema
from wattest.errors import StoreError
from wattest.ledger import Conflict, Duplicate, Ledger, Receipt
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.store import MemoryStore, SqliteStore
from wattest.store.postgresql import PostgresqlStore

NODES = [SampleNode(number) for number in range(3)]
# (node, seq, content, signature): few enough that identities collide all the time
RECORDS = {
    (number, seq, content, turned): entry_of(
        resigned(node.sealed(seq, content)) if turned else node.sealed(seq, content)
    )
    for number, node in enumerate(NODES)
    for seq in range(1, 6)
    for content in range(3)
    for turned in (False, True)
}

HOW = ["append", "append", "fail", "reopen", "other writer"]

items = st.one_of(st.sampled_from(sorted(RECORDS)), st.integers(0, 3))
batches = st.lists(
    st.tuples(st.lists(items, max_size=12), st.sampled_from(HOW)),
    max_size=10,
)


class Model:
    """The rules of docs/formats.md section 4 and nothing else."""

    def __init__(self):
        self.size = len(NODES)
        self.first = {}
        self.conflicts = {}

    def append(self, batch):
        outcomes = [self._place(item) for item in batch]
        return [Receipt(index=x, size=self.size) if isinstance(x, int) else x for x in outcomes]

    def _place(self, item):
        if isinstance(item, int):
            return self._next()
        number, seq, content, _ = item
        if (number, seq) not in self.first:
            self.first[number, seq] = (self._next(), content)
            return self.first[number, seq][0]
        index, first_content = self.first[number, seq]
        if content == first_content:
            return Duplicate(index=index)
        if (number, seq, content) not in self.conflicts:
            self.conflicts[number, seq, content] = self._next()
            self._next()  # the dispute over it
        return Conflict(index=self.conflicts[number, seq, content], first_index=index)

    def _next(self):
        self.size += 1
        return self.size - 1


class Failing:
    """A store whose next commit fails before anything is written, when told so."""

    def __init__(self, store):
        self._store = store
        self.broken = False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, batch):
        if self.broken:
            raise StoreError("no")
        self._store.commit(batch)


def entries_of(batch):
    return [plain(item) if isinstance(item, int) else RECORDS[item] for item in batch]


def play(store, steps):
    store = Failing(store)
    ledger, model = Ledger(store, signer()), Model()
    other = Ledger(store, signer())
    ledger.append([node.enrolment() for node in NODES])
    for batch, how in steps:
        if how == "reopen":
            ledger = Ledger(store, signer())
        if how == "other writer":
            ledger, other = other, ledger
        before = store.head()
        if how == "fail" and any(isinstance(item, int) for item in batch):
            store.broken = True
            with pytest.raises(StoreError, match="no"):
                ledger.append(entries_of(batch))
            store.broken = False
            assert store.head() == before
        assert ledger.append(entries_of(batch)) == model.append(batch)
        assert store.head().size == model.size
    report = audit_report(store, signer().verifier, EvidenceChecks().checks)
    assert report.sound, [finding.line() for finding in report.findings]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(batches)
def test_memory_store_follows_the_model(steps):
    play(MemoryStore(), steps)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(batches)
def test_sqlite_store_follows_the_model(steps):
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "l.sqlite") as store:
        play(store, steps)


def play_in_a_schema(steps):
    with own_schema() as url, PostgresqlStore(url) as store:
        play(store, steps)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(batches)
def test_postgresql_store_follows_the_model(steps):
    play_in_a_schema(steps)


@pytest.mark.long
@settings(max_examples=200, deadline=None, derandomize=True)
@given(batches)
def test_postgresql_store_follows_the_model_two_hundred_times(steps):
    play_in_a_schema(steps)
