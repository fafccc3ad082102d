"""The canonical form of terms: one map, one CBOR encoding, one hash.

The map has the keys of the TOML file with every default written out, amounts as shortest decimal
strings and instants as RFC 3339 in UTC; ``terms_from_cbor`` reads it with the same rules as a
file. Two files that mean the same contract have the same hash, whatever their order, spacing or
spelling of numbers.
"""

from __future__ import annotations

import hashlib
from typing import Any

from wattest.errors import CborError, ConfigError, SettlementError
from wattest.settlement.money import decimal_text
from wattest.settlement.period import format_instant
from wattest.settlement.quantity import format_obis
from wattest.settlement.terms import (
    CalendarPeriods,
    DayWindow,
    FixedPeriods,
    LineTerms,
    PayPerUse,
    Policy,
    Subscription,
    Terms,
    Tier,
)
from wattest.settlement.terms_table import DAYS, terms_from_table
from wattest.tables import Table
from wattest.wire import cbor

TERMS_FORMAT = "wattest-terms/1"


def terms_to_map(terms: Terms) -> dict[str, Any]:
    """Return the canonical map: what JSON shows and CBOR encodes."""
    form: dict[str, Any] = {
        "format": TERMS_FORMAT,
        "contract": terms.contract,
        "seller": terms.seller,
        "buyer": terms.buyer,
        "assets": list(terms.assets),
        "currency": terms.currency,
        "currency_scale": terms.scale,
        "rounding": terms.rounding.value,
        "zone": terms.zone,
        "period": _period(terms.period),
        "policy": _policy(terms.policy),
        "line": [_line(line) for line in terms.lines],
    }
    if terms.title:
        form["title"] = terms.title
    if terms.start_ms is not None:
        form["start"] = format_instant(terms.start_ms)
    if terms.end_ms is not None:
        form["end"] = format_instant(terms.end_ms)
    if terms.pauses:
        form["pauses"] = [
            {"start": format_instant(pause.start_ms), "end": format_instant(pause.end_ms)}
            for pause in terms.pauses
        ]
    return form


def terms_to_cbor(terms: Terms) -> bytes:
    """Return the bytes that are logged and signed: deterministic CBOR of the canonical map."""
    return cbor.encode(terms_to_map(terms))


def terms_hash(terms: Terms) -> bytes:
    """Return SHA-256 of the canonical CBOR, 32 bytes: the name of these terms."""
    return hashlib.sha256(terms_to_cbor(terms)).digest()


def terms_from_cbor(data: bytes) -> Terms:
    """Read canonical terms; any other spelling of the same contract is refused.

    Raises:
        SettlementError: not deterministic CBOR, not of this format, breaks a rule, or not
        canonical.
    """
    try:
        form = cbor.decode(data)
    except CborError as exc:
        raise SettlementError(f"terms: {exc}") from exc
    if not isinstance(form, dict) or form.get("format") != TERMS_FORMAT:
        raise SettlementError(f"terms: format {TERMS_FORMAT} expected, got another")
    if not all(isinstance(key, str) for key in form):
        raise SettlementError("terms: text keys expected, got another")
    del form["format"]
    try:
        terms = terms_from_table(Table(form, "terms"))
    except ConfigError as exc:
        raise SettlementError(str(exc)) from exc
    if terms_to_cbor(terms) != data:
        raise SettlementError("terms: canonical form expected, got another spelling of it")
    return terms


def _period(period: CalendarPeriods | FixedPeriods) -> dict[str, Any]:
    if isinstance(period, CalendarPeriods):
        return {"kind": "calendar", "unit": period.unit.value}
    return {
        "kind": "fixed",
        "start": format_instant(period.start_ms),
        "duration_s": period.duration_ms // 1000,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "max_gap_s": policy.max_gap_ms // 1000,
        "unmetered": policy.unmetered.value,
        "derived_time": policy.derived_time.value,
        "input": policy.input.value,
        "status": policy.status.value,
        "tolerance_percent": int(policy.tolerance * 100),
    }


def _line(line: LineTerms) -> dict[str, Any]:
    if isinstance(line, Subscription):
        return {
            "template": "SUBSCRIPTION",
            "code": line.code,
            "amount": decimal_text(line.amount),
        }
    form: dict[str, Any] = {
        "template": "PAY_PER_USE",
        "code": line.code,
        "quantity": line.quantity.name,
        "unit": line.quantity.unit,
        "prorate_bounds": line.prorate_bounds,
        **_tiers(line.tiers),
    }
    if line.quantity.name == "register":
        form["obis"] = format_obis(line.quantity.obis)
        form["base_per_unit"] = line.quantity.base_per_unit
    if line.quantity.modulus:
        form["modulus"] = line.quantity.modulus
    if line.windows:
        form["time_of_use"] = [_day_window(window) for window in line.windows]
    form |= _bounds(line)
    return form


def _bounds(line: PayPerUse) -> dict[str, str]:
    bounds = {
        "minimum": line.minimum,
        "maximum": line.maximum,
        "estimate_cap": line.estimate_cap,
    }
    return {key: decimal_text(value) for key, value in bounds.items() if value is not None}


def _tiers(tiers: tuple[Tier, ...]) -> dict[str, Any]:
    if len(tiers) == 1:
        return {"price": decimal_text(tiers[0].price)}
    steps = []
    for tier in tiers:
        step = {"price": decimal_text(tier.price)}
        if tier.up_to is not None:
            step["up_to"] = decimal_text(tier.up_to)
        steps.append(step)
    return {"tiers": steps}


def _day_window(window: DayWindow) -> dict[str, Any]:
    return {
        "name": window.name,
        "days": [DAYS[day] for day in window.days],
        "from": f"{window.start_min // 60:02d}:{window.start_min % 60:02d}",
        "to": f"{window.end_min // 60:02d}:{window.end_min % 60:02d}",
        **_tiers(window.tiers),
    }
