"""Who is enrolled by the collector, and who never is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from talking_node import NONCE, Talk, TalkingNode, codes, readings

from wattest.ledger import EntryKind
from wattest.operations.events import ConsolePrinted, NodeChanged
from wattest.wire import EnrolmentAction, encode_frame
from wattest.wire.message import WINDOW_RECORDS, FrameKind


def test_node_is_enrolled_when_it_answers_the_challenge() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode())
    first = talk.step(3)
    assert [e.state for e in first if isinstance(e, NodeChanged)] == ["enrolled"]
    ((enrolment, index),) = talk.enrolled
    assert (enrolment.kid, enrolment.serial, enrolment.demo) == (node.kid, "demo-0001", True)
    assert index == 0
    assert talk.ledger.entry(0).kind == EntryKind.ENROLMENT
    assert talk.verifier.knows(node.kid)
    assert node.commands[0][3] == NONCE


def test_enrolment_is_logged_before_the_first_record() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode())
    for _ in range(3):
        node.seal()
    talk.step(4)
    talk.flush()
    assert [entry.kind for entry in talk.ledger.entries()] == [
        EntryKind.ENROLMENT,
        *[EntryKind.READING] * 3,
        EntryKind.EVENT,
    ]
    assert readings(talk) == node.journal


def test_stranger_with_a_backlog_is_enrolled_at_once_though_its_answer_waits_behind_it() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode())
    for _ in range(3 * WINDOW_RECORDS):
        node.seal()
    talk.step(3)
    assert len(talk.enrolled) == 1
    assert node.acknowledged == 0
    for _ in range(8):
        talk.step(2)
        talk.flush()
    assert len(talk.enrolled) == 1
    assert readings(talk) == node.journal
    assert node.acknowledged == len(node.journal) == 3 * WINDOW_RECORDS + 1
    assert codes(talk.events) == []


WRONG_NODES: dict[str, tuple[Callable[[], TalkingNode], str]] = {
    "another serial": (lambda: TalkingNode(serial="demo-0002"), "wrong-serial"),
    "other files": (lambda: TalkingNode(cfg=b"\x01" * 16), "wrong-cfg"),
}


@pytest.mark.parametrize("name", WRONG_NODES)
def test_node_that_is_not_the_provisioned_one_is_never_enrolled(name: str) -> None:
    make, code = WRONG_NODES[name]
    talk = Talk()
    node = talk.attach(make())
    for _ in range(2 * WINDOW_RECORDS):
        node.seal()
    seen = talk.step(12)
    talk.flush()
    assert talk.enrolled == []
    assert talk.ledger.size == 0
    assert node.acknowledged == 0
    assert set(codes(seen)) == {code}


def test_node_that_does_not_answer_is_not_enrolled_however_many_records_it_signs() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode(command_key=bytes(32)))
    for _ in range(3 * WINDOW_RECORDS):
        node.seal()
    talk.step(6)
    assert talk.enrolled == []
    assert node.commands == []


def test_records_of_another_key_do_not_enrol_the_one_that_said_hello() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode(command_key=bytes(32)))
    other = TalkingNode(2, serial="demo-0001")
    for _ in range(2 * WINDOW_RECORDS):
        node.journal.append(other.seal())
    seen = talk.step(3)
    assert set(codes(seen)) == {"unknown-key"}
    assert talk.enrolled == []


def test_challenge_that_somebody_else_answered_is_not_taken_from_an_old_recording() -> None:
    """The same node's answer to another nonce proves nothing about now."""
    talk = Talk()
    node = talk.attach(TalkingNode(command_key=bytes(32)))
    old = node.seal(event={1: 7}, nonce=bytes(16))
    talk.arrive(encode_frame(FrameKind.SHOWN, old))
    talk.step(4)
    assert talk.enrolled == []


def test_shown_bytes_that_are_no_answer_of_this_node_change_nothing() -> None:
    talk = Talk()
    talk.attach(TalkingNode(command_key=bytes(32)))
    talk.step(2)
    answers = {
        "another key": TalkingNode(2, serial="demo-0001"),
        "another serial": TalkingNode(serial="demo-0002"),
        "other files": TalkingNode(cfg=b"\x01" * 16),
    }
    for liar in answers.values():
        shown = liar.seal(event={1: 7}, nonce=NONCE)
        assert talk.arrive(encode_frame(FrameKind.SHOWN, shown)) == []
    true = TalkingNode().seal(event={1: 7}, nonce=NONCE)
    broken = true[:-1] + bytes((true[-1] ^ 1,))
    assert talk.arrive(encode_frame(FrameKind.SHOWN, broken)) == []
    assert talk.arrive(encode_frame(FrameKind.SHOWN, b"rubbish")) == []
    assert talk.enrolled == []
    talk.arrive(encode_frame(FrameKind.SHOWN, true))
    assert len(talk.enrolled) == 1


