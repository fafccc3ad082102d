"""The worked examples of the settlement rules, one by one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from settlement_bench import VECTORS, draw, make_node, terms_map

from wattest.settlement import (
    Rounding,
    Statement,
    difference,
    dispute,
    format_minor,
    resolve,
    round_to_minor,
)


def by_name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def settle_vector(vector: dict[str, Any]) -> Statement:
    nodes = [
        make_node(node["key"], **{k: v for k, v in node.items() if k != "key"})
        for node in vector.get("nodes", [{"key": "a"}])
    ]
    return draw(
        terms_map(**vector.get("terms", {})),
        vector["readings"],
        period=tuple(vector["period"]),
        nodes=nodes,
        final=vector.get("final", False),
    )


def seen(statement: Statement, expect: dict[str, Any]) -> dict[str, Any]:
    """What a statement says about everything a vector expects something of."""
    line = statement.lines[0]
    says = {
        "total": statement.total,
        "state": statement.state.value,
        "flags": [flag.value for flag in statement.flags],
        "test": statement.test,
        "metered": line.metered,
        "estimated": line.estimated,
        "excluded": sum(usage.excluded for usage in line.usage),
        "records": sum(key.records for usage in line.usage for key in usage.keys),
        "unmetered_s": Fraction(
            sum(gap.end_ms - gap.start_ms for usage in line.usage for gap in usage.gaps), 1000
        ),
        "active": str(line.active),
        "exact": line.exact,
        "parts": [[part.window, str(part.quantity), str(part.amount)] for part in line.parts],
    }
    return {key: says[key] for key in expect}


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=by_name)
def test_worked_example_comes_out_as_calculated_by_hand(vector: dict[str, Any]) -> None:
    expect = dict(vector["expect"])
    if "exact" in expect:
        expect["exact"] = Fraction(expect["exact"])
    assert seen(settle_vector(vector), expect) == expect


@pytest.mark.parametrize(
    "vector", VECTORS["rounding"], ids=lambda v: f"{v['amount']}-{v['rounding']}"
)
def test_amount_is_rounded_as_calculated_by_hand(vector: dict[str, Any]) -> None:
    minor = round_to_minor(
        Fraction(vector["amount"]), scale=vector["scale"], rounding=Rounding(vector["rounding"])
    )
    assert minor == vector["minor"]


def of_energy(vector: dict[str, Any], metered: int, generation: int) -> Statement:
    readings = [
        {"at": "2026-04-01T00:00:00Z", "import": 0},
        {"at": "2026-05-01T00:00:00Z", "import": metered},
    ]
    return draw(terms_map(**vector["terms"]), readings, generation=generation)


@pytest.mark.parametrize("vector", VECTORS["revision"], ids=by_name)
def test_late_records_post_the_difference_of_rounded_totals(vector: dict[str, Any]) -> None:
    change = difference(
        of_energy(vector, vector["earlier"], 1), of_energy(vector, vector["later"], 2)
    )
    assert format_minor(change.minor, 2) == vector["difference"]
    assert change.lines == (("use", change.minor),)


@pytest.mark.parametrize("vector", VECTORS["dispute"], ids=by_name)
def test_dispute_holds_back_what_depends_on_it(vector: dict[str, Any]) -> None:
    statement = of_energy(vector, vector["metered"], 1)
    held = dispute(statement, "use", vector["disputed"])
    outcome = resolve(statement, "use", vector["disputed"], vector["granted"])
    amounts = {
        "undisputed": held.undisputed,
        "pending": held.pending,
        "posted": outcome.posted,
        "voided": outcome.voided,
    }
    assert {k: format_minor(v, 2) for k, v in amounts.items()} == {k: vector[k] for k in amounts}
