"""Where a person's bench keeps what outlives a command: passport, downloads, keys, readings.

`$WATTEST_HOME`, else `$XDG_DATA_HOME/wattest`, else `~/.local/share/wattest`. Keys and rescue
copies of flash are in it, so the folder is its owner's alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one person's bench; nothing is made before somebody asks.

    Args:
        path: the folder, absolute.
    """

    path: Path

    @classmethod
    def find(cls, chosen: Path | None = None) -> Home:
        """Return the home that ``--home`` names, or the one of the environment.

        Raises:
            ConfigError: there is no home folder in the environment.
        """
        if chosen is not None:
            return cls(chosen.absolute())
        own = os.environ.get("WATTEST_HOME", "")
        if own:
            return cls(Path(own).absolute())
        data = os.environ.get("XDG_DATA_HOME", "")
        if data and Path(data).is_absolute():
            return cls(Path(data) / "wattest")
        try:
            return cls(Path.home() / ".local" / "share" / "wattest")
        except RuntimeError:
            raise ConfigError(
                "no home folder found for this user", path="--home", hint="set WATTEST_HOME"
            ) from None

    @property
    def passport(self) -> Path:
        """The passports of all boards, SQLite."""
        return self.path / "passport.sqlite"

    @property
    def micropython(self) -> Path:
        """Folder of MicroPython images."""
        return self.path / "micropython"

    @property
    def rescue(self) -> Path:
        """Folder of copies of file systems that were read out before they were written over."""
        return self.path / "rescue"

    @property
    def keys(self) -> Path:
        """Folder of command keys, one file a node."""
        return self.path / "keys"

    @property
    def ports(self) -> Path:
        """The boards that were provisioned and where they answer, JSON."""
        return self.path / "boards.json"

    @property
    def collected(self) -> Path:
        """Folder of the live ledger."""
        return self.path / "collected"

    @property
    def ledgers(self) -> Path:
        """Folder of the newest checkpoints, kept apart from the ledgers they belong to."""
        return self.path / "ledgers"

    def make(self, folder: Path | None = None) -> Path:
        """Make the home, or a folder in it, readable by its owner only.

        Args:
            folder: one of the folders above; the home itself when None.

        Returns:
            The folder.

        Raises:
            StoreError: it cannot be made.
        """
        wanted = self.path if folder is None else folder
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                f"{exc.filename or wanted}: cannot be made: {(exc.strerror or '').lower()}",
                hint="choose another folder with --home",
            ) from exc
        return wanted
