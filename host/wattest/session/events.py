"""What a session tells its caller."""

from __future__ import annotations

from dataclasses import dataclass

from wattest.wire.message import Hello


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived:
    """Console text, as it came."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFaultSeen:
    """Bytes between zeros that are no frame, or a frame with a body that is none.

    Args:
        rule: which rule broke; see `wattest.wire.frame` and `wattest.wire.message`.
        data: the bytes.
    """

    rule: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloReceived:
    """The node answered; from now on records are delivered and lines go out."""

    hello: Hello


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRestarted:
    """The node said hello unasked; the session greets it again by itself."""

    hello: Hello


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerSeen:
    """Another key answers on this link than the one expected."""

    hello: Hello


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReceived:
    """A record, not looked at.

    Args:
        position: its place in the journal, as the frame says.
        data: its bytes.
        resent: the node had reason to send it: it has not taken our acknowledgement of that place,
            and these bytes were not seen at another place.
    """

    position: int
    data: bytes
    resent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShown:
    """A record out of turn, not looked at: of this boot, or the answer to a nonce.

    It is never acknowledged and comes again in its turn.
    """

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandReplied:
    """The node answered a command: 0, or a reason of `wattest.wire.message.Refusal`."""

    counter: int
    refusal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandUnanswered:
    """No answer will come any more; the node may or may not have obeyed."""

    counter: int


SessionEvent = (
    TextReceived
    | FrameFaultSeen
    | HelloReceived
    | NodeRestarted
    | StrangerSeen
    | RecordReceived
    | RecordShown
    | CommandReplied
    | CommandUnanswered
)
