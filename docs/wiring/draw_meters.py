"""The drawings of meters that count energy themselves: ADE7953, PZEM-004T, S0."""

from __future__ import annotations

from diagram import Block, Diagram, Wire

from wattest.boards import Board, S0Wiring


def _esp(right: tuple[str, ...], *, row: int = 1) -> Block:
    return Block(
        name="esp",
        title="ESP32-DevKitC V4",
        column=0,
        row=row,
        right=right,
        width=200,
        note="USB to the bench",
    )


def _mains(column: int, note: str = "") -> list[Block]:
    return [
        Block(
            name="mains",
            title="230 V",
            column=column,
            left=("L", "N"),
            width=170,
            note="fuse, RCD, switch",
            danger=True,
        ),
        Block(
            name="load",
            title="load",
            column=column,
            row=5,
            left=("L", "N"),
            width=170,
            note=note,
            danger=True,
        ),
    ]


def ade7953(board: Board) -> Diagram:
    """An AC node whose chip sits on mains potential, behind an isolator."""
    scl, sda = f"GPIO {board.i2c.scl_pin} (SCL)", f"GPIO {board.i2c.sda_pin} (SDA)"
    isolator = Block(
        name="iso",
        title="I2C isolator",
        column=1,
        row=1,
        left=("VCC1", "GND1", "SCL1", "SDA1"),
        right=("VCC2", "GND2", "SCL2", "SDA2"),
        width=200,
        note="with isolated supply",
    )
    chip = Block(
        name="ade",
        title="ADE7953 board",
        column=2,
        row=1,
        left=("VDD", "GND", "SCL", "SDA"),
        right=("L in", "L out", "N"),
        width=190,
        note="shunt in L, divider to N",
        danger=True,
    )
    esp_pins = ("3V3", "GND", scl, sda)
    kinds = ("plus", "ground", "clock", "data")
    near = zip(esp_pins, ("VCC1", "GND1", "SCL1", "SDA1"), kinds, strict=True)
    far = zip(("VCC2", "GND2", "SCL2", "SDA2"), ("VDD", "GND", "SCL", "SDA"), kinds, strict=True)
    return Diagram(
        "ESP32 and ADE7953 with an isolator between, because the chip is on mains",
        [_esp(esp_pins), isolator, chip, *_mains(3)],
        [
            *(Wire(start=f"esp.{a}", end=f"iso.{b}", kind=kind) for a, b, kind in near),
            *(Wire(start=f"iso.{a}", end=f"ade.{b}", kind=kind) for a, b, kind in far),
            Wire(start="ade.L in", end="mains.L", kind="live"),
            Wire(start="ade.N", end="mains.N", kind="live"),
            Wire(start="ade.L out", end="load.L", kind="live"),
            Wire(start="ade.N", end="load.N", kind="live"),
        ],
        gap=130,
    )


def pzem004t(board: Board) -> Diagram:
    """An AC node with a meter module."""
    uart = board.uart
    assert uart is not None
    tx, rx = f"GPIO {uart.tx_pin} (TX)", f"GPIO {uart.rx_pin} (RX)"
    divider = Block(
        name="div",
        title="divider",
        column=1,
        row=6,
        left=("to RX",),
        right=("from TX",),
        width=170,
        note="1 kΩ over 2 kΩ to GND",
    )
    module = Block(
        name="pzem",
        title="PZEM-004T v3",
        column=2,
        left=("5V", "GND", "RX", "TX"),
        right=("L", "N", "CT"),
        width=190,
        note=f"address {board.sensor.address}",
        danger=True,
    )
    return Diagram(
        "ESP32 and PZEM-004T: the module's own optocouplers isolate",
        [_esp(("5V", "GND", tx, rx)), divider, module, *_mains(3, "its L through the CT")],
        [
            Wire(start="esp.5V", end="pzem.5V", kind="plus"),
            Wire(start="esp.GND", end="pzem.GND", kind="ground"),
            Wire(start=f"esp.{tx}", end="pzem.RX", kind="data"),
            Wire(start=f"esp.{rx}", end="div.to RX", kind="data"),
            Wire(start="div.from TX", end="pzem.TX", kind="data"),
            Wire(start="pzem.L", end="mains.L", kind="live"),
            Wire(start="pzem.N", end="mains.N", kind="live"),
            Wire(start="pzem.N", end="load.N", kind="live"),
            Wire(start="pzem.CT", end="load.L", kind="signal"),
        ],
        gap=130,
    )


def s0(board: Board) -> Diagram:
    """A node that counts the pulses of another meter."""
    sensor = board.sensor
    assert isinstance(sensor, S0Wiring)
    pin = f"GPIO {sensor.pin}"
    pull = Block(
        name="pull",
        title="pull-up",
        column=1,
        row=6,
        left=("3V3", "pin"),
        width=170,
        note="10 kΩ",
    )
    meter = Block(
        name="meter",
        title="meter",
        column=1,
        left=("S0+", "S0-"),
        width=170,
        note=f"{sensor.impulses_per_kwh} pulses a kWh, {sensor.pulse_ms} ms",
    )
    return Diagram(
        "ESP32 at the S0 output of a meter",
        [_esp((pin, "GND", "3V3")), pull, meter],
        [
            Wire(start=f"esp.{pin}", end="meter.S0+", kind="signal"),
            Wire(start="esp.GND", end="meter.S0-", kind="ground"),
            Wire(start="esp.3V3", end="pull.3V3", kind="plus"),
            Wire(start=f"esp.{pin}", end="pull.pin", kind="signal"),
        ],
    )
