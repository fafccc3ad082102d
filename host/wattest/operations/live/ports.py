"""Which nodes stand behind which ports: the file that `board up` writes and a person may write.

One JSON document, readable by its owner only, because it holds command keys:

    {"format": 1, "speed": "1", "started_ms": 0, "pid": 4711, "boards": [{
        "port": "/dev/ttyUSB0", "name": "heat-pump", "asset": "heat-pump", "serial": "HP-0001",
        "board": "esp32-devkitc", "kind": "real", "demo": false, "cfg": "16 bytes in hex",
        "power_max_milliwatts": 5000000, "command_key_file": "heat-pump.key",
        "public_key": "64 bytes in hex, x and y", "interval_ms": 60000, "load": "a heat pump"}]}

A real board takes its command key from a file of its own; `command_key` in hex is for emulated
boards only. Without `public_key` the node has to answer a challenge before it is enrolled.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from wattest.errors import ConfigError, LinkError
from wattest.operations.expected import ExpectedNode
from wattest.tables import NAME_EXPECTED, NAME_PATTERN
from wattest.verify import EnrolmentKind

FORMAT = 1
_KINDS = {kind.name.lower(): kind for kind in EnrolmentKind}
_COMMAND_KEY_BYTES = 32
_PUBLIC_KEY_BYTES = 64
_CFG_BYTES = 16
_DEMO_MARK = "DEMO-"
_START_HINT = "start them with `wattest board up`"


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePort:
    """A node and the port it is behind.

    Args:
        address: what `wattest.link.open_port` takes.
        expected: what the node must prove to be.
        public_key: x and y, 64 bytes, as known from provisioning; None: it is challenged.
        interval_ms: record interval, for judging whether its values are stale.
        load: what it meters, for people.
    """

    address: str
    expected: ExpectedNode
    public_key: bytes | None = None
    interval_ms: int = 60_000
    load: str = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlankBoard:
    """An emulated board that came up without firmware: nothing to collect, but to be flashed."""

    name: str
    address: str
    board: str
    chip_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsFile:
    """A whole file.

    Args:
        ports: in the order of the file.
        blank: boards that are up too, and came up blank.
        started_ms: UTC ms at which the boards' time ran ahead of, or beside, real time.
        speed: seconds of the boards per real second; 1 for real boards.
        pid: process that keeps emulated boards up, or 0.
        path: the file itself, or None.
    """

    ports: tuple[LivePort, ...]
    blank: tuple[BlankBoard, ...] = ()
    started_ms: int = 0
    speed: Fraction = Fraction(1)
    pid: int = 0
    path: Path | None = None


def address_now(file: PortsFile, live: LivePort) -> str:
    """Return where a port is now.

    A pseudo terminal whose program has died is somebody else's before long. So announced boards
    are looked for in their announcement, each time anew.

    Args:
        file: as it was read at the beginning.
        live: one of its ports.

    Raises:
        LinkError: the boards are not up, or others are announced in their place.
    """
    if file.path is None or not file.pid:
        return live.address
    try:
        now = read_ports(file.path)
    except ConfigError as exc:
        raise LinkError(f"{live.address}: is not up: {exc}", hint=_START_HINT) from exc
    if not process_runs(now.pid):
        raise LinkError(
            f"{live.address}: is not up: the boards' process {now.pid} is gone", hint=_START_HINT
        )
    for other in now.ports:
        if other.expected == live.expected and other.public_key == live.public_key:
            return other.address
    raise LinkError(
        f"{live.address}: another board is announced in the place of {live.expected.serial}",
        hint="collect from it into another folder",
    )


def require_nodes(file: PortsFile) -> None:
    """Refuse a file in which nobody could be collected from.

    Raises:
        ConfigError: all its boards came up blank, or are elsewhere.
    """
    if not file.ports:
        raise ConfigError(
            "none of its boards is a node behind a port: there is nothing to collect",
            path=str(file.path or ""),
            hint="flash and provision them, then collect with --ports HOME/boards.json",
        )


def process_runs(pid: int) -> bool:
    """Tell whether a process of this machine runs; where nobody can tell, that it does not."""
    if pid <= 0 or not hasattr(os, "fork"):  # signal 0 would end the process on Windows
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def ports_document(file: PortsFile) -> dict[str, Any]:
    """Return what `read_ports` reads, for boards whose keys may be in it: emulated ones."""
    return {
        "format": FORMAT,
        "pid": file.pid,
        "started_ms": file.started_ms,
        "speed": str(file.speed),
        "boards": [_board_document(port) for port in file.ports],
        **({"blank": [asdict(board) for board in file.blank]} if file.blank else {}),
    }


def read_ports(path: Path) -> PortsFile:
    """Read a file of ports.

    Raises:
        ConfigError: there is none, or something in it is wrong: names the key.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            "no such file",
            path=str(path),
            hint="start boards with `wattest board up`, or write the file for real ones",
        ) from None
    except (OSError, ValueError) as exc:
        raise ConfigError(f"cannot be read: {reason(exc)}", path=str(path)) from exc
    top = _Table(document, path=str(path), key="")
    if top.get("format", int) != FORMAT:
        raise top.wrong("format", f"expected {FORMAT}")
    try:
        speed = Fraction(top.get("speed", str, "1"))
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if speed <= 0:
        raise top.wrong("speed", "expected a number above 0")
    boards = top.get("boards", list)
    blank = tuple(
        _blank(_Table(board, path=str(path), key=f"blank[{number}]"))
        for number, board in enumerate(top.get("blank", list, []))
    )
    if not boards and not blank and not top.has("elsewhere"):
        raise top.wrong("boards", "expected at least one board")
    ports = tuple(
        _port(_Table(board, path=str(path), key=f"boards[{number}]"), path.parent)
        for number, board in enumerate(boards)
    )
    names = [port.expected.name for port in ports]
    if len(set(names)) != len(names):
        raise top.wrong("boards", "expected different names")
    return PortsFile(
        ports=ports,
        blank=blank,
        started_ms=top.get("started_ms", int, 0),
        speed=speed,
        pid=top.get("pid", int, 0),
        path=path,
    )


