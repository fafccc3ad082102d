"""The page settles as the engine does: the same bytes, whatever the contract and the evidence."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from page_bench import needs_node, run_node
from random_contracts import Scene, random_scene
from settle_cases import REFUSED, case_form, statements

from tidy_rules import ROOT
from wattest.settlement import period_at
from wattest.wire import cbor

sys.path.append(str(ROOT / "tests" / "unit" / "settlement"))
import settlement_bench as bench
import template_vectors as templates

pytestmark = needs_node
COUNT, COUNT_LONG = 100, 5_000


def plain_scene(vector: dict[str, Any]) -> Scene:
    nodes = vector.get("nodes", [{"key": "a"}])
    return Scene(
        terms=bench.make_terms(bench.terms_map(**vector.get("terms", {}))),
        readings=bench.make_readings(vector["readings"]),
        nodes=[bench.make_node(n.pop("key"), **n) for n in map(dict, nodes)],
        period=bench.window(*vector["period"]),
        cutoff=bench.CUTOFF,
        estimates=[],
        final=vector.get("final", False),
    )


def template_scene(vector: dict[str, Any]) -> Scene:
    return Scene(
        terms=bench.make_terms(templates.form_of(vector)),
        readings=bench.make_readings(templates.specs_of(vector)),
        nodes=templates.nodes_of(vector),
        period=bench.window(*vector["period"]),
        cutoff=bench.CUTOFF,
        estimates=templates.estimates_of(vector),
        final=vector.get("final", False),
    )


def compare(scenes: list[Scene], names: list[str], folder: Path) -> Counter[str]:
    """Settle with both engines; return what occurred in the statements."""
    wanted = statements(scenes)
    found = run_node("run_settle.mjs", [case_form(scene) for scene in scenes], folder)
    pairs = zip(names, wanted, found, strict=True)
    assert [name for name, ours, theirs in pairs if ours != theirs] == []
    seen: Counter[str] = Counter()
    for encoded in wanted:
        if encoded == REFUSED:
            seen[REFUSED] += 1
            continue
        document = cbor.decode(bytes.fromhex(encoded), max_depth=12, max_bytes=1 << 22)
        seen[document["state"]] += 1
        for line in document["lines"]:
            seen.update([line["template"], *line["flags"]])
    return seen


@pytest.mark.parametrize(
    ("vectors", "scene_of"),
    [
        (bench.VECTORS["vectors"], plain_scene),
        (templates.TEMPLATE_VECTORS, template_scene),
    ],
    ids=["registers and policies", "templates"],
)
def test_worked_examples_give_the_same_bytes(
    vectors: list[dict[str, Any]], scene_of: Any, tmp_path: Path
) -> None:
    compare([scene_of(v) for v in vectors], [v["name"] for v in vectors], tmp_path)


def random_statements_agree(seeds: range, folder: Path) -> None:
    scenes = [random_scene(random.Random(seed)) for seed in seeds]
    seen = compare(scenes, [f"seed {seed}" for seed in seeds], folder)
    assert {"provisional", "complete", "final"} <= set(seen)
    assert {"SLA_CREDIT", "COMMISSION", "FREEMIUM", "LICENCE", "STARTUP_FEE"} <= set(seen)
    assert {"EST", "CONFLICT", "UNTIMED", "REGISTER_FAULT", "UNKNOWN_DOWN"} <= set(seen)
    assert seen[REFUSED] < len(scenes) // 10


def test_random_contracts_with_bad_evidence_give_the_same_bytes(tmp_path: Path) -> None:
    random_statements_agree(range(COUNT), tmp_path)


@pytest.mark.long
def test_thousands_of_random_contracts_give_the_same_bytes(tmp_path: Path) -> None:
    random_statements_agree(range(10_000, 10_000 + COUNT_LONG), tmp_path)


def test_calendar_periods_are_the_same_around_every_clock_change(tmp_path: Path) -> None:
    zones = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
    given, wanted = [], []
    for zone in zones:
        for unit in ("day", "week", "month", "quarter", "year"):
            form = bench.terms_map(zone=zone, period={"kind": "calendar", "unit": unit})
            terms = bench.make_terms(form)
            for hour in range(0, 366 * 24, 31):
                time_ms = bench.ms("2026-01-01T00:00:00Z") + hour * 3_600_000
                given.append(
                    {"what": "period", "options": {"zone": zone, "unit": unit, "time": time_ms}}
                )
                period = period_at(terms, time_ms)
                wanted.append({"value": [period.start_ms, period.end_ms]})
    assert run_node("run_formats.mjs", given, tmp_path) == wanted
