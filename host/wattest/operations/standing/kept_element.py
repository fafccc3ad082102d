"""The EEPROM of a board's secure element in a file, always as new as what the board has said."""

from __future__ import annotations

from pathlib import Path

from wattest.emulator.atecc608_vault import Vault
from wattest.errors import EmulatorError


class KeptElement:
    """Keeps what is in an element in ``path``; private keys are in it, so only we may read it.

    Args:
        path: the file.
        vault: what is inside the element; replaced by the file's content if there is one.

    Raises:
        EmulatorError: the file cannot be read or written, or holds no element.
    """

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path
        self._vault = vault
        self._changes = vault.changes
        try:
            if path.exists():
                vault.restore(path.read_bytes())
            else:
                self._write()
        except OSError as exc:
            raise EmulatorError(f"secure element {path}: {exc.strerror}") from exc
        except ValueError as exc:
            raise EmulatorError(
                f"secure element {path}: {exc}", hint="delete the folder and start anew"
            ) from exc

    def sync(self) -> None:
        """Bring the file up to the chip, in one step.

        Raises:
            EmulatorError: the file cannot be written; it holds what it held before.
        """
        if self._vault.changes == self._changes:
            return
        try:
            self._write()
        except OSError as exc:
            raise EmulatorError(f"secure element {self._path}: {exc.strerror}") from exc
        self._changes = self._vault.changes

    def _write(self) -> None:
        side = self._path.with_name(self._path.name + ".next")
        side.touch(mode=0o600)
        side.write_bytes(self._vault.image())
        side.replace(self._path)
