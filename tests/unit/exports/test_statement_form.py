"""A document that is no statement becomes one clear line, never half an export."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from exports_bench import placed
from wattest.errors import SettlementError
from wattest.exports.beancount import beancount_text, statement_bookings
from wattest.exports.placed import PlacedStatement
from wattest.exports.statement_csv import statements_csv
from wattest.exports.statement_form import check_form
from wattest.exports.statement_page import statement_page
from wattest.settlement import statement_json, statement_text

WRONG: tuple[Any, ...] = (-(2**60), 2**62, "x", b"x", [], {}, True, [[1]], {"a": 1}, "1/0")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[-1], (*path, len(value) - 1))


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(document)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def test_statement_of_the_engine_has_the_form() -> None:
    check_form(placed().document)


def test_every_value_of_another_type_is_refused_or_shown() -> None:
    base = placed()
    refused = []
    for path in places(dict(base.document)):
        for wrong in WRONG:
            document = changed(dict(base.document), path, wrong)
            try:
                check_form(document)
            except SettlementError as error:
                refused.append(str(error))
                continue
            shown = PlacedStatement(index=1, document=document, zone="Europe/Berlin")
            statement_page([shown])
            statements_csv([shown])
            beancount_text(statement_bookings([shown]))
            statement_text(document)
            statement_json(document)
    assert len(refused) > 300
    assert all("expected, got another form" in text for text in refused)


@pytest.mark.parametrize("currency", ["EUR @ 2 USD", 'EUR" Ccy="USD', "eur", "", "\x1b[2J"])
def test_a_currency_that_says_more_to_another_program_is_refused(currency: str) -> None:
    with pytest.raises(SettlementError, match="currency: three capital letters expected"):
        check_form({**placed().document, "currency": currency})


@pytest.mark.parametrize("key", ["contract", "period", "lines", "payouts", "total", "cutoff"])
def test_missing_key_is_named(key: str) -> None:
    document = {name: value for name, value in placed().document.items() if name != key}
    with pytest.raises(SettlementError, match=f"statement: a key {key} expected"):
        check_form(document)


@pytest.mark.parametrize("key", ["title", "contract", "seller", "buyer"])
def test_text_that_would_do_something_to_a_terminal_is_refused(key: str) -> None:
    document = dict(placed().document) | {key: "\x1b[2Jgone"}
    with pytest.raises(SettlementError, match=f"statement: {key}: a printable text expected"):
        check_form(document)
