"""The feed: one thread, a queue with an end, and a run that is always closed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from scripted import Script, story

from wattest.errors import StoreError
from wattest.operations.events import RunEvent, RunFinished
from wattest.tui.feed import Feed

_LIMIT_S = 20.0


def drained(feed: Feed) -> list[RunEvent]:
    """Take everything until the run is over; the queue gives the thread its turns."""
    events: list[RunEvent] = []
    while not feed.over:
        events += feed.take(7)
        feed.join(0.001)
    return events


def test_every_event_arrives_once_and_in_order_through_a_queue_of_four() -> None:
    feed = Feed(story, capacity=4)
    feed.start()
    arrived = drained(feed)
    assert [type(event) for event in arrived] == [type(event) for event in story()]
    assert feed.error is None


def test_the_run_waits_when_nobody_takes_its_events() -> None:
    made: list[int] = []
    full = threading.Event()

    def endless() -> Iterator[RunEvent]:
        script = Script()
        while True:
            made.append(1)
            if len(made) > 3:
                full.set()
            yield script.start()

    feed = Feed(endless, capacity=3)
    feed.start()
    assert full.wait(_LIMIT_S)
    assert len(made) == 4
    feed.abandon()
    assert feed.join(_LIMIT_S)
    assert len(made) <= 5


def test_the_run_is_begun_and_closed_in_the_same_thread() -> None:
    threads: list[str] = []

    def watched() -> Iterator[RunEvent]:
        threads.append(threading.current_thread().name)
        try:
            while True:
                yield Script().start()
        finally:
            threads.append(threading.current_thread().name)

    feed = Feed(watched, capacity=2)
    feed.start()
    feed.abandon()
    assert feed.join(_LIMIT_S)
    assert threads == ["run", "run"]


def test_who_leaves_lets_the_run_come_to_its_end_unseen() -> None:
    script = Script()

    def long() -> Iterator[RunEvent]:
        for _ in range(100):
            yield script.start()
        yield script.finish()

    feed = Feed(long, capacity=2)
    feed.start()
    feed.leave()
    assert feed.join(_LIMIT_S)
    assert isinstance(feed.finished, RunFinished)


def test_what_the_run_raises_is_kept_for_the_thread_that_waits() -> None:
    def broken() -> Iterator[RunEvent]:
        yield Script().start()
        raise StoreError("the disk is full")

    feed = Feed(broken)
    feed.start()
    assert len(drained(feed)) == 1
    with pytest.raises(StoreError, match="disk is full"):
        raise feed.error or AssertionError


def test_a_run_that_cannot_begin_is_an_error_of_the_feed() -> None:
    def refused() -> Iterator[RunEvent]:
        raise StoreError("no such folder")

    feed = Feed(refused)
    feed.start()
    assert feed.join(_LIMIT_S)
    assert isinstance(feed.error, StoreError)


def test_a_feed_that_was_never_begun_has_nothing_to_wait_for() -> None:
    assert Feed(story).join(_LIMIT_S)
