"""The page in a real browser: opened from the disk, given a file, read as a person would."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, browser, chromium_path

from tidy_rules import ROOT
from wattest.evidence.page_build import build_page

pytestmark = pytest.mark.skipif(chromium_path() is None, reason="no Chromium on this machine")
BUNDLES = ROOT / "tests" / "vectors" / "bundles"
STEPS = 11


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(chromium: Chromium, tmp_path: Path) -> Path:
    path = tmp_path / "verify.html"
    path.write_text(build_page(), encoding="utf-8")
    chromium.open(path)
    return path


@pytest.mark.parametrize("form", ["statement", "plain", "session", "reading"])
def test_a_sound_bundle_passes_and_nothing_is_asked_of_the_network(
    chromium: Chromium, page: Path, form: str
) -> None:
    verdict = chromium.give(BUNDLES / f"{form}.zip")
    assert verdict["passed"], verdict
    assert "holds" in chromium.text("#verdict")
    assert chromium.evaluate("document.querySelectorAll('#steps .passed').length") == STEPS
    assert chromium.requests == [page.as_uri()]
    assert chromium.errors == []


def test_a_statement_shows_every_line_its_amount_and_a_picture(
    chromium: Chromium, page: Path
) -> None:
    chromium.give(BUNDLES / "statement.zip")
    lines = chromium.evaluate("document.querySelectorAll('tbody.line').length")
    recomputed = chromium.evaluate("document.querySelectorAll('.same').length")
    assert lines == recomputed >= 1
    assert chromium.evaluate("document.querySelectorAll('svg .bar').length") >= 1
    total = chromium.text("tfoot td")
    assert total in chromium.text("#verdict")
    log = json.loads((BUNDLES / "cases.json").read_text(encoding="utf-8"))["bases"]["statement"]
    assert log["log"] in chromium.text("#content")


def test_a_changed_bundle_fails_and_the_page_says_where_and_why(
    chromium: Chromium, page: Path, tmp_path: Path
) -> None:
    data = bytearray((BUNDLES / "reading.zip").read_bytes())
    data[200] ^= 1  # within the packed manifest
    changed = tmp_path / "changed.zip"
    changed.write_bytes(data)
    verdict = chromium.give(changed)
    assert (verdict["passed"], verdict["step"]) == (False, 1)
    shown = chromium.text("#verdict")
    assert "does not hold" in shown
    assert verdict["message"] in shown
    assert chromium.evaluate("document.querySelectorAll('#steps .failed').length") == 1
    assert chromium.text("#content") == ""


def test_another_log_than_the_expected_one_is_refused(chromium: Chromium, page: Path) -> None:
    bases = json.loads((BUNDLES / "cases.json").read_text(encoding="utf-8"))["bases"]
    assert chromium.give(BUNDLES / "reading.zip")["passed"]
    assert chromium.enter("#key", bases["plain"]["log"])["rule"] == "log-key"
    assert chromium.enter("#key", bases["reading"]["log"])["passed"]


def test_a_file_may_be_dropped_anywhere_on_the_page(chromium: Chromium, page: Path) -> None:
    encoded = base64.b64encode((BUNDLES / "reading.zip").read_bytes()).decode()
    chromium.evaluate(
        f"""{{
          const bytes = Uint8Array.from(atob("{encoded}"), (char) => char.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "reading.zip"));
          document.dispatchEvent(new DragEvent("drop", {{ dataTransfer, cancelable: true }}));
        }}"""
    )
    assert chromium.verdict()["passed"]


def test_a_browser_without_ed25519_says_so_and_shows_nothing_as_checked(
    chromium: Chromium, page: Path
) -> None:
    chromium.evaluate("crypto.subtle.importKey = () => Promise.reject(new Error('no')), 0")
    assert chromium.give(BUNDLES / "reading.zip")["rule"] == "browser"
    assert "Ed25519" in chromium.text("#verdict")
    assert chromium.evaluate("document.querySelectorAll('#steps .passed').length") == 0


def test_text_of_a_bundle_is_never_markup(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    odd = tmp_path / "<img src=x onerror=alert(1)>.zip"
    odd.write_bytes(b"no archive")
    assert chromium.give(odd)["rule"] == "zip"
    assert chromium.evaluate("document.querySelectorAll('img').length") == 0


def test_the_page_may_not_connect_even_if_a_script_tries(chromium: Chromium, page: Path) -> None:
    asked = "fetch('https://example.org/').then(() => 'connected', () => 'refused')"
    assert chromium.evaluate(asked) == "refused"
    assert any("Content Security Policy" in error for error in chromium.errors)
    assert chromium.requests == [page.as_uri()]


def test_every_control_has_a_name_and_steps_are_told_to_a_screen_reader(
    chromium: Chromium, page: Path
) -> None:
    chromium.give(BUNDLES / "statement.zip")
    names = chromium.evaluate(
        "[...document.querySelectorAll('input, button, svg')].map((element) => "
        "element.labels?.[0]?.textContent || element.ariaLabel || element.innerText)"
    )
    assert names
    assert all(names)
    assert chromium.evaluate("document.getElementById('verdict').getAttribute('aria-live')")
    assert chromium.evaluate("document.activeElement.id") == "verdict"
    assert "holds" in chromium.evaluate("document.querySelector('#steps .hidden').textContent")


def test_the_page_fits_a_phone(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    chromium.give(BUNDLES / "statement.zip")
    chromium.picture(tmp_path / "phone.png", width=360)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert chromium.evaluate(overflow) <= 0
    assert (tmp_path / "phone.png").read_bytes().startswith(b"\x89PNG")
