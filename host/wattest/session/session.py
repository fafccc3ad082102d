"""One conversation with one node, without I/O: bytes in, events and bytes out.

    at start, after an unplug or a restart of the host     session.hello()
    when bytes arrive, and at ``next_deadline_ms``         session.receive(data, now_ms) -> events
    when a record is in the ledger, durably                session.acknowledge(position, digest)
    after each of these                                    session.data_to_send(now_ms) -> bytes

Times are ms of any one clock that does not run backwards. Nothing said here is trusted: records
prove themselves by their signature, and the node checks a MAC on every line that matters.
"""

from __future__ import annotations

from typing import Any, Final

from wattest.errors import FrameError, LocalProtocolError
from wattest.session.events import (
    CommandReplied,
    CommandUnanswered,
    FrameFaultSeen,
    HelloReceived,
    NodeRestarted,
    RecordShown,
    SessionEvent,
    StrangerSeen,
    TextReceived,
)
from wattest.session.outbox import Outbox, Waiting
from wattest.session.states import TRANSITIONS, State, Trigger
from wattest.session.window import Window
from wattest.wire import message
from wattest.wire.frame import Frame, FrameFault, FrameScanner, Text

HELLO_RETRY_MS: Final = 1000
HELLO_RETRY_MS_MAX: Final = 60_000
STALL_MS: Final = 10_000
"""How long the node may take no input, or leave a hole, until it is greeted anew."""
REPLY_MS: Final = 10_000
SILENCE_MS: Final = 1000
"""After this the bytes of an unfinished frame are given back as a fault."""


