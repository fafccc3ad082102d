"""A stimulus board that a node reads over I2C: what was played is what is signed, as played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_harness import Bench
from stimulus_harness import PlayedBench, profile
from test_sensor_parts import HOT, MAIN

from tidy_rules import ROOT
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.errors import ConfigError
from wattest.operations.stimulus.by_board import StimulusBoard, play_on_board
from wattest.operations.stimulus.player import Played
from wattest.operations.virtual.bench import BenchNode
from wattest.scenario import parse_scenario, prepare
from wattest.wire import EventKind

pytestmark = pytest.mark.emulated
S = 1_000_000_000
ADDRESS = 0x42
SETTINGS: dict[str, Any] = {"role": "i2c", "i2c_id": 0, "scl": 9, "sda": 8, "address": ADDRESS}
SCENARIO = """
name = "s"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "2s"
interval = "1s"
[[node]]
name = "n"
board = "{board}"
load = {{ kind = "steps", steps = [["0s", 90]] }}
"""
LOAD = [3600, 0, -1200, 0, 40_000, 7, 0, -900, -40_000, 0, 12_345, 5400, 0]


def played_board(folder: Path) -> Path:
    """Write a board file of a node whose sensor is played."""
    text = (ROOT / "boards" / "emulated-esp32.toml").read_text()
    before, _, rest = text.partition("[sensor]\n")
    after = rest[rest.index("\n[") :]
    path = folder / "played.toml"
    path.write_text(f'{before}[sensor]\nchip = "played"\naddress = {ADDRESS}\n{after}')
    return path


def same_bus(node: BenchNode) -> list[I2cWiring]:
    return [I2cWiring(bus=node.sensor.bus, scl=SETTINGS["scl"], sda=SETTINGS["sda"])]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PlayedBench]:
    node = str(played_board(tmp_path))
    bench = PlayedBench(node, SETTINGS, chip="esp32s3", buses=same_bus)
    yield bench
    bench.close()


def play(bench: PlayedBench, board: StimulusBoard, watts: list[int], *, each_s: int = 3) -> Played:
    duration_ns = len(watts) * each_s * S
    *_, ended = play_on_board(
        profile(watts, each_s=each_s), board, bench, duration_ns=duration_ns, step_ns=S
    )
    assert isinstance(ended, Played)
    return ended


def test_registers_are_the_energy_that_was_played(bench: PlayedBench) -> None:
    board = bench.start()
    ended = play(bench, board, LOAD)
    bench.run_s(12)
    assert ended.flowed_wh is not None
    assert float(ended.flowed_wh) == pytest.approx(float(ended.asked_wh), abs=0.5)
    imported, exported = bench.milliwh
    assert imported - exported == pytest.approx(ended.flowed_wh * 1000, abs=1)
    assert imported == pytest.approx(sum(w for w in LOAD if w > 0) * 3 / 3.6, rel=0.02)
    assert exported == pytest.approx(-sum(w for w in LOAD if w < 0) * 3 / 3.6, rel=0.02)
    assert {record.status for record in bench.readings} == {"G"}


def test_every_record_says_that_it_is_played_and_no_command_changes_that(
    bench: PlayedBench,
) -> None:
    board = bench.start()
    board.apply(3_600_000_000)
    bench.run_s(11)
    bench.command_input(1, 5000)
    bench.run_s(2)
    bench.command_input(0)
    bench.run_s(21)
    inputs = [int(record.input) for record in bench.readings]
    assert set(inputs) == {2}
    events = [r.event for r in bench.records if r.event is not None]
    changes = [event.fields for event in events if event.kind is EventKind.INPUT]
    assert [dict(change) for change in changes] == [{2: 2, 3: 1}, {2: 1, 3: 2}]


def test_a_reset_of_the_stimulus_board_is_on_record_and_nothing_is_made_up(
    bench: PlayedBench,
) -> None:
    board = bench.start()
    bench.world.call_at(bench.world.now_ns + 8_500_000_000, bench.stimulus.press_enable)
    ended = play(bench, board, [7200] * 6)
    bench.run_s(15)
    assert ended.resets == 1
    worst = {record.status for record in bench.readings} - {"G"}
    assert worst <= {"D", "M"}
    assert worst
    imported, exported = bench.milliwh
    assert exported == 0
    assert 0 < imported <= ended.asked_wh * 1000
    # A sample before the reset and one after it are lost.
    assert imported >= (ended.asked_wh - 8) * 1000


@pytest.mark.parametrize("level_s", [0.3, 0.7])
def test_levels_shorter_than_a_sample_are_counted_whole(
    bench: PlayedBench, level_s: float
) -> None:
    board = bench.start()
    for watts in (36_000, 0, 18_000, 36, 27_000) * 3:
        board.apply(watts * 1_000_000)
        bench.run_s(level_s)
    board.apply(0)
    bench.run_s(12)
    board.apply(0)
    assert bench.milliwh == (pytest.approx(board.milliwh, abs=1), 0)


def test_a_board_that_hangs_is_found_out(bench: PlayedBench) -> None:
    board = bench.start()
    board.apply(3_600_000_000)
    bench.run_s(10)
    before = bench.milliwh
    bench.wire.write(b"\x03")
    bench.run_s(25)
    assert "stopped by Ctrl-C" in bench.wire.text.decode()
    assert bench.readings[-1].status == "D"
    assert bench.milliwh[0] - before[0] <= 12_000


def test_chips_that_cannot_be_a_target_say_so(tmp_path: Path) -> None:
    bench = PlayedBench(str(played_board(tmp_path)), SETTINGS, buses=same_bus)
    bench.stimulus.power_on()
    bench.run_s(2)
    assert "role: this chip cannot be an I2C target; S3, C3 and C6 can" in bench.wire.text.decode()
    bench.close()


def test_classic_esp32_has_no_target() -> None:
    lines = Bench().printed("import machine\nprint(hasattr(machine, 'I2CTarget'))")
    assert lines == ["False"]


TARGET = """
import machine
memory = bytearray(b"abcdefgh")
target = machine.I2CTarget(0, addr=0x42, mem=memory, scl=9, sda=8)
def told(which):
    print("told", which.flags(), which.memaddr, bytes(memory))
