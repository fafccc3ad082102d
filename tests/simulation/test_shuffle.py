"""I5, I6: whatever order records arrive in, wherever they are kept, the same is owed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sim_money import PERIOD_S, terms
from sim_node import SimNode

from ledger_samples import EPOCH_MS, signer
from postgresql_samples import own_schema
from wattest.ledger import Ledger, record_entry
from wattest.ledger.store import Store
from wattest.settlement import (
    Cutoff,
    MeteringNode,
    Statement,
    Window,
    collect_readings,
    settle,
)
from wattest.store import MemoryStore, SqliteStore
from wattest.store.postgresql import PostgresqlStore
from wattest.wire import Record, parse_record

PERIOD = Window(start_ms=EPOCH_MS, end_ms=EPOCH_MS + PERIOD_S * 1000)
STEPS = 60


@cache
def metered() -> tuple[tuple[Record, ...], tuple[MeteringNode, ...]]:
    """Return what three mills signed around one period, and their enrolments."""
    records: list[Record] = []
    nodes = []
    for number in (1, 2, 3):
        chance = random.Random(number)
        node = SimNode(number, chance, EPOCH_MS - 60_000)
        for step in range(STEPS):
            node.pass_time(chance.randint(20_000, 50_000))
            if step == 20 * number - 15:
                node.boot()
            elif step % 13 or number != 2:  # one of them misses readings
                node.seal()
        records += [parse_record(data) for data in node.journal]
        nodes.append(
            MeteringNode(
                kid=node.kid,
                asset=f"mill-{number}",
                kind=1,
                demo=True,
                power_max_milliwatts=10**7,
            )
        )
    return tuple(records), tuple(nodes)


def drawn(entries: list[tuple[int, Record]]) -> Statement:
    """Settle the period from records at their places."""
    _, nodes = metered()
    cutoff = Cutoff(size=len(entries), root=bytes(32))
    return settle(terms(), collect_readings(entries), PERIOD, nodes=nodes, cutoff=cutoff)


def shuffled(seed: int) -> list[Record]:
    records = list(metered()[0])
    random.Random(seed).shuffle(records)
    return records


@pytest.fixture(scope="module")
def expected() -> Statement:
    """What is owed when everything comes in order."""
    statement = drawn(list(enumerate(metered()[0])))
    assert statement.total_minor > 100
    return statement


def test_thousand_orders_of_arrival_owe_the_same(expected: Statement) -> None:
    for seed in range(1000):
        statement = drawn(list(enumerate(shuffled(seed))))
        assert statement.economic_digest == expected.economic_digest, f"seed {seed}"


def test_same_order_gives_the_same_bytes(expected: Statement) -> None:
    assert drawn(list(enumerate(metered()[0]))).to_cbor() == expected.to_cbor()


def test_one_count_more_is_seen(expected: Statement) -> None:
    entries = list(enumerate(metered()[0][:-40]))
    assert drawn(entries).economic_digest != expected.economic_digest


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Store]:
    """Open an empty store of a kind."""
    if kind == "memory":
        yield MemoryStore()
    elif kind == "sqlite":
        with SqliteStore(folder / "ledger.sqlite") as store:
            yield store
    else:
        with own_schema() as url, PostgresqlStore(url) as store:
            yield store


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_every_store_owes_the_same_in_twenty_orders(
    kind: str, tmp_path: Path, expected: Statement
) -> None:
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with opened(kind, folder) as store:
            ledger = Ledger(store, signer())
            records = shuffled(seed)
            for start in range(0, len(records), 32):
                ledger.append([record_entry(record) for record in records[start : start + 32]])
            logged = [(entry.index, parse_record(entry.body)) for entry in ledger.entries()]
        statement = drawn(logged)
        assert statement.economic_digest == expected.economic_digest, f"seed {seed}"
        in_memory = drawn(list(enumerate(records)))
        assert statement.to_cbor() == in_memory.to_cbor(), f"seed {seed}"
