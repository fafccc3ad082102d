"""Many boards in one thread, in one order: the scheduler of virtual time.

Always the smallest of (virtual time, events before actors, order of adding) runs next. An event
is a function of the host at a moment (a fault, a frame arriving on a link); an actor is a board.
A step of an actor takes it to its next wait, or to the world's horizon: the next event that is
known, a little past the next actor's turn, and never far. It comes closer when an event is
planned meanwhile, as an answer to what the board sends. So an event reaches a board at its exact
time, waiting or busy; only what another board causes may find it up to `LEAD_AMONG_OTHERS_NS`
ahead. The horizon depends on what is planned and on nothing else, so the same inputs give the
same order every time, however the host divides its calls of `World.run_until`.

The world has no clock of its own and never waits; see `pacing` for real time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

LEAD_NS = 100_000_000
"""How far ahead of the world an actor may run while it is alone."""

LEAD_AMONG_OTHERS_NS = 4_000_000
"""How far an actor may run past the turn of the next one."""

STEP_NS_MIN = 100_000
"""A step is at least this long, however close the next event."""


class Actor(Protocol):
    """A board, as the world sees it."""

    def next_ns(self) -> int | None:
        """Return when it wants to run, or None if only an event can wake it."""

    def step(self) -> None:
        """Run from `next_ns` to its next wait, or to the world's horizon."""


class Event:
    """A function to be called at a moment; made by `World.call_at`."""

    __slots__ = ("_call", "time_ns")

    def __init__(self, time_ns: int, call: Callable[[], None]) -> None:
        self.time_ns = time_ns
        self._call: Callable[[], None] | None = call

    @property
    def cancelled(self) -> bool:
        """There is nothing left to call."""
        return self._call is None

    def cancel(self) -> None:
        """Do not call it; nothing if it was called already."""
        self._call = None

    def fire(self) -> None:
        """Call it, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class _Seat:
    """An actor's place in the queue; entries with an older turn are stale."""

    __slots__ = ("actor", "number", "turn")

    def __init__(self, actor: Actor, number: int) -> None:
        self.actor: Actor | None = actor
        self.number = number
        self.turn = 0


class World:
    """Virtual time for any number of actors.

    Args:
        start_ns: where time begins.

    Attributes:
        now_ns: virtual time of what runs now; it never goes back.
    """

    def __init__(self, *, start_ns: int = 0) -> None:
        self.now_ns = start_ns
        self._events: list[tuple[int, int, Event]] = []
        self._turns: list[tuple[int, int, int, _Seat]] = []
        self._seats: dict[int, _Seat] = {}
        self._numbers = 0
        self._limit_ns = 0
        self._on_sooner: Callable[[int], None] | None = None

    def add(self, actor: Actor) -> int:
        """Take an actor in; returns its number, which breaks ties."""
        seat = _Seat(actor, self._next_number())
        self._seats[id(actor)] = seat
        self._enqueue(seat)
        return seat.number

    def remove(self, actor: Actor) -> None:
        """Let an actor go."""
        self._seats.pop(id(actor)).actor = None

    def wake(self, actor: Actor) -> None:
        """Ask an actor again when it wants to run: something was done to it from outside."""
        seat = self._seats.get(id(actor))
        if seat is not None:
            due = self._enqueue(seat)
            if due is not None:
                self._come_closer(due + LEAD_AMONG_OTHERS_NS)

    def call_at(self, time_ns: int, call: Callable[[], None]) -> Event:
        """Call a function at ``time_ns``, or now if that has passed."""
        event = Event(max(time_ns, self.now_ns), call)
        heapq.heappush(self._events, (event.time_ns, self._next_number(), event))
        self._come_closer(event.time_ns)
        return event

    def next_ns(self) -> int | None:
        """Return the time of the next thing to do, or None if there is none."""
        self._drop_stale()
        if not self._events:
            return self._turns[0][0] if self._turns else None
        event_ns = self._events[0][0]
        return min(event_ns, self._turns[0][0]) if self._turns else event_ns

    def horizon_ns(self, on_sooner: Callable[[int], None] | None = None) -> int:
        """Return how far the actor whose step this is may run.

        Args:
            on_sooner: called with a time when something is planned before the horizon during the
                step; the actor should not run further than that.
        """
        self._drop_stale()
        limit_ns = self.now_ns + LEAD_NS
        if self._events:
            limit_ns = min(limit_ns, self._events[0][0])
        if self._turns:
            limit_ns = min(limit_ns, self._turns[0][0] + LEAD_AMONG_OTHERS_NS)
        self._limit_ns = max(limit_ns, self.now_ns + STEP_NS_MIN)
        self._on_sooner = on_sooner
        return self._limit_ns

    def run_until(self, time_ns: int) -> None:
        """Do everything up to and including ``time_ns``, then stand there."""
        while (due := self.next_ns()) is not None and due <= time_ns:
            self.run_next()
        self.now_ns = max(self.now_ns, time_ns)

    def run_next(self) -> None:
        """Do the next thing: one event, or one step of one actor.

        Raises:
            IndexError: there is nothing to do.
        """
        self._drop_stale()
        if self._events and (not self._turns or self._events[0][0] <= self._turns[0][0]):
            due, _, event = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, due)
            event.fire()
            return
        due, _, _, seat = heapq.heappop(self._turns)
        self.now_ns = max(self.now_ns, due)
        assert seat.actor is not None
        try:
            seat.actor.step()
        finally:  # whoever catches what it raised can go on with the same world
            self._on_sooner = None
            if seat.actor is not None:
                self._enqueue(seat)

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _come_closer(self, time_ns: int) -> None:
        """Something was planned: tell the actor whose step this is, if it concerns it."""
        if self._on_sooner is not None and time_ns < self._limit_ns:
            self._limit_ns = time_ns
            self._on_sooner(time_ns)

    def _enqueue(self, seat: _Seat) -> int | None:
        seat.turn += 1
        assert seat.actor is not None
        due = seat.actor.next_ns()
        if due is not None:
            heapq.heappush(self._turns, (due, seat.number, seat.turn, seat))
        return due

    def _drop_stale(self) -> None:
        events, turns = self._events, self._turns
        while events and events[0][2].cancelled:
            heapq.heappop(events)
        while turns and (turns[0][3].actor is None or turns[0][3].turn != turns[0][2]):
            heapq.heappop(turns)
