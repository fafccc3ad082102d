"""I13: the power of the host fails at any moment; what it acknowledged is on the disk.

Method: a real process appends signed records, prints what it has committed, and is traced. From
the trace disks are made as cuts at seeded moments may leave them, writes that were not flushed
lost, torn or in another order. Each disk is audited, and a ledger must be able to go on from it.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from ledger_samples import SampleNode, plain, signer
from traced_disk import STRACE, acknowledged, after_a_cut, trace
from wattest.errors import WattestError
from wattest.ledger import Ledger
from wattest.ledger.audit import audit_report
from wattest.ledger.evidence import EvidenceChecks
from wattest.store import SqliteStore

TESTS = Path(__file__).parent
CHILD = TESTS / "unit" / "ledger" / "append_child.py"
BATCHES = 40
CUTS, LONG_CUTS = 40, 1500

pytestmark = pytest.mark.skipif(STRACE is None, reason="no strace on this machine")


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Everything a writer asked of its ledger's files, with what it printed."""
    folder = tmp_path_factory.mktemp("traced") / "disk"
    folder.mkdir()
    command = [sys.executable, str(CHILD), str(folder / "ledger.sqlite"), "0", "5", str(BATCHES)]
    asked = trace(command, folder, {**os.environ, "PYTHONPATH": str(TESTS)})
    assert sum(item.what == "printed" for item in asked) == BATCHES
    assert sum(item.what == "flush" for item in asked) >= BATCHES
    return asked


def check_cut(asked, place, seed, folder):
    """Cut the power at a place, and see what the disk holds."""
    folder.mkdir()
    for name, content in after_a_cut(asked[:place], random.Random(seed)).items():
        (folder / name).write_bytes(content)
    said = acknowledged(asked[:place])
    with SqliteStore(folder / "ledger.sqlite", create=True) as store:
        report = audit_report(store, signer().verifier, EvidenceChecks().checks)
        assert report.sound, [finding.line() for finding in report.findings]
        numbers = [row.facts.seq for row in store.records(SampleNode().kid, 0)]
        assert numbers == list(range(1, len(numbers) + 1)), "a record is doubled or missing"
        assert len(numbers) >= said, "an acknowledged record is lost"
        Ledger(store, signer()).append([plain(1)])


@pytest.mark.parametrize("part", range(4))
def test_no_acknowledged_record_is_lost_at_a_power_cut(traced, part, tmp_path):
    chance = random.Random(part)
    for number in range(CUTS // 4):
        seed = 1000 * part + number
        check_cut(traced, chance.randrange(len(traced) + 1), seed, tmp_path / str(seed))


@pytest.mark.long
@pytest.mark.parametrize("part", range(30))
def test_no_acknowledged_record_is_lost_at_many_power_cuts(traced, part, tmp_path):
    chance = random.Random(100 + part)
    for number in range(LONG_CUTS // 30):
        seed = 10**6 + 1000 * part + number
        check_cut(traced, chance.randrange(len(traced) + 1), seed, tmp_path / str(seed))


def test_disk_that_forgets_what_was_flushed_is_noticed(traced, tmp_path):
    """The check can fail: without the flushes, records that were acknowledged are gone."""
    forgetful = [item for item in traced if item.what != "flush"]
    lost = 0
    for seed in range(20):
        try:
            check_cut(forgetful, len(forgetful), seed, tmp_path / str(seed))
        except (AssertionError, WattestError):
            lost += 1
    assert lost > 10
