"""The form of a statement's document, checked before anything is made from it.

A ledger may hold what another program logged: a statement that says it is one, and is not, becomes
one clear line instead of half a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from wattest.errors import SettlementError
from wattest.settlement.money import Rounding, parse_exact
from wattest.settlement.period import TIME_MS_MAX
from wattest.settlement.statement import State

_NUMBER = re.compile(r"-?[0-9]{1,99}(\.[0-9]{1,99}|/[0-9]{1,99})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
Check = Callable[[Any], object]
"""Raises ``ValueError`` or ``TypeError`` for a value of another form."""


def _is(kind: type) -> Check:
    def check(value: Any) -> None:
        if type(value) is not kind:
            raise TypeError(kind.__name__)

    return check


def _text(value: Any) -> None:
    """A terminal shows it: nothing in it may move the cursor there."""
    if type(value) is not str or not value.isprintable():
        raise TypeError("a printable text")


def _currency(value: Any) -> None:
    """It stands unquoted in other programs' files, where `EUR @ 2 USD` would mean something."""
    if type(value) is not str or not _CURRENCY.fullmatch(value):
        raise TypeError("three capital letters")


def _instant(value: Any) -> None:
    if type(value) is not int or not 0 <= value < TIME_MS_MAX:
        raise TypeError("an instant, ms since 1970")


def _base(value: Any) -> None:
    if type(value) is not int or value < 1:
        raise TypeError("a whole number of 1 or more")


def _scale(value: Any) -> None:
    if type(value) is not int or not 0 <= value <= 6:
        raise TypeError("0 to 6")


def _price(value: Any) -> None:
    if type(value) is not str or not _NUMBER.fullmatch(value):
        raise TypeError("a number as text")
    Fraction(value)


def _exact(value: Any) -> None:
    if type(value) is not str:
        raise TypeError("an exact number as text")
    parse_exact(value)


def _list(item: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list:
            raise TypeError("a list")
        for each in value:
            item(each)

    return check


def _tuple(*items: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list or len(value) != len(items):
            raise TypeError(f"a list of {len(items)}")
        for item, each in zip(items, value, strict=True):
            item(each)

    return check


def _map(**keys: Check) -> Check:
    """Check a map; a key that ends in ``_`` may be absent, and others may be there too."""

    def check(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise TypeError("a map")
        for name, item in keys.items():
            key = name.rstrip("_")
            if key not in value:
                if not name.endswith("_"):
                    raise TypeError(f"a key {key}")
                continue
            try:
                item(value[key])
            except (TypeError, ValueError, ZeroDivisionError) as exc:
                raise TypeError(f"{key}: {exc}") from exc

    return check


_TEXT, _INT, _BYTES = _text, _is(int), _is(bytes)
_SPANS = _list(_tuple(_instant, _instant))
_REF = _map(ctx=_INT, seq=_INT, time=_instant, value=_INT, index=_INT)
_END = _map(time=_instant, value=_INT, rule=_TEXT, records=_list(_REF))
_KEY = _map(
    kid=_BYTES, quantity=_INT, records=_INT, missing=_INT, digest=_BYTES, start_=_END, end_=_END
)
_USAGE = _map(asset=_TEXT, metered=_INT, unmetered=_SPANS, excluded=_INT, keys=_list(_KEY))
_PART = _map(window=_TEXT, tier=_INT, quantity=_exact, price=_price, amount=_exact)
_COUNTED = _map(
    unit=_TEXT,
    quantity=_TEXT,
    base_per_unit=_base,
    metered=_INT,
    estimated=_INT,
    usage=_list(_USAGE),
)
_PAYOUTS = _list(_tuple(_TEXT, _INT))
_ASSET = _map(asset=_TEXT, up=_INT, excluded=_INT, down=_SPANS, unknown=_SPANS)
_LOGGED = _map(
    asset=_TEXT, window=_tuple(_instant, _instant), count=_INT, granted=_INT, index=_INT
)
_LINE = _map(
    code=_TEXT,
    template=_TEXT,
    parts=_list(_PART),
    exact=_exact,
    amount=_INT,
    payer=_TEXT,
    payees=_PAYOUTS,
    flags=_list(_TEXT),
    metric_=_exact,
    recognised_=_INT,
    logged_=_list(_LOGGED),
)
_DOCUMENT = _map(
    contract=_TEXT,
    title=_TEXT,
    seller=_TEXT,
    buyer=_TEXT,
    terms=_BYTES,
    currency=_currency,
    scale=_scale,
    rounding=Rounding,
    period=_tuple(_instant, _instant),
    generation=_INT,
    state=State,
    cutoff=_map(size=_INT, root=_BYTES),
    test=_is(bool),
    test_reasons=_list(_TEXT),
    lines=_list(_LINE),
    total=_INT,
    payouts=_PAYOUTS,
    opening_=_INT,
    availability_=_map(value=_exact, assets=_list(_ASSET)),
)


def check_form(document: Mapping[str, Any]) -> None:
    """Check that a document has the form of a statement; what it says is the audit's business.

    Raises:
        SettlementError: it has not: the place, and what was expected there.
    """
    try:
        _DOCUMENT(document)
        for line in document["lines"]:
            if "usage" in line or "unit" in line:
                _COUNTED(line)
    except (TypeError, ValueError) as exc:
        raise SettlementError(f"statement: {exc} expected, got another form") from exc