class Session:
    """The conversation; see the module for the order of calls.

    Args:
        command_key: the node's command key, 32 bytes.
        kid: the only key to talk to, or None for whichever answers.
    """

    def __init__(self, command_key: bytes, *, kid: bytes | None = None) -> None:
        if len(command_key) != message.COMMAND_KEY_BYTES:
            raise ValueError(f"command key: expected 32 bytes, got {len(command_key)}")
        self._key = command_key
        self._kid = kid
        self._state = State.CLOSED
        self._scanner = FrameScanner()
        self._outbox = Outbox()
        self._window: Window | None = None
        self._hello_due = False
        self._hello_retry_ms = HELLO_RETRY_MS
        self._hello_at_ms: int | None = None
        self._greeting_since_ms: int | None = None
        self._stall_at_ms: int | None = None
        self._hole_at_ms: int | None = None
        self._silent_at_ms: int | None = None
        self._replies_at_ms: dict[int, int] = {}
        self._counter: int | None = None
        self._events: list[SessionEvent] = []

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        return self._state

    @property
    def greeting_since_ms(self) -> int | None:
        """When the first hello was sent that the node has not answered, or None."""
        return self._greeting_since_ms

    @property
    def unanswered_bytes(self) -> int:
        """Bytes sent since hello that the node has not said it took; never above 200."""
        return self._outbox.unanswered_bytes

    @property
    def next_deadline_ms(self) -> int | None:
        """When `receive` wants to be called with whatever there is, or None."""
        times = (self._hello_at_ms, self._stall_at_ms, self._hole_at_ms, self._silent_at_ms)
        known = [time for time in (*times, *self._replies_at_ms.values()) if time is not None]
        return min(known, default=None)

    def hello(self) -> None:
        """Begin the conversation, or begin it again: the link or either end was interrupted."""
        self._scanner = FrameScanner()
        self._silent_at_ms = self._greeting_since_ms = None
        self._hello_retry_ms = HELLO_RETRY_MS
        self._greet(Trigger.GREET)

    def acknowledge(self, position: int, digest: bytes, prev: bytes | None = None) -> None:
        """Say that a record is committed to the ledger, durably.

        Args:
            position: place of the record, as it was received; an old place may be repeated.
            digest: SHA-256 of its bytes.
            prev: digest of the record before it, as it states; None: unknown.

        What goes out is cumulative and never passes a record that is not committed. A place or
        digest that was not received in this conversation is passed over: the node sends it again.
        """
        if self._window is None:
            return
        due = self._window.commit(position, digest, prev)
        if due is not None:
            self._outbox.set_acknowledgement(due[0], message.ack_line(self._key, *due))

    def command(self, op: message.Op, arg: Any = None, arg2: int | None = None) -> int:
        """Queue a command.

        Args:
            op: the operation.
            arg: its argument; None for `SET_TIME` means the time at which the line leaves.
            arg2: its second argument, for `TEST_INPUT` 1 only.

        Returns:
            The command's counter, which the reply repeats.

        Raises:
            ValueError: an argument the node would refuse, whatever its state.
            LocalProtocolError: the node never answered, so its counter is not known.
        """
        fill_in_time = op is message.Op.SET_TIME and arg is None
        message.check_arguments(op, 0 if fill_in_time else arg, arg2)
        if self._counter is None:
            raise LocalProtocolError("a command needs the node's counter: wait for its hello")
        self._counter = counter = self._counter + 1
        if op is message.Op.SYNC and self._window is not None:
            self._window = self._window.reopened(arg)

        def make(now_ms: int) -> bytes:
            value = now_ms if fill_in_time else arg
            return message.command_line(self._key, counter, op, value, arg2)

        self._outbox.add_command(Waiting(counter=counter, make=make))
        return counter

    def receive(self, data: bytes, now_ms: int) -> list[SessionEvent]:
        """Take bytes from the link, any number, also none at a deadline."""
        if data:
            for item in self._scanner.feed(data):
                self._take(item, now_ms)
            pending = self._scanner.pending_bytes > 0
            self._silent_at_ms = now_ms + SILENCE_MS if pending else None
        self._run_timers(now_ms)
        events, self._events = self._events, []
        return events

    def data_to_send(self, now_ms: int) -> bytes:
        """Return what may go out now; at most 200 bytes stay unanswered."""
        if self._hello_due:
            self._hello_due = False
            self._hello_at_ms = now_ms + self._hello_retry_ms
            if self._greeting_since_ms is None:
                self._greeting_since_ms = now_ms
            self._hello_retry_ms = min(2 * self._hello_retry_ms, HELLO_RETRY_MS_MAX)
            return message.hello_line()
        if self._state is not State.OPEN:
            return b""
        data, counters = self._outbox.draw(now_ms)
        for counter in counters:
            self._replies_at_ms[counter] = now_ms + REPLY_MS
        if self._outbox.unanswered_bytes and self._stall_at_ms is None:
            self._stall_at_ms = now_ms + STALL_MS
        return data

    def _move(self, trigger: Trigger) -> State:
        self._state = TRANSITIONS[(self._state, trigger)]
        return self._state

    def _greet(self, trigger: Trigger) -> None:
        self._move(trigger)
        self._hello_due = True
        self._hello_at_ms = self._stall_at_ms = self._hole_at_ms = None

    def _take(self, item: Frame | Text | FrameFault, now_ms: int) -> None:
        if isinstance(item, Text):
            self._events.append(TextReceived(data=item.data))
        elif isinstance(item, FrameFault):
            self._events.append(FrameFaultSeen(rule=item.rule, data=item.data))
        else:
            try:
                self._take_frame(item, now_ms)
            except FrameError as exc:
                self._events.append(FrameFaultSeen(rule=exc.rule, data=item.body))

    def _take_frame(self, frame: Frame, now_ms: int) -> None:
        if frame.kind == message.FrameKind.RECORD:
            self._take_record(message.parse_record_frame(frame.body), now_ms)
        elif frame.kind == message.FrameKind.TAKEN:
            self._take_taken(message.parse_taken(frame.body), now_ms)
        elif frame.kind == message.FrameKind.REPLY:
            reply = message.parse_reply(frame.body)
            self._replies_at_ms.pop(reply.counter, None)
            self._events.append(CommandReplied(counter=reply.counter, refusal=reply.refusal))
        elif frame.kind == message.FrameKind.SHOWN:
            if not frame.body:
                raise FrameError("shown", 0, "expected a record, got nothing")
            self._events.append(RecordShown(data=frame.body))
        elif frame.kind == message.FrameKind.HELLO:
            self._take_hello(message.parse_hello(frame.body))
        else:
            raise FrameError("kind", 0, f"unknown kind {frame.kind:02x}")

    def _take_record(self, frame: message.RecordFrame, now_ms: int) -> None:
        # Before the node answered hello, its window is not known; it sends these again after it.
        if self._state is not State.OPEN or self._window is None:
            return
        self._events += self._window.receive(frame.position, frame.record)
        if not self._window.has_hole:
            self._hole_at_ms = None
        elif self._hole_at_ms is None:
            self._hole_at_ms = now_ms + STALL_MS

    def _take_taken(self, total_bytes: int, now_ms: int) -> None:
        position = self._outbox.taken(total_bytes)
        if position is not None and self._window is not None:
            self._window.confirm(position)
        if self._state is State.OPEN:
            waiting = self._outbox.unanswered_bytes > 0
            self._stall_at_ms = now_ms + STALL_MS if waiting else None

    def _take_hello(self, hello: message.Hello) -> None:
        if self._kid is not None and hello.kid != self._kid:
            self._events.append(StrangerSeen(hello=hello))
            return
        self._counter = max(self._counter or 0, hello.command_counter)
        if self._state is not State.GREETING:
            if hello.answers:  # to a hello that we said again while the first one was on its way
                return
            self._events.append(NodeRestarted(hello=hello))
            self._greet(Trigger.HELLO)
            return
        self._move(Trigger.HELLO)
        self._hello_due = False
        self._hello_at_ms = self._greeting_since_ms = None
        self._hello_retry_ms = HELLO_RETRY_MS
        self._outbox.restart()
        self._window = Window(hello.unacknowledged_position)
        # The node reads in order: what it has not answered by now, it never got.
        self._give_up(list(self._replies_at_ms))
        self._events.append(HelloReceived(hello=hello))

    def _run_timers(self, now_ms: int) -> None:
        if self._silent_at_ms is not None and now_ms >= self._silent_at_ms:
            self._silent_at_ms = None
            for item in self._scanner.flush():
                self._take(item, now_ms)
        self._give_up([c for c, at_ms in self._replies_at_ms.items() if now_ms >= at_ms])
        for at_ms in (self._hello_at_ms, self._stall_at_ms, self._hole_at_ms):
            if at_ms is not None and now_ms >= at_ms:
                self._greet(Trigger.STALL)
                break

    def _give_up(self, counters: list[int]) -> None:
        for counter in counters:
            del self._replies_at_ms[counter]
            self._events.append(CommandUnanswered(counter=counter))
