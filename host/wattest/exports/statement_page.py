"""A statement as one page: what is owed, how each amount came about, which records prove it.

Every amount is a link to its evidence further down: line, parts, asset, key, records. The page
needs no script and no network; on paper the evidence starts on a page of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from wattest.exports.evidence_page import evidence_section, evidence_table, how_to_check
from wattest.exports.markup import esc, page, raw, table, tag
from wattest.exports.part_words import PartWords, part_words
from wattest.exports.placed import PlacedStatement, bought
from wattest.exports.words import amount, counted, instant, listed, number, percent, span
from wattest.settlement import Flag
from wattest.settlement.money import parse_exact
from wattest.settlement.render import NOTES
from wattest.settlement.statement import State

_NODE_REASON = re.compile(r"node ([0-9a-f]{16}) (.+)")
_STRETCHES_MAX = 12
_STATES = {
    State.PROVISIONAL: "provisional: readings for an end of the period have not come in yet",
    State.COMPLETE: "complete: readings cover the period; late ones may still change it",
    State.FINAL: "final: the time for late readings is over",
}


def statement_page(statements: Sequence[PlacedStatement]) -> str:
    """Return one self-contained page with all statements, each on a sheet of its own."""
    body: list[str] = []
    for placed in statements:
        body.extend(_sheet(placed, first=not body))
    names = ", ".join(dict.fromkeys(str(placed.document["contract"]) for placed in statements))
    test = "TEST " if any(placed.test for placed in statements) else ""
    digests = {f"wattest-statement-{item.index}": item.digest for item in statements}
    return page(f"{test}Statement {names}", body, meta=digests)


def _sheet(placed: PlacedStatement, *, first: bool) -> Iterator[str]:
    document = placed.document
    yield f'<article id="{anchor(placed)}"{"" if first else " class=page"}>'
    yield from _banner(placed)
    yield tag("p", f"Statement · {document['contract']}", class_="soft")
    yield tag("h1", document["title"] or document["contract"])
    start, end = (instant(time_ms, placed.zone) for time_ms in document["period"])
    yield tag("p", f"{start} to {end}")
    total = _money(document, document["total"])
    yield raw("p", tag("a", total, href=f"#{anchor(placed)}-lines"), class_="sum")
    yield raw("p", _who_owes(document))
    yield tag("p", f"State: {_STATES[State(document['state'])]}.", class_="soft small")
    if placed.remarks:
        yield "<h2>What happened since</h2>"
        yield raw("ul", "".join(tag("li", text) for text in placed.remarks))
    yield from _lines(placed)
    yield from _availability(placed)
    yield from _remarks(document)
    for line in document["lines"]:
        yield from _line(placed, line)
    yield from evidence_table(placed, anchor(placed))
    yield from how_to_check(placed)
    yield "</article>"


def anchor(placed: PlacedStatement) -> str:
    """Return what the ids of a statement's sheet begin with."""
    return f"s{placed.index}"


def _banner(placed: PlacedStatement) -> Iterator[str]:
    if placed.test:
        reasons = "; ".join(reasons_in_words(placed.document["test_reasons"]))
        why = f'<br><span class="small">Because {esc(reasons)}.</span>' if reasons else ""
        yield f'<div class="test"><b>TEST</b> no claim for money.{why}</div>'


def reasons_in_words(reasons: Sequence[str]) -> list[str]:
    """Say reasons shortly: nodes that share one are named in one breath."""
    nodes: dict[str, list[str]] = {}
    others = []
    for reason in reasons:
        match = _NODE_REASON.fullmatch(reason)
        if match:
            nodes.setdefault(match[2], []).append(match[1])
        else:
            others.append(reason)
    said = []
    for why, names in nodes.items():
        text = f"{'node' if len(names) == 1 else 'nodes'} {listed(names)} {why}"
        if len(names) > 1:
            text = text.replace(" has a ", " have a ").replace(" is ", " are ")
        said.append(text)
    return [*said, *others]


def _money(document: Mapping[str, Any], minor: int) -> str:
    return amount(minor, document["scale"], document["currency"])


def _who_owes(document: Mapping[str, Any]) -> str:
    buyer, seller = (raw("b", esc(document[role])) for role in ("buyer", "seller"))
    if document["total"] < 0:
        return f"{seller} owes this to {buyer}: a credit."
    if document["total"] == 0:
        return f"Nothing is owed between {buyer} and {seller}."
    return f"{buyer} owes this to {seller}."


def _lines(placed: PlacedStatement) -> Iterator[str]:
    """Show what the buyer pays; below it, what the seller pays others out of that."""
    document = placed.document
    mine = bought(document)
    others = [line for line in document["lines"] if line not in mine]
    yield f'<h2 id="{anchor(placed)}-lines">What is owed</h2>'
    rows = [_row(placed, line) for line in mine]
    rows.append(("<b>Total</b>", "", tag("b", _money(document, document["total"]))))
    yield table(("Line", "Quantity x price", "Amount"), rows, numbers=frozenset({2}))
    if others:
        yield tag("p", f"Out of this {document['seller']} pays:")
        rows = [_row(placed, line) for line in others]
        yield table(("Line", "Share", "Amount"), rows, numbers=frozenset({2}))
    payouts = [(party, minor) for party, minor in placed.payouts() if minor]
    if len(payouts) > 1:
        yield "<h2>Who receives it</h2>"
        rows = [(esc(party), "", esc(_money(document, minor))) for party, minor in payouts]
        yield table(("Party", "", "Amount"), rows, numbers=frozenset({2}))


