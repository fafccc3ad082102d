"""The private key of a live collection's ledger: a file of its own, and how it is replaced.

    ledger.key         seed of the key that signs, hex
    ledger.key.next    the key that is to sign from now on, while it is being taken

A host that dies in between goes on with the key that the ledger's newest checkpoint is signed by.
"""

from __future__ import annotations

from pathlib import Path

from wattest.errors import ConfigError, StoreError, VerificationError
from wattest.ledger import CheckpointSigner
from wattest.ledger.store import LedgerReader
from wattest.operations.private import write_private
from wattest.operations.rundir import LIVE_ORIGIN
from wattest.system import entropy

KEY_BYTES = 32
_HINT = "bring it back, or choose another folder"


class LedgerKey:
    """The key file of a folder.

    Args:
        folder: of a live collection.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.key"
        self._next = folder / "ledger.key.next"

    def signer(self, *, make: bool) -> CheckpointSigner:
        """Return what signs with the key; make it if there is none and this is allowed.

        Raises:
            ConfigError: it is missing or damaged.
        """
        if not self._file.exists():
            if not make:
                raise ConfigError(
                    "is missing: nobody can go on with this ledger without it",
                    path=str(self._file),
                    hint=_HINT,
                )
            write_private(self._file, _text(entropy(KEY_BYTES)))
        return CheckpointSigner(LIVE_ORIGIN, _read(self._file))

    def prepare(self) -> CheckpointSigner:
        """Make the next key, durably, before the ledger names it."""
        write_private(self._next, _text(entropy(KEY_BYTES)))
        return CheckpointSigner(LIVE_ORIGIN, _read(self._next))

    def take(self) -> None:
        """Let the next key be the key: the ledger has named it.

        Raises:
            StoreError: the folder cannot be written; opening it again goes on here.
        """
        try:
            self._next.replace(self._file)
        except OSError as error:
            raise StoreError(f"{self._file}: cannot be replaced: {error.strerror}") from error

    def settle(self, reader: LedgerReader) -> bool:
        """Finish or forget a change of the key that was interrupted; tell whether it was made."""
        if not self._next.exists():
            return False
        head = reader.head().checkpoint
        if head is not None:
            try:
                CheckpointSigner(LIVE_ORIGIN, _read(self._next)).verifier.open(head.note)
            except (ConfigError, VerificationError):
                self._next.unlink()
                return False
            self.take()
            return True
        self._next.unlink()
        return False


def _text(seed: bytes) -> bytes:
    return f"{seed.hex()}\n".encode()


def _read(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_text("ascii"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"cannot be read: {exc}", path=str(file)) from exc
    if len(key) != KEY_BYTES:
        raise ConfigError(f"expected {KEY_BYTES} bytes in hex", path=str(file))
    return key
