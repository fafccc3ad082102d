"""The verifier over streams: each kind of trouble is seen, named, and proved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from chain import BODY, START_MS, Node, other_signature, received

from wattest.errors import SignatureInvalid
from wattest.verify import STEPS, FindingCode, Severity, StepOutcome, Verdict, Verifier
from wattest.verify.stream import REMEMBERED_RECORDS
from wattest.wire import parse_record


@pytest.fixture
def node() -> Node:
    return Node()


def verifier_of(node: Node, **changes: Any) -> Verifier:
    return Verifier([node.enrolment(**changes)])


def check(verifier: Verifier, *records: bytes) -> list[Verdict]:
    return [verifier.check(data, received_ms=received(data)) for data in records]


def codes(*verdicts: Verdict) -> list[str]:
    return [finding.code.value for verdict in verdicts for finding in verdict.findings]


def evidence(verdict: Verdict) -> dict[str, str]:
    return dict(verdict.findings[0].evidence)


def test_clean_stream_has_no_findings_and_twelve_passed_steps(node: Node) -> None:
    records = [node.first(), node.boot()]
    for minute in range(1, 6):
        records.append(node.seal(registers=(16_000 * minute, 0, 60 * minute, 960_000)))
        records.append(node.seal(1, after_ms=0))
    verdicts = check(verifier_of(node), *records)
    assert codes(*verdicts) == []
    for verdict in verdicts:
        assert verdict.accepted
        assert not verdict.duplicate
        assert verdict.worst is None
        assert [step.number for step in verdict.steps] == list(range(1, len(STEPS) + 1))
        assert {step.outcome for step in verdict.steps} == {StepOutcome.PASSED}


def test_malformed_bytes_are_refused_with_rule_and_offset(node: Node) -> None:
    verifier = verifier_of(node)
    verdict = verifier.check(node.first()[:-1])
    assert codes(verdict) == ["malformed"]
    assert not verdict.accepted
    assert verdict.record is None
    assert evidence(verdict)["rule"] == "signature"
    outcomes = [step.outcome for step in verdict.steps]
    assert outcomes == [StepOutcome.FAILED] + [StepOutcome.SKIPPED] * 11
    assert codes(*check(verifier, node.clone(seqs=[0, 0, 0], prev=bytes(32)).first())) == []


def test_every_flipped_bit_is_refused_and_moves_nothing(node: Node) -> None:
    verifier = verifier_of(node)
    data = node.first()
    for index in range(len(data)):
        flipped = bytearray(data)
        flipped[index] ^= 0x80 >> index % 8
        verdict = verifier.check(bytes(flipped))
        assert not verdict.accepted
        assert codes(verdict)[0] in {"malformed", "unknown-key", "bad-signature"}
    assert codes(*check(verifier, data)) == []


def test_unknown_key_is_refused_until_enrolled(node: Node) -> None:
    verifier = Verifier()
    data = node.first()
    verdict = verifier.check(data)
    assert codes(verdict) == ["unknown-key"]
    assert (verdict.accepted, verdict.steps[1].outcome) == (False, StepOutcome.FAILED)
    assert not verifier.knows(node.kid)
    verifier.enrol(node.enrolment())
    assert verifier.knows(node.kid)
    assert check(verifier, data)[0].accepted


def test_signature_of_another_key_is_refused(node: Node) -> None:
    thief = Node(secret=8)
    thief.kid = node.kid
    verdict = check(verifier_of(node), thief.first())[0]
    assert codes(verdict) == ["bad-signature"]
    assert (verdict.accepted, verdict.steps[2].outcome) == (False, StepOutcome.FAILED)


def test_enrolment_with_a_point_off_the_curve_is_refused(node: Node) -> None:
    with pytest.raises(SignatureInvalid, match="public key not usable"):
        verifier_of(node, spki=node.spki[:-1] + bytes((node.spki[-1] ^ 1,)))


def test_wrong_serial_and_cfg_are_errors_but_evidence(node: Node) -> None:
    verdict = check(verifier_of(node, serial="OTHER", cfg=bytes(16)), node.first())[0]
    assert codes(verdict) == ["wrong-serial", "wrong-cfg"]
    assert verdict.accepted
    assert verdict.worst is Severity.ERROR


def test_replay_is_a_duplicate_wherever_it_comes(node: Node) -> None:
    verifier = verifier_of(node)
    records = [node.first(), node.seal(), node.seal(), node.seal()]
    check(verifier, *records)
    for data in records:
        verdict = check(verifier, data)[0]
        assert (verdict.accepted, verdict.duplicate) == (True, True)
        assert codes(verdict) == ["replay"]
        assert verdict.steps[4].outcome is StepOutcome.NOTED
        assert verdict.steps[5].outcome is StepOutcome.SKIPPED
    assert codes(*check(verifier, node.seal())) == []


def test_second_signature_of_one_content_is_a_replay_and_keeps_the_chain(node: Node) -> None:
    verifier = verifier_of(node)
    first, second = node.first(), node.seal()
    assert codes(*check(verifier, first, other_signature(second))) == []
    assert codes(*check(verifier, second)) == ["replay"]
    assert codes(*check(verifier, node.seal())) == []


def test_second_content_of_one_identity_is_a_fork_kept_as_evidence(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first(), node.seal())
    clone = node.clone()
    mine, other = node.seal(registers=(5, 0, 0, 0)), clone.seal(registers=(6, 0, 0, 0))
    assert codes(*check(verifier, mine)) == []
    verdict = check(verifier, other)[0]
    assert (verdict.accepted, verdict.duplicate, verdict.forked) == (True, False, True)
    assert codes(verdict) == ["fork"]
    assert verdict.worst is Severity.ERROR
    found = evidence(verdict)
    assert found["first content sha-256"] == parse_record(mine).content_digest.hex()
    assert found["this content"] == parse_record(other).content_digest.hex()
    assert codes(*check(verifier, node.seal(registers=(7, 0, 0, 0)))) == []


def test_clone_that_runs_ahead_breaks_the_chain_of_the_original(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    clone = node.clone()
    check(verifier, node.seal())
    clone.event(5, {2: 1})
    ahead = check(verifier, clone.event(5, {2: 0}, after_ms=90_000))[0]
    assert codes(ahead) == ["gap"]
    node.boot()
    verdict = check(verifier, node.event(5, {2: 1}))[0]
    assert codes(verdict) == ["fork"]
    assert verdict.findings[0].message == "two records signed as ctx 2 number 3: equivocation"


def test_gap_names_the_missing_numbers(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first(), node.seal())
    lost = [node.seal() for _ in range(3)]
    verdict = check(verifier, node.seal())[0]
    assert codes(verdict) == ["gap"]
    assert verdict.findings[0].message == "ctx 0: numbers 2 to 4 are missing (3)"
    found = evidence(verdict)
    assert (found["first missing"], found["last missing"]) == ("2", "4")
    assert codes(*check(verifier, *lost)) == ["late"] * 3
    assert codes(*check(verifier, lost[1])) == ["replay"]
    assert codes(*check(verifier, node.seal())) == []


def test_missing_event_is_named_by_the_next_reading(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    node.event(5, {2: 1})
    verdict = check(verifier, node.seal())[0]
    assert codes(verdict) == ["gap"]
    assert verdict.findings[0].message == "ctx 2: number 2 is missing"


def test_stream_that_does_not_begin_with_its_first_record_has_a_gap(node: Node) -> None:
    node.first()
    verdict = check(verifier_of(node), node.event(5, {2: 1}))[0]
    assert verdict.findings[0].message == "ctx 2: number 1 is missing"


@pytest.mark.parametrize(
    ("prev", "expected"),
    [
        (bytes(32), "says first record of the key"),
        (b"x" * 32, "names a record not seen here"),
    ],
)
def test_broken_chain_is_seen(node: Node, prev: bytes, expected: str) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first(), node.seal())
    verdict = check(verifier, node.seal(body={11: prev}))[0]
    assert codes(verdict) == ["chain-break"]
    assert verdict.steps[6].outcome is StepOutcome.FAILED
    assert expected in verdict.findings[0].message
    assert codes(*check(verifier, node.seal())) == []


def test_clone_with_other_numbers_is_a_fork_by_its_branch_of_the_chain(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    clone = node.clone()
    check(verifier, node.seal())
    clone.mono_ms = 60_010
    verdict = check(verifier, clone.event(5, {2: 1}))[0]
    assert codes(verdict) == ["fork"]
    assert verdict.accepted
    assert verdict.findings[0].message.endswith("the chain has two branches, equivocation")
    assert verdict.steps[4].outcome is StepOutcome.FAILED


def test_first_record_must_begin_the_chain(node: Node) -> None:
    verdict = check(verifier_of(node), node.event(9, {2: 0}, body={11: b"x" * 32}))[0]
    assert verdict.findings[0].message == "first record of the key must have prev zero"


def test_signed_break_event_explains_the_break_and_the_gaps_after_it(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first(), node.seal())
    for _ in range(3):
        node.seal()
    node.event(5, {2: 1})
    node.prev = bytes(32)
    verdicts = check(verifier, node.event(10, {2: 1, 3: 4}), node.seal(), node.seal())
    assert codes(*verdicts) == ["gap", "gap"]
    assert {f.severity for v in verdicts for f in v.findings} == {Severity.WARNING}
    node.seal()
    assert check(verifier, node.seal())[0].worst is Severity.ERROR


def test_break_event_without_loss_only_begins_the_chain_anew(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    node.prev = b"y" * 32
    verdict = check(verifier, node.event(10, {2: 1, 3: 0}))[0]
    assert codes(verdict) == ["chain-break"]
    assert verdict.worst is Severity.WARNING


@pytest.mark.parametrize("index", [0, 1, 2])
def test_register_running_backwards_is_an_error(node: Node, index: int) -> None:
    verifier = verifier_of(node)
    high, low = [10, 10, 10, 0], [10, 10, 10, 0]
    low[index] -= 1
    check(verifier, node.first(), node.seal(registers=high))
    verdict = check(verifier, node.seal(registers=low))[0]
    assert codes(verdict) == ["register-backwards"]
    assert "runs backwards: 10, then 9" in verdict.findings[0].message


def test_late_record_may_not_be_ahead_of_later_ones(node: Node) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    late = node.seal(registers=(10, 0, 0, 0))
    check(verifier, node.seal(registers=(9, 0, 0, 0)))
    assert codes(*check(verifier, late)) == ["late", "register-backwards"]


@pytest.mark.parametrize("registers", [[], [["unit", 31]], [["obis", b"123456"]], [["scale", 0]]])
def test_changed_registers_are_an_error(node: Node, registers: list[Any]) -> None:
    verifier = verifier_of(node)
    check(verifier, node.first())
    energy = {"obis": bytes.fromhex("0100010800ff"), "mantissa": 0, "scale": -3, "unit": 30}
    changed = [list({**energy, **dict(registers)}.values())]
    rest = [[bytes.fromhex("0100020800ff"), 0, -3, 30]] * (3 if registers else 1)
    verdict = check(verifier, node.seal(body={6: changed + rest}))[0]
    assert codes(verdict) == ["registers-changed"]


def test_fold_continues_a_stream_without_checking_signatures(node: Node) -> None:
    records = [node.first(), node.seal(), node.event(5, {2: 1}), node.seal(), node.seal(1)]
    verifier = verifier_of(node)
    for data in records[2:]:
        verifier.fold(parse_record(data))
    assert codes(*check(verifier, node.seal(), node.seal(1), node.event(5, {2: 0}))) == []


def test_ledger_is_asked_about_numbers_no_longer_remembered(node: Node) -> None:
    records = [node.first(), node.seal(), node.seal()]
    logged = {parse_record(d).identity: parse_record(d).content_digest for d in records}
    clone = node.clone(seqs=[0, 0, 1], prev=parse_record(records[0]).digest)
    asked = []

    def lookup(kid: bytes, ctx: int, seq: int) -> bytes | None:
        asked.append((kid, ctx, seq))
        return logged.get((kid, ctx, seq))

    verifier = Verifier([node.enrolment()], lookup=lookup)
    verifier.fold(parse_record(records[2]))
    assert check(verifier, records[1])[0].duplicate
    assert codes(*check(verifier, clone.seal(registers=(1, 0, 0, 0)))) == ["fork"]
    assert asked == [(node.kid, 0, 1)] * 2


def test_parsed_record_need_not_be_parsed_again(node: Node) -> None:
    record = parse_record(node.first())
    assert verifier_of(node).check_record(record, received_ms=START_MS).accepted


def test_payload_of_another_record_under_an_old_signature_is_refused(node: Node) -> None:
    first, second = node.first(), node.seal()
    protected, _, payload, _ = cbor2.loads(second).value
    mixed = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, first[-64:]]))
    assert codes(*check(verifier_of(node), mixed)) == ["bad-signature"]
    assert cbor2.loads(payload)[BODY][1] == 1


def test_every_code_belongs_to_a_step() -> None:
    assert sorted(code for _, group in STEPS for code in group) == sorted(FindingCode)


def test_memory_of_a_key_is_bounded_and_old_numbers_are_left_to_the_ledger(node: Node) -> None:
    verifier = verifier_of(node)
    record = parse_record(node.first())
    verifier.fold(record)
    template = parse_record(node.seal())
    for seq in range(1, REMEMBERED_RECORDS + 2):
        verifier.fold(replace(template, seq=seq, digest=seq.to_bytes(32)))
    again = verifier.check_record(template)
    assert (codes(again), again.accepted, again.duplicate) == (["late"], True, False)
