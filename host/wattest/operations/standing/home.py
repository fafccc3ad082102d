"""Where emulated boards that are up are found, and where kept ones live while they are off.

The state file tells other programs of the same person which boards are up; it goes with them. A
kept home (`--out`) also holds what outlives the boards' program: a flash image a board, and
`bench.json` with the seed, how often the boards were started, and the digest of their files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, StoreError
from wattest.operations.live.ports import FORMAT, PortsFile, ports_document, process_runs
from wattest.operations.private import check_owner, runtime_folder, write_private

STATE_NAME = "boards.json"
_BLANK = "blank-"
_BENCH_NAME = "bench.json"


def default_state_path() -> Path:
    """Return where boards of this person that are not kept are announced.

    Raises:
        ConfigError: the folder there is another user's.
    """
    return runtime_folder() / STATE_NAME


def blank_state_path(pid: int) -> Path:
    """Return where a program announces boards that came up blank and are not kept."""
    return default_state_path().with_name(f"{_BLANK}{pid}.json")


def announcement_paths() -> list[Path]:
    """Return every place where boards of this person may be announced."""
    default = default_state_path()
    return [default, *sorted(default.parent.glob(f"{_BLANK}*.json"))]


class StateFile:
    """The announcement of boards that are up; owner-readable only.

    Args:
        path: where.

    Raises:
        ConfigError: boards of another program are announced there.
        StoreError: the folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_owner(path.parent)
        except OSError as exc:
            raise StoreError(f"{path.parent}: cannot be used: {exc.strerror}") from exc
        other = _announced_by(path)
        if other and other != os.getpid():
            raise ConfigError(
                f"boards are up already, process {other} keeps them",
                path=str(path),
                hint="stop that process, or keep other boards apart with --out",
            )

    def write(self, file: PortsFile) -> None:
        """Announce boards.

        Raises:
            StoreError: it cannot be written.
        """
        text = json.dumps(ports_document(file), indent=2) + "\n"
        write_private(self.path, text.encode())

    def remove(self) -> None:
        """Take the announcement back."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchState:
    """What a kept bench must remember between two programs.

    Args:
        seed: all keys derive from it.
        starts: how often its boards were started, this time included.
        cfg: digest of each board's files.
    """

    seed: int
    starts: int
    cfg: Mapping[str, bytes]


def read_bench(folder: Path) -> BenchState | None:
    """Return what a kept bench remembers; None if the folder holds none.

    Raises:
        ConfigError: it is not a folder, or its bench.json is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is a file, expected a folder", path=f"--out {folder}")
    path = folder / _BENCH_NAME
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise ConfigError(f"expected format {FORMAT}", path=str(path))
        return BenchState(
            seed=int(values["seed"]),
            starts=int(values["starts"]),
            cfg={name: bytes.fromhex(cfg) for name, cfg in values["cfg"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"cannot be read: {exc}", path=str(path)) from exc


def write_bench(folder: Path, state: BenchState) -> None:
    """Remember a kept bench.

    Raises:
        StoreError: it cannot be written.
    """
    values = {
        "format": FORMAT,
        "seed": state.seed,
        "starts": state.starts,
        "cfg": {name: cfg.hex() for name, cfg in state.cfg.items()},
    }
    write_private(folder / _BENCH_NAME, (json.dumps(values, indent=2) + "\n").encode())


def _announced_by(path: Path) -> int:
    """Return the process that announced boards and still runs, or 0."""
    try:
        pid = int(json.loads(path.read_bytes())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return pid if pid > 0 and process_runs(pid) else 0
