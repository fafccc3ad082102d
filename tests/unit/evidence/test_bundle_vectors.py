"""Every mutation of tests/vectors/bundles gets the verdict it was given by hand or by its kind."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import make_vectors
import pytest
from mutants import CASES, FOLDER, apply
from scenes import SCENES

from wattest.evidence.container import read_archive
from wattest.evidence.verify import verdict_of

DOCUMENT = json.loads(CASES.read_text(encoding="utf-8"))
BASES = DOCUMENT["bases"]
ALL = DOCUMENT["cases"]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: (FOLDER / base["file"]).read_bytes() for name, base in BASES.items()}


@pytest.mark.parametrize("case", ALL, ids=[case["name"] for case in ALL])
def test_mutation_gets_its_verdict(case: dict[str, object], files: dict[str, bytes]) -> None:
    base = str(case["base"])
    told = BASES[base]["log"] if case.get("told", True) else None
    verdict = verdict_of(apply(case, files[base]), log_key=told)
    expected = case["expect"]
    assert isinstance(expected, dict)
    assert (verdict.passed, verdict.step) == (expected["passed"], expected["step"])
    assert expected["rule"] in {None, verdict.rule}
    assert verdict.passed == (not verdict.message)


def test_changed_entry_is_named_wherever_anything_vouches_for_it(files: dict[str, bytes]) -> None:
    flips = [case for case in ALL if ": a bit of entry " in case["name"]]
    exactly = 0
    for case in flips:
        verdict = verdict_of(apply(case, files[case["base"]]), log_key=BASES[case["base"]]["log"])
        name = case["name"].split("a bit of ")[1]
        number = name.split()[1]
        if f"{verdict.where} ".startswith(f"{name} "):
            exactly += 1
        else:
            assert number in verdict.where.partition("nobody signed")[2].strip(" ()").split(", ")
    assert exactly >= len(flips) * 4 // 5


def test_there_are_two_hundred_refusals_and_every_step_refuses_some() -> None:
    steps = Counter(case["expect"]["step"] for case in ALL if not case["expect"]["passed"])
    assert sum(steps.values()) >= 200
    assert set(steps) == set(range(1, 12))


def test_every_rule_of_the_specification_refuses_at_least_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    tables = text[text.index("### Step 1") : text.index("## 6. Verdict")]
    named = {
        word.strip("` ")
        for line in tables.splitlines()
        if line.startswith("| `")
        for word in line.split("|")[1].split(",")
    }
    assert named == {case["expect"]["rule"] for case in ALL} - {None}


def test_vectors_are_what_their_program_makes(files: dict[str, bytes]) -> None:
    scenes = {name: make() for name, make in SCENES.items()}
    assert make_vectors.bases(scenes) == BASES
    for name, scene in scenes.items():
        assert read_archive(scene.data) == read_archive(files[name])
    again = make_vectors.encoded(scenes)
    if all(scene.data == files[name] for name, scene in scenes.items()):
        assert again == ALL
    else:  # another zlib packs otherwise: patches of the packed file lie elsewhere
        assert [c for c in again if "archive" not in c] == [c for c in ALL if "archive" not in c]
