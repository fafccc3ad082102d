"""What may be acknowledged when somebody else put a record into a place of the window."""

from __future__ import annotations

from hashlib import sha256

from wattest.session.window import Window


def record(text: str) -> bytes:
    return text.encode() + bytes(64)


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


ONE, TWO, THREE = record("one"), record("two"), record("three")
LIE, LIE_TWO = record("lie"), record("lie two")


def take(window: Window, position: int, data: bytes, prev: bytes | None) -> tuple | None:
    window.receive(position, data)
    return window.commit(position, digest(data), prev)


def test_chain_is_acknowledged_as_it_grows() -> None:
    window = Window(0)
    assert take(window, 0, ONE, bytes(32)) == (0, digest(ONE))
    assert take(window, 1, TWO, digest(ONE)) == (1, digest(TWO))
    assert not window.has_hole


def test_record_behind_a_strange_one_waits_until_its_own_predecessor_is_durable() -> None:
    window = Window(0)
    assert take(window, 0, LIE, bytes(32)) == (0, digest(LIE))  # the node passes over this one
    assert take(window, 1, TWO, digest(ONE)) is None
    assert window.has_hole
    assert take(window, 0, ONE, bytes(32)) == (1, digest(TWO))
    assert not window.has_hole


def test_newest_place_is_acknowledged_for_each_content_that_is_durable() -> None:
    window = Window(5)
    assert take(window, 5, LIE, None) == (5, digest(LIE))
    assert take(window, 5, ONE, None) == (5, digest(ONE))
    assert take(window, 5, LIE, None) == (5, digest(LIE))
    assert take(window, 5, ONE, None) == (5, digest(ONE))
    assert take(window, 6, TWO, digest(ONE)) == (6, digest(TWO))


def test_whole_chain_of_strange_records_makes_the_node_be_asked_where_it_is() -> None:
    window = Window(0)
    take(window, 0, LIE, bytes(32))
    take(window, 1, LIE_TWO, digest(LIE))
    assert not window.has_hole
    window.receive(0, ONE)
    assert window.has_hole


def test_record_of_before_the_conversation_asks_for_nothing() -> None:
    window = Window(7)
    take(window, 7, ONE, None)
    take(window, 8, TWO, digest(ONE))
    window.receive(3, THREE)
    window.receive(7, ONE)
    assert not window.has_hole
