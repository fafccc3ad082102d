"""A statement as a page of text: who owes whom, for what, and on which evidence.

Works on the document that the ledger keeps, so that what is printed is what was logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from wattest.settlement import format_minor
from wattest.units import format_decimal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUANTITY_PLACES = 6
_DIGEST_SHOWN = 16

Document = Mapping[str, Any]


def statement_text(document: Document) -> str:
    """Return the page.

    Args:
        document: a statement as `wattest.settlement.Statement.to_document` gives it, or as it is
            decoded from a ledger entry of kind 5.
    """
    return "\n".join(_page(document)) + "\n"


def instant_text(time_ms: int) -> str:
    """Write an instant, ms since 1970 UTC, as ISO 8601 with Z; ms only where there are any."""
    instant = _EPOCH + timedelta(milliseconds=time_ms)
    precision = "milliseconds" if time_ms % 1000 else "seconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")


def amount_text(document: Document) -> str:
    """Return the total as a decimal string of the currency, without its name."""
    return format_minor(document["total"], document["scale"])


def _page(document: Document) -> Iterator[str]:
    start_ms, end_ms = document["period"]
    yield f"STATEMENT {document['contract']}{'  *** TEST ***' if document['test'] else ''}"
    yield document["title"]
    yield f"from {document['seller']} to {document['buyer']}"
    yield f"period {instant_text(start_ms)} until {instant_text(end_ms)}"
    yield f"{document['state']}, generation {document['generation']}"
    yield ""
    for line in document["lines"]:
        yield from _line(line, document)
    yield f"{'total':<52}{document['currency']} {amount_text(document):>12}"
    yield ""
    if document["test"]:
        yield f"TEST, no claim for money: {', '.join(document['test_reasons'])}"
    cutoff = document["cutoff"]
    yield f"terms {document['terms'].hex()[:_DIGEST_SHOWN]}"
    yield f"ledger size {cutoff['size']}, root {cutoff['root'].hex()[:_DIGEST_SHOWN]}"


def _line(line: Document, document: Document) -> Iterator[str]:
    yield f"{line['code']} ({line['template'].replace('_', ' ').lower()})"
    for part in line["parts"]:
        quantity = format_decimal(Fraction(part["quantity"]), _QUANTITY_PLACES)
        unit = line.get("unit", "period")
        amount = format_decimal(Fraction(part["amount"]), _QUANTITY_PLACES)
        yield f"  {quantity:>18} {unit:<8} x {part['price']:<12} = {amount:>18}"
    if line.get("estimated"):
        share = Fraction(line["estimated"], line["base_per_unit"])
        yield f"  of it estimated: {format_decimal(share, _QUANTITY_PLACES)} {line['unit']}"
    for usage in line.get("usage", ()):
        yield from _usage(usage)
    if line["flags"]:
        yield f"  flags: {', '.join(line['flags'])}"
    amount = format_minor(line["amount"], document["scale"])
    yield f"{'  rounded ' + document['rounding']:<52}{document['currency']} {amount:>12}"


def _usage(usage: Document) -> Iterator[str]:
    for key in usage["keys"]:
        what = f"  {usage['asset']}, node key {key['kid'].hex()}: {key['records']} records"
        if "start" in key:
            first, last = key["start"]["records"], key["end"]["records"]
            entries = [ref["index"] for ref in (*first, *last) if "index" in ref]
            if entries:
                what += f", ledger entries {min(entries)} to {max(entries)}"
        yield what
    unmetered_ms = sum(end - start for start, end in usage["unmetered"])
    if unmetered_ms:
        yield f"  {usage['asset']}: {unmetered_ms // 1000} s without readings"
