"""A conversation with one node: who it is, what runs there, and that it holds its key now.

Nothing is acknowledged: the records stay with the node until a collector commits them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wattest.errors import DecodeError, LinkTimeout, VerificationError
from wattest.link import Port
from wattest.operations.commission.boot_record import Stopped
from wattest.session import (
    CommandReplied,
    CommandUnanswered,
    HelloReceived,
    NodeRestarted,
    RecordShown,
    Session,
    SessionEvent,
    TextReceived,
)
from wattest.system import monotonic_ns
from wattest.wire import EventKind, Hello, Op, Record, Refusal, parse_record
from wattest.wire.message import refusal_name

ANSWER_S: Final = 45.0
"""A first boot makes a key and computes its public half before it says a word."""
_SLICE_S: Final = 0.2
_READ_BYTES: Final = 4096
_NS_PER_MS: Final = 1_000_000
_TEXT_KEPT: Final = 4000
_SAID_CHARS: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """What a node said and showed; nothing of it is verified yet.

    Args:
        hello: who it says it is.
        boot: its boot event of this boot, exact bytes.
        answer: its identify event, exact bytes.
    """

    hello: Hello
    boot: bytes
    answer: bytes


class _Talk:
    """Takes the events of a session until everything is said."""

    def __init__(self, session: Session, address: str, nonce: bytes) -> None:
        self._session = session
        self._address = address
        self._nonce = nonce
        self._counter: int | None = None
        self._wrong_nonce: bytes | None = None
        self._kid: bytes | None = None
        self.hello: Hello | None = None
        self.boot = b""
        self.answer = b""
        self.text = ""

    @property
    def complete(self) -> bool:
        return self.hello is not None and bool(self.boot) and bool(self.answer)

    def take(self, event: SessionEvent) -> None:
        match event:
            case HelloReceived():
                self._greet(event.hello)
            case NodeRestarted():
                self._check_key(event.hello)
                self.hello = None
            case RecordShown():
                self._look(event.data)
            case CommandReplied() if event.counter == self._counter:
                self._judge(event.refusal)
            case CommandUnanswered() if event.counter == self._counter:
                self._ask()
            case TextReceived():
                self.text = (self.text + event.data.decode("utf-8", "replace"))[-_TEXT_KEPT:]
            case _:
                pass

    def missing(self) -> str:
        """Say what did not come."""
        if self.hello is None:
            return "a hello of wattest firmware"
        if not self.boot:
            return "the signed record of this boot"
        return "an answer to the challenge"

    def said(self) -> str:
        """The last line the node printed, for an error."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip("> \t")]
        return f"it printed: {lines[-1][-_SAID_CHARS:]}" if lines else "it printed nothing"

    def _greet(self, hello: Hello) -> None:
        self._check_key(hello)
        self.hello = hello
        self.boot = self.answer = b""
        self._ask()

    def _check_key(self, hello: Hello) -> None:
        if self._kid not in {None, hello.kid}:
            raise VerificationError(
                f"{self._address}: one key expected, got hello with {(self._kid or b'').hex()} "
                f"and with {hello.kid.hex()}",
                hint="are two boards wired to this port?",
            )
        self._kid = hello.kid

    def _ask(self) -> None:
        self._counter = self._session.command(Op.IDENTIFY, self._nonce)

    def _look(self, data: bytes) -> None:
        record = _readable(data)
        if record is None or record.event is None:
            return
        if record.event.kind is EventKind.BOOT:
            self.boot = data
        elif record.event.kind is EventKind.IDENTIFY:
            if record.nonce == self._nonce:
                self.answer = data
            else:
                self._wrong_nonce = record.nonce

    def _judge(self, refusal: int) -> None:
        """The node replies behind its answer, so an answer that is not there now never comes."""
        if refusal == Refusal.STATE:
            raise VerificationError(
                f"{self._address}: the node's journal is full: it cannot put an answer on record",
                hint="collect from it first, or give it a new key with --new-key",
            )
        if refusal != Refusal.ACCEPTED:
            raise VerificationError(
                f"{self._address}: the node refused the challenge, {refusal_name(refusal)}",
                hint="try again; if it stays so, flash it anew",
            )
        if self.answer:
            return
        got = "none" if self._wrong_nonce is None else self._wrong_nonce.hex()
        raise VerificationError(
            f"{self._address}: wrong answer to the challenge: nonce {self._nonce.hex()} expected, "
            f"got {got}",
            hint="do not trust this board: it replays, or its firmware is not wattest's",
        )


def interview(
    port: Port,
    command_key: bytes,
    *,
    nonce: bytes,
    wait_s: float = ANSWER_S,
    stopped: Callable[[], bool] = lambda: False,
) -> Interview:
    """Greet the node behind a port, challenge it, and wait for what it shows.

    Args:
        port: open.
        command_key: the key the node was given, 32 bytes.
        nonce: of the challenge, 8 to 64 bytes, never used before.
        wait_s: how long to wait in all.
        stopped: looked at several times a second.

    Raises:
        LinkTimeout: it did not say everything in time; names what is missing and what it printed.
        VerificationError: it refused the challenge, or answered another one.
        LinkClosed: the port vanished.
        Stopped: somebody asked to stop.
    """
    session = Session(command_key)
    talk = _Talk(session, port.address, nonce)
    session.hello()
    begun_ms = now_ms = _now_ms()
    received = 0
    while not talk.complete:
        if stopped():
            raise Stopped
        if now_ms - begun_ms > wait_s * 1000:
            raise LinkTimeout(
                f"{port.address}: expected {talk.missing()} ({talk.said()})",
                deadline_s=wait_s,
                received_bytes=received,
                hint="look at it with `wattest console`, or flash it: `wattest flash`",
            )
        out = session.data_to_send(now_ms)
        if out:
            port.write(out)
        data = port.read(_READ_BYTES, now_ms / 1000 + _SLICE_S)
        received += len(data)
        now_ms = _now_ms()
        for event in session.receive(data, now_ms):
            talk.take(event)
    assert talk.hello is not None, "a complete talk began with a hello"
    return Interview(hello=talk.hello, boot=talk.boot, answer=talk.answer)


def _readable(data: bytes) -> Record | None:
    try:
        return parse_record(data)
    except DecodeError:
        return None


def _now_ms() -> int:
    return monotonic_ns() // _NS_PER_MS
