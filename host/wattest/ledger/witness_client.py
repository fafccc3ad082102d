"""How a log asks a witness to cosign, and what it learns when the witness does not.

No network here: whoever calls says how a request travels. A ledger that its witness has seen
otherwise is a fork; it is told with both heads, and both signed notes are kept as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.errors import (
    DecodeError,
    ForkFound,
    LinkError,
    ProofInvalid,
    SignatureInvalid,
    VerificationError,
)
from wattest.ledger.checkpoint import CheckpointVerifier, SignedCheckpoint
from wattest.ledger.cosignature import Cosignature, WitnessKey
from wattest.ledger.view import LedgerView
from wattest.ledger.witness import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    OK,
    UNPROCESSABLE,
    AddCheckpoint,
)
from wattest.wire.note import Checkpoint, parse_note, parse_signatures

_TRIES = 4
_SIZE_DIGITS_MAX = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: status of HTTP, content type, body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessLine:
    """The way to one witness.

    Attributes:
        key: whose cosignature counts.
        where: its address, for messages.
        add: sends a request and returns the reply; raises LinkError.
        newest: returns the newest note it cosigned of an origin, None if it does not tell;
            raises LinkError.
    """

    key: WitnessKey
    where: str
    add: Callable[[AddCheckpoint], Reply]
    newest: Callable[[str], bytes | None]


def ask_to_cosign(
    view: LedgerView, line: WitnessLine, *, known_size: int = 0
) -> tuple[SignedCheckpoint, Cosignature]:
    """Have the newest checkpoint of a ledger cosigned.

    Args:
        view: the ledger, not empty.
        line: the witness.
        known_size: what the witness is believed to know; it corrects us.

    Returns:
        The checkpoint, and the witness's verified cosignature over it.

    Raises:
        ForkFound: the witness has cosigned another history of this ledger.
        SignatureInvalid: what it answered is not its cosignature of this checkpoint.
        LinkError: it cannot be reached, or refuses.
    """
    old_size = known_size if known_size <= view.size else 0
    for _ in range(_TRIES):
        newest = view.checkpoint()
        if newest is None:
            raise ValueError("expected a ledger with a checkpoint")
        proof = view.prove_consistency(old_size).path
        request = AddCheckpoint(old_size=old_size, proof=proof, note=newest.note)
        reply = line.add(request)
        if reply.status == OK:
            return newest, _cosignature(reply, newest, line.key)
        if reply.status == UNPROCESSABLE:
            raise _fork(view, line, old_size)
        if reply.status != CONFLICT:
            raise _refused(reply, view.verifier, line)
        old_size = _size(reply, line)
        if old_size > view.size:
            view.refresh()  # somebody may have appended, and had it cosigned, meanwhile
        if old_size > view.size or (old_size == request.old_size == newest.checkpoint.size):
            raise _fork(view, line, old_size)
    raise LinkError(
        f"witness {line.where}: names a size and then does not take it, {_TRIES} times"
    )


def check_with_witness(view: LedgerView, line: WitnessLine) -> int | None:
    """Check that a ledger goes on from what a witness has cosigned, without asking to cosign.

    Returns:
        The size the witness knows, or None if it does not tell or knows nothing yet.

    Raises:
        ForkFound: the ledger was cut short or rewritten since.
        LinkError: the witness cannot be reached.
    """
    note = line.newest(view.verifier.origin)
    if note is None:
        return None
    known = open_cosigned(note, view.keys(), line.key)
    if view.checkpoint() is None or known.size > view.size:
        raise _fork(view, line, known.size, note=note)
    try:
        view.prove_consistency(known.size).verify(known.root, view.root())
    except ProofInvalid as error:
        raise _fork(view, line, known.size, note=note) from error
    return known.size


def open_cosigned(note: bytes, verifier: CheckpointVerifier, key: WitnessKey) -> Checkpoint:
    """Return what a note says that both the log and a witness have signed.

    Raises:
        NoteError: it is no checkpoint.
        SignatureInvalid: one of the two has not signed it.
        CheckpointInconsistent: it is of another log.
    """
    checkpoint = verifier.open(note)
    parsed = parse_note(note)
    if not any(key.verify(parsed.text, each) for each in parsed.signatures if key.owns(each)):
        raise SignatureInvalid(f"checkpoint: expected a cosignature of {key.name}, got none")
    return checkpoint


def _cosignature(reply: Reply, newest: SignedCheckpoint, key: WitnessKey) -> Cosignature:
    """Pick the witness's line out of its answer; lines of others are passed over."""
    text = parse_note(newest.note).text
    given = [each for each in parse_signatures(reply.body) if key.owns(each)]
    if not given:
        raise SignatureInvalid(
            f"witness {key.name}: expected its cosignature of key {key.key_id.hex()}, got none"
        )
    return max((key.verify(text, each) for each in given), key=lambda each: each.time_s)


def _size(reply: Reply, line: WitnessLine) -> int:
    digits = reply.body.removesuffix(b"\n")
    if not digits.isdigit() or len(digits) > _SIZE_DIGITS_MAX:
        raise LinkError(
            f"witness {line.where}: expected a size in its answer, got {digits[:40]!r}"
        )
    return int(digits)


def _refused(reply: Reply, verifier: CheckpointVerifier, line: WitnessLine) -> LinkError:
    said = reply.body.decode("utf-8", "replace").partition("\n")[0][:200]
    hint = ""
    if reply.status in (NOT_FOUND, FORBIDDEN):
        hint = (
            f"whoever runs it must add this ledger: `wattest witness --log {verifier.to_text()}`"
        )
    return LinkError(f"witness {line.where}: refused, {reply.status}: {said}", hint=hint)


def _fork(
    view: LedgerView, line: WitnessLine, size: int, *, note: bytes | None = None
) -> ForkFound:
    """Say what the witness knows and what this ledger is; ask the witness for its proof."""
    theirs = f"size {size}"
    try:
        note = note or line.newest(view.verifier.origin)
        if note is not None:
            known = open_cosigned(note, view.keys(), line.key)
            theirs = f"size {known.size} root {known.root.hex()}"
    except (LinkError, DecodeError, VerificationError):
        note = None  # it need not tell; that it refuses is enough
    newest = view.checkpoint()
    ours = "is empty"
    if newest is not None:
        head = newest.checkpoint
        ours = f"is at size {head.size} root {head.root.hex()}"
    return ForkFound(
        f"fork of {view.verifier.origin}: witness {line.key.name} has cosigned {theirs}, "
        f"this ledger {ours} and does not go on from there",
        known=note or b"",
        shown=newest.note if newest else b"",
        hint="restore the ledger as it was when the witness last saw it, or newer",
    )
