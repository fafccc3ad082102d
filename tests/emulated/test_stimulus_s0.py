"""A stimulus board plays the pulses of a meter to a node: what was played is what is signed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stimulus_harness import PlayedBench, profile

from wattest.emulator.wires import connect_pins
from wattest.errors import LinkError
from wattest.operations.stimulus.by_board import StimulusBoard, play_on_board
from wattest.operations.stimulus.player import Played

pytestmark = pytest.mark.emulated
S = 1_000_000_000
SETTINGS = {"role": "s0", "pin": 26, "impulses_per_kwh": 1000, "pulse_ms": 80, "exporting": 0}
NODE_PIN = 27
PULSE_MILLIWH = 1000
LOAD = [3600, 12_000, 7200, 0, 0, 9000, 13_000, 1, 5400, 0]


@pytest.fixture
def bench() -> Iterator[PlayedBench]:
    bench = PlayedBench("emulated-esp32-s0", SETTINGS)
    connect_pins(bench.stimulus, SETTINGS["pin"], bench.node.board, NODE_PIN)
    yield bench
    bench.close()


def play(bench: PlayedBench, board: StimulusBoard, watts: list[int], *, each_s: int = 3) -> Played:
    *_, ended = play_on_board(
        profile(watts, each_s=each_s),
        board,
        bench,
        duration_ns=len(watts) * each_s * S,
        step_ns=S,
    )
    assert isinstance(ended, Played)
    return ended


def test_registers_are_the_energy_that_was_played_to_a_pulse(bench: PlayedBench) -> None:
    board = bench.start()
    assert (board.identity.split()[-1], board.lowest, board.highest) == ("s0", 0, 32_727_272)
    bench.say_that_it_is_played()
    ended = play(bench, board, LOAD)
    bench.run_s(12)
    assert ended.resets == 0
    assert ended.flowed_wh is not None
    assert 0 <= ended.asked_wh - ended.flowed_wh < 1
    assert ended.asked_wh == pytest.approx(sum(LOAD) * 3 / 3600, abs=0.1)
    assert bench.milliwh == (ended.flowed_wh * 1000, 0)
    assert [int(record.input) for record in bench.readings[-3:]] == [2, 2, 2]
    assert {record.status for record in bench.readings} == {"G"}


def test_energy_between_two_pulses_is_kept_whatever_the_power_does(bench: PlayedBench) -> None:
    board = bench.start()
    for _ in range(20):  # 100 ms each, far less than a pulse's energy
        board.apply(8_000_000_000)
        bench.run_s(0.1)
        board.apply(0)
        bench.run_s(0.3)
    bench.run_s(12)
    board.apply(0)
    # 8 kW for twenty times 100 ms and an answer: five pulses, and some of a sixth.
    assert board.milliwh == bench.milliwh[0] == 5 * PULSE_MILLIWH


def test_a_stimulus_board_that_resets_is_found_out_and_nothing_else_is_counted(
    bench: PlayedBench,
) -> None:
    board = bench.start()
    bench.world.call_at(bench.world.now_ns + 7_040_000_000, bench.stimulus.press_enable)
    ended = play(bench, board, [7200] * 6)
    bench.run_s(12)
    assert ended.resets == 1
    assert ended.flowed_wh is not None
    assert ended.flowed_wh < ended.asked_wh
    assert bench.milliwh[0] in {ended.flowed_wh * 1000, ended.flowed_wh * 1000 + PULSE_MILLIWH}
    assert bench.milliwh[0] < ended.asked_wh * 1000


def test_what_it_cannot_play_is_refused_and_the_pulses_go_on(bench: PlayedBench) -> None:
    board = bench.start()
    for power_uw in (-1_000_000, 33_000_000_000):
        with pytest.raises(LinkError, match=r"power: 0\.\.32727272 milliwatts expected"):
            board.apply(power_uw)
    for line, why in (("Q", "P and milliwatts"), ("P x", "whole"), ("P " + "9" * 60, "P and")):
        bench.wire.write(f"{line}\n".encode())
        bench.run_s(0.2)
        assert f"ERR {'power' if 'whole' in why else 'line'}: " in bench.wire.text.decode()
        assert why in bench.wire.text.decode()
        bench.wire.text.clear()
    play(bench, board, [7200] * 3)
    assert board.milliwh > 0


def test_power_that_is_not_told_again_ends_after_a_minute(bench: PlayedBench) -> None:
    board = bench.start()
    board.apply(3_600_000_000)
    bench.run_s(90)
    board.apply(0)
    assert board.milliwh == 60 * PULSE_MILLIWH


def test_ctrl_c_lets_the_pin_go(bench: PlayedBench) -> None:
    board = bench.start()
    board.apply(30_000_000_000)
    bench.wire.write(b"\x03")
    bench.run_s(2)
    assert "stopped by Ctrl-C" in bench.wire.text.decode()
    assert bench.node.board.pin_level(NODE_PIN) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "x"}, "role: expected one of"),
        ({"pulse_ms": 29}, "pulse_ms: expected 30..500, got 29"),
        ({"colour": 1}, "unknown key colour"),
        ({"pin": True}, "pin: expected 0..48, got True"),
    ],
)
def test_wrong_file_is_one_line(change: dict[str, object], message: str) -> None:
    bench = PlayedBench("emulated-esp32-s0", {**SETTINGS, **change})
    bench.stimulus.power_on()
    bench.run_s(2)
    said = [line for line in bench.wire.text.decode().splitlines() if "stimulus" in line]
    assert said == [f"stimulus: /stimulus.json: {message}; correct the file and reset"] or (
        message in said[0]
    )
    bench.close()
