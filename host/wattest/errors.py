"""The one error tree: each class says whose fault it is, each message what to do next.

    WattestError                 .code: stable, for scripts; .exit_code: see docs/commands.md
    ├── UsageError               a command was called wrongly                        exit 2
    ├── ConfigError              a file or option people write: path, key, expected  exit 2
    ├── LinkError                cannot talk to the node                             exit 3
    │   ├── LinkClosed
    │   ├── LinkTimeout
    │   ├── InstrumentError      an instrument refuses, or is not what it should be
    │   └── LocalProtocolError   we broke the session rules: our bug
    ├── DecodeError              bytes are not what they claim: format, offset, rule exit 1
    │   ├── CborError · CoseError · RecordError · FrameError · NoteError · OcmfError
    ├── VerificationError        evidence does not hold                              exit 1
    │   ├── SignatureInvalid · ProofInvalid · CheckpointInconsistent
    │   │                                     └── ForkFound
    ├── SettlementError          verified data that cannot be priced                 exit 1
    ├── StoreError               the ledger file cannot be opened, read or written   exit 3
    │   ├── ForeignStore         it is something else, or of a newer format          exit 2
    │   └── DamagedStore         it does not hold together                           exit 1
    ├── FlashError               a board cannot be flashed; it says what state it is in   exit 3
    └── EmulatorError            the emulated board: carries seed and virtual time   exit 3

Anything outside this tree that reaches the command line is our bug: exit 4, traceback kept.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return a text as one line that does to a terminal nothing but show.

    What a board says goes into errors and onto the screen where a person compares fingerprints:
    it must not be able to move the cursor there. Runs of white space become one blank, other
    characters that do not print their escape.
    """
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in words)


class WattestError(Exception):
    """Root of every error that a caller is expected to handle.

    Args:
        message: lower case, no full stop, expected then got.
        hint: what the person can do next, or ``""``.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def diagnostics(self) -> str:
        """Return the one line a person reads: what happened, then what to do."""
        return one_line(f"{self}; {self.hint}" if self.hint else str(self))


class UsageError(WattestError):
    """A command or function was asked for something it does not do."""

    code = "usage"
    exit_code = 2


class ConfigError(WattestError):
    """A file or option that people write is wrong.

    Args:
        message: what was expected and what was found.
        path: the file, or the option's name.
        key: dotted place inside the file, or ``""``.
        hint: what to do next, or ``""``.
    """

    code = "config"
    exit_code = 2

    def __init__(self, message: str, *, path: str = "", key: str = "", hint: str = "") -> None:
        where = ": ".join(part for part in (path, key) if part)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.path = path
        self.key = key


class LinkError(WattestError):
    """The node cannot be talked to."""

    code = "link"
    exit_code = 3


class LinkClosed(LinkError):
    """The port vanished or the other end hung up."""

    code = "link-closed"


class LinkTimeout(LinkError):
    """Nothing usable arrived before the deadline.

    Args:
        message: what was awaited.
        deadline_s: how long we waited, seconds.
        received_bytes: how many bytes did arrive.
        hint: what to do next, or ``""``.
    """

    code = "link-timeout"

    def __init__(
        self, message: str, *, deadline_s: float, received_bytes: int, hint: str = ""
    ) -> None:
        text = f"{message} within {deadline_s:g} s, got {received_bytes} bytes"
        super().__init__(text, hint=hint)
        self.deadline_s = deadline_s
        self.received_bytes = received_bytes


class InstrumentError(LinkError):
    """An instrument answers, but refuses, or is another one than the dialect is for."""

    code = "instrument"


class LocalProtocolError(LinkError):
    """We broke the session rules: a bug in the caller."""

    code = "protocol-local"


class DecodeError(WattestError):
    """Bytes are not what they claim to be.

    Args:
        rule: the rule that broke, as a short stable name such as ``shortest-head``.
        offset: byte offset of the first offending byte.
        detail: expected and got, or ``""``.
    """

    code = "decode"
    what = "bytes"

    def __init__(self, rule: str, offset: int, detail: str = "") -> None:
        tail = f" ({detail})" if detail else ""
        super().__init__(f"{self.what}: {rule} at byte {offset}{tail}")
        self.rule = rule
        self.offset = offset


class CborError(DecodeError):
    """Not deterministic CBOR as RFC 8949 section 4.2.1 and our profile want it."""

    code = "decode-cbor"
    what = "cbor"


class CoseError(DecodeError):
    """Not a COSE_Sign1 of our profile."""

    code = "decode-cose"
    what = "cose"


class RecordError(DecodeError):
    """A well-formed payload that breaks the record schema."""

    code = "decode-record"
    what = "record"


class FrameError(DecodeError):
    """Not a frame or a line of the link protocol."""

    code = "decode-frame"
    what = "frame"


class NoteError(DecodeError):
    """Not a C2SP signed note or checkpoint."""

    code = "decode-note"
    what = "note"


class OcmfError(DecodeError):
    """Not a text of the form that OCMF has."""

    code = "decode-ocmf"
    what = "ocmf"


class VerificationError(WattestError):
    """Evidence does not hold."""

    code = "verification"


class SignatureInvalid(VerificationError):
    """A signature does not match the bytes and the key."""

    code = "signature-invalid"


class ProofInvalid(VerificationError):
    """An inclusion or consistency proof does not lead to the stated root."""

    code = "proof-invalid"


class CheckpointInconsistent(VerificationError):
    """Two checkpoints cannot belong to one append-only ledger."""

    code = "checkpoint-inconsistent"


class ForkFound(CheckpointInconsistent):
    """A log has signed a history that does not go on from what was kept elsewhere.

    Args:
        message: who knows which head, and which head the ledger has.
        known: the signed note that was kept, or empty.
        shown: the ledger's own signed note, or empty.
        hint: what to do next, or ``""``.
    """

    code = "fork"

    def __init__(self, message: str, *, known: bytes, shown: bytes, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.known = known
        self.shown = shown


class SettlementError(WattestError):
    """Verified data that cannot be priced under the terms."""

    code = "settlement"


class StoreError(WattestError):
    """The ledger file cannot be opened, read or written."""

    code = "store"
    exit_code = 3


class ForeignStore(StoreError):
    """What was given as a ledger is something else, of a newer format, or nothing at all."""

    code = "foreign_store"
    exit_code = 2


class DamagedStore(StoreError):
    """What is stored does not hold together."""

    code = "damaged_store"
    exit_code = 1


class FlashError(WattestError):
    """A board cannot be flashed: no chip answers, it is another one, or it stopped half way."""

    code = "flash"
    exit_code = 3


class EmulatorError(WattestError):
    """The emulated board cannot go on.

    Args:
        message: what happened.
        seed: the run's seed, when known: it replays the failure.
        virtual_time_ns: virtual time of the failure, ns, when known.
        hint: what to do next, or ``""``.
    """

    code = "emulator"
    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        seed: int | None = None,
        virtual_time_ns: int | None = None,
        hint: str = "",
    ) -> None:
        place = []
        if seed is not None:
            place.append(f"seed {seed}")
        if virtual_time_ns is not None:
            place.append(f"virtual time {virtual_time_ns / 1e9:.6f} s")
        super().__init__(f"{message} ({', '.join(place)})" if place else message, hint=hint)
        self.seed = seed
        self.virtual_time_ns = virtual_time_ns
