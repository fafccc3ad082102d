"""The page is one file that asks for nothing else, and its policy forbids it to."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from page_bench import PAGE

from wattest.cli.main import main
from wattest.evidence.page_build import build_page, bundle_modules

MODULES = sorted(PAGE.rglob("*.js"))
CHARS_MAX = 99
LINES_MAX = 400


def element(page: str, name: str) -> str:
    found = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
    assert len(found) == 1
    return found[0]


def test_the_policy_allows_this_script_and_this_style_and_no_connection() -> None:
    page = build_page()
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert len(policy) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policy[0].split(";"))
    for name in ("script", "style"):
        digest = hashlib.sha256(element(page, name).encode()).digest()
        assert rules[f"{name}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert "unsafe" not in policy[0]


def test_the_page_names_no_other_file_and_no_address() -> None:
    page = build_page()
    assert not re.search(r'\b(?:src|href|action|srcset)\s*=\s*"', page)
    addresses = set(re.findall(r"[a-z]+://[^\s\"'`)]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a language, not a place
    assert "import(" not in page
    assert not re.search(r"^\s*(?:import|export)\s", element(page, "script"), re.MULTILINE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PAGE).as_posix())
def test_a_module_is_small_and_calls_nothing_it_must_not(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES_MAX
    assert max(map(len, text.splitlines())) <= CHARS_MAX
    assert text.startswith("// ")
    forbidden = (
        r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\beval\(|new Function|"
        r"innerHTML|outerHTML|document\.write|localStorage|sessionStorage|Math\.random|Date\.now"
    )
    assert re.search(forbidden, text) is None


def test_money_and_counts_are_never_floating_point() -> None:
    for path in (PAGE / "settle").glob("*.js"):
        text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        assert re.search(r"parseFloat|Number\.parseFloat|toFixed|[0-9]\.[0-9]", text) is None, path


def test_modules_become_functions_in_the_order_of_their_imports() -> None:
    sources = {
        "ui.js": 'import { two as second } from "./a/b.js";\nsecond();\n',
        "a/b.js": 'import * as low from "../c.js";\nexport const two = () => low.one();\n',
        "c.js": "export function one() {}\n",
    }
    script = bundle_modules(sources.__getitem__)
    assert script.index("// c.js") < script.index("// a/b.js") < script.index("// ui.js")
    assert "const low = module0;" in script
    assert "const { two: second } = module1;" in script
    assert "return { two };" in script


def test_modules_that_import_each_other_are_refused() -> None:
    sources = {
        "ui.js": 'import { a } from "./a.js";\n',
        "a.js": 'import { b } from "./ui.js";\nexport const a = 1;\n',
    }
    with pytest.raises(ValueError, match=r"ui\.js -> a\.js -> ui\.js is a circle"):
        bundle_modules(sources.__getitem__)


def test_text_that_would_end_the_script_is_refused() -> None:
    with pytest.raises(ValueError, match="end the script element"):
        bundle_modules({"ui.js": 'const a = "</script>";\n'}.__getitem__)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "verify.html"
    assert main(["page", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == build_page()
    assert str(path) in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "verify.html"
    assert main(["page", "-o", str(path)]) != 0
    assert "cannot be written" in capsys.readouterr().err
    assert main(["page", "-o", str(tmp_path)]) == 2
    assert "got a folder" in capsys.readouterr().err
