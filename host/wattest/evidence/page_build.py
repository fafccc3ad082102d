"""The page of the second verifier: its modules put together to one HTML file that needs nothing.

Each module becomes a function of its own that returns what it exports, so that names stay apart;
the policy in the page's head allows exactly this script and this style and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from importlib.resources import files

from wattest import __version__

PAGE_NAME = "verify.html"
_ENTRY = "ui.js"
_IMPORT = re.compile(r'^import\s+(?P<what>[^"]+?)\s+from\s+"(?P<path>[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export\s+(?P<kept>(?:async\s+)?(?:function|const|class)\s+(?P<name>[A-Za-z0-9_]+))",
    re.MULTILINE,
)
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)


def build_page() -> str:
    """Return the page: one HTML document without any reference to another file.

    Raises:
        ValueError: a module imports what it may not, or in a circle: a bug in the sources.
    """
    script = bundle_modules(_read)
    style = "\n" + _read("style.css")
    policy = _POLICY.format(script=_source_hash(script), style=_source_hash(style))
    values = {
        "policy": policy,
        "generator": f"wattest {__version__}",
        "style": style,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _read("page.html"))


def bundle_modules(read: Callable[[str], str], entry: str = _ENTRY) -> str:
    """Put a module and all it imports into one classic script.

    Args:
        read: text of a module by its path below the page's folder.
        entry: the module that runs last.

    Raises:
        ValueError: modules import each other in a circle, or one would end the script element.
    """
    numbers: dict[str, int] = {}
    parts = ['\n"use strict";\n']
    parts += [_wrapped(path, text, numbers) for path, text in _ordered(read, entry)]
    script = "".join(parts)
    if "</script" in script or "<!--" in script:
        raise ValueError("page: a module holds text that would end the script element")
    return script


def _ordered(read: Callable[[str], str], entry: str) -> Iterator[tuple[str, str]]:
    """Yield paths and texts, each module after the ones it imports."""
    done: set[str] = set()

    def visit(path: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if path in above:
            raise ValueError(f"page: {' -> '.join((*above, path))} is a circle")
        if path in done:
            return
        text = read(path)
        for match in _IMPORT.finditer(text):
            yield from visit(_resolve(path, match["path"]), (*above, path))
        done.add(path)
        yield path, text

    return visit(entry, ())


def _resolve(importer: str, path: str) -> str:
    """Return a module's path below the page's folder from a relative import."""
    parts = importer.split("/")[:-1]
    for step in path.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


def _wrapped(path: str, text: str, numbers: dict[str, int]) -> str:
    """Turn one module into a function that returns its exports."""

    def declare(match: re.Match[str]) -> str:
        source = f"module{numbers[_resolve(path, match['path'])]}"
        what = match["what"]
        if what.startswith("* as "):
            return f"const {what.removeprefix('* as ')} = {source};\n"
        return f"const {what.replace(' as ', ': ')} = {source};\n"

    numbers[path] = len(numbers)
    names = ", ".join(match["name"] for match in _EXPORT.finditer(text))
    body = _EXPORT.sub(lambda match: match["kept"], _IMPORT.sub(declare, text))
    return (
        f"\n// {path}\nconst module{numbers[path]} = (() => {{\n{body}"
        f"return {{ {names} }};\n}})();\n"
    )


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _read(path: str) -> str:
    return files("wattest.evidence").joinpath("page", *path.split("/")).read_text("utf-8")
