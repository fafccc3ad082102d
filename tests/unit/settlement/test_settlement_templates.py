"""Worked examples of every template, every cell of the edge-case matrix: engine and oracle."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from template_vectors import TEMPLATE_VECTORS, form_of, specs_of, statement_of
from templates_oracle import Case, Pricer

from wattest.errors import SettlementError
from wattest.settlement import (
    Amounts,
    Statement,
    amounts_granted,
    amounts_with,
    difference,
    disputes_time,
    format_minor,
    read_statement,
    settled_from,
)
from wattest.settlement.terms import Basis, find_line

TEMPLATES = (
    "SUBSCRIPTION",
    "PAY_PER_USE",
    "PAY_FOR_PERFORMANCE",
    "GAIN_SHARE",
    "GAIN_SHARE_BONUS",
    "LEASE",
    "FREEMIUM",
    "COMMISSION",
    "STARTUP_FEE",
)
PLAIN_DISPUTES = [
    vector
    for vector in TEMPLATE_VECTORS
    if isinstance(vector.get("dispute", {}).get("disputed"), int)
    and "refused" not in vector["dispute"]
]
"""Those that do not name the windows that energy is taken out of."""
COLUMNS = ("missing", "fault", "dispute", "late", "bounds", "proration")


def having(key: str) -> Any:
    found = [vector for vector in TEMPLATE_VECTORS if key in vector]
    return pytest.mark.parametrize("vector", found, ids=lambda vector: str(vector["name"]))


def shares(pairs: Any) -> list[list[str]]:
    return [[party, format_minor(minor, 2)] for party, minor in pairs]


def seen(statement: Statement, expect: dict[str, Any]) -> dict[str, Any]:
    """What a statement says about everything a vector expects something of."""
    by_code = {line.code: line for line in statement.lines}

    def each(key: str, say: Any) -> dict[str, Any]:
        return {code: say(by_code[code]) for code in expect.get(key, ())}

    says = {
        "lines": each("lines", lambda line: format_minor(line.minor, 2)),
        "total": statement.total,
        "payouts": shares(statement.payouts),
        "flags": [flag.value for flag in statement.flags],
        "state": statement.state.value,
        "metric": each("metric", lambda line: line.metric),
        "active": each("active", lambda line: line.active),
        "exact": each("exact", lambda line: line.exact),
        "metered": each("metered", lambda line: line.metered),
        "estimated": each("estimated", lambda line: line.estimated),
        "recognised": each("recognised", lambda line: format_minor(line.recognised, 2)),
        "once": [line.code for line in statement.lines if line.once],
        "parts": each(
            "parts",
            lambda line: [[p.window, str(p.quantity), str(p.amount)] for p in line.parts],
        ),
    }
    return {key: says[key] for key in expect}


def exactly(expect: dict[str, Any]) -> dict[str, Any]:
    """Numbers of a vector as fractions where statements have fractions."""
    return {
        key: {code: Fraction(text) for code, text in value.items()}
        if key in ("metric", "active", "exact")
        else value
        for key, value in expect.items()
    }


@pytest.mark.parametrize("vector", TEMPLATE_VECTORS, ids=lambda vector: str(vector["name"]))
def test_example_comes_out_as_calculated_by_hand(vector: dict[str, Any]) -> None:
    assert seen(statement_of(vector), vector["expect"]) == exactly(vector["expect"])


@pytest.mark.parametrize("vector", TEMPLATE_VECTORS, ids=lambda vector: str(vector["name"]))
def test_oracle_agrees_with_the_engine(vector: dict[str, Any]) -> None:
    statement = statement_of(vector)
    oracle = Pricer(Case(vector, form_of(vector), specs_of(vector)))
    assert {line.code: line.exact for line in statement.lines} == oracle.exact
    assert {line.code: line.minor for line in statement.lines} == oracle.minor
    assert statement.total_minor == oracle.total
    assert dict(statement.payouts) == oracle.paid


@having("late")
def test_late_records_post_the_difference_of_rounded_totals(vector: dict[str, Any]) -> None:
    later = statement_of(vector, late=True)
    change = difference(statement_of(vector), later)
    posted = later.total_minor - statement_of(vector).total_minor
    assert format_minor(posted, 2) == vector["late"]["post"]
    assert sum(minor for code, minor in change.lines if code != "fee") == posted or (
        vector["terms"]["line"][0]["template"] == "STARTUP_FEE"
    )
    assert (
        dict(later.payouts)
        == Pricer(Case(vector, form_of(vector), specs_of(vector, late=True))).paid
    )
    if "payouts" in vector["late"]:
        assert shares(later.payouts) == vector["late"]["payouts"]


def amounts(vector: dict[str, Any], granted: int) -> Amounts:
    dispute = vector["dispute"]
    counts = dispute["disputed"]
    disputed = counts if isinstance(counts, int) else {int(k): n for k, n in counts.items()}
    return amounts_granted(statement_of(vector), dispute["code"], disputed, granted)


@having("dispute")
def test_dispute_holds_back_everything_that_depends_on_it(vector: dict[str, Any]) -> None:
    dispute = vector["dispute"]
    if "refused" in dispute:
        with pytest.raises(SettlementError, match=dispute["refused"]):
            amounts(vector, 0)
        return
    counts = dispute["disputed"]
    low = amounts(vector, 0)
    high = amounts(vector, counts if isinstance(counts, int) else sum(counts.values()))
    settled = amounts(vector, dispute["granted"])
    found = {
        "due": low.total,
        "pending": high.total - low.total,
        "posted": settled.total - low.total,
        "voided": high.total - settled.total,
    }
    assert {key: format_minor(minor, 2) for key, minor in found.items()} == {
        key: dispute[key] for key in found
    }
    if "payouts_due" in dispute:
        assert shares(low.payouts) == dispute["payouts_due"]
    for drawn in (low, high, settled):
        assert sum(minor for _, minor in drawn.payouts) == drawn.total


@pytest.mark.parametrize("vector", PLAIN_DISPUTES, ids=lambda vector: str(vector["name"]))
def test_oracle_agrees_about_both_ends_of_a_dispute(vector: dict[str, Any]) -> None:
    dispute, statement = vector["dispute"], statement_of(vector)
    line = find_line(statement.terms, dispute["code"])
    case, count = Case(vector, form_of(vector), specs_of(vector)), dispute["disputed"]
    if disputes_time(line):
        low, high = Pricer(case), Pricer(case, struck_ms=count)
    elif line.needs.basis is Basis.ACTIVE:
        low, high = Pricer(case, idle_ms=count), Pricer(case)
    else:
        low, high = Pricer(case, less=count), Pricer(case)
    assert amounts(vector, 0).total == low.total
    assert dict(amounts(vector, 0).payouts) == low.paid
    assert amounts(vector, count).total == high.total
    assert dict(amounts(vector, count).payouts) == high.paid


@having("fault")
def test_what_a_fault_did_not_bill_may_be_granted(vector: dict[str, Any]) -> None:
    fault, statement = vector["fault"], statement_of(vector)
    high = amounts_with(statement, {fault["code"]: -fault["on_top"]})
    assert statement.total == fault["due"]
    assert format_minor(high.total - statement.total_minor, 2) == fault["pending"]
    case = Case(vector, form_of(vector), specs_of(vector))
    assert high.total == Pricer(case, less=-fault["on_top"]).total


@pytest.mark.parametrize("vector", TEMPLATE_VECTORS, ids=lambda vector: str(vector["name"]))
def test_a_logged_statement_is_enough_to_price_it_again(vector: dict[str, Any]) -> None:
    statement = statement_of(vector)
    document = read_statement(statement.to_cbor())
    again = amounts_with(settled_from(statement.terms, document), {})
    assert again.total == statement.total_minor
    assert again.payouts == statement.payouts


def test_every_cell_of_the_edge_case_matrix_has_a_vector() -> None:
    cells = {f"{template} {column}" for template in TEMPLATES for column in COLUMNS}
    assert {vector["cell"] for vector in TEMPLATE_VECTORS if "cell" in vector} == cells


def test_there_are_vectors_enough_and_each_has_a_name_of_its_own() -> None:
    names = [vector["name"] for vector in TEMPLATE_VECTORS]
    assert len(set(names)) == len(names) >= 80
