"""Opens a kept ledger for reading: that of a run, of a file, or of a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, NoteError
from wattest.ledger import CheckpointVerifier, LedgerView
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import is_url, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPlace:
    """Where a ledger is, and whose signature its checkpoints must have.

    Attributes:
        store: a path or a URL, for ``open_store``.
        verifier: its key, or None if nobody said.
    """

    store: Path | str
    verifier: CheckpointVerifier | None


def checkpoint_verifier(run: RunDir) -> CheckpointVerifier:
    """Return the key that must have signed the checkpoints of a run.

    Raises:
        ConfigError: this is not the folder of a run, or it names no key.
    """
    text = run.read_json().get(CHECKPOINT_KEY)
    if not isinstance(text, str):
        raise ConfigError("is missing", path=str(run.run_json), key=CHECKPOINT_KEY)
    try:
        return CheckpointVerifier.from_text(text)
    except NoteError as error:
        raise ConfigError(str(error), path=str(run.run_json), key=CHECKPOINT_KEY) from error


def find_ledger(place: Path | str, key: str | None = None) -> LedgerPlace:
    """Find the ledger that a person names.

    Args:
        place: folder of a kept run, a ledger file, or the URL of a database.
        key: the checkpoint key as run.json writes it; a run names its own.

    Raises:
        ConfigError: there is no such folder of a run, or the key is none, or both are given.
    """
    if is_url(place) or Path(place).is_file():
        return LedgerPlace(store=place, verifier=_key(key))
    run = RunDir(Path(place))
    verifier = checkpoint_verifier(run)
    if key is not None:
        raise ConfigError("is for a file or a database: a run names its own", path="--key")
    return LedgerPlace(store=run.ledger_place, verifier=verifier)


def name_of(place: Path | str) -> str:
    """Return what to call a place in messages: a URL may hold a password."""
    return "the database" if is_url(place) else str(place)


def find_signed(
    place: Path | str, key: str | None = None
) -> tuple[Path | str, CheckpointVerifier]:
    """Find a ledger and the key that must have signed it; as :func:`find_ledger`.

    Raises:
        ConfigError: also if nobody said which key.
    """
    found = find_ledger(place, key)
    if found.verifier is None:
        raise ConfigError(
            "is needed to check a ledger outside of the folder of its run",
            path="--key",
            hint=f"run.json of the run names it as {CHECKPOINT_KEY}",
        )
    return found.store, found.verifier


@contextmanager
def open_view(place: Path | str, key: str | None = None) -> Iterator[LedgerView]:
    """Open a ledger; nothing is written.

    Args:
        place: folder of a kept run, a ledger file, or the URL of a database.
        key: the checkpoint key of a file or a database.

    Raises:
        ConfigError: this is not the folder of a run, or the key is missing.
        StoreError: the ledger cannot be read.
        SignatureInvalid: the newest checkpoint is not signed by the key.
        CheckpointInconsistent: the newest checkpoint does not describe the stored tree.
    """
    found, verifier = find_signed(place, key)
    with open_store(found, read_only=True) as store:
        yield LedgerView(store, verifier)


def _key(text: str | None) -> CheckpointVerifier | None:
    if text is None:
        return None
    try:
        return CheckpointVerifier.from_text(text)
    except NoteError as error:
        raise ConfigError(str(error), path="--key") from error
