"""`make` alone prepares everything, says in one line why it cannot, and does nothing twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tidy_rules import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

TARGETS = ("demo", "test", "test-long", "check", "benchmark")
NAMES = ("Makefile", "pyproject.toml", "requirements.lock")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with nothing but what make needs to begin."""
    for name in NAMES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    # A make above this one would hand down its flags.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *argv], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )


def old_python(folder: Path) -> Path:
    """Write a program that answers as Python 3.8 would."""
    program = folder / "python3.8"
    program.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.8.10" && exit 0\nexit 1\n')
    program.chmod(0o755)
    return program


def test_help_is_the_default_and_lists_every_target(checkout: Path) -> None:
    done = make(checkout)
    assert done.returncode == 0
    listed = re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE)
    assert {*TARGETS, "clean", "help"} <= set(listed)
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("target", TARGETS)
def test_target_makes_the_environment_when_it_is_missing(target: str, checkout: Path) -> None:
    planned = make(checkout, "-n", target).stdout
    assert "-m venv .venv" in planned
    assert "--require-hashes -r requirements.lock" in planned
    assert "--no-build-isolation --no-deps -e ." in planned


@pytest.mark.parametrize("target", TARGETS)
def test_target_leaves_a_fresh_environment_alone(target: str, checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "installed").touch()
    assert "-m venv" not in make(checkout, "-n", target).stdout


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_environment_older_than_what_it_is_made_from_is_made_again(
    name: str, checkout: Path
) -> None:
    (checkout / ".venv").mkdir()
    stamp = checkout / ".venv" / "installed"
    stamp.touch()
    newer_s = stamp.stat().st_mtime + 10
    os.utime(checkout / name, (newer_s, newer_s))
    assert "-m venv" in make(checkout, "-n", "test").stdout


def test_old_python_is_refused_in_one_line_that_says_what_to_do(checkout: Path) -> None:
    done = make(checkout, "test", f"PYTHON={old_python(checkout)}")
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert len(said) == 1
    assert "needs Python 3.11 or newer" in said[0]
    assert "is 3.8.10: make PYTHON=/path/to/python" in said[0]
    assert not (checkout / ".venv").exists()


def test_missing_python_is_refused_in_one_line(checkout: Path) -> None:
    done = make(checkout, "test", "PYTHON=python-that-is-not-there")
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    reason = "wattest needs Python 3.11 or newer; no python-that-is-not-there found"
    assert said == [f"{reason}: make PYTHON=/path/to/python"]


def test_clean_removes_what_was_made_and_nothing_else(checkout: Path) -> None:
    for name in (".venv", "build", "dist", ".mypy_cache", "host/__pycache__"):
        (checkout / name).mkdir(parents=True)
    (checkout / "host" / "kept.py").touch()
    assert make(checkout, "clean").returncode == 0
    left = {p.relative_to(checkout).as_posix() for p in checkout.rglob("*") if p.is_file()}
    assert left == {*NAMES, "host/kept.py"}
    assert {p.name for p in checkout.iterdir() if p.is_dir()} == {"host"}


def test_ci_runs_the_three_lanes_and_finds_vectors_beside_the_checkout() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert re.search(r"^for lane in check test test-long; do$", script, re.MULTILINE)
    assert "${WATTEST_TEST_DATA:-$PWD/../shared}" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