class _Table:
    """One JSON object, and the words for what is wrong with it."""

    def __init__(self, values: object, *, path: str, key: str) -> None:
        self._path = path
        self._key = key
        if not isinstance(values, Mapping):
            raise ConfigError(f"expected an object, got {values!r}", path=path, key=key)
        self._values = values

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._values.get(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"expected {kind.__name__}, got {value!r}")
        return value

    def has(self, key: str) -> bool:
        return key in self._values

    def name(self, key: str) -> str:
        value: str = self.get(key, str)
        if re.fullmatch(NAME_PATTERN, value) is None:  # contracts name assets so
            raise self.wrong(key, f"expected {NAME_EXPECTED}, got {value!r}")
        return value

    def hex(self, key: str, size_bytes: int) -> bytes:
        text = self.get(key, str)
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != size_bytes:
            raise self.wrong(key, f"expected {size_bytes} bytes in hex")
        return value

    def wrong(self, key: str, message: str) -> ConfigError:
        return ConfigError(message, path=self._path, key=f"{self._key}.{key}".lstrip("."))


def reason(exc: Exception) -> str:
    """Return why a file with JSON or hex in it cannot be read, in words of the file."""
    if isinstance(exc, OSError):
        return (exc.strerror or str(exc)).lower()
    if isinstance(exc, json.JSONDecodeError):
        return f"line {exc.lineno} is no JSON ({exc.msg.lower()})"
    if isinstance(exc, UnicodeDecodeError):
        return "it holds bytes that are no text"
    return str(exc) if type(exc) is ValueError else "it has another form"


def _blank(table: _Table) -> BlankBoard:
    return BlankBoard(
        name=table.get("name", str),
        address=table.get("address", str),
        board=table.get("board", str),
        chip_id=table.get("chip_id", str),
    )


def _port(table: _Table, folder: Path) -> LivePort:
    kind = _KINDS.get(table.get("kind", str))
    if kind is None:
        raise table.wrong("kind", f"expected one of {', '.join(_KINDS)}")
    demo = table.get("demo", bool)
    serial = table.get("serial", str)
    if demo == (kind is EnrolmentKind.REAL):
        raise table.wrong("demo", "expected true for emulated boards, false for real ones")
    if not demo and serial.startswith(_DEMO_MARK):
        raise table.wrong("demo", f"expected true: {serial} says that its keys are demo keys")
    expected = ExpectedNode(
        name=table.name("name"),
        asset=table.name("asset"),
        serial=serial,
        board=table.get("board", str),
        kind=kind,
        cfg=table.hex("cfg", _CFG_BYTES),
        demo=demo,
        power_max_milliwatts=table.get("power_max_milliwatts", int),
        command_key=_command_key(table, kind, folder),
    )
    return LivePort(
        address=table.get("port", str),
        expected=expected,
        public_key=(
            table.hex("public_key", _PUBLIC_KEY_BYTES) if table.has("public_key") else None
        ),
        interval_ms=table.get("interval_ms", int, 60_000),
        load=table.get("load", str, "not known"),
    )


def _command_key(table: _Table, kind: EnrolmentKind, folder: Path) -> bytes:
    if kind is not EnrolmentKind.REAL and not table.has("command_key_file"):
        return table.hex("command_key", _COMMAND_KEY_BYTES)
    file = folder / table.get("command_key_file", str)
    try:
        key = bytes.fromhex(file.read_text("ascii"))
    except (OSError, ValueError) as exc:
        raise table.wrong("command_key_file", f"{file}: cannot be read: {reason(exc)}") from exc
    if len(key) != _COMMAND_KEY_BYTES:
        raise table.wrong("command_key_file", f"{file}: expected 32 bytes in hex")
    return key


def _board_document(port: LivePort) -> dict[str, Any]:
    expected = port.expected
    document: dict[str, Any] = {
        "port": port.address,
        "name": expected.name,
        "asset": expected.asset,
        "serial": expected.serial,
        "board": expected.board,
        "kind": expected.kind.name.lower(),
        "demo": expected.demo,
        "cfg": expected.cfg.hex(),
        "power_max_milliwatts": expected.power_max_milliwatts,
        "command_key": expected.command_key.hex(),
        "interval_ms": port.interval_ms,
        "load": port.load,
    }
    if port.public_key is not None:
        document["public_key"] = port.public_key.hex()
    return document
