"""A node and the board that plays its sensor, in one world, with the bench at both consoles."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from tidy_rules import ROOT
from wattest.boards import load_board
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash
from wattest.emulator.ina228 import ChipErrors
from wattest.operations.stimulus.by_board import StimulusBoard
from wattest.operations.virtual.bench import PRE_ROLL_NS, BenchNode, EmulatedBench, NodePlan
from wattest.scenario import LoadProfile, Origin
from wattest.scenario.piecewise import Piecewise
from wattest.session import HelloReceived, RecordReceived, Session
from wattest.wire import Op, Record, parse_record

S = 1_000_000_000
EPOCH_MS = 1_781_524_800_000
_PATIENCE_NS = 3 * S
_SLICE_NS = S // 50
FIRMWARE = ROOT / "firmware" / "stimulus"


def profile(watts: Iterable[int], *, each_s: int = 1) -> LoadProfile:
    """Return a load that holds each value for a time."""
    values = list(watts)
    knots = [number * each_s * S for number in range(len(values))]
    end_ns = len(values) * each_s * S
    power = Piecewise.hold(knots, [value * 10**6 for value in values], end_ns)
    voltage = Piecewise.constant(230_000_000)
    return LoadProfile(power=power, voltage=voltage, label="steps", origin=Origin.STATED)


def stimulus_files(settings: dict[str, Any]) -> dict[str, bytes]:
    """Return what is copied to a stimulus board."""
    sources = {
        path.relative_to(FIRMWARE).as_posix(): path.read_bytes() for path in FIRMWARE.rglob("*.py")
    }
    return {**sources, "stimulus.json": json.dumps(settings).encode()}


class Wire:
    """The bench's end of the stimulus board's console; waiting lets the world go on."""

    address = "stimulus"

    def __init__(self, board: EmulatedBoard) -> None:
        self._board = board
        self._received = bytearray()
        self.text = bytearray()
        board.on_output(self._take)

    def _take(self, _t_ns: int, data: bytes) -> None:
        self._received += data
        self.text += data

    def read(self, _size: int, deadline_s: float) -> bytes:
        world = self._board.world
        # The deadline is of another clock: it says only whether there is time to wait.
        until_ns = world.now_ns + (_PATIENCE_NS if deadline_s > time.monotonic() else 0)
        while not self._received and world.now_ns < until_ns:
            run_to(self._board, world.now_ns + _SLICE_NS)
        data, self._received = bytes(self._received), bytearray()
        return data

    def write(self, data: bytes) -> None:
        self._board.feed(data)


def run_to(board: EmulatedBoard, t_ns: int) -> None:
    """Let time pass; no board computes ahead of ``t_ns``."""
    board.world.call_at(t_ns, lambda: None)
    board.world.run_until(t_ns)


class PlayedBench:
    """A node whose sensor a second board plays.

    Args:
        node_board: name of the node's board file.
        settings: content of the stimulus board's file.
        chip: of the stimulus board.
        buses: I2C buses of the stimulus board, made from those of the node.
        crystal_ppm: how much too fast the stimulus board's clock runs.
    """

    def __init__(
        self,
        node_board: str,
        settings: dict[str, Any],
        *,
        chip: str = "esp32",
        buses: Callable[[BenchNode], list[I2cWiring]] = lambda _node: [],
        crystal_ppm: int = 0,
    ) -> None:
        self.bench = EmulatedBench(seed=5, duration_ns=1 << 60)
        plan = NodePlan(
            name="n",
            asset="a",
            board=load_board(node_board),
            load=profile([0], each_s=100_000),
            chip_errors=ChipErrors(),
            interval_ms=10_000,
        )
        self.node = self.bench.add(plan)
        self.world = self.bench.world
        self.stimulus = EmulatedBoard(
            load_engine(),
            flash=NorFlash(4 << 20),
            wiring=BoardWiring(chip=chip),
            buses=buses(self.node),
            crystal_ppm=crystal_ppm,
            name="stimulus",
            world=self.world,
        )
        self.stimulus.install(stimulus_files(settings))
        self.wire = Wire(self.stimulus)
        self.records: list[Record] = []
        self._session = Session(self.node.expected.command_key)
        self.public_key = b""

    def start(self) -> StimulusBoard:
        """Switch both on, and wait until the node is ready."""
        self.node.board.on_output(self._listen)
        self.stimulus.power_on()
        self.node.board.power_on()
        self._session.hello()
        self._send()
        self.run_s(3)
        self._session.command(Op.SET_TIME)
        self._send()
        run_to(self.stimulus, PRE_ROLL_NS)
        return StimulusBoard(self.wire)

    def say_that_it_is_played(self) -> None:
        """Tell the node that its sensor is played: it states so."""
        self.command_input(2)
        self.run_s(1)

    def command_input(self, selected: int, milliwatts: int | None = None) -> None:
        """Select the node's input."""
        self._session.command(Op.TEST_INPUT, selected, milliwatts)
        self._send()

    def run_s(self, seconds: float) -> None:
        run_to(self.stimulus, self.world.now_ns + int(seconds * S))

    @property
    def now_ms(self) -> int:
        """UTC."""
        return EPOCH_MS + self.world.now_ns // 1_000_000

    def now_ns(self) -> int:
        """The clock to play in."""
        return self.world.now_ns

    def wait_until(self, t_ns: int) -> None:
        """The clock to play in."""
        run_to(self.stimulus, t_ns)

    @property
    def readings(self) -> list[Record]:
        """What the node signed at the end of its intervals, in order."""
        unique = {(r.ctx, r.seq): r for r in self.records if r.event is None}
        return [unique[key] for key in sorted(unique)]

    @property
    def milliwh(self) -> tuple[int, int]:
        """Import and export of the newest reading."""
        newest = self.readings[-1]
        return newest.registers[0].mantissa, newest.registers[1].mantissa

    def close(self) -> None:
        self.stimulus.close()
        self.bench.close()

    def _send(self) -> None:
        data = self._session.data_to_send(self.now_ms)
        if data:
            self.node.board.feed(data)

    def _listen(self, t_ns: int, data: bytes) -> None:
        for event in self._session.receive(data, self.now_ms):
            if isinstance(event, RecordReceived):
                record = parse_record(event.data)
                self.records.append(record)
                self._session.acknowledge(event.position, record.digest)
            elif isinstance(event, HelloReceived):
                self.public_key = event.hello.public_key
        self.world.call_at(t_ns, self._send)
