"""Where the project's data lies: firmware, boards, bench; in a checkout or inside the wheel."""

from __future__ import annotations

from pathlib import Path

from wattest.errors import ConfigError

_FOLDERS = ("firmware", "boards", "bench")


def data_root() -> Path:
    """Return the folder that holds ``firmware/``, ``boards/`` and ``bench/``.

    A wheel carries them in ``wattest/_data``; a checkout has them at its top level.

    Raises:
        ConfigError: neither place has all three: the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data", package.parent.parent):
        if all((candidate / folder).is_dir() for folder in _FOLDERS):
            return candidate
    raise ConfigError(
        f"data folders expected {', '.join(_FOLDERS)}, got none",
        path=str(package / "_data"),
        hint="install the wheel again, or run from a complete checkout",
    )
