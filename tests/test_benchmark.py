"""The benchmark runner judges a row by its bar and never turns a slow machine into a failure."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

from tidy_rules import ROOT

FOLDER = ROOT / "bench" / "benchmarks"


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """Return run.py as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_run", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "what": "sign",
        "ours": 30.0,
        "unit": "ms",
        "reference": 15.0,
        "reference_name": "python-ecdsa",
        "ratio": 2.0,
        "bar": "<= 3.0 x",
    }
    return values | changes


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, True),
        ({"ratio": 3.1}, False),
        ({"bar": ">= 45 %", "ratio": 0.46}, True),
        ({"bar": ">= 45 %", "ratio": 0.44}, False),
        ({"bar": "<= 30 ms"}, True),
        ({"bar": ">= 4,000"}, False),
        ({"bar": ">= 4,000", "ours": 4000}, True),
        ({"bar": ""}, None),
        ({"bar": "<= 3 x", "ratio": None}, None),
    ],
)
def test_bar_is_applied_to_the_ratio_or_to_our_number(
    runner: ModuleType, changes: dict[str, Any], held: bool | None
) -> None:
    assert runner.holds(row(**changes)) is held


def test_missed_bar_is_shown(runner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    runner.show([row(), row(what="slow", ratio=9.0)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("held")
    assert lines[2].endswith("MISSED")


def test_every_module_with_rows_is_found(runner: ModuleType) -> None:
    found = set(runner.names())
    written = {p.stem for p in FOLDER.glob("*.py")} - {"run", "__init__"}
    assert found <= written


def test_measurement_that_ends_early_is_an_error_with_its_name(runner: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="no_such_module"):
        runner.measure("no_such_module")


def test_unknown_name_is_refused(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "no_such_module"])
    with pytest.raises(SystemExit, match="2"):
        runner.main()


@pytest.mark.emulated
def test_heap_after_boot_of_the_whole_firmware_keeps_its_bar(runner: ModuleType) -> None:
    for measured in runner.measure("heap"):
        assert runner.holds(measured) in {True, None}, measured


@pytest.mark.emulated
def test_signing_is_measured_with_both_tables(runner: ModuleType) -> None:
    found = runner.measure("signing")
    assert len(found) == 2
    assert all(measured["ratio"] > 0 for measured in found)
