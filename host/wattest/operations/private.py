"""Files and folders that are one person's alone, and where their programs find each other."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from wattest.errors import ConfigError
from wattest.witness.files import write_durably


def runtime_folder() -> Path:
    """Return where running programs of this person announce themselves; it need not be there.

    Raises:
        ConfigError: it is there and another user's: what it announces are not our boards.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        folder = Path(runtime) / "wattest"
    else:
        owner = os.getuid() if hasattr(os, "getuid") else "user"
        folder = Path(tempfile.gettempdir()) / f"wattest-{owner}"
    if folder.is_dir():
        check_owner(folder)
    return folder


def check_owner(folder: Path) -> None:
    """Refuse a folder that somebody else made, as anybody can below /tmp.

    Raises:
        ConfigError: it belongs to another user.
        OSError: it cannot be looked at.
    """
    if hasattr(os, "getuid") and folder.stat().st_uid not in {os.getuid(), 0}:
        raise ConfigError(
            "belongs to another user",
            path=str(folder),
            hint="name a folder of your own in XDG_RUNTIME_DIR",
        )


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole that only its owner may read, from its first byte on, durably.

    A key must not be lost by a power cut after the first thing was signed with it.

    Raises:
        StoreError: it cannot be written.
    """
    # No umask: that is the whole process's, and a key may be written beside a screen.
    write_durably(path, content)
