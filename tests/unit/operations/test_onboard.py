"""What a board says of itself at its prompt is believed no further than it must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_provision_lies import CHIP_ID, FACTS, ShowingNode, Wire

from wattest.errors import ConfigError, LinkError, LinkTimeout
from wattest.link import Port
from wattest.operations.commission import provision as provision_module
from wattest.operations.commission.home import Home
from wattest.operations.commission.onboard import BoardFacts, ask_board
from wattest.operations.commission.provision import provision_board
from wattest.operations.commission.provision_events import ProvisionOptions

SAID: dict[str, Any] = {
    "chip_id": CHIP_ID,
    "machine": "Generic ESP32 module with ESP32",
    "version": "1.28.0",
    "emulated": False,
    "node": {"board": "esp32-devkitc", "interval_ms": 60_000},
}


class Saying:
    """A prompt that says one thing."""

    def __init__(self, said: str) -> None:
        self._said = said

    def run(self, _code: str) -> str:
        return f"boot noise\n{self._said}\n"


def asked(**changes: Any) -> BoardFacts:
    return ask_board(Saying(json.dumps({**SAID, **changes})), "PORT")  # type: ignore[arg-type]


def test_honest_board_is_taken_at_its_word() -> None:
    facts = asked(cmdkey="0a" * 32)
    assert (facts.board, facts.interval_ms, facts.emulated) == ("esp32-devkitc", 60_000, False)
    assert (facts.chip_id, facts.command_key) == (CHIP_ID, b"\x0a" * 32)


@pytest.mark.parametrize("interval_ms", [None, 0, -1, "60000", True, 1.5])
def test_interval_that_is_none_is_refused_before_anything_is_logged(interval_ms: object) -> None:
    with pytest.raises(ConfigError, match=r"/node.json on PORT: interval_ms: expected a number"):
        asked(node={"board": "esp32-devkitc", "interval_ms": interval_ms})


@pytest.mark.parametrize(
    "changes", [{"chip_id": "240ac4"}, {"chip_id": 7}, {"cmdkey": "xy"}, {"cmdkey": 5}]
)
def test_answer_that_is_none_is_one_line(changes: dict[str, Any]) -> None:
    with pytest.raises(LinkError, match=r"PORT: (expected|a chip id)"):
        asked(**changes)


@pytest.mark.parametrize("board", ["/dev/zero", "../../etc/board.toml", "toaster"])
def test_board_cannot_have_the_host_read_a_file_of_its_choice(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = replace(FACTS, node={**FACTS.node, "board": board})

    for name, value in {
        "open_port": lambda address: Port(address, Wire(ShowingNode())),
        "interrupted": lambda _port: nullcontext(),
        "ask_board": lambda _repl, _address: facts,
    }.items():
        monkeypatch.setattr(provision_module, name, value)
    options = ProvisionOptions(port="PORT", home=Home(tmp_path))
    with pytest.raises(ConfigError, match=r"the board was flashed for .*, which is none of the"):
        list(provision_board(options, lambda _candidate: True))


def test_board_whose_restart_fails_gets_its_command_key_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: somebody else may collect from it; an error leaves the key it came with."""
    before = b"\x0b" * 32
    written: list[bytes] = []

    @contextmanager
    def interrupted(_port: Port) -> Iterator[None]:
        yield
        if len(written) == 1:
            raise LinkTimeout("no restart", deadline_s=1.0, received_bytes=0)

    for name, value in {
        "open_port": lambda address: Port(address, Wire(ShowingNode())),
        "interrupted": interrupted,
        "ask_board": lambda _repl, _address: replace(FACTS, command_key=before),
        "write_command_key": lambda _repl, key: written.append(key),
    }.items():
        monkeypatch.setattr(provision_module, name, value)
    options = ProvisionOptions(port="PORT", home=Home(tmp_path))
    with pytest.raises(LinkTimeout, match="no restart"):
        list(provision_board(options, lambda _candidate: True))
    assert written[1:] == [before]
