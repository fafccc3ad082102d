"""A node that says nothing is asked, and told about once, until it answers."""

from __future__ import annotations

from talking_node import COMMAND_KEY, TalkingNode

from wattest.operations.live.silence import Silence
from wattest.session import Session, State

S = 1_000
INTERVAL_MS = 60 * S


def answer(session: Session, now_ms: int) -> None:
    node = TalkingNode(1)
    node.say_hello()
    session.receive(node.speak(), now_ms)


def greeted(now_ms: int) -> Session:
    session = Session(COMMAND_KEY)
    session.hello()
    assert session.data_to_send(now_ms)
    return session


def test_a_node_that_does_not_answer_hello_is_silent_after_fifteen_seconds_once():
    silence, session = Silence(), greeted(0)
    assert not silence.act("n", session, INTERVAL_MS, 15 * S - 1)
    session.receive(b"", 14 * S)
    session.data_to_send(14 * S)  # further hellos do not begin its patience anew
    assert silence.act("n", session, INTERVAL_MS, 15 * S)
    assert not silence.act("n", session, INTERVAL_MS, 16 * S)


def test_a_node_that_answers_is_not_silent_and_may_be_silent_again():
    silence, session = Silence(), greeted(0)
    assert silence.act("n", session, INTERVAL_MS, 15 * S)
    answer(session, 20 * S)
    assert session.greeting_since_ms is None
    silence.connected("n")
    assert not silence.act("n", session, INTERVAL_MS, 40 * S)
    session.hello()
    session.data_to_send(40 * S)
    assert silence.act("n", session, INTERVAL_MS, 55 * S)


def test_a_node_that_falls_silent_in_the_middle_is_greeted_after_three_intervals():
    silence, session = Silence(), greeted(0)
    answer(session, 0)
    silence.heard("n", 10 * S)
    assert not silence.act("n", session, INTERVAL_MS, 190 * S)
    assert session.state is State.OPEN
    assert not silence.act("n", session, INTERVAL_MS, 191 * S)
    assert session.state is State.GREETING
    session.data_to_send(191 * S)
    assert silence.act("n", session, INTERVAL_MS, 206 * S)


def test_a_node_with_a_short_interval_has_half_a_minute():
    silence, session = Silence(), greeted(0)
    answer(session, 0)
    silence.heard("n", 0)
    silence.act("n", session, S, 30 * S)
    assert session.state is State.OPEN
    silence.act("n", session, S, 30 * S + 1)
    assert session.state is State.GREETING
