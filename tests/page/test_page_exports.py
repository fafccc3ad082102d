"""Pages of statements and contracts in a real browser: nothing runs or is fetched, all fits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, browser, chromium_path

from contract_samples import WIND_SLA
from exports_bench import placed
from wattest.exports.explain import explain
from wattest.exports.explain_page import explanation_page
from wattest.exports.statement_page import statement_page
from wattest.settlement import parse_terms

pytestmark = pytest.mark.skipif(chromium_path() is None, reason="no Chromium on this machine")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LOST = """[...document.querySelectorAll('a[href^="#"]')]
    .filter((link) => !document.getElementById(link.getAttribute('href').slice(1))).length"""
CONTRAST = """(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll('p, td, th, li, a, h1, h2, code')].map((e) => {
    const ink = light(getComputedStyle(e).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
})()"""
PAGES = {
    "statement": lambda: statement_page([placed(), placed(index=900, real=False)]),
    "contract": lambda: explanation_page(explain(parse_terms(WIND_SLA, "wind.toml"))),
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, chromium: Chromium, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    chromium.open(path)
    return path


def test_page_asks_for_nothing_and_complains_of_nothing(chromium: Chromium, page: Path) -> None:
    assert chromium.requests == [page.as_uri()]
    assert not chromium.errors
    assert chromium.evaluate("document.scripts.length") == 0


def test_page_fits_a_phone(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    chromium.picture(tmp_path / "phone.png", width=360)
    assert chromium.evaluate(OVERFLOW) <= 0


def test_links_lead_somewhere(chromium: Chromium, page: Path) -> None:
    assert chromium.evaluate(LOST) == 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_paper(
    chromium: Chromium, page: Path, tmp_path: Path, dark: bool
) -> None:
    chromium.picture(tmp_path / "page.png", dark=dark)
    assert chromium.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def test_page_prints(chromium: Chromium, page: Path) -> None:
    printed = chromium.call("Page.printToPDF", preferCSSPageSize=True)
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 2
