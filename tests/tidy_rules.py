"""What the tidy test looks for: each rule takes a parsed file and yields its faults by line."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("firmware", "host", "bench", "boards", "tests", "docs", ".ci")
DOMAIN = ("wire", "session", "verify", "twin", "ledger", "settlement", "scenario")
GUEST = "host/wattest/emulator/rom/"
SYSTEM = "host/wattest/system.py"
WALL = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "os.urandom",
    "secrets.token_bytes",
    "random.random",
}
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400
LINE_CHARS_MAX = 99
TEXT = {".py", ".pyi", ".md", ".toml", ".txt", ".csv", ".json", ".tcss", ".sql", ".cfg", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Python file: ``path`` relative to the project, its text and syntax tree."""

    path: str
    text: str
    tree: ast.Module


Rule = Callable[[Source], Iterator[str]]


@cache
def sources() -> tuple[Source, ...]:
    """Return every Python file of the project."""
    found = []
    for path in files():
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            found.append(parse(text, path.relative_to(ROOT).as_posix()))
    return tuple(found)


@cache
def files() -> tuple[Path, ...]:
    """Return every file people wrote: the folders of the project and the files beside them."""
    beside = [path for path in ROOT.iterdir() if path.is_file()]
    inside = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    return tuple(sorted(p for p in (*beside, *inside) if "__pycache__" not in p.parts))


def parse(text: str, path: str) -> Source:
    """Parse ``text`` as the file at ``path``."""
    return Source(path=path, text=text, tree=ast.parse(text))


def in_domain(path: str) -> bool:
    """Tell whether ``path`` belongs to the pure part of the host."""
    prefixes = tuple(f"host/wattest/{name}" for name in DOMAIN)
    return path.startswith(tuple(f"{prefix}/" for prefix in prefixes)) or (
        path.removesuffix(".py") in prefixes
    )


def long_functions(source: Source) -> Iterator[str]:
    """A function fits on a screen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} has {lines} lines"


def long_modules(source: Source) -> Iterator[str]:
    """A module is one concept."""
    lines = source.text.count("\n")
    if lines > MODULE_LINES_MAX:
        yield f"{lines}: module has {lines} lines"


def long_lines(source: Source) -> Iterator[str]:
    """A line fits beside another one."""
    for number, line in enumerate(source.text.splitlines(), 1):
        chars = len(line.partition("  # noqa")[0])  # a pragma for a tool is not read
        if chars > LINE_CHARS_MAX:
            yield f"{number}: line has {chars} characters"


def prints(source: Source) -> Iterator[str]:
    """Only the command line speaks to standard output."""
    if source.path.startswith("host/") and not source.path.startswith(
        ("host/wattest/cli/", GUEST)
    ):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and _called(node) == "print":
                yield f"{node.lineno}: print outside cli"


def sleeps(source: Source) -> Iterator[str]:
    """Waiting is for an event with a deadline; a sleep hides a race."""
    if source.path.startswith(("firmware/", GUEST)) or source.path == SYSTEM:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in {
            "time.sleep",
            "asyncio.sleep",
            "sleep",
        }:
            yield f"{node.lineno}: sleep"


def wall_clocks(source: Source) -> Iterator[str]:
    """One module asks the machine for the date and for randomness; all others are told."""
    if not source.path.startswith("host/") or source.path.startswith((SYSTEM, GUEST)):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in WALL:
            yield f"{node.lineno}: {_called(node)}() outside system.py"


def clocks_and_chance(source: Source) -> Iterator[str]:
    """Time and chance reach the domain as values."""
    if not in_domain(source.path):
        return
    banned = {"time", "random", "secrets", "os", "socket", "sqlite3", "threading", "uuid"}
    for node in ast.walk(source.tree):
        for name in sorted(_imported(node) & banned):
            yield f"{node.lineno}: import of {name} in the domain"
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            base = ast.unparse(node.value)
            if base in {"datetime", "date", "datetime.datetime", "datetime.date"}:
                yield f"{node.lineno}: wall clock in the domain"


def floats(source: Source) -> Iterator[str]:
    """Registers and money are integers: the same everywhere, to the last unit."""
    exact = ("host/wattest/settlement/", "host/wattest/wire/", "host/wattest/ledger/")
    if not source.path.startswith(exact) and source.path != "firmware/node/registers.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{node.lineno}: float literal"
        elif isinstance(node, ast.Call) and _called(node) == "float":
            yield f"{node.lineno}: float()"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{node.lineno}: true division"


def bare_excepts(source: Source) -> Iterator[str]:
    """Who catches everything catches the interrupt too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{node.lineno}: bare except"


def mega_names(source: Source) -> Iterator[str]:
    """Beside a market that counts in MWh, ``_mwh`` would be read as mega."""
    for node in ast.walk(source.tree):
        name = {
            ast.Name: lambda n: n.id,
            ast.arg: lambda n: n.arg,
            ast.Attribute: lambda n: n.attr,
            ast.keyword: lambda n: n.arg or "",
            ast.FunctionDef: lambda n: n.name,
        }.get(type(node), lambda _: "")(node)
        if name.lower().endswith(("_mw", "_mwh")):
            yield f"{getattr(node, 'lineno', 0)}: {name} ends in an ambiguous unit"


def unseen(source: Source) -> Iterator[str]:
    """A file that only a comment or docstring fills does nothing."""
    if source.text.strip() and not source.path.endswith("__init__.py"):
        body = [n for n in source.tree.body if not _is_docstring(n)]
        if not body:
            yield "1: nothing but a docstring"


RULES: tuple[Rule, ...] = (
    long_functions,
    long_modules,
    long_lines,
    prints,
    sleeps,
    wall_clocks,
    clocks_and_chance,
    floats,
    bare_excepts,
    mega_names,
    unseen,
)

# Spelled in halves, so that this file does not find itself.
MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
PLACES = re.compile(
    r"(?<![\w.])/(?:wo"
    r"rk|ro"
    r"ot|ho"
    r"me|Us"
    r"ers|fa"
    r"rm)/\w|/t"
    r"mp/[a-z]|/opt/w"
    r"heels"
)
INDEXES = re.compile(r"--(?:extra-)?index" r"-url|--find" r"-links|https?://[^\s)]*/simple\b")
WORDS = re.compile(
    r"\bthis se" r"ssion\b|\bsub" r"agent|\bhelper se" r"ssion|\bissue #?\d|\bAI-gen" r"erated",
    re.IGNORECASE,
)


def text_faults(text: str) -> Iterator[str]:
    """Yield what no file of the project may contain."""
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in (
            (MARKERS, "leftover marker"),
            (PLACES, "path of one machine"),
            (INDEXES, "address of a package index"),
            (WORDS, "how it was made, not what it is"),
        ):
            if pattern.search(line):
                yield f"{number}: {what}: {line.strip()[:80]}"


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return {node.module.split(".")[0]}
    return set()


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
