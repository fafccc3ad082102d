"""Bundles of random ledgers: the page comes to the same bytes for everything that may happen."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from page_bench import HERE, NODE, needs_node

from tidy_rules import ROOT

sys.path.append(str(ROOT / "tests" / "unit" / "evidence"))

from scenes import CONTRACT
from test_bundle_random import life

from wattest.evidence.select import subjects_of

pytestmark = needs_node


@pytest.mark.parametrize(
    "seeds", [range(8), pytest.param(range(8, 200), marks=pytest.mark.long)], ids=str
)
def test_page_settles_what_a_random_ledger_holds(seeds: range, tmp_path: Path) -> None:
    assert NODE is not None
    files = []
    for seed in seeds:
        maker = life(random.Random(seed)).maker()
        for number, subject in enumerate(subjects_of(maker.catalogue, CONTRACT)):
            files.append(tmp_path / f"{seed}-{number}.zip")
            files[-1].write_bytes(maker.statement(subject))
    names = tmp_path / "list.json"
    names.write_text(json.dumps([str(file) for file in files]), encoding="utf-8")
    done = subprocess.run(
        [NODE, str(HERE / "run_vectors.mjs"), "--list", str(names)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    verdicts = json.loads(done.stdout)
    wrong = [
        (file.name, verdict["step"], verdict["rule"], verdict["message"])
        for file, verdict in zip(files, verdicts, strict=True)
        if not verdict["passed"]
    ]
    assert not wrong
