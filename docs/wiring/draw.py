"""Draw the wiring diagrams of this folder: ``python docs/wiring/draw.py``.

Pin numbers come from the board files, so a picture cannot say another pin than the firmware uses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diagram import Block, Diagram, Wire
from draw_meters import ade7953, pzem004t, s0

from wattest.boards import Board, S0Wiring, load_board

FOLDER = Path(__file__).parent
STIMULUS_PIN = 26
"""As in the example of docs/stimulus.md."""


def _esp(board: Board, right: tuple[str, ...], *, title: str = "", row: int = 0) -> Block:
    return Block(
        name="esp",
        title=title or _short(board),
        column=0,
        row=row,
        right=right,
        width=220,
        note="USB to the bench",
    )


def _bus(board: Board) -> tuple[str, str]:
    return f"GPIO {board.i2c.scl_pin} (SCL)", f"GPIO {board.i2c.sda_pin} (SDA)"


def _i2c(board: Board, chip: str) -> list[Wire]:
    scl, sda = _bus(board)
    return [
        Wire(start="esp.3V3", end=f"{chip}.VCC", kind="plus"),
        Wire(start="esp.GND", end=f"{chip}.GND", kind="ground"),
        Wire(start=f"esp.{scl}", end=f"{chip}.SCL", kind="clock"),
        Wire(start=f"esp.{sda}", end=f"{chip}.SDA", kind="data"),
    ]


def _current_path(load: str = "load", note: str = "resistor, or electronic") -> list[Block]:
    return [
        Block(name="supply", title="DC supply", column=2, left=("+", "-"), width=170),
        Block(name="load", title=load, column=2, row=5, left=("+", "-"), width=170, note=note),
    ]


_THROUGH_THE_SHUNT = (
    Wire(start="ina.IN+", end="supply.+", kind="power"),
    Wire(start="ina.IN-", end="load.+", kind="power"),
    Wire(start="ina.VBUS", end="load.+", kind="signal"),
    Wire(start="ina.GND", end="supply.-", kind="ground"),
    Wire(start="ina.GND", end="load.-", kind="ground"),
)


def _ina(board: Board, *, row: int = 1) -> Block:
    return Block(
        name="ina",
        title="INA228 breakout",
        column=1,
        row=row,
        left=("VCC", "GND", "SCL", "SDA"),
        right=("IN+", "IN-", "VBUS", "GND"),
        note=f"address 0x{board.sensor.address:02X}, {board.sensor.shunt_uohm // 1000} mΩ",
    )


def ina228(board: Board) -> Diagram:
    """One node with its DC sensor."""
    return Diagram(
        "ESP32 and INA228 in the positive line of a DC feeder",
        [_esp(board, ("3V3", "GND", *_bus(board)), row=1), _ina(board), *_current_path()],
        [*_i2c(board, "ina"), *_THROUGH_THE_SHUNT],
    )


def electronic_load(board: Board) -> Diagram:
    """The same with an instrument that plays the load."""
    load = _current_path("electronic load", "LAN or RS-232 to the bench")
    return Diagram(
        "An electronic load plays a load profile to an INA228 node",
        [_esp(board, ("3V3", "GND", *_bus(board)), row=1), _ina(board), *load],
        [*_i2c(board, "ina"), *_THROUGH_THE_SHUNT],
    )


def atecc608(board: Board) -> Diagram:
    """A node whose key lives in a secure element on the sensor's bus."""
    element = Block(
        name="element",
        title="ATECC608 breakout",
        column=1,
        row=8,
        left=("VCC", "GND", "SCL", "SDA"),
        note="address 0x60",
    )
    return Diagram(
        "ESP32 with INA228 and ATECC608 on one I2C bus",
        [_esp(board, ("3V3", "GND", *_bus(board)), row=1), _ina(board), element, *_current_path()],
        [*_i2c(board, "ina"), *_i2c(board, "element"), *_THROUGH_THE_SHUNT],
    )


def stimulus_i2c(board: Board, player: Board) -> Diagram:
    """A second board that is the sensor of the first."""
    scl, sda = _bus(player)
    return Diagram(
        "A second board plays the sensor",
        [
            _esp(board, ("GND", *_bus(board), "3V3"), title=f"{_short(board)}, the node"),
            _player(player, ("GND", scl, sda)),
            Block(
                name="pull",
                title="pull-ups",
                column=1,
                row=6,
                left=("SCL", "SDA", "3V3"),
                width=240,
                note="4.7 kΩ each to 3V3",
            ),
        ],
        [
            Wire(start="esp.GND", end="player.GND", kind="ground"),
            *(
                Wire(start=f"esp.{pin}", end=end, kind=kind)
                for pin, kind, ends in zip(
                    _bus(board),
                    ("clock", "data"),
                    ((f"player.{scl}", "pull.SCL"), (f"player.{sda}", "pull.SDA")),
                    strict=True,
                )
                for end in ends
            ),
            Wire(start="esp.3V3", end="pull.3V3", kind="plus"),
        ],
    )


def stimulus_s0(board: Board, player: Board) -> Diagram:
    """A second board that is the meter behind an S0 input."""
    assert isinstance(board.sensor, S0Wiring), "a board with an S0 input"
    pin = f"GPIO {board.sensor.pin} (S0)"
    out = f"GPIO {STIMULUS_PIN} (open drain)"
    return Diagram(
        "A second board plays the pulses of a meter",
        [
            _esp(board, (pin, "GND"), title="ESP32, the node"),
            _player(player, (out, "GND")),
        ],
        [
            Wire(start=f"esp.{pin}", end=f"player.{out}", kind="signal"),
            Wire(start="esp.GND", end="player.GND", kind="ground"),
        ],
    )


def _player(board: Board, left: tuple[str, ...]) -> Block:
    return Block(
        name="player",
        title=f"{_short(board)}, stimulus",
        column=1,
        left=left,
        width=240,
        note="its own USB to the bench",
    )


def _short(board: Board) -> str:
    return board.title.split(" (")[0]


DRAWINGS: dict[str, Callable[[], Diagram]] = {
    "ina228": lambda: ina228(load_board("esp32-devkitc")),
    "ade7953": lambda: ade7953(load_board("emulated-esp32-ade7953")),
    "pzem004t": lambda: pzem004t(load_board("emulated-esp32-pzem")),
    "s0": lambda: s0(load_board("emulated-esp32-s0")),
    "atecc608": lambda: atecc608(load_board("esp32-devkitc")),
    "electronic-load": lambda: electronic_load(load_board("esp32-devkitc")),
    "stimulus-s0": lambda: stimulus_s0(
        load_board("emulated-esp32-s0"), load_board("esp32-devkitc")
    ),
    "stimulus-i2c": lambda: stimulus_i2c(
        load_board("esp32-devkitc"), load_board("esp32-s3-devkitc-1")
    ),
}


def main() -> None:
    """Write one SVG file a drawing."""
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
