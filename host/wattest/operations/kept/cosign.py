"""Asks witnesses to cosign the newest checkpoint of a ledger, and keeps what they answer.

Beside the ledger's table of cosignatures, the folder of a run gets ``witnesses.txt``: the key of
every witness that ever cosigned, a line each, so that whoever has the folder can check the lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, ForkFound, LinkError, NoteError, WattestError
from wattest.ledger import LedgerView
from wattest.ledger.cosignature import WitnessKey, parse_cosignature
from wattest.ledger.store import LedgerReader
from wattest.ledger.witness_client import WitnessLine, ask_to_cosign, check_with_witness
from wattest.operations.kept.ledger_view import find_signed, name_of, open_view
from wattest.operations.private import write_private
from wattest.operations.rundir import RunDir, write_whole
from wattest.store import open_store
from wattest.witness.files import make_folder


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


def cosign_ledger(
    place: Path | str,
    witnesses: Sequence[WitnessLine],
    *,
    evidence: Path,
    key: str | None = None,
) -> Iterator[Cosigned | NotCosigned]:
    """Ask each witness; one that fails does not keep the next from being asked.

    Of each witness the first cosignature of a size is kept: asked again, it only confirms it.

    Args:
        place: folder of a run, ledger file or URL; a collector may be at work there.
        witnesses: the ways to them.
        evidence: folder outside of it that keeps evidence of forks.
        key: the checkpoint key of a file or a database.

    Raises:
        ConfigError: no ledger is there, its key is missing, or nothing is signed yet.
        StoreError: its ledger cannot be read or written.
        SignatureInvalid: the newest checkpoint is not signed by the run's key.
        CheckpointInconsistent: the newest checkpoint does not describe the stored tree.
    """
    found, verifier = find_signed(place, key)
    with open_store(found, create=False) as store:
        view = LedgerView(store, verifier)
        if view.checkpoint() is None:
            raise ConfigError("nothing is signed yet: the ledger is empty", path=name_of(place))
        for line in witnesses:
            try:
                signed, given = ask_to_cosign(view, line, known_size=known_size(store, line.key))
            except WattestError as error:
                kept = keep_fork(error, evidence) if isinstance(error, ForkFound) else None
                yield NotCosigned(witness=line.key.name, error=error, evidence=kept)
                continue
            text = given.line.removesuffix("\n")
            size = signed.checkpoint.size
            if not any(_is_of(line.key, each) for each in store.cosignatures(size)):
                if found != place:  # the folder of a run
                    remember_witness(RunDir(Path(place)), line.key)
                store.add_cosignatures(size, [text.encode()])
            yield Cosigned(
                witness=given.witness,
                size=size,
                root=signed.checkpoint.root,
                time_s=given.time_s,
                line=text,
            )


def ask_witnesses(
    path: Path, witnesses: Sequence[WitnessLine], *, evidence: Path
) -> list[LinkError]:
    """Check that the ledger of a run goes on from all that witnesses have cosigned.

    Args:
        path: folder of the run; one without a ledger goes on from anything.
        witnesses: the ways to them.
        evidence: folder outside of it that keeps evidence of forks.

    Returns:
        Why a witness could not be asked, one for each that could not.

    Raises:
        ForkFound: the ledger was cut short, put back or rewritten; names the evidence.
        StoreError: the ledger cannot be read.
        VerificationError: it is not what its newest checkpoint says, or a witness's answer is not
            signed by it.
    """
    run = RunDir(path)
    if not run.run_json.exists() or not (run.ledger.exists() or run.ledger_url.exists()):
        return []
    away = []
    with open_view(path) as view:
        for line in witnesses:
            try:
                check_with_witness(view, line)
            except LinkError as error:
                away.append(error)
            except ForkFound as fork:
                kept = keep_fork(fork, evidence)
                fork.hint = f"{fork.hint}; both signed notes are kept in {kept}"
                raise
    return away


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
    try:
        text = run.witnesses.read_bytes().decode()
        keys = [WitnessKey.from_text(line) for line in text.splitlines()]
    except (OSError, ValueError, NoteError) as error:
        raise ConfigError(f"is damaged: {error}", path=str(run.witnesses)) from error
    if text != _listed(keys):
        raise ConfigError("is damaged: one key a line expected", path=str(run.witnesses))
    return keys


def _listed(keys: Iterable[WitnessKey]) -> str:
    return "".join(f"{key.to_text()}\n" for key in keys)


def remember_witness(run: RunDir, key: WitnessKey) -> None:
    """List a witness's key, before the first of its cosignatures is kept.

    Raises:
        ConfigError: the file that lists them is damaged.
        StoreError: it cannot be written.
    """
    keys = read_witnesses(run)
    if key not in keys:
        write_whole(run.witnesses, _listed((*keys, key)).encode())


def _is_of(key: WitnessKey, line: bytes) -> bool:
    try:
        return key.owns(parse_cosignature(line))
    except NoteError:
        return False


def keep_fork(fork: ForkFound, folder: Path) -> Path:
    """Write both signed notes of a fork down; return the file.

    Raises:
        StoreError: it cannot be written.
    """
    document = {
        "format": "wattest-fork/1",
        "reason": str(fork),
        "known": fork.known.decode("utf-8", "replace"),
        "shown": fork.shown.decode("utf-8", "replace"),
    }
    make_folder(folder)
    name = hashlib.sha256(fork.known + fork.shown).hexdigest()[:32]
    file = folder / f"{name}.json"
    write_private(file, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return file
