"""An hour of levels that change each second, played by a board whose clock runs wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from stimulus_harness import PlayedBench, profile
from test_stimulus_i2c import SETTINGS as ON_I2C
from test_stimulus_i2c import played_board, same_bus
from test_stimulus_s0 import SETTINGS as PULSES

from wattest.emulator.wires import connect_pins
from wattest.operations.stimulus.by_board import play_on_board
from wattest.operations.stimulus.player import Played

pytestmark = [pytest.mark.emulated, pytest.mark.long]
S = 1_000_000_000
HOUR_S = 3600
CRYSTAL_PPM = 500


def bench_for(role: str, folder: Path) -> PlayedBench:
    if role == "i2c":
        node = str(played_board(folder))
        return PlayedBench(node, ON_I2C, chip="esp32s3", buses=same_bus, crystal_ppm=CRYSTAL_PPM)
    bench = PlayedBench("emulated-esp32-s0", PULSES, crystal_ppm=CRYSTAL_PPM)
    connect_pins(bench.stimulus, PULSES["pin"], bench.node.board, 27)
    return bench


@pytest.mark.parametrize("role", ["s0", "i2c"])
def test_registers_are_what_the_board_says_it_played_for_an_hour(
    tmp_path: Path, role: str
) -> None:
    chance = random.Random(f"stimulus/{role}")
    watts = [
        chance.choice((0, chance.randint(1, 300), chance.randint(0, 13_000)))
        for _ in range(HOUR_S)
    ]
    bench = bench_for(role, tmp_path)
    board = bench.start()
    bench.say_that_it_is_played()
    *_, ended = play_on_board(profile(watts), board, bench, duration_ns=HOUR_S * S, step_ns=S)
    bench.run_s(12)
    imported, exported = bench.milliwh
    readings = bench.readings
    bench.close()
    assert isinstance(ended, Played)
    assert ended.flowed_wh is not None
    print(role, float(ended.asked_wh), float(ended.flowed_wh), imported)
    assert (ended.late, ended.resets) == (0, 0)
    assert exported == 0
    assert abs(imported - ended.flowed_wh * 1000) <= (0 if role == "s0" else 1)
    # It plays as long as its own clock says.
    gain = 1 + CRYSTAL_PPM / 1e6
    assert float(ended.flowed_wh) == pytest.approx(float(ended.asked_wh) * gain, abs=1.1)
    assert {record.status for record in readings} == {"G"}
    assert {int(record.input) for record in readings[2:]} == {2}
