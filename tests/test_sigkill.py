"""Kill the host at any moment: what it acknowledged is there, once, and the ledger is sound.

Method: a real process appends real signed records and prints what it has committed. It is killed
with SIGKILL after a seeded number of acknowledgements and a seeded part of the next batch, which
may be before the file exists, inside a commit, or between commit and acknowledgement. After each
kill the ledger is audited, and the next process goes on with the same file; and likewise with a
database, whose server lives on.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger_samples import SampleNode, signer
from postgresql_samples import own_schema
from wattest.ledger import LedgerView
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.store import open_store

TESTS = Path(__file__).parent
CHILD = TESTS / "unit" / "ledger" / "append_child.py"
ACKNOWLEDGEMENTS_MAX = 5
BATCH_NS = 8_000_000  # about what a batch takes: the kill lands anywhere in it
START_NS = 600_000_000  # about what a start takes


def killed_writer(place, acknowledged, seed):
    """Run a writer until its kill; return the last seq it acknowledged."""
    rng = random.Random(seed)
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(place), str(acknowledged), str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what is read ahead would be lost to communicate()
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    with process:
        count = rng.randint(0, ACKNOWLEDGEMENTS_MAX)
        for _ in range(count):
            acknowledged = int(process.stdout.readline() or process.stderr.read())
        until = time.perf_counter_ns() + rng.randrange(BATCH_NS if count else START_NS)
        while time.perf_counter_ns() < until:
            pass  # busy: a sleep would wake at scheduler ticks only
        process.send_signal(signal.SIGKILL)
        lines, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    # A line cut off by the kill was not received, so it acknowledges nothing.
    for line in lines.split(b"\n")[:-1]:
        acknowledged = int(line)
    return acknowledged


def check(place, acknowledged, last):
    """Check a ledger after a kill against acknowledgements and the checkpoint kept outside."""
    kid = SampleNode().kid
    with open_store(place) as store:
        with store.turn():
            pass  # a server may still be busy with what the killed writer sent it
        report = audit_report(store, signer().verifier, EvidenceChecks().checks)
        assert report.sound, [finding.line() for finding in report.findings]
        numbers = [row.facts.seq for row in store.records(kid, 0)]
        assert numbers == list(range(1, len(numbers) + 1)), "a record is doubled or missing"
        assert len(numbers) >= acknowledged, "an acknowledged record is lost"
        view = LedgerView(store, signer().verifier)
        newest = view.checkpoint()
        if last is not None:
            old = last.checkpoint
            view.prove_consistency(old.size).verify(old.root, newest.checkpoint.root)
        assert view.size in (0, len(numbers) + 1)
        return newest, len(numbers)


def kill_again_and_again(place, kills, seed):
    acknowledged, last, unsaid = 0, None, 0
    for kill in range(kills):
        acknowledged = killed_writer(place, acknowledged, seed + kill)
        if isinstance(place, Path) and not place.exists():
            assert acknowledged == 0
            continue
        last, logged = check(place, acknowledged, last)
        unsaid += logged > acknowledged
    assert acknowledged > 0
    return f"{acknowledged} records, {unsaid} times committed but not yet acknowledged"


def test_ledger_survives_ten_kills(tmp_path, record_property):
    record_property("covered", kill_again_and_again(tmp_path / "ledger.sqlite", 10, seed=1))


@pytest.mark.long
def test_ledger_survives_sixty_kills(tmp_path, record_property):
    record_property("covered", kill_again_and_again(tmp_path / "ledger.sqlite", 60, seed=1000))


def test_ledger_in_a_database_survives_five_kills(record_property):
    with own_schema() as url:
        record_property("covered", kill_again_and_again(url, 5, seed=2000))


@pytest.mark.long
def test_ledger_in_a_database_survives_sixty_kills(record_property):
    with own_schema() as url:
        record_property("covered", kill_again_and_again(url, 60, seed=3000))
