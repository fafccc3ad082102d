"""What README and docs say is so: commands run, options exist, links lead somewhere."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs_blocks import Block, blocks, shortened
from tidy_rules import ROOT
from wattest.cli.main import build_parser

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCKS = [b for page in PAGES for b in blocks(page, page.relative_to(ROOT).as_posix())]
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
LOAD = "time,power\n2026-01-01T00:00:00Z,1200\n2026-01-01T00:05:00Z,800\n"
RECORD_LOAD = "wattest replay load.csv --interval 60s --for 5min --headless --out OUT"


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line as a reader would, with this environment's programs first."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with load.csv and a finished run of it in OUT."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "load.csv").write_text(LOAD, encoding="utf-8")
    done = run(RECORD_LOAD, folder)
    assert done.returncode == 0, done.stderr
    return folder


def runnable() -> Iterator[object]:
    for block in BLOCKS:
        text = " ".join(block.commands)
        emulated = block.needs == "run" or any(shortened(c) != c for c in block.commands)
        if not block.not_run and "make " not in text:
            marks = [pytest.mark.emulated] if emulated else []
            yield pytest.param(block, id=block.place, marks=marks)


@pytest.mark.parametrize("block", runnable())
def test_commands_of_the_docs_run(
    block: Block, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if block.needs == "run":
        kept = request.getfixturevalue("kept_run")
        shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    elif block.needs == "load":
        (tmp_path / "load.csv").write_text(LOAD, encoding="utf-8")
    for number, command in enumerate(block.commands, 1):
        done = run(shortened(command), tmp_path)
        last = number == len(block.commands)
        assert done.returncode == (block.exit_code if last else 0), f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_block_holds_commands_and_gives_a_reason_when_it_is_not_run(block: Block) -> None:
    assert block.commands, "a console block without a line that begins with '$ '"
    assert block.needs in {"", "load", "run"}
    assert not block.not_run or len(block.not_run.split()) > 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) <= MAKE_TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not broken


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert all(number.isdigit() for number in numbers)
    assert len(numbers) == len(set(numbers))


def commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command that does something, by its full name."""
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs:
        yield parser.prog, parser
    for action in subs:
        for child in dict.fromkeys(action.choices.values()):
            yield from commands_of(child)


COMMANDS = dict(commands_of(build_parser()))


def documented(command: str) -> str:
    """Return the section of docs/commands.md about ``command``."""
    text = COMMANDS_PAGE.read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        if section.splitlines()[0].strip("` ") == command:
            return section
    pytest.fail(f"docs/commands.md has no section ## `{command}`")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_every_documented_option_exists(command: str) -> None:
    actions = COMMANDS[command]._actions
    real = {name for a in actions for name in a.option_strings if name.startswith("--")}
    rows = re.findall(r"^\| `(--[a-z-]+)", documented(command), re.MULTILINE)
    assert set(rows) == real - {"--help"}
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_in_the_documented_usage(command: str) -> None:
    usage = documented(command).split("```")[1]
    arguments = [a.metavar for a in COMMANDS[command]._actions if not a.option_strings]
    assert all(str(name) in usage for name in arguments)


def test_exit_codes_in_docs_are_those_of_the_error_tree() -> None:
    from wattest import errors
    from wattest.cli import main

    text = COMMANDS_PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.+?) \|", text, re.MULTILINE))
    tree = {
        str(value.exit_code)
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.WattestError)
    }
    own = {str(code) for code in (0, main.EXIT_BUG, main.EXIT_INTERRUPTED, main.EXIT_PIPE)}
    assert set(rows) == tree | own


def test_environment_variables_in_docs_are_those_the_code_reads() -> None:
    read = set()
    for path in (ROOT / "host").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r"environ(?:\.get\(|\[)\"(\w+)\"", text))
    text = COMMANDS_PAGE.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    assert rows == read | {"WATTEST_TEST_DATA"}
