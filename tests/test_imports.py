"""What is really loaded when a part of the package is imported, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tidy_rules import DOMAIN, ROOT, sources

PACKAGE = ROOT / "host" / "wattest"
HEAVY = ("wasmtime", "textual", "serial", "littlefs", "esptool", "pytest")
IMPURE = (*HEAVY, "sqlite3", "socket", "ssl", "asyncio")
COPYLEFT = ("esptool", "espefuse", "espsecure", "beancount", "pymerkle")


def loaded_by(program: str) -> set[str]:
    """Return the top-level modules that are loaded after ``program`` ran."""
    report = "\nimport sys\nsys.stderr.write(' '.join({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program + report],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("name", DOMAIN)
def test_domain_loads_no_input_output_or_heavy_package(name: str) -> None:
    assert not loaded_by(f"import wattest.{name}") & set(IMPURE)


@pytest.mark.parametrize("command", ["", "demo", "decode", "verify", "board up"])
def test_help_loads_nothing_heavy_so_that_it_is_fast(command: str) -> None:
    program = (
        "import contextlib, io\n"
        "from wattest.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main({[*command.split(), '--help']!r})\n"
    )
    heavy = {*HEAVY, "sqlite3", "cryptography", "cbor2", "ecdsa"}
    assert not loaded_by(program) & heavy


def test_a_loaded_package_is_seen() -> None:
    assert "sqlite3" in loaded_by("import sqlite3")


def test_copyleft_tools_are_never_imported_by_the_package() -> None:
    lines = [
        f"{source.path}:{number}: {line.strip()}"
        for source in sources()
        if source.path.startswith("host/")
        for number, line in enumerate(source.text.splitlines(), 1)
        if line.strip().startswith(("import ", "from "))
        and line.split()[1].split(".")[0] in COPYLEFT
    ]
    assert not lines


def test_every_domain_package_is_under_the_purity_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    pure = next(c for c in contracts if c["name"].startswith("formats and domain"))
    assert {f"wattest.{name}" for name in DOMAIN} <= set(pure["source_modules"])


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [(PACKAGE, "wattest."), (PACKAGE / "operations", "")],
    ids=["packages", "operations"],
)
def test_every_package_has_its_layer(folder: Path, prefix: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layered = [c for c in contracts if c["type"] == "layers"]
    contract = next(c for c in layered if ("containers" in c) is not bool(prefix))
    named = set(" ".join(contract["layers"]).split()) - {":", "|"}
    parts = {p.stem for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert {f"{prefix}{part}" for part in parts - {"__init__"}} == named
