"""The session alone: credit, windows, commands, states."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from session_model import COMMAND_KEY, ModelNode, frame

from wattest.errors import LocalProtocolError
from wattest.session import (
    TRANSITIONS,
    CommandReplied,
    CommandUnanswered,
    FrameFaultSeen,
    HelloReceived,
    NodeRestarted,
    RecordReceived,
    RecordShown,
    Session,
    State,
    StrangerSeen,
    TextReceived,
    Trigger,
)
from wattest.wire import Op
from wattest.wire.message import hello_line


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


class Pair:
    """A session and a node on a perfect cable; `step` carries everything once each way."""

    def __init__(self, records: int = 0, **options: Any) -> None:
        self.node = ModelNode()
        for _ in range(records):
            self.node.seal()
        self.session = Session(COMMAND_KEY, **options)
        self.now_ms = 0
        self.events: list[Any] = []

    def step(self, times: int = 1, ms: int = 100) -> list[Any]:
        seen = []
        for _ in range(times):
            self.now_ms += ms
            self.node.hear(self.session.data_to_send(self.now_ms))
            seen += self.session.receive(self.node.tick(self.now_ms), self.now_ms)
        self.events += seen
        return seen

    def open(self) -> list[Any]:
        self.session.hello()
        return self.step()

    def records(self) -> list[RecordReceived]:
        return [event for event in self.events if isinstance(event, RecordReceived)]


def test_hello_opens_the_session_and_records_follow_in_order() -> None:
    pair = Pair(records=3)
    assert pair.session.state is State.CLOSED
    events = pair.open()
    assert pair.session.state is State.OPEN
    assert isinstance(events[0], HelloReceived)
    assert events[0].hello.kid == pair.node.kid
    assert [(r.position, r.data) for r in pair.records()] == list(enumerate(pair.node.journal))
    assert all(record.resent for record in pair.records())


def test_nothing_is_acknowledged_before_the_caller_says_it_is_committed() -> None:
    pair = Pair(records=12)
    pair.open()
    pair.step(5)
    assert len(pair.records()) == 8
    assert pair.node.acknowledged == 0
    pair.session.acknowledge(0, digest(pair.node.journal[0]))
    pair.step(2)
    assert pair.node.acknowledged == 1
    assert len(pair.records()) == 9


def test_acknowledgement_never_passes_a_record_that_is_not_committed() -> None:
    pair = Pair(records=4)
    pair.open()
    for position in (1, 2, 3):
        pair.session.acknowledge(position, digest(pair.node.journal[position]))
    pair.step(2)
    assert pair.node.acknowledged == 0
    pair.session.acknowledge(0, digest(pair.node.journal[0]))
    pair.step(2)
    assert pair.node.acknowledged == 4


def test_bytes_that_never_came_for_a_position_are_not_acknowledged() -> None:
    pair = Pair(records=2)
    pair.open()
    pair.session.acknowledge(0, digest(b"something else"))
    pair.session.acknowledge(5, digest(pair.node.journal[0]))
    assert pair.session.data_to_send(pair.now_ms) == b""


def test_old_record_at_a_new_position_is_delivered_as_a_replay_and_takes_no_place() -> None:
    pair = Pair(records=2)
    pair.open()
    old = pair.node.journal[0]
    pair.session.receive(frame(1, (2).to_bytes(4) + old), 0)
    pair.node.seal()
    replay = pair.session.receive(frame(1, (2).to_bytes(4) + old), 0)
    assert replay == [RecordReceived(position=2, data=old, resent=False)]
    for position in range(2):
        pair.session.acknowledge(position, digest(pair.node.journal[position]))
    pair.session.acknowledge(2, digest(old))
    pair.step(2)
    assert pair.node.acknowledged == 2
    assert pair.records()[-1] == RecordReceived(position=2, data=pair.node.journal[2], resent=True)


def test_record_the_node_knows_to_be_acknowledged_is_no_resend() -> None:
    pair = Pair(records=1)
    pair.open()
    data = pair.node.journal[0]
    again = frame(1, bytes(4) + data)
    assert pair.session.receive(again, 0) == [RecordReceived(position=0, data=data, resent=True)]
    pair.session.acknowledge(0, digest(data))
    assert pair.session.receive(again, 0)[0].resent
    pair.step(2)
    assert pair.session.receive(again, 0) == [RecordReceived(position=0, data=data, resent=False)]


def test_records_out_of_order_are_delivered_in_order() -> None:
    pair = Pair()
    pair.open()
    frames = [frame(1, n.to_bytes(4) + bytes((n,)) * 80) for n in range(4)]
    seen = pair.session.receive(frames[2] + frames[1] + frames[3], 0)
    assert seen == []
    seen = pair.session.receive(frames[0], 0)
    assert [record.position for record in seen] == [0, 1, 2, 3]


def test_hole_that_stays_makes_the_session_greet_again() -> None:
    pair = Pair()
    pair.open()
    pair.session.receive(frame(1, (1).to_bytes(4) + bytes(80)), 1000)
    assert pair.session.next_deadline_ms == 11_000
    assert pair.session.receive(b"", 10_999) == []
    pair.session.receive(b"", 11_000)
    assert pair.session.data_to_send(11_000) == hello_line()


def test_position_far_beyond_the_window_is_dropped() -> None:
    pair = Pair()
    pair.open()
    assert pair.session.receive(frame(1, (65).to_bytes(4) + bytes(80)), 0) == []
    assert pair.session.next_deadline_ms is None


def test_records_before_the_hello_answer_are_left_to_be_sent_again() -> None:
    pair = Pair(records=1)
    pair.session.hello()
    assert pair.session.receive(frame(1, bytes(4) + pair.node.journal[0]), 0) == []
    assert len([e for e in pair.open() if isinstance(e, RecordReceived)]) == 1


def test_hello_is_repeated_ever_more_slowly_until_it_is_answered() -> None:
    session = Session(COMMAND_KEY)
    session.hello()
    now_ms, times = 0, []
    while len(times) < 9:
        session.receive(b"", now_ms)
        if session.data_to_send(now_ms):
            times.append(now_ms)
        assert session.next_deadline_ms is not None
        now_ms = session.next_deadline_ms
    gaps = [late - early for early, late in pairwise(times)]
    assert gaps == [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]


def test_at_most_200_bytes_stay_unanswered() -> None:
    pair = Pair()
    pair.open()
    pair.node.hung = True
    for _ in range(9):
        pair.session.command(Op.IDENTIFY, bytes(64))
    pair.step(50)
    assert 0 < pair.session.unanswered_bytes <= 200
    pair.node.hung = False
    while len(pair.node.commands) < 9:
        pair.step()
        assert pair.session.unanswered_bytes <= 200
    assert not pair.node.overflowed


def test_node_that_takes_nothing_is_greeted_again() -> None:
    pair = Pair()
    pair.open()
    pair.node.hung = True
    pair.session.command(Op.END)
    pair.step()
    assert pair.session.next_deadline_ms == pair.now_ms + 10_000
    pair.step(ms=10_000)
    assert pair.session.state is State.GREETING
    assert pair.session.next_deadline_ms is None
    pair.step()
    pair.node.restart()
    pair.step(4)
    assert pair.session.state is State.OPEN


def test_commands_count_up_from_the_nodes_counter_and_are_answered() -> None:
    pair = Pair()
    pair.node.counter = 40
    pair.open()
    counters = [pair.session.command(Op.BEGIN, "abc"), pair.session.command(Op.END)]
    events = pair.step(2)
    assert counters == [41, 42]
    assert [e for e in events if isinstance(e, CommandReplied)] == [
        CommandReplied(counter=41, refusal=0),
        CommandReplied(counter=42, refusal=0),
    ]
    assert pair.node.commands == [{1: 41, 2: 4, 3: "abc"}, {1: 42, 2: 5}]


def test_time_is_filled_in_when_the_line_leaves() -> None:
    pair = Pair()
    pair.open()
    pair.session.command(Op.SET_TIME)
    pair.step(ms=777)
    assert pair.node.commands == [{1: 1, 2: 1, 3: pair.now_ms}]


def test_command_without_hello_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="wait for its hello"):
        Session(COMMAND_KEY).command(Op.END)


def test_command_with_a_bad_argument_is_refused_before_it_takes_a_number() -> None:
    pair = Pair()
    pair.open()
    with pytest.raises(ValueError, match="argument of relay: expected an integer from 0 to 1"):
        pair.session.command(Op.RELAY, 2)
    assert pair.session.command(Op.RELAY, 1) == 1


def test_command_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="command key: expected 32 bytes, got 31"):
        Session(bytes(31))


def test_command_that_is_never_answered_is_given_up() -> None:
    pair = Pair()
    pair.open()
    counter = pair.session.command(Op.END)
    pair.session.data_to_send(pair.now_ms)
    assert pair.step(ms=10_000) == [CommandUnanswered(counter=counter)]


def test_restart_of_the_node_gives_up_commands_and_resynchronises() -> None:
    pair = Pair(records=3)
    pair.open()
    counter = pair.session.command(Op.END)
    pair.session.data_to_send(pair.now_ms)
    pair.node.restart()
    events = pair.step(3)
    kinds = [type(e) for e in events if not isinstance(e, TextReceived | RecordReceived)]
    assert kinds == [NodeRestarted, CommandUnanswered, HelloReceived]
    assert CommandUnanswered(counter=counter) in events
    assert [r.position for r in pair.records()] == [0, 1, 2] * 2
    assert pair.session.unanswered_bytes == 0


def test_answer_to_a_hello_said_again_is_no_restart() -> None:
    """The node speaks first when it has booted, and answers what reached it meanwhile."""
    pair = Pair(records=3)
    pair.session.hello()
    pair.node.hear(pair.session.data_to_send(pair.now_ms))
    pair.node.say_hello()
    events = pair.step(3)
    kinds = [type(e) for e in events if not isinstance(e, TextReceived | RecordReceived)]
    assert kinds == [HelloReceived]
    assert {r.position for r in pair.records()} == {0, 1, 2}


def test_records_asked_for_again_are_delivered_again() -> None:
    pair = Pair(records=5)
    pair.open()
    for position, data in enumerate(pair.node.journal):
        pair.session.acknowledge(position, digest(data))
    pair.step(2)
    assert pair.node.acknowledged == 5
    pair.session.command(Op.SYNC, 2)
    events = pair.step(2)
    again = [e for e in events if isinstance(e, RecordReceived)]
    assert [(r.position, r.resent) for r in again] == [(2, True), (3, True), (4, True)]


def test_sync_beyond_what_is_committed_skips_nothing() -> None:
    pair = Pair(records=5)
    pair.open()
    pair.session.command(Op.SYNC, 4)
    pair.session.acknowledge(4, digest(pair.node.journal[4]))
    pair.step(3)
    assert pair.node.acknowledged == 0


def test_stranger_is_not_talked_to() -> None:
    pair = Pair(records=1, kid=bytes(8))
    events = pair.open()
    assert [type(event) for event in events] == [StrangerSeen]
    assert pair.session.state is State.GREETING
    friend = Pair(records=1, kid=pair.node.kid)
    friend.open()
    assert len(friend.records()) == 1


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (frame(9, b"x"), "kind"),
        (frame(1, b"abc"), "record"),
        (frame(2, b"\xa0"), "hello"),
        (frame(3, b"\xa0"), "reply"),
        (frame(4, b"abc"), "taken"),
        (frame(5, b""), "shown"),
        (b"\x00junk\x00", "cobs"),
    ],
)
def test_bad_frame_is_told_with_its_rule(sent: bytes, rule: str) -> None:
    pair = Pair()
    pair.open()
    (event,) = pair.session.receive(sent, 0)
    assert isinstance(event, FrameFaultSeen)
    assert event.rule == rule


def test_shown_record_is_told_as_it_came_and_moves_nothing() -> None:
    pair = Pair(records=1)
    pair.open()
    before = pair.session.next_deadline_ms
    (event,) = pair.session.receive(frame(5, b"a record"), 0)
    assert event == RecordShown(data=b"a record")
    assert pair.session.next_deadline_ms == before
    assert pair.session.data_to_send(0) == b""


def test_unfinished_frame_is_given_back_after_a_second_of_silence() -> None:
    pair = Pair()
    pair.open()
    pair.session.receive(b">>> \x00half a frame", 5000)
    assert pair.session.next_deadline_ms == 6000
    assert pair.session.receive(b"", 6000) == [
        FrameFaultSeen(rule="unfinished", data=b"half a frame")
    ]
    assert pair.session.next_deadline_ms is None


def test_person_typing_at_the_console_does_not_stop_the_session() -> None:
    pair = Pair()
    pair.open()
    pair.node.hear(b"print(1)\r" * 20)
    pair.session.command(Op.END)
    pair.step(2)
    assert pair.node.commands == []  # what was typed stood before it on the line
    pair.session.command(Op.END)
    pair.step(2)
    assert [fields[1] for fields in pair.node.commands] == [2]
    assert pair.session.unanswered_bytes == 0


def test_table_of_transitions_leads_from_everywhere_to_open() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State)
    for state in State:
        greeting = TRANSITIONS[state, Trigger.GREET]
        assert TRANSITIONS[greeting, Trigger.HELLO] is State.OPEN
    assert (State.CLOSED, Trigger.STALL) not in TRANSITIONS
