"""A log that lies about anything, well signed: both verifiers give the same verdict."""

from __future__ import annotations

import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from page_bench import HERE, NODE, needs_node

from tidy_rules import ROOT
from wattest.evidence.verify import verdict_of
from wattest.ledger import EntryKind

sys.path.append(str(ROOT / "tests" / "unit" / "evidence"))
import json

import test_bundle_fuzz as fuzz
from forge import Forge
from mutants import pack_stored
from scenes import SCENES

pytestmark = needs_node
SEED = 20_261


def lying_bundles(count: int, seed: int) -> list[bytes]:
    """Bundles with one changed body each, proved, signed and digested anew."""
    chance = random.Random(seed)
    scenes = {name: make() for name, make in SCENES.items()}
    forges = {n: Forge.of(s.bench, s.data, s.witnesses) for n, s in scenes.items()}
    found = []
    for _ in range(count):
        forge = forges[chance.choice(["statement", *sorted(forges)])].copy()
        place = chance.choice(sorted(forge.chosen))
        kind, body = forge.entries[place]
        forge.put(place, fuzz._changed(body, chance))
        if kind == EntryKind.TERMS:
            fuzz._name_terms(forge, sha256(forge.entries[place][1]).digest())
        found.append(pack_stored(forge.members(restate=kind != EntryKind.STATEMENT)))
    return found


def on_the_page(bundles: list[bytes], folder: Path) -> list[dict[str, Any]]:
    paths = [folder / f"{number}.zip" for number in range(len(bundles))]
    for path, data in zip(paths, bundles, strict=True):
        path.write_bytes(data)
    listed = folder / "list.json"
    listed.write_text(json.dumps([str(path) for path in paths]), encoding="utf-8")
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(HERE / "run_vectors.mjs"), "--list", str(listed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("count", [120, pytest.param(6_000, marks=pytest.mark.long)])
def test_both_verifiers_agree_on_every_lie(count: int, tmp_path: Path) -> None:
    bundles = lying_bundles(count, SEED + count)
    reached = set()
    for number, verdict in enumerate(on_the_page(bundles, tmp_path)):
        wanted = verdict_of(bundles[number])
        said = (verdict["passed"], verdict["step"])
        assert said == (wanted.passed, wanted.step), f"{tmp_path}/{number}.zip: {wanted.message}"
        reached.add(wanted.step)
    assert {6, 7, 8, 10} <= reached
