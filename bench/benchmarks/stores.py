"""Verified durable appends on SQLite and PostgreSQL; audit and migration of a million entries.

Each batch goes through the whole host pipeline: decoding, signatures, the verifier's steps, one
flushed transaction with a signed checkpoint. One reference is OpenSSL verifying the same
signatures and doing nothing else; the other is pymerkle, which verifies nothing, appending the
same records to its own SQLite file. The rounds are interleaved, so that a busy machine slows them
alike.

The server is the one that WATTEST_TEST_POSTGRESQL names; tests/postgresql_server.sh starts one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from pymerkle import SqliteTree
from readings import Node, bare_of, body_of, verify_bare

from wattest.ledger import CheckpointSigner, EntryKind, Ledger, NewEntry, record_entry
from wattest.ledger.audit import audit_report
from wattest.operations.kept.migrate import migrate
from wattest.store import open_store
from wattest.verify import Verifier

NODES = 8
# Records a round, by batch: a batch of one waits for the disk each time.
COUNTS = {1: 400, 100: 4_000, 256: 4_096}
ROUNDS = 3
MILLION = 1_000_000
NO_SERVER = "no server"
SIGNER = CheckpointSigner("wattest/benchmark", bytes(32))

Row = Mapping[str, Any]


def rows() -> list[Row]:
    """Measure everything here."""
    return [*append_rows(), *million_rows()]


def append_rows(counts: Mapping[int, int] | None = None) -> list[Row]:
    """Verified durable readings per second, for each size of batch and store.

    Args:
        counts: records a round, by batch.
    """
    counts = counts or COUNTS
    nodes = [Node(number) for number in range(NODES)]
    most = max(counts.values())
    records = [nodes[i % NODES].reading(i // NODES + 1) for i in range(most)]
    measured: list[Row] = []
    for batch, count in counts.items():
        measured += _batch_rows(nodes, records[:count], batch)
    return measured


def million_rows(size: int = MILLION) -> list[Row]:
    """Audit of a ledger of so many entries, and its copy into PostgreSQL, seconds.

    Args:
        size: entries.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "ledger.sqlite"
        with open_store(path) as store:
            ledger = Ledger(store, SIGNER)
            for start in range(0, size, 1000):
                some = range(start, min(size, start + 1000))
                ledger.append([NewEntry(kind=EntryKind.TERMS, body=body_of(i)) for i in some])
        with open_store(path, read_only=True) as store:
            audited = _seconds(lambda: _audit(store))
        url = stack.enter_context(_own_schema())
        copied = NO_SERVER if url is None else _seconds(lambda: list(migrate(path, url)))
    return [
        _row(f"audit of {size:,} entries: hashes, tree, checkpoints", audited, "s"),
        _row(f"copy of {size:,} entries from SQLite to PostgreSQL, compared", copied, "s"),
    ]


def _batch_rows(nodes: list[Node], records: list[bytes], batch: int) -> list[Row]:
    bare = [bare_of(nodes[i % NODES], data) for i, data in enumerate(records)]
    rates: dict[str, list[float]] = {"bare": [], "pymerkle": [], "SQLite": [], "PostgreSQL": []}
    for _ in range(ROUNDS):
        rates["bare"].append(_rate(records, lambda: verify_bare(bare)))
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("pymerkle.sqlite", "ledger.sqlite")]
            append = partial(_pymerkle, files[0], records, batch)
            rates["pymerkle"].append(_rate(records, append))
            rates["SQLite"].append(_pipeline_rate(files[1], nodes, records, batch))
        with _own_schema() as url:
            if url is not None:
                rates["PostgreSQL"].append(_pipeline_rate(url, nodes, records, batch))
    measured: list[Row] = []
    for store in ("SQLite", "PostgreSQL"):
        what = f"verified and durable on {store}, batch {batch}"
        if not rates[store]:
            measured.append(_row(what, NO_SERVER, ""))
            continue
        for name, key in (("bare OpenSSL P-256 verify", "bare"), ("pymerkle, alone", "pymerkle")):
            measured.append(_against(what, rates[store], name, rates[key]))
    return measured


def _pipeline_rate(
    place: Path | str, nodes: list[Node], records: list[bytes], batch: int
) -> float:
    with open_store(place) as store:
        ledger = Ledger(store, SIGNER)
        return _rate(records, lambda: _pipeline(ledger, nodes, records, batch))


def _pipeline(ledger: Ledger, nodes: list[Node], records: list[bytes], batch: int) -> None:
    verifier = Verifier([node.enrolment() for node in nodes])
    for start in range(0, len(records), batch):
        entries = []
        for data in records[start : start + batch]:
            verdict = verifier.check(data)
            if not verdict.accepted or verdict.record is None:
                raise AssertionError(verdict.findings)
            entries.append(record_entry(verdict.record))
        ledger.append(entries)


def _pymerkle(path: Path, records: list[bytes], batch: int) -> None:
    with SqliteTree(str(path), algorithm="sha256") as tree:
        for start in range(0, len(records), batch):
            tree.append_entries(records[start : start + batch], chunksize=batch)


def _audit(store: Any) -> None:
    report = audit_report(store, SIGNER.verifier)
    if not report.sound:
        raise AssertionError(report.findings)


@contextmanager
def _own_schema() -> Iterator[str | None]:
    """Hand out the URL of an empty schema, dropped at the end; None where there is no server."""
    url = os.environ.get("WATTEST_TEST_POSTGRESQL", "")
    if not url:
        yield None
        return
    name = f"benchmark_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
        finally:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def _against(what: str, ours: list[float], name: str, reference: list[float]) -> Row:
    ratio = statistics.median(mine / other for mine, other in zip(ours, reference, strict=True))
    row = _row(what, round(statistics.median(ours)), "readings/s")
    known = {"reference": round(statistics.median(reference)), "reference_name": name}
    return {**row, **known, "ratio": ratio}


def _row(what: str, ours: float | str, unit: str) -> Row:
    none = {"reference": None, "reference_name": "", "ratio": None, "bar": ""}
    return {"what": what, "ours": ours, "unit": unit, **none}


def _rate(records: list[bytes], work: Callable[[], object]) -> float:
    return len(records) / _seconds(work)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
