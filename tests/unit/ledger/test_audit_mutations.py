"""One flipped bit anywhere in a stored ledger: the audit names the very row it is in.

Method: each mutation flips one bit of one column of one row in a fresh copy of a ledger file and
audits it. The seed is in the name of the test that fails.
"""

import random
import re
import sqlite3
from contextlib import closing

import pytest

from bit_flips import NAMES, flip_one, rows_of
from ledger_samples import SampleNode, entry_of, fill, plain, signer
from wattest.errors import StoreError
from wattest.ledger import Ledger
from wattest.ledger.audit import audit_report
from wattest.store import SqliteStore

SEEDS = range(8)
MUTATIONS_EACH = 50
LONG_SEEDS = range(20)
LONG_MUTATIONS_EACH = 100

TABLES = [name for name in NAMES if name != "cosignature"]  # their keys are not in the ledger


def build(path):
    """Two nodes, a full tile, conflicts, entries of other kinds, several checkpoints."""
    with SqliteStore(path) as store:
        ledger = Ledger(store, signer())
        node = SampleNode()
        fill(ledger, node, 250, batch=60)
        fill(ledger, SampleNode(2), 40)
        ledger.append([plain(1), entry_of(node.sealed(9, 5)), entry_of(node.sealed(10, 5))])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("mutations") / "ledger.sqlite"
    build(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


@pytest.fixture(scope="module")
def tables(original):
    """Every row of every table, as dictionaries."""
    return rows_of(original, TABLES)


def check_mutations(original, path, tables, seed, count):
    rng = random.Random(seed)
    data = original.read_bytes()
    for _ in range(count):
        path.write_bytes(data)
        table, names = flip_one(path, tables, rng)
        with SqliteStore(path, read_only=True) as store:
            report = audit_report(store, signer().verifier)
        named = {(finding.table, finding.place) for finding in report.findings}
        assert named & {(table, name) for name in names}, (table, names, report.findings)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_flipped_bit_of_any_row_is_named(original, tmp_path, tables, seed):
    check_mutations(original, tmp_path / "ledger.sqlite", tables, seed, MUTATIONS_EACH)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_any_flipped_bit_of_any_row_is_named_two_thousand_times(original, tmp_path, tables, seed):
    check_mutations(original, tmp_path / "ledger.sqlite", tables, 1000 + seed, LONG_MUTATIONS_EACH)


def test_any_changed_byte_of_a_body_in_the_file_names_its_entry(original, tmp_path):
    """Straight in the file, as somebody with an editor would do it."""
    rng = random.Random(7)
    data = original.read_bytes()
    with SqliteStore(original, read_only=True) as store:
        entries = list(store.entries())
    path = tmp_path / "ledger.sqlite"
    for entry in rng.sample(entries, 30):
        place = data.find(entry.body) + rng.randrange(len(entry.body))
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        with SqliteStore(path, read_only=True) as store:
            report = audit_report(store, signer().verifier)
        assert ("entry", str(entry.index)) in {(f.table, f.place) for f in report.findings}


@pytest.mark.parametrize("seed", range(4))
def test_any_flipped_bit_of_the_file_is_found_or_changes_nothing(original, tmp_path, seed):
    """Some bytes of a file carry nothing (free space, counters): then the content is the same."""
    rng = random.Random(seed)
    data = original.read_bytes()
    content = content_of(original)
    path = tmp_path / "ledger.sqlite"
    for _ in range(40):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            with SqliteStore(path, read_only=True) as store:
                sound = audit_report(store, signer().verifier).sound
        except StoreError:
            continue
        assert not sound or content_of(path) == content


def content_of(path):
    with SqliteStore(path, read_only=True) as store:
        return (
            list(store.entries()),
            list(store.records()),
            list(store.conflicts()),
            list(store.tiles()),
            list(store.checkpoints()),
            store.head(),
        )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("entry", "file: .*no such table: entry"),
        ("edge", "file: .*no such table: edge"),
        ("checkpoint", "file: .*no such table: checkpoint"),
        ("tile", "tile: .*no such table: tile"),
        ("record", "record: .*no such table: record"),
        ("conflict", "conflict: .*no such table: conflict"),
    ],
)
def test_missing_table_is_named_in_a_few_lines(original, tmp_path, table, message):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(original.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {table}")
    with SqliteStore(path, read_only=True) as store:
        lines = [f.line() for f in audit_report(store, signer().verifier).findings]
    assert any(re.match(message, line) for line in lines)
    assert len(lines) <= 4
