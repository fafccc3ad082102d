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
from wattest.settlement.fields import decimals, windows_form
from wattest.settlement.period import format_instant
from wattest.settlement.terms import CalendarPeriods, FixedPeriods, Policy, Terms
from wattest.settlement.terms_table import terms_from_table
from wattest.tables import Table, describe
from wattest.wire import cbor

TERMS_FORMAT = "wattest-terms/2"


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
        "line": [
            {"template": line.template, "code": line.code, **line.form()} for line in terms.lines
        ],
    }
    if terms.title:
        form["title"] = terms.title
    if terms.start_ms is not None:
        form["start"] = format_instant(terms.start_ms)
    if terms.end_ms is not None:
        form["end"] = format_instant(terms.end_ms)
    if terms.pauses:
        form["pauses"] = windows_form(terms.pauses)
    if terms.maintenance:
        form["maintenance"] = windows_form(terms.maintenance)
    return form | _parties(terms)


def _parties(terms: Terms) -> dict[str, Any]:
    """Return what a contract may say about keys, witnesses, its end and its costs."""
    form: dict[str, Any] = {}
    if terms.ended_by is not None:
        form["ended_by"] = terms.ended_by
    if terms.arbiter is not None:
        form["arbiter"] = terms.arbiter
    if terms.party_keys:
        form["party_keys"] = {party: key.hex() for party, key in terms.party_keys}
    if terms.witness is not None:
        form["witness"] = {
            "threshold": terms.witness.threshold,
            "keys": list(terms.witness.keys),
        }
    if terms.life_cycle is not None:
        cost = terms.life_cycle
        form["life_cycle"] = {
            "periods": cost.periods,
            **decimals(
                development=cost.development,
                delivery=cost.delivery,
                operation=cost.operation,
                maintenance=cost.maintenance,
                disposal=cost.disposal,
            ),
        }
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
        got = form.get("format") if isinstance(form, dict) else None
        named = describe(got) if isinstance(got, str) else "another"
        raise SettlementError(f"terms: format {TERMS_FORMAT} expected, got {named}")
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
        "estimates": policy.estimates.value,
        "coverage_s": policy.coverage_ms // 1000,
        "max_unknown_percent": int(policy.max_unknown * 100),
        "cutoff_delay_s": policy.cutoff_delay_ms // 1000,
        "final_after_s": policy.final_after_ms // 1000,
    }
