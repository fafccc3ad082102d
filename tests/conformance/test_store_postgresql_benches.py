"""Several programs append to one database at once: no hole, no fork, nothing twice."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from ledger_samples import SampleNode, signer
from postgresql_samples import own_schema
from wattest.ledger import Ledger, LedgerView
from wattest.ledger.audit import audit_report
from wattest.store import open_store

TESTS = Path(__file__).parent.parent
CHILD = Path(__file__).parent / "append_database_child.py"


def append_at_once(url, benches, batches):
    """Let benches append, and return what each says became of its batches."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(CHILD), url, str(number), str(batches)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        for number in range(benches)
    ]
    said = []
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        with process:
            lines, _ = process.communicate()
        assert process.returncode == 0
        said.append([json.loads(line) for line in lines.splitlines()])
    return said


def check(url, said, batches):
    """Check the ledger that the benches left behind against what they said."""
    with open_store(url, read_only=True) as store:
        report = audit_report(store, signer().verifier)
        assert report.sound, [finding.line() for finding in report.findings]
        shared = SampleNode(99)
        assert [row.facts.seq for row in store.records(shared.kid)] == list(range(1, batches + 1))
        rows = {(row.facts.kid, row.facts.seq): row.index for row in store.records()}
        view = LedgerView(store, signer().verifier)
        for number, lines in enumerate(said):
            seq = 0
            for line in lines:
                *own, heard = zip(line["kinds"], line["places"], strict=True)
                for kind, place in own:
                    seq += 1
                    assert kind == "Receipt"
                    assert rows[SampleNode(number).kid, seq] == place
                assert heard[0] in {"Receipt", "Duplicate"}
        for number in range(batches):
            heard = [lines[number]["kinds"][-1] for lines in said]
            assert heard.count("Receipt") == 1
            assert len({lines[number]["places"][-1] for lines in said}) == 1
        checkpoints = list(store.checkpoints())
        for old, new in pairwise(checkpoints):
            view.prove_consistency(old.size, new.size).verify(old.root, new.root)
        signed = {checkpoint.root.hex() for checkpoint in checkpoints}
        assert {line["root"] for lines in said for line in lines} <= signed
        for index in range(0, view.size, 7):
            view.prove_inclusion(index).verify(view.root())
        return report.size


def test_three_benches_append_to_one_database_at_once(record_property):
    with own_schema() as url:
        said = append_at_once(url, 3, 12)
        record_property("covered", f"{check(url, said, 12)} entries")


@pytest.mark.long
def test_eight_benches_append_to_one_database_at_once(record_property):
    with own_schema() as url:
        said = append_at_once(url, 8, 150)
        record_property("covered", f"{check(url, said, 150)} entries")


def test_two_ledgers_of_one_process_take_turns():
    with own_schema() as url, open_store(url) as one, open_store(url) as two:
        first, second = Ledger(one, signer()), Ledger(two, signer())
        for number in range(1, 4):
            node = SampleNode(number)
            first.append([node.enrolment()])
            second.append([node.enrolment()])
        assert second.size == 6
        first.append([SampleNode(9).enrolment()])
        assert first.size == 7