target.irq(told)
import time
time.sleep(1)
target.deinit()
time.sleep(1)
"""
CONTROLLER = """
import time, machine
time.sleep_ms(500)
i2c = machine.I2C(0, scl=22, sda=21)
print(i2c.scan(), i2c.readfrom_mem(0x42, 6, 4), i2c.readfrom(0x42, 2))
time.sleep_ms(50)
i2c.writeto_mem(0x42, 7, b"XY")
time.sleep_ms(50)
print(i2c.readfrom_mem(0x42, 0, 8))
time.sleep_ms(1500)
try:
    i2c.readfrom(0x42, 1)
except OSError as error:
    print(error)
"""


def test_a_target_serves_its_memory_and_is_told_afterwards() -> None:
    bus = I2cBus({})
    said: dict[str, bytearray] = {}
    first: EmulatedBoard | None = None
    boards = []
    for name, chip, scl, sda, program in (
        ("target", "esp32c3", 9, 8, TARGET),
        ("controller", "esp32", 22, 21, CONTROLLER),
    ):
        board = EmulatedBoard(
            load_engine(),
            flash=NorFlash(4 << 20),
            wiring=BoardWiring(chip=chip),
            buses=[I2cWiring(bus=bus, scl=scl, sda=sda)],
            name=name,
            world=first.world if first else None,
        )
        first = first or board
        said[name] = bytearray()
        board.on_output(lambda _t, data, name=name: said[name].extend(data))
        board.install({"main.py": program.encode()})
        board.power_on()
        boards.append(board)
    assert first is not None
    first.world.run_until(4 * S)
    shown = {name: text.decode().replace("\r\n", "\n") for name, text in said.items()}
    assert "[66] b'ghab' b'gh'\nb'Ybcdefg" in shown["controller"]
    assert "b'YbcdefgX'\n" in shown["controller"]
    assert "ENODEV" in shown["controller"]
    assert "told 32 7 b'YbcdefgX'" in shown["target"]
    assert "told 16 0 b'YbcdefgX'" in shown["target"]
    for board in boards:
        board.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [("", "mem must be given"), ("mem=bytearray(1), addrsize=10", "7 and 8 bits only")],
)
def test_what_the_port_cannot_do_is_refused(options: str, message: str) -> None:
    board = Bench(chip="esp32s3")
    lines = board.printed(f"import machine\nmachine.I2CTarget(0, 0x42, {options})")
    assert message in "\n".join(lines)


def test_a_scenario_run_refuses_a_board_that_only_another_board_can_play(tmp_path: Path) -> None:
    scenario = SCENARIO.format(board=played_board(tmp_path))
    with pytest.raises(ConfigError, match="got one that a second board plays"):
        prepare(parse_scenario(scenario, str(tmp_path / "s.toml")))


def test_hot_path_of_a_played_sensor_allocates_nothing_under_a_locked_heap(
    bench: PlayedBench,
) -> None:
    block = "".join(f"            {text}\n" for text in HOT.strip().splitlines())
    bench.node.board.install({"main.py": MAIN.replace("            node.run()\n", block).encode()})
    said = bytearray()
    bench.node.board.on_output(lambda _t, data: said.extend(data))
    bench.stimulus.power_on()
    bench.run_s(2)
    StimulusBoard(bench.wire).apply(3_600_000_000)
    bench.node.board.power_on()
    bench.run_s(25)
    lines = said.decode().splitlines()
    line = next(line for line in lines if line.startswith("samples"))
    assert line.startswith("samples 12 G caught 1 milliwh"), line
    assert 10_000 <= int(line.split()[-1]) <= 14_000
    free = next(line for line in lines if line.startswith("heap free: "))
    assert int(free.split()[2]) >= 24 * 1024
