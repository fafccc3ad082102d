"""A key's life: enrolled, promised anew, replaced, retired; what was logged before stays valid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain import Node

from wattest.errors import VerificationError
from wattest.verify import Enrolment, FindingCode, Verdict, Verifier
from wattest.wire import EnrolmentAction


def codes(verdict: Verdict) -> list[str]:
    return [finding.code.value for finding in verdict.findings]


def retired(node: Node) -> Enrolment:
    return node.enrolment(action=EnrolmentAction.RETIRE)


def rekeyed(old: Node, new: Node) -> Enrolment:
    return new.enrolment(action=EnrolmentAction.REKEY, replaces=old.kid)


def test_record_of_a_retired_key_is_refused_with_a_finding() -> None:
    node = Node()
    verifier = Verifier([node.enrolment()])
    assert codes(verifier.check(node.first())) == []
    verifier.enrol(retired(node))
    verdict = verifier.check(node.seal())
    assert not verdict.accepted
    assert codes(verdict) == [FindingCode.RETIRED_KEY]
    assert verdict.findings[0].message == f"key {node.kid.hex()} was retired"
    assert [step.outcome.value for step in verdict.steps[:3]] == ["passed", "failed", "skipped"]


def test_record_that_was_logged_before_its_key_was_retired_is_a_duplicate_and_not_refused() -> (
    None
):
    node = Node()
    verifier = Verifier([node.enrolment()])
    first = node.first()
    verifier.check(first)
    verifier.enrol(retired(node))
    again = verifier.check(first)
    assert again.accepted
    assert again.duplicate


def test_bad_signature_under_a_retired_key_is_a_bad_signature() -> None:
    node = Node()
    verifier = Verifier([node.enrolment(), retired(node)])
    data = node.first()
    verdict = verifier.check(data[:-1] + bytes((data[-1] ^ 1,)))
    assert codes(verdict) == [FindingCode.BAD_SIGNATURE]


def test_replaced_key_is_closed_and_the_new_one_goes_on() -> None:
    old, new = Node(secret=7), Node(secret=8)
    verifier = Verifier([old.enrolment()])
    verifier.check(old.first())
    verifier.enrol(rekeyed(old, new))
    assert codes(verifier.check(new.event(9, {2: 2}))) == []
    assert codes(verifier.check(old.seal())) == [FindingCode.RETIRED_KEY]
    assert verifier.closed(old.kid) == f"key {old.kid.hex()} was replaced by {new.kid.hex()}"
    assert verifier.closed(new.kid) == ""
    assert verifier.closed(b"stranger") == ""


@pytest.mark.parametrize("how", ["retired", "replaced"])
def test_closed_key_cannot_be_enrolled_again(how: str) -> None:
    node = Node()
    last = retired(node) if how == "retired" else rekeyed(node, Node(secret=8))
    verifier = Verifier([node.enrolment(), last])
    with pytest.raises(VerificationError, match=rf"was {how}.*: it cannot be enrolled again"):
        verifier.enrol(node.enrolment())


def test_key_that_was_never_enrolled_cannot_be_retired() -> None:
    with pytest.raises(VerificationError, match="retired but was never enrolled"):
        Verifier([retired(Node())])


def test_enrolment_of_a_retired_key_can_still_be_looked_up_to_check_what_it_signed() -> None:
    node = Node()
    verifier = Verifier([node.enrolment(), retired(node)])
    promised = verifier.enrolment(node.kid)
    assert promised == node.enrolment()
    assert Verifier([promised]).check(node.first()).accepted


def test_records_of_before_an_update_may_come_after_it_was_enrolled() -> None:
    """Firmware was flashed while records waited in the journal."""
    node = Node()
    verifier = Verifier([node.enrolment()])
    verifier.check(node.first())
    late = node.seal()
    old_cfg, node.cfg = node.cfg, bytes(16)
    verifier.enrol(node.enrolment())
    assert codes(verifier.check(late)) == []
    assert codes(verifier.check(node.boot())) == []
    node.cfg = old_cfg
    assert codes(verifier.check(node.seal())) == [FindingCode.WRONG_CFG]


@pytest.mark.parametrize("stated", [b"\x02chip-2", None])
def test_key_that_boots_on_another_chip_than_the_enrolled_one_is_found(
    stated: bytes | None,
) -> None:
    """Flash was copied from one board to another."""
    node = Node()
    verifier = Verifier([node.enrolment(ueid=b"\x02chip-1")])
    assert codes(verifier.check(node.first())) == []
    assert codes(verifier.check(node.boot(claims={256: b"\x02chip-1"}))) == []
    assert codes(verifier.check(node.seal())) == []
    claims = {} if stated is None else {256: stated}
    verdict = verifier.check(node.boot(claims=claims))
    assert codes(verdict) == [FindingCode.WRONG_CHIP]
    assert verdict.accepted


def test_chip_that_nobody_looked_at_when_the_key_was_enrolled_is_not_judged() -> None:
    node = Node()
    verifier = Verifier([node.enrolment()])
    verifier.check(node.first())
    assert codes(verifier.check(node.boot(claims={256: b"\x02chip-9"}))) == []


def test_files_that_were_never_promised_are_found_before_and_after_an_update() -> None:
    node = Node()
    verifier = Verifier([node.enrolment()])
    verifier.enrol(replace(node.enrolment(), cfg=bytes(16)))
    node.cfg = b"\x07" * 16
    assert codes(verifier.check(node.first())) == [FindingCode.WRONG_CFG]
