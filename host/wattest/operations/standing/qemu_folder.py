"""The folder of boards under QEMU: what they are made of, and what they must be when they return.

    qemu.json     what the flash files were made from, and each board's name, MAC and TCP port
    NAME.flash    content of the flash chip: interpreter, files, journal, NVS with the node's key
    NAME.efuse    its fuse blocks
    NAME.log      what QEMU itself said since the last start

QEMU writes to a flash file as the node writes to its flash, so a board that returns is what it
was. The files of a board are there before `qemu.json` names it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattest.boards import Board
from wattest.boards.esp_fuses import MAC_BYTES, esp32_fuses
from wattest.emulator.qemu import QemuBoard
from wattest.errors import ConfigError, StoreError
from wattest.operations.private import write_private
from wattest.operations.standing.home import read_bench

_STATE_NAME = "qemu.json"
_FORMAT = 1
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuIdentity:
    """What stays of one board.

    Args:
        name: on this bench.
        mac: base MAC, 6 bytes.
        port: TCP port of its console, so that its address stays.
    """

    name: str
    mac: bytes
    port: int

    @property
    def serial(self) -> str:
        """What its node calls itself, having no serial of its own."""
        return f"WT-{self.mac.hex().upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuState:
    """What a folder holds.

    Args:
        board: name of the board file.
        cfg: digest of the node's files, 16 bytes.
        micropython: SHA-256 of the interpreter's file, hex.
        boards: in their order.
    """

    board: str
    cfg: bytes
    micropython: str
    boards: tuple[QemuIdentity, ...]


class QemuFolder:
    """The files of boards under QEMU.

    Args:
        path: the folder; made if it is not there.

    Raises:
        ConfigError: it holds something else, or its qemu.json is damaged.
        StoreError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError("is a file, expected a folder", path=f"--out {path}")
        if read_bench(path) is not None:
            raise ConfigError(
                "holds boards of the project's own emulator",
                path=f"--out {path}",
                hint="use another folder",
            )
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            reason = (exc.strerror or "").lower()
            raise StoreError(f"{path}: cannot be made: {reason}") from exc
        self.state = _read(path / _STATE_NAME)

    def begin(self, state: QemuState, *, flash: bytes) -> None:
        """Make the files of new boards.

        Args:
            state: what they are.
            flash: content of each flash chip.

        Raises:
            StoreError: a file cannot be written.
        """
        for board in state.boards:
            write_private(self._file(board, "flash"), flash)
            write_private(self._file(board, "efuse"), esp32_fuses(board.mac))
        self.keep(state)

    def keep(self, state: QemuState) -> None:
        """Write down what the boards are.

        Raises:
            StoreError: it cannot be written.
        """
        values = {
            "format": _FORMAT,
            "board": state.board,
            "cfg": state.cfg.hex(),
            "micropython": state.micropython,
            "boards": [
                {"name": board.name, "mac": board.mac.hex(), "port": board.port}
                for board in state.boards
            ],
        }
        write_private(self.path / _STATE_NAME, (json.dumps(values, indent=2) + "\n").encode())
        self.state = state

    def check_files(self, boards: Sequence[QemuIdentity], *, flash_bytes: int) -> None:
        """Refuse boards whose files are not what they were left as.

        Raises:
            ConfigError: a file is missing or has another size.
        """
        for board in boards:
            for kind, size in (("flash", flash_bytes), ("efuse", len(esp32_fuses(board.mac)))):
                path = self._file(board, kind)
                found = path.stat().st_size if path.exists() else None
                if found != size:
                    got = "nothing" if found is None else f"{found} bytes"
                    raise ConfigError(
                        f"{size} bytes expected, got {got}",
                        path=os.fspath(path),
                        hint="delete the folder and start anew",
                    )

    def qemu_board(self, board: QemuIdentity, model: Board, host: str) -> QemuBoard:
        """Return what runs a board."""
        return QemuBoard(
            name=board.name,
            machine=model.qemu_machine,
            flash=self._file(board, "flash"),
            fuses=self._file(board, "efuse"),
            log=self._file(board, "log"),
            host=host,
            port=board.port,
        )

    def _file(self, board: QemuIdentity, kind: str) -> Path:
        return self.path / f"{board.name}.{kind}"


def _read(path: Path) -> QemuState | None:
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != _FORMAT:
            raise ConfigError(f"expected format {_FORMAT}", path=os.fspath(path))
        boards = tuple(
            QemuIdentity(
                name=str(each["name"]), mac=bytes.fromhex(each["mac"]), port=int(each["port"])
            )
            for each in values["boards"]
        )
        state = QemuState(
            board=str(values["board"]),
            cfg=bytes.fromhex(values["cfg"]),
            micropython=str(values["micropython"]),
            boards=boards,
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"cannot be read: {exc}", path=os.fspath(path)) from exc
    sound = all(len(b.mac) == MAC_BYTES and 0 < b.port <= _PORT_MAX for b in boards)
    if not boards or not sound or any("/" in b.name for b in boards):
        raise ConfigError("boards with a MAC and a port expected", path=os.fspath(path))
    return state
