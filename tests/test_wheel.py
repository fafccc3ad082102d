"""Goal: `pip install wattest && wattest demo` works outside the checkout.

Method: build the wheel without a network, install it into a fresh virtual environment that borrows
only the dependencies of this one, and run it from an empty folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tidy_rules import ROOT
from wattest import __version__


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment and return its console script."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--isolated", "install"]
    subprocess.run(
        [*pip, "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    # The environment's own packages come first on the path; the borrowed ones follow. A .pth
    # file does not make Python read the .pth files there, so the development install stays out.
    site = next(home.glob("lib/python3.*/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home / "bin" / "wattest"


def run(program: Path, *argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [program, *argv],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_wheel_carries_firmware_boards_and_bench(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("firmware", "boards", "bench"):
        in_checkout = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        carried = {
            name.removeprefix("wattest/_data/")
            for name in names
            if name.startswith(f"wattest/_data/{folder}/")
        }
        assert carried == in_checkout


def test_wheel_carries_nothing_of_the_tests_or_caches(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert "wattest/py.typed" in names


def test_installed_program_says_its_version_and_is_not_the_checkout(
    program: Path, tmp_path: Path
) -> None:
    assert run(program, "--version", folder=tmp_path).stdout == f"wattest {__version__}\n"
    where = [program.with_name("python"), "-c", "import wattest; print(wattest.__file__)"]
    done = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(program.parent.parent)


@pytest.mark.emulated
def test_installed_program_plays_the_demo_outside_the_checkout(
    program: Path, tmp_path: Path
) -> None:
    argv = ("demo", "--headless", "--json", "--for", "10min", "--speed", "max", "--out", "OUT")
    done = run(program, *argv, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"]
    assert document["readings"] >= 6 * 10
    assert document["settled"]["test"] is True
    audit = run(program, "verify", "OUT", folder=tmp_path)
    assert audit.returncode == 0, audit.stderr