def test_shown_record_is_logged_in_its_turn_and_not_before() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    shown = node.seal(event={1: 7}, nonce=bytes(8))
    assert talk.arrive(encode_frame(FrameKind.SHOWN, shown)) == []
    assert talk.collector.pending_records == 0
    talk.step(1)
    talk.flush()
    assert readings(talk) == node.journal


def test_public_key_that_is_no_point_of_the_curve_ends_nothing() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode())
    node.seal()
    node.say_hello(b"\x01" * 64)
    talk.collector.outgoing("turbine", talk.now_ms)
    assert talk.arrive(node.speak()) == []
    assert talk.enrolled == []
    node.say_hello()
    talk.arrive(node.speak())
    talk.step(3)
    assert len(talk.enrolled) == 1


def test_another_board_on_the_link_is_asked_anew_and_the_old_records_are_forgotten() -> None:
    talk = Talk()
    first = talk.attach(TalkingNode(2, serial="demo-0001", command_key=bytes(32)))
    first.seal()
    talk.step(2)
    second = talk.nodes["turbine"] = TalkingNode()
    second.say_hello()
    talk.step(6)
    talk.flush()
    assert [enrolment.kid for enrolment, _ in talk.enrolled] == [second.kid]
    assert readings(talk) == second.journal


def test_impostor_on_the_link_of_an_enrolled_node_stays_out_whatever_it_sends() -> None:
    """It has a key of its own and says the right serial, but commands mean nothing to it."""
    talk = Talk()
    true = talk.enrol(TalkingNode())
    false = talk.nodes["turbine"] = TalkingNode(2, serial="demo-0001", command_key=bytes(32))
    for _ in range(3 * WINDOW_RECORDS):
        false.seal()
    false.say_hello()
    talk.step(20)
    talk.flush()
    assert [enrolment.kid for enrolment, _ in talk.enrolled] == [true.kid]
    assert readings(talk) == true.journal
    assert false.acknowledged == 0
    talk.nodes["turbine"] = true
    true.seal()
    true.say_hello()
    talk.step(4)
    talk.flush()
    assert readings(talk) == true.journal


def test_node_with_a_new_key_sends_the_records_of_its_old_one_first() -> None:
    """A node that lost its counter makes a new key; what it sealed before is still owed."""
    talk = Talk()
    node = talk.enrol(TalkingNode())
    old = [node.seal() for _ in range(2 * WINDOW_RECORDS)]
    new = talk.nodes["turbine"] = TalkingNode(2, serial="demo-0001")
    new.journal = list(node.journal)
    new.acknowledged, new.counter = node.acknowledged, node.counter
    new.seal()
    new.say_hello()
    for _ in range(6):
        talk.step(3)
        talk.flush()
    assert [enrolment.kid for enrolment, _ in talk.enrolled] == [node.kid, new.kid]
    assert set(old) <= set(readings(talk))
    assert readings(talk) == new.journal
    assert new.acknowledged == len(new.journal)


def test_enrolled_node_on_the_link_of_another_is_refused() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    logged = talk.ledger.size
    talk.attach(node, "roof", serial="demo-0002")
    node.seal()
    talk.step(6, lane="roof")
    talk.flush()
    assert talk.ledger.size == logged
    assert talk.collector.enrolment("roof") is None
    assert set(codes(talk.events)) == {"wrong-serial"}


def test_record_refused_on_the_link_of_another_is_logged_once_the_cable_is_right() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    talk.attach(node, "roof", serial="demo-0002")
    node.seal()
    talk.step(6, lane="roof")
    talk.flush()
    assert node.acknowledged == 1
    talk.attach(node)
    talk.step(6)
    talk.flush()
    talk.step(2)
    assert node.acknowledged == len(node.journal)
    assert readings(talk) == node.journal


def test_other_key_than_the_only_one_of_a_link_is_told_once_and_collected_from_never() -> None:
    talk = Talk()
    node = talk.attach(TalkingNode(2, serial="demo-0001"), kid=TalkingNode().kid)
    node.seal()
    seen = talk.step(6)
    node.say_hello()
    seen += talk.step(2)
    printed = [event.text for event in seen if isinstance(event, ConsolePrinted)]
    (told,) = printed
    assert told.startswith(f"wattest: another key answers, {node.kid.hex()} of demo-0001: ")
    assert [e.state for e in seen if isinstance(e, NodeChanged)] == ["stranger"]
    assert talk.ledger.size == 0


def test_retired_node_is_told_as_such_and_what_it_sends_is_refused_and_kept_by_it() -> None:
    talk = Talk()
    node = talk.enrol(TalkingNode())
    ((enrolment, _),) = talk.enrolled
    talk.verifier.enrol(replace(enrolment, action=EnrolmentAction.RETIRE))
    logged = readings(talk)
    node.say_hello()
    node.seal()
    seen = talk.step(3)
    talk.flush()
    assert [e.state for e in seen if isinstance(e, NodeChanged)] == ["restarted", "retired"]
    assert codes(seen) == ["retired-key"]
    assert readings(talk) == logged
    assert node.acknowledged == len(logged)
