"""The mutated bundles given to the page in a real browser: the verdicts are the same there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, chromium_path

from tidy_rules import ROOT
from wattest.evidence.page_build import build_page

sys.path.append(str(ROOT / "tests" / "unit" / "evidence"))
from mutants import apply

pytestmark = pytest.mark.skipif(chromium_path() is None, reason="no Chromium on this machine")
FOLDER = ROOT / "tests" / "vectors" / "bundles"
VECTORS: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))


def first_of_each_step() -> list[dict[str, Any]]:
    found: dict[int | None, dict[str, Any]] = {}
    for case in VECTORS["cases"]:
        found.setdefault(case["expect"]["step"], case)
    return list(found.values())


def check(cases: list[dict[str, Any]], folder: Path) -> None:
    page = folder / "verify.html"
    page.write_text(build_page(), encoding="utf-8")
    bases = {name: (FOLDER / base["file"]).read_bytes() for name, base in VECTORS["bases"].items()}
    wrong = []
    with browser(folder / "profile") as chromium:
        chromium.open(page)
        for number, case in enumerate(cases):
            path = folder / f"{number}.zip"
            path.write_bytes(apply(case, bases[case["base"]]))
            log = VECTORS["bases"][case["base"]]["log"] if case.get("told", True) else ""
            chromium.evaluate(f"document.getElementById('key').value = {json.dumps(log)}")
            verdict = chromium.give(path)
            expect = case["expect"]
            if (verdict["passed"], verdict["step"]) != (expect["passed"], expect["step"]):
                wrong.append(f"{case['name']}: expected {expect}, got {verdict}")
        assert chromium.requests == [page.as_uri()]
    assert not wrong, "\n".join(wrong)


def test_a_bundle_that_breaks_each_step_is_refused_there(tmp_path: Path) -> None:
    cases = first_of_each_step()
    assert len(cases) == 12
    check(cases, tmp_path)


@pytest.mark.long
def test_every_mutated_bundle_gets_its_verdict_in_the_browser(tmp_path: Path) -> None:
    check(VECTORS["cases"], tmp_path)
