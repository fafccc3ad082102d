"""Host pipeline, verified and durable; inclusion proofs at a million entries.

The pipeline is what a record goes through on the host: strict decoding, signature, the verifier's
steps, then the ledger: one flushed transaction with a signed checkpoint per batch. Its reference
is OpenSSL verifying the same signatures, ready-made, and doing nothing else.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pymerkle import SqliteTree
from readings import Node, bare_of, body_of, verify_bare

from wattest.ledger import (
    CheckpointSigner,
    EntryKind,
    Ledger,
    LedgerView,
    NewEntry,
    record_entry,
)
from wattest.store import SqliteStore
from wattest.verify import Verifier
from wattest.wire import parse_record

NODES = 8
RECORDS = 8 * 1024
BATCH = 256
ROUNDS = 5
SIGNER = CheckpointSigner("wattest/benchmark", bytes(32))

Row = Mapping[str, Any]


def rows() -> list[Row]:
    """Measure everything here."""
    return [*pipeline_rows(), *proof_rows()]


def pipeline_rows() -> list[Row]:
    """Readings per second through the whole host, beside bare verification; and the append share.

    Rounds of the three are interleaved, so that a busy machine slows them alike.
    """
    nodes = [Node(number) for number in range(NODES)]
    records = [nodes[i % NODES].reading(i // NODES + 1) for i in range(RECORDS)]
    bare = [bare_of(nodes[i % NODES], data) for i, data in enumerate(records)]
    entries = [record_entry(parse_record(data)) for data in records]
    whole_rates, bare_rates, append_rates = [], [], []
    for _ in range(ROUNDS):
        bare_rates.append(RECORDS / _seconds(lambda: verify_bare(bare)))
        with _ledger() as ledger:
            whole_rates.append(RECORDS / _seconds(lambda: _pipeline(ledger, nodes, records)))
        with _ledger() as ledger:
            append_rates.append(RECORDS / _seconds(lambda: _append(ledger, entries)))
    whole, verify = statistics.median(whole_rates), statistics.median(bare_rates)
    ratio = statistics.median(w / b for w, b in zip(whole_rates, bare_rates, strict=True))
    common = {"unit": "readings/s", "reference": round(verify)}
    reference = {**common, "reference_name": "bare OpenSSL P-256 verify", "ratio": ratio}
    what = f"host pipeline, verified and durable, batch {BATCH}"
    return [
        {"what": what, "ours": round(whole), **reference, "bar": ">= 45 %"},
        {"what": what, "ours": round(whole), **reference, "bar": ">= 4000"},
        _alone(f"ledger append alone, durable, batch {BATCH}", append_rates, "entries/s", 40_000),
    ]


def proof_rows(*, small: int = 100_000, large: int = 1_000_000) -> list[Row]:
    """Inclusion proofs of random entries, median, beside pymerkle's over the same entries.

    Args:
        small: entries of the ledger that shows whether proofs grow with it.
        large: entries of the ledger the bar is about.
    """
    measured = []
    for size in (small, large):
        bar = "<= 2 ms" if size == large else ""
        with tempfile.TemporaryDirectory() as folder:
            inclusion, consistency = _our_proofs(Path(folder) / "ledger.sqlite", size)
            reference = _pymerkle_proofs(Path(folder) / "pymerkle.sqlite", size)
        measured.append(
            {
                "what": f"inclusion proof at {size:,} entries, median",
                "ours": inclusion,
                "unit": "ms",
                "reference": reference,
                "reference_name": "pymerkle",
                "ratio": inclusion / reference,
                "bar": bar,
            }
        )
        measured.append(
            {
                "what": f"consistency proof at {size:,} entries, median",
                "ours": consistency,
                "unit": "ms",
                "reference": None,
                "reference_name": "",
                "ratio": None,
                "bar": bar,
            }
        )
    return measured


def _pipeline(ledger: Ledger, nodes: list[Node], records: list[bytes]) -> None:
    verifier = Verifier([node.enrolment() for node in nodes])
    for start in range(0, len(records), BATCH):
        batch = []
        for data in records[start : start + BATCH]:
            verdict = verifier.check(data)
            if not verdict.accepted or verdict.record is None:
                raise AssertionError(verdict.findings)
            batch.append(record_entry(verdict.record))
        ledger.append(batch)


def _append(ledger: Ledger, entries: list[NewEntry]) -> None:
    for start in range(0, len(entries), BATCH):
        ledger.append(entries[start : start + BATCH])


@contextmanager
def _ledger() -> Iterator[Ledger]:
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteStore(Path(folder) / "ledger.sqlite") as store,
    ):
        yield Ledger(store, SIGNER)


def _our_proofs(path: Path, size: int) -> tuple[float, float]:
    """Return the medians of inclusion and consistency proofs, ms."""
    with SqliteStore(path) as store:
        ledger = Ledger(store, SIGNER)
        for start in range(0, size, 1000):
            some = range(start, min(size, start + 1000))
            ledger.append([NewEntry(kind=EntryKind.TERMS, body=body_of(i)) for i in some])
        root = ledger.root()
    rng = random.Random(1)
    with SqliteStore(path, read_only=True) as store:
        view = LedgerView(store, SIGNER.verifier)
        places = [rng.randrange(1, size) for _ in range(500)]
        view.prove_inclusion(places[0]).verify(root)
        return _median_ms(view.prove_inclusion, places), _median_ms(view.prove_consistency, places)


def _pymerkle_proofs(path: Path, size: int) -> float:
    """Return the median of pymerkle's inclusion proofs, ms, once it is warm."""
    with SqliteTree(str(path), algorithm="sha256") as tree:
        tree.append_entries([body_of(i) for i in range(size)], chunksize=10_000)
        rng = random.Random(1)
        tree.prove_inclusion(1, size)
        return _median_ms(tree.prove_inclusion, [rng.randrange(1, size) for _ in range(40)])


def _alone(what: str, rates: list[float], unit: str, at_least: int) -> Row:
    return {
        "what": what,
        "ours": round(statistics.median(rates)),
        "unit": unit,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "bar": f">= {at_least}",
    }


def _median_ms(prove: Callable[[int], object], places: list[int]) -> float:
    return 1e3 * statistics.median(_seconds(partial(prove, place)) for place in places)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
