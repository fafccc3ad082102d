"""The bench's own boards: `boards.json` in its home, and a file with the command key of each.

`wattest tui --live --ports` reads it; the form is that of `wattest.operations.live.ports`. A key
file is written before its key goes to a board, and entries are written whole, so a program that is
killed leaves nothing that the next one cannot go on from.

A port has one board behind it. The board that was there before is kept under `elsewhere`, with its
name, until it is provisioned somewhere: a collector would mistake the new one for it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from wattest.errors import ConfigError
from wattest.operations.commission.home import Home
from wattest.operations.console.places import is_same_port, plain_address
from wattest.operations.live.ports import FORMAT, reason
from wattest.operations.private import write_private
from wattest.system import entropy
from wattest.tables import NAME_EXPECTED, NAME_PATTERN
from wattest.wire import Enrolment, EnrolmentKind
from wattest.wire.keys import public_key_of
from wattest.wire.message import COMMAND_KEY_BYTES

Entry = dict[str, Any]
_CHIP_ID: Final = "chip_id"
_NEW_COMMAND_KEY: Final = "delete it, and the board is given a new one"


def check_node_name(option: str, text: str) -> None:
    """Refuse a name that no contract could mean.

    Args:
        option: what gives another, ``--name`` or ``--asset``.
        text: the name.

    Raises:
        ConfigError: it is of another form.
    """
    if re.fullmatch(NAME_PATTERN, text) is None:
        raise ConfigError(
            f"{NAME_EXPECTED} expected, got {text!r}",
            path=option,
            hint=f"contracts and statements go by it; choose another with {option}",
        )


class Roster:
    """The boards of one home.

    Args:
        home: where they are kept.

    Raises:
        ConfigError: the file is there and cannot be read.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._load()

    def of_chip(self, chip_id: str) -> Entry | None:
        """Return the entry of a board."""
        return next((e for e in self._known if e.get(_CHIP_ID) == chip_id), None)

    def named(self, name: str) -> Entry | None:
        """Return the entry with this name or serial."""
        return next((e for e in self._known if name in (e.get("name"), e.get("serial"))), None)

    def check_name(self, name: str, chip_id: str) -> None:
        """Refuse the name of another board.

        Raises:
            ConfigError: it is taken.
        """
        taken = next((e for e in self._known if e.get("name") == name), None)
        if taken is not None and taken.get(_CHIP_ID) != chip_id:
            raise ConfigError(
                f"is the name of the board with serial {taken.get('serial')}",
                path=f"--name {name}",
                hint=f"choose another name, or take that board out of {self._home.ports}",
            )

    def command_key(self, chip_id: str) -> bytes:
        """Return the command key of a board; a new one is drawn and kept.

        Raises:
            ConfigError: the file holds something else.
            StoreError: it cannot be written.
        """
        path = self._home.keys / _key_name(chip_id)
        if not path.exists():
            self._home.make(self._home.keys)
            write_private(path, f"{entropy(COMMAND_KEY_BYTES).hex()}\n".encode())
        try:
            key = bytes.fromhex(path.read_text("ascii"))
        except (OSError, ValueError) as exc:
            raise ConfigError(
                f"cannot be read: {reason(exc)}", path=str(path), hint=_NEW_COMMAND_KEY
            ) from exc
        if len(key) != COMMAND_KEY_BYTES:
            raise ConfigError(
                f"expected {COMMAND_KEY_BYTES} bytes in hex", path=str(path), hint=_NEW_COMMAND_KEY
            )
        return key

    def put(
        self, enrolment: Enrolment, *, name: str, port: str, chip_id: str, interval_ms: int
    ) -> list[str]:
        """Write or replace the entry of a board.

        Returns:
            Names of the boards that were behind its port until now.

        Raises:
            ConfigError: the file was damaged meanwhile.
            StoreError: it cannot be written.
        """
        self._load()  # boards at other ports may have been provisioned meanwhile
        entry = {
            "port": port,
            "name": name,
            "asset": enrolment.asset,
            "serial": enrolment.serial,
            "board": enrolment.board,
            "kind": enrolment.kind.name.lower(),
            "demo": enrolment.kind is not EnrolmentKind.REAL,
            "cfg": enrolment.cfg.hex(),
            "power_max_milliwatts": enrolment.power_max_milliwatts,
            "command_key_file": f"{self._home.keys.name}/{_key_name(chip_id)}",
            "public_key": public_key_of(enrolment.spki).hex(),
            "interval_ms": interval_ms,
            _CHIP_ID: chip_id,
        }
        others = [e for e in self._entries if e.get(_CHIP_ID) != chip_id]
        here = plain_address(port)
        gone = [e for e in others if is_same_port(plain_address(str(e.get("port"))), here)]
        elsewhere = [e for e in self._elsewhere if e.get(_CHIP_ID) != chip_id]
        self._write([*(e for e in others if e not in gone), entry], [*elsewhere, *gone])
        return [str(e.get("name")) for e in gone]

    def remove(self, serial: str) -> bool:
        """Take a board out; tell whether it was there.

        Raises:
            StoreError: the file cannot be written.
        """
        self._load()
        left = [e for e in self._entries if e.get("serial") != serial]
        elsewhere = [e for e in self._elsewhere if e.get("serial") != serial]
        if len(left) + len(elsewhere) == len(self._known):
            return False
        self._write(left, elsewhere)
        return True

    @property
    def _known(self) -> list[Entry]:
        return [*self._entries, *self._elsewhere]

    def _load(self) -> None:
        self._entries, self._elsewhere = _read(self._home.ports)

    def _write(self, entries: list[Entry], elsewhere: list[Entry]) -> None:
        self._home.make()
        self._entries, self._elsewhere = entries, elsewhere
        if not self._known:
            self._home.ports.unlink(missing_ok=True)
            return
        document: dict[str, Any] = {"format": FORMAT, "boards": entries}
        if elsewhere:
            document["elsewhere"] = elsewhere
        write_private(self._home.ports, (json.dumps(document, indent=2) + "\n").encode())


def _key_name(chip_id: str) -> str:
    return f"{chip_id}.key"


def _read(path: Path) -> tuple[list[Entry], list[Entry]]:
    """Return the entries as they stand, and those of boards that are elsewhere.

    A key file that is lost is drawn anew.
    """
    if not path.exists():
        return [], []
    try:
        document = json.loads(path.read_bytes())
        lists = document["boards"], document.get("elsewhere", [])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"cannot be read: {reason(exc)}",
            path=str(path),
            hint="mend it, or move it away and provision each board again: the ledger knows them",
        ) from exc
    for key, boards in zip(("boards", "elsewhere"), lists, strict=True):
        if not isinstance(boards, list) or not all(isinstance(board, dict) for board in boards):
            raise ConfigError("expected a list of boards", path=str(path), key=key)
    return lists
