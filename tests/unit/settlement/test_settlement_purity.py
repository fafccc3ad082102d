"""The settlement package computes with integers and fractions, from its arguments only."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
from settlement_bench import ROOT

from wattest.settlement import TEMPLATES

PACKAGE = ROOT / "host" / "wattest" / "settlement"
MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = {
    "os",
    "time",
    "random",
    "secrets",
    "locale",
    "socket",
    "uuid",
    "math",
    "decimal",
    "sys",
    "pathlib",
}
ATTRIBUTES = {
    "now",
    "today",
    "utcnow",
    "fromtimestamp",
    "timestamp",
    "total_seconds",
    "limit_denominator",
}
CALLS = {"float", "hash", "id", "round", "open", "input", "print", "globals", "vars", "complex"}


def faults(tree: ast.AST) -> list[str]:
    """Return what could make a result inexact, or differ between two runs."""
    found = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{line}: float literal")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{line}: true division")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            found.append(f"{line}: {ast.unparse(node.func)}()")
        if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            found.append(f"{line}: .{node.attr}")
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            found.extend(f"{line}: import {name}" for name in sorted(names & IMPORTS))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in IMPORTS:
            found.append(f"{line}: import {node.module}")
        if isinstance(node, ast.For | ast.comprehension) and is_unordered(node.iter):
            found.append(f"{node.iter.lineno}: iteration over a set")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "list",
            "tuple",
            "next",
            "iter",
        }:
            found.extend(f"{line}: order of a set" for arg in node.args if is_unordered(arg))
    return found


def is_unordered(node: ast.expr) -> bool:
    """Tell whether an expression is a set by its look."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub):
        return is_unordered(node.left) or is_unordered(node.right)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"set", "frozenset"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_has_no_float_clock_chance_or_unordered_iteration(path: object) -> None:
    tree = ast.parse(PACKAGE.joinpath(str(path)).read_text(encoding="utf-8"))
    assert not faults(tree)


@pytest.mark.parametrize(
    "program",
    [
        "x = 0.5",
        "x = a / b",
        "x /= 2",
        "x = float(a)",
        "import time",
        "from random import choice",
        "import os.path",
        "x = datetime.now()",
        "x = round(y)",
        "for a in {1, 2}: f(a)",
        "x = [a for a in set(b)]",
        "x = list({1} | b)",
        "x = hash(a)",
    ],
)
def test_the_lint_finds_what_it_is_for(program: str) -> None:
    assert faults(ast.parse(program))


def test_the_lint_looks_at_the_whole_package() -> None:
    assert {"engine", "usage", "register", "money", "terms_form", "lease", "availability"} <= {
        p.stem for p in MODULES
    }


@pytest.mark.parametrize(
    "name",
    ["engine", "draw", "price", "amounts", "statement", "render", "terms_table", "terms_form"],
)
def test_module_knows_no_template_by_its_name(name: str) -> None:
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "templates" in (node.module or "")
        for alias in node.names
    }
    assert not said & set(TEMPLATES)
    assert taken <= {"TEMPLATES", "Draft"}


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from settlement_bench import VECTORS
from template_vectors import TEMPLATE_VECTORS, statement_of
from test_settlement_vectors import settle_vector
import hashlib
digest = hashlib.sha256()
statements = [settle_vector(vector) for vector in VECTORS["vectors"]]
for statement in (*statements, *map(statement_of, TEMPLATE_VECTORS)):
    digest.update(statement.to_cbor() + statement.economic_digest)
sys.stdout.write(digest.hexdigest())
"""


def test_statements_do_not_depend_on_hash_seed_locale_or_time_zone() -> None:
    program = PROGRAM.format(folder=str(ROOT / "tests" / "unit" / "settlement"))
    seen = set()
    for seed, zone, language in (("1", "UTC", "C"), ("77", "Asia/Kathmandu", "de_DE.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    assert len(seen.pop()) == 64
