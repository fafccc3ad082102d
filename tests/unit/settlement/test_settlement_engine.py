"""What settling refuses, what it may be given, and the audit that draws a statement again."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settlement_bench import (
    APRIL,
    CUTOFF,
    draw,
    kid,
    make_node,
    make_readings,
    make_terms,
    ms,
    terms_map,
    use_line,
    window,
)

from wattest.errors import SettlementError, VerificationError
from wattest.settlement import (
    Cutoff,
    State,
    Statement,
    Window,
    difference,
    dispute,
    read_statement,
    recompute,
    resolve,
    settle,
    terms_hash,
)
from wattest.wire import cbor

ENERGY = [{"at": APRIL[0], "import": 0}, {"at": APRIL[1], "import": 10_000_000}]


def test_key_nobody_enrolled_is_refused() -> None:
    with pytest.raises(SettlementError, match=f"key {kid('z').hex()}: an enrolment expected"):
        draw(terms_map(), [*ENERGY, {"key": "z", "at": APRIL[0], "import": 1}])


def test_asset_without_a_node_is_refused() -> None:
    with pytest.raises(
        SettlementError, match="a node enrolled for asset other expected, got none"
    ):
        draw(terms_map(assets=["asset", "other"]), ENERGY)


def test_two_enrolments_of_one_key_that_differ_are_refused() -> None:
    nodes = [make_node(), make_node(demo=True)]
    with pytest.raises(SettlementError, match="one enrolment expected, got two that differ"):
        draw(terms_map(), ENERGY, nodes=nodes)


def test_enrolment_logged_twice_is_one() -> None:
    twice = [make_node(), replace(make_node(), index=9)]
    assert draw(terms_map(), ENERGY, nodes=twice).total == "2.50"


def test_reading_beyond_the_cut_off_is_refused() -> None:
    late = [*ENERGY[:1], {**ENERGY[1], "index": CUTOFF.size}]
    with pytest.raises(SettlementError, match="entries before the cut-off at 1000000 expected"):
        draw(terms_map(), late)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "generation"),
    [(10, 10, 1), (10, 5, 1), (-1, 5, 1), (0, 2**62, 1), (0, 5, 0)],
)
def test_period_or_generation_that_cannot_be_is_refused(
    start_ms: int, end_ms: int, generation: int
) -> None:
    with pytest.raises(SettlementError, match="a period that is not empty, before 2200"):
        settle(
            make_terms(terms_map()),
            [],
            Window(start_ms=start_ms, end_ms=end_ms),
            nodes=[make_node()],
            cutoff=CUTOFF,
            generation=generation,
        )


def test_readings_of_other_assets_are_ignored() -> None:
    nodes = [make_node(), make_node("b", asset="elsewhere", kind="emulated")]
    specs = [*ENERGY, {"key": "b", "at": APRIL[1], "import": 10**9, "input": 1}]
    statement = draw(terms_map(), specs, nodes=nodes)
    assert (statement.total, statement.test) == ("2.50", False)


def test_statement_becomes_complete_when_both_ends_are_covered() -> None:
    states = [
        draw(terms_map(), ENERGY[:1]).state,
        draw(terms_map(), ENERGY).state,
        draw(terms_map(), ENERGY, final=True).state,
    ]
    assert states == [State.PROVISIONAL, State.COMPLETE, State.FINAL]


def test_evidence_lies_where_the_first_copy_was_logged() -> None:
    copies = [ENERGY[0], {**ENERGY[1], "index": 70}, {**ENERGY[1], "seq": 2, "index": 30}]
    for specs in (copies, [copies[0], copies[2], copies[1]]):
        numbered = [{**spec, "seq": 1 if spec is copies[0] else 2} for spec in specs]
        end = draw(terms_map(), numbered).lines[0].usage[0].keys[0].end
        assert end is not None
        assert [ref.index for ref in end.records] == [30]


def test_two_lines_on_one_quantity_share_their_evidence() -> None:
    lines = [use_line(code="grid", price="0.1"), use_line(code="tax", price="0.02")]
    grid, tax = draw(terms_map(line=lines), ENERGY).lines
    assert grid.usage is tax.usage


def test_evidence_names_the_records_at_both_ends() -> None:
    specs = [
        {"at": "2026-03-31T23:45:00Z", "import": 1000},
        {"at": "2026-04-01T00:15:00Z", "import": 2000},
        {"at": "2026-04-15T00:00:00Z", "import": 5000},
        {"at": APRIL[1], "import": 7000},
    ]
    key = draw(terms_map(), specs).lines[0].usage[0].keys[0]
    assert key.start is not None
    assert key.end is not None
    assert (key.start.value, [ref.seq for ref in key.start.records]) == (1500, [1, 2])
    assert (key.end.value, [ref.index for ref in key.end.records]) == (7000, [3])
    assert (key.quantity, key.records) == (5500, 4)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_readings_further_away_than_the_neighbours_change_nothing(seed: int) -> None:
    """Odd readings of every sort; then only those in reach of the period: the bytes are equal."""
    chance = random.Random(seed)
    specs: list[dict[str, Any]] = []
    time_ms, value, mono = ms("2026-03-20T00:00:00Z"), 0, 0
    for _ in range(60):
        step = chance.randrange(60_000, 2 * 86_400_000)
        time_ms += step
        mono += step
        value += chance.randrange(10**6)
        odd = chance.random()
        spec: dict[str, Any] = {"at": time_ms, "mono": mono, "import": value}
        if odd < 0.1:
            spec["at"] = None
        elif odd < 0.15:
            spec["input"] = 1
        elif odd < 0.2:
            spec["status_ok"] = False
        elif odd < 0.25:
            spec["derived"] = True
        specs.append(spec)
    status = chance.choice(["accept", "exclude"])
    form = terms_map(policy={"max_gap_s": 86_400, "status": status, "derived_time": "exclude"})
    terms, readings, period = make_terms(form), make_readings(specs), window(*APRIL)
    usable = [
        i
        for i, spec in enumerate(specs)
        if spec["at"] is not None
        and not spec.get("derived")
        and (status == "accept" or spec.get("status_ok", True))
    ]
    low = max((i for i in usable if specs[i]["at"] < period.start_ms), default=0)
    high = min((i for i in usable if specs[i]["at"] > period.end_ms), default=len(specs))

    def body(used: list[Any]) -> bytes:
        return settle(terms, used, period, nodes=[make_node()], cutoff=CUTOFF).to_cbor()

    assert body(readings) == body(readings[low : high + 1])


def logged(**options: Any) -> tuple[Statement, dict[str, Any]]:
    """A statement and what the audit needs to draw it again, later evidence included."""
    form = terms_map()
    statement = draw(form, ENERGY, **options)
    later = make_readings([{**ENERGY[1], "seq": 9, "import": 99, "index": CUTOFF.size}])
    evidence = {
        "terms": {terms_hash(make_terms(form)): make_terms(form)},
        "readings": [*make_readings(ENERGY), *later],
        "nodes": [make_node(), replace(make_node("n"), index=CUTOFF.size)],
    }
    return statement, evidence


@pytest.mark.parametrize("options", [{}, {"final": True}, {"generation": 3}])
def test_audit_draws_the_same_statement_again(options: dict[str, Any]) -> None:
    statement, evidence = logged(**options)
    assert recompute(statement.to_cbor(), **evidence) == statement


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"total": 251}, "step 3: recomputed statement differs at total: 250 expected, got 251"),
        ({"test": True}, "step 3: recomputed statement differs at test: False expected"),
        ({"extra": 1}, "step 3: recomputed statement differs at extra: None expected, got 1"),
        ({"lines": []}, "step 3: recomputed statement differs at lines: "),
        ({"period": [5, 5]}, "step 3: the evidence cannot be settled: "),
        ({"period": [5]}, "step 1: a statement expected"),
        ({"period": 5}, "step 1: a statement expected"),
        ({"state": "maybe"}, "step 1: a statement expected"),
        ({"terms": 10**12}, "step 1: a statement expected"),
        ({"terms": bytes(32)}, "step 2: terms 0000.* expected in the ledger, got none"),
        ({"cutoff": {}}, "step 1: a statement expected"),
        ({"generation": True}, "step 1: a statement expected"),
        ({"engine": 1}, "step 1: engine version 2 expected, got 1"),
        ({"format": "x"}, "step 1: a statement expected"),
    ],
)
def test_audit_names_the_step_and_the_place(change: dict[str, Any], message: str) -> None:
    statement, evidence = logged()
    body = cbor.encode({**statement.to_document(), **change})
    with pytest.raises(VerificationError, match=message):
        recompute(body, **evidence)


def test_audit_names_a_changed_amount_inside_a_line() -> None:
    statement, evidence = logged()
    document = statement.to_document()
    document["lines"][0]["parts"][0]["price"] = "0.26"
    with pytest.raises(VerificationError, match=r"lines\[0\]\.parts\[0\]\.price: '0.25' expected"):
        recompute(cbor.encode(document), **evidence)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xa0", b"\xff", bytes(70)])
def test_bytes_that_are_no_statement_are_refused(data: bytes) -> None:
    with pytest.raises(SettlementError, match="statement: "):
        read_statement(data)


def test_every_flipped_byte_is_found_or_moves_the_cut_off_that_the_caller_checks() -> None:
    statement, evidence = logged()
    body = statement.to_cbor()
    for offset in range(len(body)):
        changed = bytearray(body)
        changed[offset] ^= 1
        try:
            again = recompute(bytes(changed), **evidence)
        except VerificationError:
            continue
        assert again.cutoff != statement.cutoff
        assert again.economic_digest == statement.economic_digest


def test_generations_of_different_periods_are_not_compared() -> None:
    first, second = draw(terms_map(), ENERGY), draw(terms_map(), ENERGY, generation=2)
    assert difference(first, second).minor == 0
    with pytest.raises(SettlementError, match="a later generation of the same terms and period"):
        difference(second, first)
    other = draw(terms_map(rounding="down"), ENERGY, generation=3)
    with pytest.raises(SettlementError, match="a later generation of the same terms and period"):
        difference(first, other)


def test_dispute_of_what_is_not_there_is_refused() -> None:
    statement = draw(terms_map(), ENERGY)
    with pytest.raises(SettlementError, match="a line out of use expected, got 'base'"):
        dispute(statement, "base", 1)
    with pytest.raises(SettlementError, match="line use: 0 to 10000000 base counts expected"):
        dispute(statement, "use", 10_000_001)
    with pytest.raises(SettlementError, match="0 to 5 granted base counts expected, got 6"):
        resolve(statement, "use", 5, 6)


def test_statement_digest_covers_the_cut_off() -> None:
    terms, readings = make_terms(terms_map()), make_readings(ENERGY)
    made = [
        settle(
            terms, readings, window(*APRIL), nodes=[make_node()], cutoff=Cutoff(size=n, root=b"")
        )
        for n in (2, 3)
    ]
    assert made[0].digest != made[1].digest
    assert made[0].economic_digest == made[1].economic_digest
