"""Opens the ledger of a kept run for reading, with the checkpoint key its run.json names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattest.errors import ConfigError, NoteError
from wattest.ledger import CheckpointVerifier, LedgerView
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import SqliteStore


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


@contextmanager
def open_view(path: Path) -> Iterator[LedgerView]:
    """Open the ledger of the run in ``path``; nothing is written.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        SignatureInvalid: the newest checkpoint is not signed by the run's key.
        CheckpointInconsistent: the newest checkpoint does not describe the stored tree.
    """
    run = RunDir(path)
    verifier = checkpoint_verifier(run)
    with SqliteStore(run.ledger, read_only=True) as store:
        yield LedgerView(store, verifier)
