"""Steps 2 to 5: the log signed it, witnesses saw it, it only grew, every entry is in it."""

from __future__ import annotations

from collections.abc import Sequence

from wattest.errors import (
    CheckpointInconsistent,
    DecodeError,
    NoteError,
    ProofInvalid,
    SignatureInvalid,
)
from wattest.evidence.bundle import CHECKPOINT, PROOF, consistency_name, cutoff_name
from wattest.evidence.case import Case
from wattest.evidence.multiproof import verify_entries
from wattest.evidence.suspect import suspect
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.cosignature import WitnessPolicy
from wattest.ledger.proof import verify_consistency
from wattest.ledger.rotation import check_rotation, is_log_rotation
from wattest.ledger.tree import split_hashes
from wattest.wire.note import Checkpoint, parse_note


def check_signatures(case: Case) -> str:
    """Step 2: the checkpoints are signed by the log's keys."""
    keys = _log_keys(case)
    if case.told is None:
        case.notes.append(
            f"nobody said which log to expect: compare {case.bundle.manifest.log} with the key "
            "you were given"
        )
    elif case.told not in [key.to_text() for key in keys]:
        raise RuleBroken(
            "log-key", "manifest.json", f"log {case.told} expected, got {keys[0].to_text()}"
        )
    case.checkpoint = _open(case, CHECKPOINT, keys[:1])
    if case.statement is not None:
        for number in range(1, case.statement.generations + 1):
            case.cutoffs[number] = _open(case, cutoff_name(number), keys)
    size = case.checkpoint.size
    return f"checkpoint of {size} entries signed by {keys[0].origin}"


def check_witnesses(case: Case) -> str:
    """Step 3: as many of the terms' witnesses as they ask for cosigned."""
    subject = case.statement
    if subject is None or subject.witness.threshold == 0:
        return "none asked for"
    try:
        policy = WitnessPolicy.from_texts(subject.witness.threshold, subject.witness.keys)
    except (NoteError, ValueError) as exc:
        raise RuleBroken("witness-keys", "manifest.json", str(exc)) from exc
    note = parse_note(case.bundle.members[CHECKPOINT])
    try:
        found = policy.cosignatures(note.text, note.signatures)
    except SignatureInvalid as exc:
        raise RuleBroken("cosignature", CHECKPOINT, str(exc)) from exc
    if len(found) < policy.threshold:
        gave = {each.witness for each in found}
        missing = ", ".join(key.name for key in policy.keys if key.name not in gave)
        message = f"{policy.threshold} witnesses expected, got {len(found)}: none of {missing}"
        raise RuleBroken("witness", CHECKPOINT, message)
    return f"{len(found)} of {len(policy.keys)} cosigned, {policy.threshold} asked for"


def check_consistency(case: Case) -> str:
    """Step 4: what the checkpoint covers extends what each cut-off covered."""
    newest = _checkpoint(case)
    for number, cutoff in case.cutoffs.items():
        name = consistency_name(number)
        try:
            path = split_hashes(case.bundle.members[name])
            verify_consistency(cutoff.size, newest.size, cutoff.root, newest.root, path)
        except (ValueError, ProofInvalid) as exc:
            raise RuleBroken("consistency", name, str(exc)) from exc
    if not case.cutoffs:
        return "nothing to compare"
    sizes = ", ".join(str(cutoff.size) for cutoff in case.cutoffs.values())
    return f"{newest.size} entries extend {sizes}"


def check_inclusion(case: Case) -> str:
    """Step 5: every entry is in the log, at its place."""
    newest = _checkpoint(case)
    last = case.entries[-1].index
    if last >= newest.size:
        raise RuleBroken(
            "size", f"entry {last}", f"an index below {newest.size} expected, as signed"
        )
    leaves = {entry.index: entry.leaf for entry in case.entries}
    try:
        verify_entries(leaves, newest.size, newest.root, case.bundle.members[PROOF])
    except ProofInvalid as exc:
        raise RuleBroken("inclusion", suspect(case), str(exc)) from exc
    return f"{len(leaves)} entries proved"


def _checkpoint(case: Case) -> Checkpoint:
    assert case.checkpoint is not None, "step 2 comes first"
    return case.checkpoint


def _log_keys(case: Case) -> list[CheckpointVerifier]:
    """Return the log's keys, newest first: the named one and those it took over from."""
    try:
        keys = [CheckpointVerifier.from_text(case.bundle.manifest.log)]
    except (NoteError, ValueError) as exc:
        raise RuleBroken("log-key", "manifest.json", str(exc)) from exc
    bodies = [entry.body for entry in case.entries if is_log_rotation(entry)]
    while True:
        for body in bodies:
            try:
                older = check_rotation(body, new=keys[-1])
            except (DecodeError, SignatureInvalid):
                continue  # of another key, or step 6 says so
            keys.append(older)
            bodies.remove(body)
            break
        else:
            return keys


def _open(case: Case, name: str, keys: Sequence[CheckpointVerifier]) -> Checkpoint:
    """Open a note that at least one of the keys signed, and no line of them wrongly."""
    note = case.bundle.members[name]
    try:
        lines = {(line.name, line.key_id) for line in parse_note(note).signatures}
        signers = [key for key in keys if (key.origin, key.key_id) in lines]
        if not signers:
            message = f"a signature of {keys[0].to_text()} expected, got none"
            raise RuleBroken("log-signature", name, message)
        checkpoints = [key.open(note) for key in signers]
    except NoteError as exc:
        raise RuleBroken("note", name, str(exc)) from exc
    except SignatureInvalid as exc:
        raise RuleBroken("log-signature", name, str(exc)) from exc
    except CheckpointInconsistent as exc:
        raise RuleBroken("origin", name, str(exc)) from exc
    if checkpoints[0].size < 1:
        raise RuleBroken("note", name, "a checkpoint of at least one entry expected")
    return checkpoints[0]
