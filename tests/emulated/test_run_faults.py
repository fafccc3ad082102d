"""Every fault a plan can name ends in its verdict, and would not in another.

Method: runs of a few minutes with one fault each. Each fault is run twice: as it is, and with an
expectation that must not come true, so that a verdict nobody looks for cannot pass.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from run_harness import AFTER_CLONE, Bench, Played, expecting, play

from wattest.operations.control import ASKABLE, RunControl
from wattest.operations.events import (
    FaultApplied,
    NodeChanged,
    Progressed,
    RecordLogged,
    RecordRefused,
)
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import FaultKind

pytestmark = pytest.mark.emulated

# What the plan says beside node and time; the verdict is the kind's own unless it is said here.
FAULTS = {
    "power-cut": 'kind = "power-cut"\nfor = "20s"',
    "power-cut inside a flash operation": 'kind = "power-cut"\nfor = "30s"\nflash_operation = 2',
    "unplug": 'kind = "unplug"\nfor = "30s"',
    "flip-bit": 'kind = "flip-bit"\nbit = 77',
    "forge": 'kind = "forge"\nbit = 3',
    "replay": 'kind = "replay"\nback = 2',
    "clone of now": f'kind = "clone"\nfor = "40s"\n{AFTER_CLONE}',
    "clone of earlier": f'kind = "clone"\nfor = "40s"\ncopied = "12s"\n{AFTER_CLONE}',
    "bus-nack": 'kind = "bus-nack"\nfor = "20s"',
    "bus-stuck": 'kind = "bus-stuck"\nfor = "20s"',
    "bus-bits": 'kind = "bus-bits"\nfor = "20s"\nbit = 5\nexpect = ["status"]',
    "wrong-chip": 'kind = "wrong-chip"\nfor = "20s"',
    "inject-input": 'kind = "inject-input"\nfor = "30s"\npower_w = 1000',
    "clock-step ahead": 'kind = "clock-step"\nby = "1h"\nexpect = ["status", "ahead"]',
    "clock-step back": 'kind = "clock-step"\nby = "-1h"',
    "overload": 'kind = "overload"\nfor = "20s"\npower_w = 20000',
}
# A verdict that each family must not end in, and the one it then names instead.
WRONG = {
    "power-cut": ("gap", "recovered"),
    "unplug": ("fork", "recovered"),
    "flip-bit": ("bad-signature", "frame-lost"),
    "forge": ("frame-lost", "bad-signature"),
    "replay": ("fork", "replay"),
    "clone of now": ("unknown-key", "fork"),
    "bus-nack": ("injected-input", "status"),
    "bus-bits": ("implausible", "status"),
    "wrong-chip": ("malformed", "status"),
    "inject-input": ("status", "injected-input"),
    "clock-step ahead": ("late-time", "ahead"),
    "overload": ("implausible", "status"),
}


def bench_with(name: str, *, at: str = "31s") -> Bench:
    """Return a bench whose only node suffers one fault of the table."""
    return Bench(faults=[f'node = "feeder"\nat = "{at}"\n{FAULTS[name]}'])


def readings(played: Played, node: str = "feeder") -> list[RecordLogged]:
    """Return what was logged of a node as a fiscal reading, in order."""
    logged = [e for e in played.events if isinstance(e, RecordLogged) and e.node == node]
    return [e for e in logged if e.verdict.record is not None and e.verdict.record.event is None]


@pytest.mark.parametrize("name", FAULTS)
def test_fault_ends_in_its_verdict(name: str) -> None:
    played = bench_with(name).play()
    assert played.end.reasons == ()
    assert played.end.passed
    (judged,) = played.judged
    assert judged.passed
    assert set(judged.expected.split(", ")) <= set(judged.got.split(", "))
    assert played.end.faults == (judged,)
    (applied,) = [event for event in played.events if isinstance(event, FaultApplied)]
    kind = name.split(maxsplit=1)[0]
    assert (applied.kind, applied.node) == (judged.kind, judged.node) == (kind, "feeder")


def test_every_kind_of_fault_is_in_the_table() -> None:
    tried = {name.split()[0] for name in FAULTS} | {"no-time"}
    assert tried == {kind.value for kind in FaultKind}


def test_node_that_never_got_the_time_says_so_until_it_gets_it() -> None:
    fault = 'kind = "no-time"\nnode = "feeder"\nat = "0s"\nfor = "40s"'
    played = Bench(faults=[fault]).play()
    assert played.end.reasons == ()
    assert "late-time" in played.judged[0].got
    timed = [e.verdict.record.time_ms is not None for e in readings(played) if e.verdict.record]
    assert timed.index(True) == 4  # those of 10, 20, 30 and 40 s are without
    assert all(timed[4:])


@pytest.mark.parametrize("name", WRONG)
def test_other_verdict_than_expected_fails_the_run(name: str) -> None:
    verdict, true_verdict = WRONG[name]
    played = play(expecting(bench_with(name).scenario(), verdict))
    assert not played.end.passed
    (judged,) = played.judged
    assert not judged.passed
    assert true_verdict in judged.got.split(", ")
    reason = f"feeder: {judged.kind}: expected {verdict}, got {judged.got}"
    assert reason in played.end.reasons


@pytest.mark.parametrize("name", ["forge", "bus-nack", "inject-input", "clone of now"])
def test_finding_that_no_fault_accounts_for_fails_the_run(name: str) -> None:
    played = play(expecting(bench_with(name).scenario(), "recovered"))
    assert not played.end.passed
    code = {"forge": "bad-signature", "bus-nack": "status", "clone of now": "fork"}.get(name, name)
    unexpected = [r for r in played.end.reasons if r.startswith("feeder: unexpected ")]
    assert any({"inject-input": "injected-input"}.get(code, code) in r for r in unexpected)


def test_cut_node_starts_again_with_a_signed_boot_and_loses_no_number() -> None:
    played = bench_with("power-cut").play()
    logged = [e.verdict.record for e in played.events if isinstance(e, RecordLogged)]
    records = [record for record in logged if record is not None]
    assert [record.bootcount for record in records][-1] == 2
    for ctx in (0, 2):
        numbers = [record.seq for record in records if record.ctx == ctx]
        assert numbers == list(range(1, len(numbers) + 1))
    states = [e.state for e in played.events if isinstance(e, NodeChanged)]
    assert states[states.index("off") + 1] == "running"


def test_supply_that_fails_late_counts_as_lost_from_then_on() -> None:
    """The torn operation comes half a minute after the fault begins; until then all is metered."""
    fault = 'kind = "power-cut"\nnode = "feeder"\nat = "31s"\nfor = "2m"\nflash_operation = 150'
    played = Bench(duration="4m", faults=[fault]).play()
    assert played.end.reasons == ()
    off = next(e for e in played.events if isinstance(e, NodeChanged) and e.state == "off")
    begun = next(e for e in played.events if isinstance(e, FaultApplied))
    assert off.now_ms - begun.now_ms >= 10_000
    unmetered_ms = begun.now_ms + 120_000 - off.now_ms
    truth_wh = 600 * (240_000 - unmetered_ms) / 3_600_000
    assert float(played.end.total.load_import_wh) == pytest.approx(truth_wh, abs=1e-5)


@pytest.mark.parametrize("kind", ["power-cut", "unplug", "wrong-chip", "inject-input"])
def test_faults_of_a_kind_that_overlap_end_together(kind: str) -> None:
    power = "\npower_w = 900" if kind == "inject-input" else ""
    fault = f'kind = "{kind}"\nnode = "feeder"\nfor = "30s"{power}'
    played = Bench(faults=[f'{fault}\nat = "31s"', f'{fault}\nat = "46s"']).play()
    assert played.end.reasons == ()
    assert [judged.passed for judged in played.judged] == [True, True]
    last = readings(played)[-1].verdict.record
    assert last is not None
    assert (last.status, last.err, last.input) == ("G", "", 0)


def test_power_is_injected_for_as_long_as_the_plan_says() -> None:
    fault = 'kind = "inject-input"\nnode = "feeder"\nat = "31s"\nfor = "70s"\npower_w = 900'
    played = Bench(faults=[fault]).play()
    assert played.end.reasons == ()
    records = [e.verdict.record for e in readings(played)]
    inputs = [record.input for record in records if record is not None]
    first = inputs.index(1)
    assert inputs == [0] * first + [1] * 8 + [0]


def test_two_forgeries_at_once_do_not_undo_one_another() -> None:
    fault = 'kind = "forge"\nnode = "feeder"\nat = "31s"\nbit = 3'
    played = Bench(faults=[fault, fault]).play()
    assert played.end.reasons == ()
    refused = [e for e in played.events if isinstance(e, RecordRefused)]
    assert len(refused) == 2  # the same record twice, if the node was quick to send it again


def test_forged_record_is_never_logged_and_the_true_one_is() -> None:
    played = bench_with("forge").play()
    (refused,) = [e for e in played.events if isinstance(e, RecordRefused)]
    forged, logged = refused.verdict.record, [e.verdict.record for e in readings(played)]
    assert forged is not None
    true = next(r for r in logged if r is not None and r.identity == forged.identity)
    assert forged.import_milliwatthours is not None
    assert true.import_milliwatthours is not None
    assert forged.import_milliwatthours ^ true.import_milliwatthours == 1 << 3
    assert all(event.verdict.record is not forged for event in readings(played))


def test_clone_never_moves_a_number_twice_into_the_ledger() -> None:
    played = bench_with("clone of earlier").play()
    logged = [e for e in played.events if isinstance(e, RecordLogged)]
    identities = [e.verdict.record.identity for e in logged if e.verdict.record is not None]
    assert len(set(identities)) == len(identities)
    assert all(a.index < b.index for a, b in pairwise(logged))


@pytest.mark.parametrize("kind", ASKABLE)
def test_fault_a_person_asks_for_ends_in_its_verdict_even_when_asked_twice(
    kind: FaultKind,
) -> None:
    control = RunControl()
    scenario = Bench(duration="3m").scenario()
    events = []
    for event in run(scenario, RunOptions(), control):
        events.append(event)
        if isinstance(event, Progressed) and event.now_ms == scenario.epoch_ms + 60_000:
            control.ask(kind, "feeder")
            control.ask(kind, "feeder")
    played = Played(events)
    assert played.end.reasons == ()
    applied = [event for event in events if isinstance(event, FaultApplied)]
    lasting = kind in {FaultKind.POWER_CUT, FaultKind.UNPLUG}
    assert len(played.judged) == len(applied) == (1 if lasting else 2)
    assert all(judged.passed and judged.kind == kind.value for judged in played.judged)


def test_fault_at_the_very_end_is_judged_after_it() -> None:
    fault = 'kind = "power-cut"\nnode = "feeder"\nat = "119s"\nfor = "30s"\nflash_operation = 30'
    played = Bench(faults=[fault]).play()
    assert played.end.reasons == ()
    assert played.end.total.load_import_wh == "20.000000"
    assert played.judged[0].passed


def test_fault_of_one_node_is_never_blamed_on_another() -> None:
    other = '[[node]]\nname = "meter"\nload = { kind = "constant", power_w = 90 }\n'
    faults = [
        'kind = "forge"\nnode = "feeder"\nat = "31s"\nbit = 3',
        'kind = "bus-nack"\nnode = "meter"\nat = "31s"\nfor = "20s"',
    ]
    played = Bench(faults=faults, extra=other).play()
    assert played.end.reasons == ()
    assert {(j.node, j.kind): j.got for j in played.judged} == {
        ("feeder", "forge"): "bad-signature",
        ("meter", "bus-nack"): "status",
    }


def test_finding_of_one_node_is_no_verdict_on_another() -> None:
    other = '[[node]]\nname = "meter"\nload = { kind = "constant", power_w = 90 }\n'
    faults = [
        'kind = "flip-bit"\nnode = "feeder"\nat = "31s"\nbit = 77\nexpect = ["status"]',
        'kind = "bus-nack"\nnode = "meter"\nat = "31s"\nfor = "20s"',
    ]
    played = Bench(faults=faults, extra=other).play()
    assert {judged.node: judged.passed for judged in played.judged} == {
        "feeder": False,
        "meter": True,
    }
    assert len(played.end.reasons) == 1
