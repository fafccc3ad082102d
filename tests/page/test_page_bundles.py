"""The page gives every mutated bundle the verdict that is committed with it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from page_bench import HERE, NODE, needs_node

from tidy_rules import ROOT

pytestmark = needs_node
FOLDER = ROOT / "tests" / "vectors" / "bundles"
ADDING = ("statement", "log-key", "witness-keys")  # they go on with what is compared


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    return json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any]]:
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(HERE / "run_vectors.mjs"), "--mutants", str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_there_are_enough_cases_and_each_step_refuses_some(cases: list[dict[str, Any]]) -> None:
    refused = [case["expect"] for case in cases if not case["expect"]["passed"]]
    assert len(refused) >= 200
    assert {expect["step"] for expect in refused} == set(range(1, 12))


def test_every_verdict_of_the_page_is_the_expected_one(
    cases: list[dict[str, Any]], verdicts: list[dict[str, Any]]
) -> None:
    assert [verdict["name"] for verdict in verdicts] == [case["name"] for case in cases]
    wrong = []
    for case, verdict in zip(cases, verdicts, strict=True):
        expect = case["expect"]
        same = (verdict["passed"], verdict["step"]) == (expect["passed"], expect["step"])
        if not same or expect["rule"] not in (None, verdict["rule"]):
            wrong.append(f"{case['name']}: expected {expect}, got {verdict}")
    assert not wrong, "\n".join(wrong)


def test_a_refusal_says_what_is_wrong_in_a_sentence(verdicts: list[dict[str, Any]]) -> None:
    refused = [verdict for verdict in verdicts if not verdict["passed"]]
    for verdict in refused:
        assert verdict["rule"] != "page", f"{verdict['name']}: {verdict['message']}"
        assert len(verdict["message"]) > 15
        assert verdict["message"][-1] == "." or verdict["rule"] in ADDING, verdict
