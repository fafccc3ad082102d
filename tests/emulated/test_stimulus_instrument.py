"""A node, an instrument over TCP and the bench as one: what the load drew is what is signed."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.boards import load_board
from wattest.emulator.ina228 import ChipErrors
from wattest.instruments.dialect import load_dialect
from wattest.instruments.kept import KeptInstrument
from wattest.instruments.simulator import ScpiServer, SimulatedInstrument
from wattest.operations.stimulus.player import Played, play
from wattest.operations.virtual.bench import PRE_ROLL_NS, EmulatedBench, NodePlan
from wattest.scenario import LoadProfile, Origin
from wattest.scenario.piecewise import Piecewise
from wattest.wire import Frame, FrameScanner, parse_record
from wattest.wire.message import FrameKind

S = 1_000_000_000
DIALECT = load_dialect("siglent-sdl1000x")
LARGEST_W = 960
SCENARIO = """
name = "steps"
title = "steps"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "10s"
interval = "1s"
[[node]]
name = "n"
asset = "a"
board = "emulated-esp32"
load = { kind = "steps", steps = [["0s", 480], ["1s", 96]] }
"""


class Steps(LoadProfile):
    """A minute of steps up to 1 kW."""

    def __init__(self) -> None:
        watts = [0, 480, LARGEST_W, 240, 10, 720] * 2
        knots = [number * 5 * S for number in range(len(watts))]
        power = Piecewise.hold(knots, [value * 10**6 for value in watts], 60 * S)
        voltage = Piecewise.constant(48_000_000)
        super().__init__(power=power, voltage=voltage, label="steps", origin=Origin.STATED)


@pytest.mark.emulated
def test_what_the_instrument_let_flow_is_what_the_node_signs():
    bench = EmulatedBench(seed=3, duration_ns=1 << 60)
    simulated = SimulatedInstrument(
        DIALECT, now_ns=lambda: bench.now_ns, source_uv=48_000_000, source_mohm=50
    )
    node = bench.add(
        NodePlan(
            name="n",
            asset="a",
            board=load_board("emulated-esp32"),
            load=simulated.terminals,  # type: ignore[arg-type]
            chip_errors=ChipErrors(),
            interval_ms=20_000,
        )
    )
    scanner, records = FrameScanner(), []

    def listen(_t_ns: int, data: bytes) -> None:
        frames = (item for item in scanner.feed(data) if isinstance(item, Frame))
        records.extend(parse_record(f.body[4:]) for f in frames if f.kind == FrameKind.RECORD)

    class Clock:
        def now_ns(self) -> int:
            return bench.now_ns

        def wait_until(self, t_ns: int) -> None:
            # A planned event keeps the board from computing ahead of what is changed at t_ns.
            bench.call_at(t_ns, lambda: None)
            bench.world.run_until(PRE_ROLL_NS + t_ns)

    node.board.on_output(listen)
    node.board.power_on()
    bench.world.run_until(PRE_ROLL_NS)
    with ScpiServer(simulated) as server, KeptInstrument(server.address, DIALECT.name) as kept:
        *_, last = play(Steps(), kept, Clock(), duration_ns=60 * S, step_ns=S // 5)
    Clock().wait_until(85 * S)
    bench.close()
    assert isinstance(last, Played)
    assert last.late == 0
    assert last.flowed_wh is not None
    # It draws the current that fits the voltage of the step before; the supply gives way a little.
    assert float(last.flowed_wh / last.asked_wh) == pytest.approx(1, abs=0.001)
    newest = max((r for r in records if r.event is None), key=lambda r: r.seq)
    signed_wh = Fraction(newest.registers[0].mantissa, 1000)
    # A result of 993 ms stands for a sample of 1 s, until one is passed over every 150 s: within a
    # minute that is at most one, of the largest power.
    bound = Fraction(7, 993) + Fraction(LARGEST_W, 3600) / last.flowed_wh
    assert abs(signed_wh / last.flowed_wh - 1) <= bound


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wattest.cli.main", "stimulus", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_plays_a_scenario_and_leaves_the_output_off(tmp_path: Path):
    (tmp_path / "s.toml").write_text(SCENARIO)
    simulated = SimulatedInstrument(DIALECT, now_ns=lambda: 0, source_uv=48_000_000)
    with ScpiServer(simulated) as server:
        address = server.address.removeprefix("socket://")
        options = ["--instrument", address, "--dialect", DIALECT.name, "--for", "1s", "--json"]
        done = command("s.toml", *options, "--out", "OUT", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["levels"] + values["late"] == 5
    assert not values["stopped"]
    assert not simulated.on
    assert (tmp_path / "OUT" / "stimulus.csv").read_text().count("\n") == values["levels"] + 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--dialect", "rigol-dl300", "--instrument", "h"], 2, "did you mean 'rigol-dl3000'"),
        (["--dialect", "scpi-supply", "--instrument", "h"], 2, "a supply needs the ohms"),
        (
            ["--dialect", "rigol-dl3000", "--instrument", "h", "--resistance", "1"],
            2,
            "a load has none",
        ),
        (["--dialect", "rigol-dl3000", "--instrument", "127.0.0.1:1"], 3, "connection refused"),
        (
            ["--dialect", "rigol-dl3000", "--instrument", "h", "--node", "x"],
            2,
            "one of n expected",
        ),
        (["--dialect", "rigol-dl3000", "--instrument", "h", "--step", "1ms"], 2, "50ms to 60s"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, options: list[str], code: int, message: str
):
    (tmp_path / "s.toml").write_text(SCENARIO)
    done = command("s.toml", *options, folder=tmp_path)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_load_that_exports_or_is_too_large_is_refused_before_anything_flows(tmp_path: Path):
    for watts, message in (("-96", "works one way"), ("2000", "at most 1440.0 W expected")):
        (tmp_path / "s.toml").write_text(SCENARIO.replace("96", watts))
        done = command(
            "s.toml", "--instrument", "h", "--dialect", "siglent-sdl1000x", folder=tmp_path
        )
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
