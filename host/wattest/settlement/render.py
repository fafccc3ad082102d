"""Statements for people and for scripts: plain text and JSON-able maps of the document.

Both take the document (``Statement.to_document()`` or the decoded body of a ledger entry), so a
logged statement can be shown without pricing it again. Amounts are decimal strings, instants RFC
3339 in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from wattest.errors import CborError, SettlementError
from wattest.settlement.flags import Flag
from wattest.settlement.money import decimal_text, format_minor, parse_exact
from wattest.settlement.period import format_instant
from wattest.settlement.statement import STATEMENT_FORMAT
from wattest.settlement.templates import TEMPLATES
from wattest.wire import cbor

_WIDTH = 78
_PLACES = 6

NOTES: Mapping[Flag, str] = {
    Flag.INTERP: "a register was read between two records, pro rata to time",
    Flag.EST: "a part is estimated by the rule of the terms",
    Flag.UNMETERED: "some time is covered by no record; see the evidence",
    Flag.DERIVED_TIME: "the time of some records was derived from a later signed event",
    Flag.MISSING: "records are missing in between; no energy is lost by that",
    Flag.REGISTER_FAULT: "a register ran backwards or too fast; not billed",
    Flag.CONFLICT: "one number was signed for two contents; neither is used",
    Flag.CLOCK_BACKWARDS: "times and numbers of records disagree: a clock was set back",
    Flag.UNTIMED: "some records have no time; their energy shows in the next ones",
    Flag.STATUS: "the sensor path was not good all the time",
    Flag.INPUT: "energy that did not come from the sensor is not billed",
    Flag.OVERLAP: "two keys metered one asset at once; the time is counted once",
    Flag.MINIMUM: "the least amount of the terms applies",
    Flag.MAXIMUM: "the largest amount of the terms applies",
    Flag.CREDIT_CAP: "a reduction stopped at the largest one of the terms",
    Flag.UNKNOWN: "some time no record says whether the asset was up",
    Flag.UNKNOWN_DOWN: "more such time than the terms allow; the rest counts as down",
}
"""What each flag says to a person."""


def read_statement(data: bytes) -> dict[str, Any]:
    """Decode a logged statement to its document.

    Raises:
        SettlementError: not deterministic CBOR, or not a statement of this format.
    """
    try:
        document = cbor.decode(data, max_depth=12, max_bytes=1 << 22)
    except CborError as exc:
        raise SettlementError(f"statement: {exc}") from exc
    if not isinstance(document, dict) or document.get("format") != STATEMENT_FORMAT:
        raise SettlementError(f"statement: format {STATEMENT_FORMAT} expected, got another")
    return {str(key): value for key, value in document.items()}


def statement_json(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with JSON types only, and its SHA-256 as ``digest``."""
    scale = document["scale"]
    result: dict[str, Any] = _plain(document)
    result["period"] = [format_instant(time_ms) for time_ms in document["period"]]
    result["total"] = format_minor(document["total"], scale)
    result["payouts"] = _money(document["payouts"], scale)
    for asset in result.get("availability", {}).get("assets", ()):
        asset["down"], asset["unknown"] = _spans(asset["down"]), _spans(asset["unknown"])
    for line, source in zip(result["lines"], document["lines"], strict=True):
        line["amount"] = format_minor(source["amount"], scale)
        line["payees"] = _money(source["payees"], scale)
        if "recognised" in source:
            line["recognised"] = format_minor(source["recognised"], scale)
        for estimate in line.get("logged", ()):
            estimate["window"] = [format_instant(time_ms) for time_ms in estimate["window"]]
        for usage in line.get("usage", ()):
            usage["unmetered"] = _spans(usage["unmetered"])
            for end in _ends(usage):
                end["time"] = format_instant(end["time"])
                for ref in end["records"]:
                    ref["time"] = format_instant(ref["time"])
    result["digest"] = hashlib.sha256(cbor.encode(dict(document))).hexdigest()
    return result


def _money(shares: Sequence[Sequence[Any]], scale: int) -> list[list[str]]:
    return [[party, format_minor(minor, scale)] for party, minor in shares]


def _spans(spans: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[format_instant(start), format_instant(end)] for start, end in spans]


