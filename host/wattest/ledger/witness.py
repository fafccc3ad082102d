"""What a witness does, as a function: state and request in, state and answer out.

A witness remembers of each log the newest checkpoint it cosigned and nothing else. It cosigns
another only if a proof shows that the log appended to that one. Time is handed in; the caller
makes the new state durable before the answer leaves.

    old 1440                                    size the client believes the witness to know
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=    consistency proof, a hash a line
                                                (empty line)
    wattest/demo ...                            the new checkpoint, a signed note

Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from wattest.errors import NoteError, ProofInvalid, VerificationError
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.cosignature import Cosigner
from wattest.ledger.proof import verify_consistency
from wattest.ledger.tree import EMPTY_ROOT, HASH_BYTES
from wattest.wire.note import Checkpoint, SignedNote, parse_checkpoint, parse_note

OK = 200
BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
UNPROCESSABLE = 422

REQUEST_BYTES_MAX = 65_536
PROOF_HASHES_MAX = 63
TEXT_TYPE = "text/plain; charset=utf-8"
SIZE_TYPE = "text/x.tlog.size"

_SIZE_DIGITS_MAX = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedLog:
    """What a witness knows of a log.

    Attributes:
        keys: any of them may sign its checkpoints; all of one origin.
        size: of the newest checkpoint it cosigned, 0 before the first.
        root: of that checkpoint, 32 bytes.
        note: that checkpoint, with the log's signature and the witness's; empty before the first.
    """

    keys: tuple[CheckpointVerifier, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessState:
    """All a witness remembers: logs by origin."""

    logs: Mapping[str, WitnessedLog] = field(default_factory=lambda: MappingProxyType({}))

    def with_key(self, key: CheckpointVerifier) -> WitnessState:
        """Return the state that also trusts this key for checkpoints of its origin."""
        log = self.logs.get(key.origin, WitnessedLog(keys=()))
        if any(known.to_text() == key.to_text() for known in log.keys):
            return self
        return self.with_log(key.origin, replace(log, keys=(*log.keys, key)))

    def with_log(self, origin: str, log: WitnessedLog) -> WitnessState:
        """Return the state with another knowledge of one log."""
        return WitnessState(logs=MappingProxyType({**self.logs, origin: log}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A request to cosign.

    Attributes:
        old_size: what the client believes the witness to know.
        proof: that the tree of the checkpoint extends the tree of that size.
        note: the checkpoint as a signed note.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """Return the body of the request."""
        lines = [f"old {self.old_size}", *(base64.b64encode(h).decode() for h in self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Two checkpoints that the log signed and that no proof joins.

    Attributes:
        origin: the log.
        proved: they have one size and two roots, so the notes alone are proof. Otherwise whoever
            asked may just have sent a wrong proof with a checkpoint of an honest log.
        reason: what does not fit.
        known: the note the witness cosigned.
        shown: the note that was shown to it afterwards.
    """

    origin: str
    proved: bool
    reason: str
    known: bytes
    shown: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the witness says.

    Attributes:
        status: of HTTP.
        body: cosignature lines, a size, or one line that says what is wrong.
        content_type: of the body.
        fork: what should be kept as evidence, or None.
    """

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    fork: Fork | None = None


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of a request; the note in it is not looked at.

    Args:
        body: at most 64 KiB.

    Raises:
        NoteError: a rule of the format is broken; names the rule and the byte offset.
    """
    if len(body) > REQUEST_BYTES_MAX:
        raise NoteError("size", REQUEST_BYTES_MAX, f"at most {REQUEST_BYTES_MAX} bytes")
    head, divider, note = body.partition(b"\n\n")
    if not divider:
        raise NoteError("empty-line", len(body), "expected one before the checkpoint")
    first, *rest = head.split(b"\n")
    if not first.startswith(b"old "):
        raise NoteError("old-size", 0, "expected `old` and a size")
    digits = first[4:]
    shortest = digits.isdigit() and (digits == b"0" or not digits.startswith(b"0"))
    if not shortest or len(digits) > _SIZE_DIGITS_MAX:
        raise NoteError("old-size", 4, "expected a decimal without leading zero")
    if len(rest) > PROOF_HASHES_MAX:
        raise NoteError("proof", 0, f"at most {PROOF_HASHES_MAX} hashes, got {len(rest)}")
    offset = len(first) + 1
    proof = []
    for line in rest:
        proof.append(_hash(line, offset))
        offset += len(line) + 1
    return AddCheckpoint(old_size=int(digits), proof=tuple(proof), note=note)


