"""The house rules that a formatter cannot see, held by a test."""

from __future__ import annotations

import re

import pytest

from tidy_rules import (
    FOLDERS,
    ROOT,
    RULES,
    TEXT,
    Rule,
    files,
    parse,
    sources,
    text_faults,
)

# One program per rule that breaks it: a rule that finds nothing here would find nothing anywhere.
BROKEN = {
    "long_functions": ("host/wattest/x.py", "def f():\n" + "    a = 1\n" * 70),
    "long_modules": ("host/wattest/x.py", "a = 1\n" * 401),
    "long_lines": ("host/wattest/x.py", f"a = '{'x' * 95}'\n"),
    "prints": ("host/wattest/operations/x.py", "print(1)\n"),
    "sleeps": ("tests/test_x.py", "import time\ntime.sleep(1)\n"),
    "wall_clocks": ("host/wattest/operations/x.py", "import time\nnow_s = time.time()\n"),
    "clocks_and_chance": ("host/wattest/verify/x.py", "import time\n"),
    "floats": ("host/wattest/settlement/x.py", "price = 3 / 4\n"),
    "bare_excepts": ("firmware/node/x.py", "try:\n    f()\nexcept:\n    pass\n"),
    "mega_names": ("host/wattest/twin/x.py", "energy_mwh = 1\n"),
    "unseen": ("host/wattest/x.py", '"""Only words."""\n'),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    faults = [f"{source.path}:{fault}" for source in sources() for fault in rule(source)]
    assert not faults, "\n".join([rule.__doc__ or "", *faults])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_a_program_that_breaks_it(rule: Rule) -> None:
    path, text = BROKEN[rule.__name__]
    assert list(rule(parse(text, path)))


def test_no_file_names_a_machine_a_marker_or_an_index() -> None:
    faults = []
    for path in files():
        if path.suffix in TEXT and path.name != "requirements.lock":
            text = path.read_text(encoding="utf-8")
            faults += [f"{path.relative_to(ROOT)}:{fault}" for fault in text_faults(text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "line",
    [
        "# TO" + "DO: later",
        "path = '/ro" + "ot/project'",
        "pip install --index" + "-url x",
        "as asked in iss" + "ue 3",
    ],
)
def test_a_line_that_should_not_be_there_is_found(line: str) -> None:
    assert list(text_faults(line))


def test_the_top_level_is_the_planned_one() -> None:
    expected = set(FOLDERS) | {"Makefile", "README.md", "CHANGELOG.md", "LICENSE"}
    expected |= {"pyproject.toml", "requirements.lock", ".gitignore"}
    made = {
        "snapshot_report.html",
        ".venv",
        "build",
        "dist",
        ".git",
        ".hypothesis",
        "CONTRIBUTING.md",
    }
    found = {path.name for path in ROOT.iterdir() if not path.name.endswith("_cache")}
    assert found - made == expected


def test_lock_file_pins_every_package_by_hash_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text
    blocks = re.split(r"\n(?=[a-z])", text.strip())
    loose = [b.split("\n")[0] for b in blocks if "==" not in b or "--hash=sha256:" not in b]
    assert not loose