def _ends(usage: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in usage["keys"]:
        for name in ("start", "end"):
            if name in key:
                yield key[name]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def statement_text(document: Mapping[str, Any]) -> str:
    """Return the statement as plain text, at most 78 characters wide, with a final line feed."""
    return "\n".join([*_head(document), *_body(document), *_foot(document)]) + "\n"


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    mark = "TEST: no claim for money" if document["test"] else ""
    yield _row(f"STATEMENT {document['contract']}", mark)
    if document["title"]:
        yield document["title"]
    start, end = (format_instant(time_ms) for time_ms in document["period"])
    yield ""
    yield f"period    {start} to {end}"
    yield f"payee     {document['seller']}"
    yield f"payer     {document['buyer']}"
    yield f"state     {document['state']}, generation {document['generation']}"
    cutoff = document["cutoff"]
    yield f"evidence  ledger of {_grouped(cutoff['size'])} entries, root {_short(cutoff['root'])}"
    yield f"terms     {_short(document['terms'])}"
    yield ""


def _body(document: Mapping[str, Any]) -> Iterator[str]:
    currency, scale = document["currency"], document["scale"]
    for line in document["lines"]:
        yield _row(line["code"], f"{format_minor(line['amount'], scale)} {currency}")
        for part in line["parts"]:
            unit = _unit(line, part)
            name = f"{part['window']} tier {part['tier']}" if part["tier"] else part["window"]
            yield (
                f"  {name.strip():<18}{_approximate(part['quantity']):>16}{unit}"
                f" x {_price(part['price'])} = {_approximate(part['amount'])}"
            )
        if "metric" in line:
            yield f"  performance {_approximate(line['metric'])}"
        if line["payer"] != document["buyer"]:
            for party, minor in line["payees"]:
                yield f"  {line['payer']} pays {format_minor(minor, scale)} to {party}"
        if line.get("estimated"):
            share = Fraction(line["estimated"], line["base_per_unit"])
            yield f"  of which estimated {decimal_text(share)} {line['unit']}"
        for estimate in line.get("logged", ()):
            granted = _approximate(str(Fraction(estimate["granted"], line["base_per_unit"])))
            place = f"the estimate of entry {estimate['index']}"
            yield f"  {granted} {line['unit']} of them from {place}"
        for usage in line.get("usage", ()):
            yield from _evidence(usage, line)
        for flag in line["flags"]:
            yield f"  {flag}: {NOTES[Flag(flag)]}"
        yield ""


def _unit(line: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    template = TEMPLATES.get(line["template"])
    if template is not None and part["window"] in template.shares:
        return " of the period"
    return f" {line['unit']}" if "unit" in line else ""


def _evidence(usage: Mapping[str, Any], line: Mapping[str, Any]) -> Iterator[str]:
    unit, base = line["unit"], line["base_per_unit"]
    for key in usage["keys"]:
        amount = _approximate(str(Fraction(key["quantity"], base)))
        yield (
            f"  {usage['asset']}, key {key['kid'].hex()}: {amount} {unit}"
            f" in {_grouped(key['records'])} records"
        )
        if "start" in key:
            yield f"    from {_end(key['start'])}"
            yield f"    to   {_end(key['end'])}"
    if not usage["keys"]:
        yield f"  {usage['asset']}: no records"
    gaps_ms = sum(end - start for start, end in usage["unmetered"])
    if gaps_ms:
        yield f"    {_seconds(gaps_ms)} s covered by no record"
    if usage["excluded"]:
        left_out = _approximate(str(Fraction(usage["excluded"], base)))
        yield f"    {left_out} {unit} did not come from the sensor and are left out"


def _end(end: Mapping[str, Any]) -> str:
    refs = " and ".join(str(ref["index"]) for ref in end["records"])
    plural = "entries" if len(end["records"]) > 1 else "entry"
    return f"{format_instant(end['time'])} ({end['rule']}, {plural} {refs})"


def _foot(document: Mapping[str, Any]) -> Iterator[str]:
    scale, currency = document["scale"], document["currency"]
    if "availability" in document:
        found = document["availability"]
        yield f"availability {_approximate(found['value'])}"
        yield (
            f"  {_seconds(found['up'])} s up, {_seconds(found['down'])} s down, "
            f"{_seconds(found['unknown'])} s unknown"
        )
        yield ""
    yield _row("TOTAL", f"{format_minor(document['total'], scale)} {currency}")
    if len(document["payouts"]) > 1:
        for party, minor in document["payouts"]:
            yield _row(f"  to {party}", f"{format_minor(minor, scale)} {currency}")
    for reason in document["test_reasons"]:
        yield f"TEST because {reason}"


def _row(left: str, right: str) -> str:
    return f"{left}{right.rjust(_WIDTH - len(left))}" if right else left


def _approximate(exact: str) -> str:
    """Write a rational as a decimal: exactly if six places do, else cut there, with three dots."""
    value = parse_exact(exact)
    scaled = value * 10**_PLACES
    whole = abs(scaled.numerator) // scaled.denominator
    text = format_minor(-whole if scaled < 0 else whole, _PLACES)
    text = text.rstrip("0").rstrip(".")
    return text if scaled.denominator == 1 else f"{text}..."


def _price(text: str) -> str:
    """Show a price as a decimal; only one without end is a fraction."""
    return _approximate(text) if "/" in text else text


def _seconds(ms: int) -> str:
    """Whole seconds, rounded up: no unmetered time looks like none."""
    return _grouped((ms + 999) // 1000)


def _grouped(number: int) -> str:
    return f"{number:,}"


def _short(digest: bytes) -> str:
    return digest.hex()[:16]
