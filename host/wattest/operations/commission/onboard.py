"""What is asked of a board, and written to it, through its REPL: identity of the chip, secrets.

Secrets travel inside the code that is typed at the raw prompt, which echoes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wattest.errors import ConfigError, LinkError
from wattest.link.repl import Repl

_NO_CHIP_ID: Final = "0" * 12
_CHIP_ID_BYTES: Final = 6
_LOCAL_BIT: Final = 2

_ASK: Final = """\
import gc
gc.collect()
import json, machine, os
said = {"chip_id": machine.unique_id().hex(), "machine": os.uname().machine}
said["version"] = os.uname().release
try:
    import _board
    said["emulated"] = True
except ImportError:
    said["emulated"] = False
try:
    with open("/node.json") as file:
        said["node"] = json.load(file)
except (OSError, ValueError):
    said["node"] = None
try:
    import esp32
    blob = bytearray(32)
    if esp32.NVS("wattest").get_blob("cmdkey", blob) == 32:
        said["cmdkey"] = blob.hex()
except (ImportError, OSError):
    pass
print(json.dumps(said))
"""

_WRITE_COMMAND_KEY: Final = """\
import esp32
nvs = esp32.NVS("wattest")
nvs.set_blob("cmdkey", bytes.fromhex("{key}"))
nvs.commit()
"""

_ASK_NEW_KEY: Final = """\
import esp32
nvs = esp32.NVS("wattest")
nvs.set_i32("newkey", 1)
nvs.commit()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """What a board says of itself at its REPL; nothing of it is signed.

    Args:
        chip_id: `machine.unique_id`, 12 lower-case hex digits.
        machine: MicroPython's name for the hardware.
        version: of MicroPython.
        emulated: something says that it runs in an emulator: the interpreter, its name for the
            hardware, or a chip id that no maker of chips assigned.
        node: content of `/node.json`.
        command_key: 32 bytes, or None if it holds none.
    """

    chip_id: str
    machine: str
    version: str
    emulated: bool
    node: Mapping[str, Any]
    command_key: bytes | None

    @property
    def board(self) -> str:
        """Name of the board file it was flashed for."""
        return str(self.node["board"])

    @property
    def interval_ms(self) -> int:
        """Record interval, > 0."""
        return int(self.node["interval_ms"])


def ask_board(repl: Repl, address: str) -> BoardFacts:
    """Ask a board at its raw prompt what it is.

    Raises:
        ConfigError: it holds no wattest firmware.
        LinkError: it gives no answer that can be read.
    """
    said = repl.run(_ASK)
    try:
        values = json.loads(said.strip().splitlines()[-1])
        chip_id, node = str(values["chip_id"]), values["node"]
        machine, version = str(values["machine"]), str(values["version"])
        key = bytes.fromhex(values.get("cmdkey", ""))
        emulated = values["emulated"] is not False
        whole = len(bytes.fromhex(chip_id)) == _CHIP_ID_BYTES
    except (IndexError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise LinkError(
            f"{address}: expected the board's description of itself, got {said[-80:]!r}",
            hint="is MicroPython 1.24 or later on it?",
        ) from exc
    if not whole:
        raise LinkError(
            f"{address}: a chip id of {_CHIP_ID_BYTES} bytes expected, got {chip_id!r}",
            hint="only ESP32s are known",
        )
    if not isinstance(node, dict) or not isinstance(node.get("board"), str):
        raise ConfigError(
            f"MicroPython {version} answers, but there is no wattest firmware on the board",
            path=address,
            hint="put it there with `wattest flash`",
        )
    interval_ms = node.get("interval_ms")
    if type(interval_ms) is not int or interval_ms <= 0:
        raise ConfigError(
            f"expected a number of ms, got {interval_ms!r}",
            path=f"/node.json on {address}",
            key="interval_ms",
            hint="flash it anew: `wattest flash`",
        )
    return BoardFacts(
        chip_id=chip_id,
        machine=machine,
        version=version,
        emulated=emulated or "emulated" in machine.lower() or _is_made_up(chip_id),
        node=node,
        command_key=key or None,
    )


def _is_made_up(chip_id: str) -> bool:
    """Tell whether an address was not assigned by a maker of chips: zeros, or local (IEEE 802)."""
    return chip_id == _NO_CHIP_ID or bool(bytes.fromhex(chip_id)[0] & _LOCAL_BIT)


def write_command_key(repl: Repl, key: bytes) -> None:
    """Give a board the key that authenticates acknowledgements and commands, 32 bytes."""
    repl.run(_WRITE_COMMAND_KEY.format(key=key.hex()))


def ask_new_key(repl: Repl) -> None:
    """Have the firmware make a new signing key at its next start; its journal begins anew."""
    repl.run(_ASK_NEW_KEY)