def _row(placed: PlacedStatement, line: Mapping[str, Any]) -> tuple[str, str, str]:
    document = placed.document
    flags = f" <span class='soft small'>{esc(', '.join(line['flags']))}</span>"
    name = esc(line["code"]) + (flags if line["flags"] else "")
    said = "<br>".join(esc(words.said) for words in _parts(document, line))
    link = tag("a", _money(document, line["amount"]), href=f"#{anchor(placed)}-{line['code']}")
    return name, said, link


def _parts(document: Mapping[str, Any], line: Mapping[str, Any]) -> list[PartWords]:
    return [
        part_words(
            template=line["template"],
            window=part["window"],
            tier=part["tier"],
            quantity=parse_exact(part["quantity"]),
            each=Fraction(part["price"]),
            unit=line.get("unit", ""),
            money=(document["scale"], document["currency"]),
        )
        for part in line["parts"]
    ]


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    flags = list(dict.fromkeys(flag for line in document["lines"] for flag in line["flags"]))
    known = {flag.value: text for flag, text in NOTES.items()}
    if flags:
        yield "<h2>What to know about it</h2>"
        items = (f"<li><b>{esc(flag)}</b>: {esc(known.get(flag, flag))}</li>" for flag in flags)
        yield raw("ul", "".join(items))


def _availability(placed: PlacedStatement) -> Iterator[str]:
    found = placed.document.get("availability")
    if found is None:
        return
    rows = [
        (
            esc(asset["asset"]),
            span(asset["up"]),
            span(sum(end - start for start, end in asset["down"])),
            span(sum(end - start for start, end in asset["unknown"])),
            span(asset["excluded"]),
        )
        for asset in found["assets"]
    ]
    yield '<section class="keep"><h2>Availability</h2>'
    yield tag("p", f"The assets were up {percent(parse_exact(found['value']))} of the time.")
    yield table(("Asset", "Up", "Down", "Not known", "Maintenance"), rows)
    yield "</section>"
    yield from _stretches(placed, found["assets"])


def _stretches(placed: PlacedStatement, assets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List the longest stretches that were down or not known, and sum up the others."""
    found = sorted(
        (start - end, start, asset["asset"], said)
        for asset in assets
        for key, said in (("down", "down"), ("unknown", "not known"))
        for start, end in asset[key]
    )
    items = [
        f"{name}: {said} from {instant(start, placed.zone)}, for {span(-minus)}"
        for minus, start, name, said in found[:_STRETCHES_MAX]
    ]
    rest = found[_STRETCHES_MAX:]
    if rest:
        together = span(-sum(minus for minus, _, _, _ in rest))
        items.append(f"{counted(len(rest), 'shorter one')}, {together} together")
    if items:
        yield raw("ul", "".join(tag("li", item) for item in items), class_="small")


def _line(placed: PlacedStatement, line: Mapping[str, Any]) -> Iterator[str]:
    document = placed.document
    identity = f"{anchor(placed)}-{line['code']}"
    said = _money(document, line["amount"])
    yield f'<section class="keep"><h2 id="{esc(identity)}">{esc(line["code"])}: {esc(said)}</h2>'
    yield from _sum_table(placed, line, identity)
    yield "</section>"
    yield from evidence_section(placed, line, identity)


def _sum_table(placed: PlacedStatement, line: Mapping[str, Any], identity: str) -> Iterator[str]:
    """Show how parts become the amount; each metered quantity leads to its evidence."""
    document = placed.document
    rows = []
    for part, words in zip(line["parts"], _parts(document, line), strict=True):
        shown = esc(words.quantity)
        if words.counts and line.get("usage"):
            shown = tag("a", words.quantity, href=f"#{identity}-evidence")
        name = words.name or line["template"].lower().replace("_", " ")
        whole = esc(number(parse_exact(part["amount"])))
        rows.append((esc(name), shown, esc(words.price), whole))
    yield table(("Part", "Quantity", "Price", "Amount"), rows, numbers=frozenset({1, 2, 3}))
    exact = parse_exact(line["exact"])
    bounds = (Flag.MINIMUM, Flag.MAXIMUM, Flag.CREDIT_CAP)
    bound = next((NOTES[flag] for flag in bounds if flag.value in line["flags"]), "")
    rounding = document["rounding"].replace("_", " ")
    lead = f"{bound[0].upper()}{bound[1:]}. " if bound else ""
    said = _money(document, line["amount"])
    yield tag("p", f"{lead}Exactly {number(exact, 9)}, rounded ({rounding}): {said}.")
    if line.get("estimated"):
        share = number(Fraction(line["estimated"], line["base_per_unit"]))
        yield tag("p", f"Of the quantity, {share} {line['unit']} are estimated, not metered.")
    for estimate in line.get("logged", ()):
        granted = number(Fraction(estimate["granted"], line["base_per_unit"]))
        start, end = (instant(time_ms, placed.zone) for time_ms in estimate["window"])
        said = f"{granted} {line['unit']} of {estimate['asset']} from {start} to {end}"
        yield tag("p", f"Estimate of entry {estimate['index']}: {said}.", class_="small")
    if "recognised" in line:
        said = _money(document, line["recognised"])
        yield tag("p", f"The books recognise {said} of it in this period.")
    if "metric" in line:
        yield tag("p", f"Measure of performance: {percent(parse_exact(line['metric']))}.")
    if line["payer"] != document["buyer"]:
        names = [f"{party} {_money(document, minor)}" for party, minor in line["payees"]]
        yield tag("p", f"{line['payer']} pays this to {listed(names)}.")
