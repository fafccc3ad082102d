"""The same scenario gives the same bytes on another CPython, with its own build of every package.

Method: a virtual environment of the other Python with the locked packages, and the program itself
in a process of each.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tidy_rules import ROOT

pytestmark = [pytest.mark.emulated, pytest.mark.long]

VERSIONS = ("3.11", "3.12", "3.13")
SCENARIO = ROOT / "bench" / "scenarios" / "minimal.toml"


def interpreter(version: str) -> Path | None:
    """Return a CPython of that version on this machine, or None."""
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    question = [
        "-c",
        "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2])",
    ]
    for candidate in candidates:
        if candidate is None:
            continue
        done = subprocess.run(
            [candidate, *question], capture_output=True, text=True, check=False, timeout=60
        )
        if done.stdout.split() == ["CPython", *version.split(".")]:
            return Path(candidate)
    return None


def environment(python: Path, home: Path) -> Path:
    """Return the interpreter of a new environment with the locked packages; skip without them."""
    made = subprocess.run(
        [python, "-m", "venv", home], capture_output=True, text=True, check=False, timeout=300
    )
    if made.returncode:
        pytest.skip(f"no virtual environment for {python}: {made.stderr.strip()[-200:]}")
    inside = home / "bin" / "python"
    lock = ROOT / "requirements.lock"
    pip = [inside, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    done = subprocess.run(
        [
            *pip,
            "install",
            "--no-compile",
            "--require-hashes",
            "-r",
            lock,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode:
        pytest.skip(f"locked packages cannot be installed: {done.stderr.strip()[-200:]}")
    return inside


def keep(python: Path, out: Path, *extra: str) -> None:
    """Run the scenario in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [python, "-m", "wattest.cli.main", "run", SCENARIO, "--headless", "--out", out, *extra],
        cwd=out.parent,
        env={**clean, "PYTHONPATH": str(ROOT / "host"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def contents(out: Path) -> dict[str, object]:
    """Return every file, and every entry and checkpoint of the ledger."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and "sqlite" not in path.name and path.name != "digests.txt":
            found[path.relative_to(out).as_posix()] = path.read_bytes()
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection:
        for table in ("entry", "record", "checkpoint", "tile", "edge"):
            query = f"SELECT * FROM {table} ORDER BY 1, 2"
            found[table] = connection.execute(query).fetchall()
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_run_gives_the_same_bytes_on_another_python(version: str, tmp_path: Path) -> None:
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        pytest.skip("this is the Python the tests run on")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no CPython {version} on this machine")
    other = environment(python, tmp_path / "environment")
    keep(Path(sys.executable), tmp_path / "HERE")
    keep(other, tmp_path / "THERE")
    here, there = contents(tmp_path / "HERE"), contents(tmp_path / "THERE")
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    assert any(name.startswith("statements/") for name in here)