def add_checkpoint(
    state: WitnessState, body: bytes, *, cosigner: Cosigner, time_s: int
) -> tuple[WitnessState, Answer]:
    """Answer a request to cosign.

    Args:
        state: what the witness remembers.
        body: of the request.
        cosigner: the witness's key.
        time_s: the witness's clock, s since 1970.

    Returns:
        What it remembers from now on, and the answer; only an answer of 200 changes anything.
    """
    try:
        request = parse_add_checkpoint(body)
        note = parse_note(request.note)
        shown = parse_checkpoint(note.text)
    except NoteError as error:
        return state, _refusal(BAD_REQUEST, str(error))
    log = state.logs.get(shown.origin)
    if log is None:
        return state, _refusal(NOT_FOUND, f"log {shown.origin} is not known here")
    signed = _signed(note, log.keys)
    if signed is None:
        return state, _refusal(FORBIDDEN, f"no signature of {shown.origin} holds")
    refusal = _check_growth(log, request, shown)
    if refusal is not None:
        return state, refusal
    cosignature = cosigner.sign(note.text, time_s)
    kept = replace(
        log,
        size=shown.size,
        root=shown.root,
        note=signed.encode() + cosignature.line.encode(),
    )
    answer = Answer(status=OK, body=cosignature.line.encode())
    return state.with_log(shown.origin, kept), answer


def _check_growth(log: WitnessedLog, request: AddCheckpoint, shown: Checkpoint) -> Answer | None:
    """Return why the checkpoint cannot follow what is known of the log, or None."""
    if request.old_size > shown.size:
        message = f"old size {request.old_size} is above the checkpoint's, {shown.size}"
        return _refusal(BAD_REQUEST, message)
    if request.old_size != log.size:
        return _size(log.size)
    if shown.size == log.size and shown.root != log.root:
        reason = f"two roots of size {log.size}: {log.root.hex()} and {shown.root.hex()}"
        return _size(log.size, fork=_fork(log, request, shown, reason, proved=True))
    if log.size == 0:
        if request.proof:
            return _refusal(UNPROCESSABLE, "a proof from size 0 must be empty")
        return None
    try:
        verify_consistency(log.size, shown.size, log.root, shown.root, request.proof)
    except ProofInvalid as error:
        fork = _fork(log, request, shown, str(error), proved=False)
        return replace(_refusal(UNPROCESSABLE, str(error)), fork=fork)
    return None


def _signed(note: SignedNote, keys: Sequence[CheckpointVerifier]) -> SignedNote | None:
    """Return the note with the signature lines that hold for one of the keys, None if none."""
    ours = []
    for line in note.signatures:
        alone = SignedNote(text=note.text, signatures=(line,))
        for key in keys:
            if (line.name, line.key_id) == (key.origin, key.key_id):
                try:
                    key.open(alone.encode())
                except VerificationError:
                    continue
                ours.append(line)
    return SignedNote(text=note.text, signatures=tuple(ours)) if ours else None


def _fork(
    log: WitnessedLog, request: AddCheckpoint, shown: Checkpoint, reason: str, *, proved: bool
) -> Fork:
    return Fork(
        origin=shown.origin, proved=proved, reason=reason, known=log.note, shown=request.note
    )


def _size(size: int, *, fork: Fork | None = None) -> Answer:
    return Answer(status=CONFLICT, body=b"%d\n" % size, content_type=SIZE_TYPE, fork=fork)


def _refusal(status: int, message: str) -> Answer:
    return Answer(status=status, body=f"{message}\n".encode())


def _hash(line: bytes, offset: int) -> bytes:
    try:
        value = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteError("base64", offset, str(exc)) from exc
    if len(value) != HASH_BYTES or base64.b64encode(value) != line:
        raise NoteError("proof", offset, f"expected a hash of {HASH_BYTES} bytes in base64")
    return value
