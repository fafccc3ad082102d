"""An explanation as a page for the browser and for paper, and as plain text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from wattest.exports.chart import Chart, svg
from wattest.exports.explain import Explanation, Section
from wattest.exports.markup import esc, page, raw, table, tag

_WIDTH = 78


def explanation_page(explanation: Explanation) -> str:
    """Return one self-contained page: no script, nothing fetched, readable on a phone."""
    body = [
        tag("p", f"Contract · {explanation.terms.contract}", class_="soft"),
        tag("h1", explanation.title),
        tag("p", explanation.summary),
    ]
    for section in explanation.sections:
        body.extend(_section(section))
    body.extend(_bill(explanation))
    body.extend(_charts(explanation))
    for section in explanation.rules:
        body.extend(_section(section))
    body.append(
        raw(
            "p",
            f"These terms have the SHA-256 <code>{explanation.digest}</code>; it is what both "
            "parties sign. Amounts on this page were calculated by the program that settles; "
            "the contract file decides, not this page.",
            class_="soft small",
        )
    )
    return page(explanation.title, body, meta={"wattest-terms": explanation.digest})


def _section(section: Section) -> Iterator[str]:
    yield '<section class="keep">'
    yield tag("h2", section.title)
    yield from (tag("p", text) for text in section.said)
    yield from (tag("p", text, class_="example") for text in section.example)
    yield "</section>"


def _bill(explanation: Explanation) -> Iterator[str]:
    rows = [(esc(name), esc(how), esc(money)) for name, how, money in explanation.bill]
    rows.append(("<b>Total</b>", "", tag("b", explanation.total)))
    yield '<section class="keep"><h2>An example bill</h2>'
    yield tag("p", explanation.usage)
    yield table(("Line", "How it comes about", "Amount"), rows, numbers=frozenset({2}))
    yield from (tag("p", text) for text in explanation.shares)
    yield "</section>"


def _charts(explanation: Explanation) -> Iterator[str]:
    if not explanation.studies:
        return
    yield "<h2>What it costs, and for whom it pays</h2>"
    for found, said in explanation.studies:
        yield raw("figure", f"{svg(found.chart)}\n{tag('figcaption', found.chart.title)}")
        if said:
            yield raw("ul", "".join(tag("li", text) for text in said))


def explanation_text(explanation: Explanation, *, draw: Callable[[Chart], str]) -> str:
    """Return an explanation as text, at most 78 characters wide.

    Args:
        explanation: of a contract.
        draw: makes a chart of characters, 78 wide.
    """
    parts = [explanation.title, "=" * min(len(explanation.title), _WIDTH), ""]
    parts += [*_wrapped(explanation.summary), ""]
    for section in explanation.sections:
        parts += _said(section)
    parts += ["AN EXAMPLE BILL", *_wrapped(explanation.usage)]
    for name, how, money in explanation.bill:
        parts.append(f"  {name}{money.rjust(_WIDTH - 2 - len(name))}")
        parts += textwrap.wrap(how, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    parts.append(f"  Total{explanation.total.rjust(_WIDTH - 7)}")
    parts += [line for text in explanation.shares for line in _wrapped(text)]
    parts.append("")
    for found, said in explanation.studies:
        parts += [found.chart.title.upper(), "", draw(found.chart), ""]
        parts += [line for text in said for line in _wrapped(text, "* ")]
        parts += [""] if said else []
    for section in explanation.rules:
        parts += _said(section)
    parts.append(f"terms {explanation.digest}")
    return "\n".join(parts) + "\n"


def _said(section: Section) -> list[str]:
    lines = [section.title.upper()]
    for text in section.said:
        lines += _wrapped(text)
    for text in section.example:
        lines += _wrapped(text, "  ")
    return [*lines, ""]


def _wrapped(text: str, lead: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
