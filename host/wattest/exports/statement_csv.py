"""Statements as CSV (RFC 4180): one row for each part of a line, safe to open as a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from wattest.exports.placed import TEST_MARK, PlacedStatement
from wattest.settlement.money import format_minor
from wattest.settlement.period import format_instant

COLUMNS = (
    "mark", "contract", "period_start", "period_end", "generation", "state", "seller", "buyer",
    "entry", "line", "template", "payer", "part", "window", "tier", "quantity", "unit", "price",
    "part_amount", "line_amount", "currency", "flags", "statement_sha256",
)  # fmt: skip
"""``line_amount`` stands in the first row of a line only; where the buyer is the payer, the column
adds up to the total."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_PLACES = 9


def statements_csv(statements: Iterable[PlacedStatement]) -> str:
    """Return the statements as CSV with CRLF line ends and a header.

    Quantities and parts are decimals rounded to nine places; amounts of lines are what is owed.
    """
    rows = [COLUMNS, *(row for placed in statements for row in _rows(placed))]
    return "".join(",".join(cell(value) for value in row) + "\r\n" for row in rows)


def cell(value: object) -> str:
    """Return one cell, quoted where RFC 4180 asks for it.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    text = str(value)
    if text[:1] in {"=", "+", "-", "@", "\t", "\r"} and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    if any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _rows(placed: PlacedStatement) -> Iterator[tuple[object, ...]]:
    document = placed.document
    start, end = (format_instant(time_ms) for time_ms in document["period"])
    head = (
        TEST_MARK if placed.test else "", document["contract"], start, end,
        document["generation"], document["state"], document["seller"], document["buyer"],
        placed.index,
    )  # fmt: skip
    for line in document["lines"]:
        flags = " ".join(line["flags"])
        for number, part in enumerate(line["parts"] or ({},), 1):
            amount = placed.money(line["amount"]) if number == 1 else ""
            yield (
                *head, line["code"], line["template"], line["payer"], number,
                part.get("window", ""), part.get("tier", ""), _decimal(part, "quantity"),
                line.get("unit", ""), _decimal(part, "price"), _decimal(part, "amount"),
                amount, document["currency"], flags, placed.digest,
            )  # fmt: skip


def _decimal(part: Mapping[str, Any], key: str) -> str:
    if key not in part:
        return ""
    text = format_minor(round(Fraction(part[key]) * 10**_PLACES), _PLACES)
    return text.rstrip("0").rstrip(".")
