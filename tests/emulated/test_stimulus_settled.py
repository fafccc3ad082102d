"""What a stimulus board played is never money, were its node the most real of all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stimulus_harness import PlayedBench

from tidy_rules import ROOT
from wattest.emulator.wires import connect_pins
from wattest.operations.settler import Settler
from wattest.scenario import load_scenario
from wattest.settlement import Cutoff, Statement
from wattest.verify import EnrolmentKind, Verifier
from wattest.wire import spki_der

pytestmark = pytest.mark.emulated
SETTINGS = {"role": "s0", "pin": 26, "impulses_per_kwh": 1000, "pulse_ms": 80, "exporting": 0}
PERIOD_MS = 31 * 86_400_000


def settled(bench: PlayedBench) -> list[Statement]:
    """Settle its records as those of a real board with a real key."""
    expected = replace(bench.node.expected, kind=EnrolmentKind.REAL, demo=False)
    enrolment = expected.enrolment(spki_der(bench.public_key), enrolled_ms=bench.now_ms - 60_000)
    verifier = Verifier([enrolment])
    base = load_scenario(ROOT / "bench" / "scenarios" / "replay.toml")
    contracts = [replace(terms, assets=(expected.asset,)) for terms in base.contracts]
    settler = Settler(
        contracts, start_ms=bench.now_ms - 86_400_000, end_ms=bench.now_ms + PERIOD_MS
    )
    settler.enrol(enrolment, 0)
    for index, record in enumerate(bench.records, 1):
        assert verifier.check_record(record).accepted
        settler.add(record, index=index)
    cutoff = Cutoff(size=len(bench.records) + 1, root=bytes(32))
    return [drawn.statement for drawn in settler.view(cutoff, now_ms=bench.now_ms)]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_node_that_says_it_is_played_is_settled_as_a_test(is_told: bool) -> None:
    bench = PlayedBench("emulated-esp32-s0", SETTINGS)
    connect_pins(bench.stimulus, 26, bench.node.board, 27)
    board = bench.start()
    if is_told:
        bench.say_that_it_is_played()
    board.apply(7_200_000_000)
    bench.run_s(45)
    statements = settled(bench)
    bench.close()
    assert statements
    # Nothing but the word of the node tells pulses that are played from those of a meter.
    assert {statement.test for statement in statements} == {is_told}
    assert any("input" in reason for s in statements for reason in s.test_reasons) == is_told
