"""Asks witnesses to cosign the newest checkpoint of a kept run, and keeps what they answer.

Beside the ledger's table of cosignatures, the folder gets ``witnesses.txt``: the key of every
witness that ever cosigned, a line each, so that whoever has the folder can check the lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, ForkFound, NoteError, WattestError
from wattest.ledger import LedgerView
from wattest.ledger.cosignature import WitnessKey, parse_cosignature
from wattest.ledger.store import LedgerReader
from wattest.ledger.witness_client import WitnessLine, ask_to_cosign
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.private import write_private
from wattest.operations.rundir import RunDir, write_whole
from wattest.store import SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness cosigned.

    Attributes:
        witness: its name.
        size: of the checkpoint.
        root: 32 bytes.
        time_s: the witness's clock, s since 1970.
        line: the signature line, without newline.
    """

    witness: str
    size: int
    root: bytes
    time_s: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCosigned:
    """A witness did not cosign.

    Attributes:
        witness: its name.
        error: why.
        evidence: file with both signed notes, if the witness has seen another history.
    """

    witness: str
    error: WattestError
    evidence: Path | None


def cosign_run(
    path: Path, witnesses: Sequence[WitnessLine], *, evidence: Path
) -> Iterator[Cosigned | NotCosigned]:
    """Ask each witness; one that fails does not keep the next from being asked.

    Of each witness the first cosignature of a size is kept: asked again, it only confirms it.

    Args:
        path: folder of the run; a collector may be at work in it.
        witnesses: the ways to them.
        evidence: folder outside of it that keeps evidence of forks.

    Raises:
        ConfigError: this is not the folder of a run, or nothing is signed yet.
        StoreError: its ledger cannot be read or written.
        SignatureInvalid: the newest checkpoint is not signed by the run's key.
        CheckpointInconsistent: the newest checkpoint does not describe the stored tree.
    """
    run = RunDir(path)
    verifier = checkpoint_verifier(run)
    with SqliteStore(run.ledger, create=False) as store:
        view = LedgerView(store, verifier)
        if view.checkpoint() is None:
            raise ConfigError("nothing is signed yet: the ledger is empty", path=str(path))
        for line in witnesses:
            try:
                signed, given = ask_to_cosign(
                    view, verifier, line, known_size=known_size(store, line.key)
                )
            except WattestError as error:
                kept = _keep(error, evidence) if isinstance(error, ForkFound) else None
                yield NotCosigned(witness=line.key.name, error=error, evidence=kept)
                continue
            text = given.line.removesuffix("\n")
            size = signed.checkpoint.size
            if not any(_is_of(line.key, each) for each in store.cosignatures(size)):
                remember_witness(run, line.key)
                store.add_cosignatures(size, [text.encode()])
            yield Cosigned(
                witness=given.witness,
                size=size,
                root=signed.checkpoint.root,
                time_s=given.time_s,
                line=text,
            )


def known_size(store: LedgerReader, key: WitnessKey) -> int:
    """Return the greatest size whose stored cosignatures name a witness, 0 if none does.

    They are not checked: it only spares a question, and the witness corrects it.
    """
    return max((row.size for row in store.cosigned() if _is_of(key, row.line)), default=0)


def read_witnesses(run: RunDir) -> list[WitnessKey]:
    """Return the keys of the witnesses that have cosigned a run.

    Raises:
        ConfigError: the file that lists them is damaged.
    """
    if not run.witnesses.exists():
        return []
    keys = []
    try:
        lines = run.witnesses.read_text("utf-8").splitlines()
        keys = [WitnessKey.from_text(line) for line in lines]
    except (OSError, ValueError, NoteError) as error:
        raise ConfigError(f"is damaged: {error}", path=str(run.witnesses)) from error
    return keys


def remember_witness(run: RunDir, key: WitnessKey) -> None:
    """List a witness's key, before the first of its cosignatures is kept.

    Raises:
        ConfigError: the file that lists them is damaged.
        StoreError: it cannot be written.
    """
    keys = read_witnesses(run)
    if key not in keys:
        text = "".join(f"{each.to_text()}\n" for each in (*keys, key))
        write_whole(run.witnesses, text.encode())


def _is_of(key: WitnessKey, line: bytes) -> bool:
    try:
        return key.owns(parse_cosignature(line))
    except NoteError:
        return False


def _keep(fork: ForkFound, folder: Path) -> Path:
    """Write both signed notes down, once."""
    document = {
        "format": "wattest-fork/1",
        "reason": str(fork),
        "known": fork.known.decode("utf-8", "replace"),
        "shown": fork.shown.decode("utf-8", "replace"),
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(fork.known + fork.shown).hexdigest()[:32]
    file = folder / f"{name}.json"
    write_private(file, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return file
