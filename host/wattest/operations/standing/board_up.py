"""Emulated boards that stay up, in real time or a multiple of it, for tools and collectors.

Every board is provisioned with demo keys that derive from the seed. On pseudo terminals any tool
can attach. With the link in memory a collector inside this program takes the records, so that
boards can be soaked for days without one outside.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from wattest.emulator.ina228 import ChipErrors
from wattest.emulator.fronts import PtyFront, serve
from wattest.errors import ConfigError, EmulatorError
from wattest.operations.control import RunControl
from wattest.operations.live.ports import LivePort, PortsFile
from wattest.operations.standing.endless_load import EndlessLoad
from wattest.operations.standing.home import (
    STATE_NAME,
    BenchState,
    StateFile,
    default_state_path,
    read_bench,
    write_bench,
)
from wattest.operations.standing.kept_flash import KeptFlash
from wattest.operations.standing.soak import Soak, SoakReport
from wattest.operations.virtual.bench import BenchNode, EmulatedBench, NodePlan
from wattest.operations.virtual.demo_keys import demo_key
from wattest.scenario import NodeSpec, PreparedNode, Scenario, prepare
from wattest.scenario.spec import HouseholdSpec
from wattest.system import entropy, utc_ms
from wattest.units import NS_PER_S
from wattest.wire import Frame, FrameScanner
from wattest.wire.message import FrameKind, Hello, parse_hello

_DAY_NS = 86_400 * NS_PER_S
_FOREVER_NS = 1 << 61
_ANSWER_NS = 30 * NS_PER_S
_INTERVAL_MS = 10_000
_BASE_W = 90
_LINES_SHOWN = 4
_BOOTS_PER_START = 1_000_000
_RUN_NAME = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardsOptions:
    """Which boards to start, and how.

    Args:
        scenario: nodes, boards, loads and interval; None: ``count`` boards with a household each.
        board: board file, when there is no scenario.
        count: how many, when there is no scenario.
        link: a pseudo terminal a board, or a collector in this program.
        seed: of keys and chance; None: the kept one, or a new one.
        speed: seconds of the boards per real second; None: as fast as it goes, in memory only.
        out: folder to keep flash in, so that the boards come back with journal and key; or None.
        duration_s: time of the boards to stop after, or None.
    """

    scenario: Scenario | None = None
    board: str = "emulated-esp32"
    count: int = 1
    link: Literal["pty", "memory"] = "pty"
    seed: int | None = None
    speed: Fraction | None = Fraction(1)
    out: Path | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardUp:
    """A board has booted and said who it is; ``address`` is what to open."""

    name: str
    serial: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardsReady:
    """All boards are up; ``state_file`` names them to other programs, if they can be reached."""

    count: int
    state_file: Path | None


BoardsEvent = BoardUp | BoardsReady | SoakReport


def boards_up(options: BoardsOptions, control: RunControl | None = None) -> Generator[BoardsEvent]:
    """Start boards and keep them up until ``control`` says stop; then switch them off.

    Yields:
        A `BoardUp` each, then `BoardsReady`; then `SoakReport` now and then, with the link in
        memory.

    Raises:
        ConfigError: scenario, board, folder or seed do not fit; nothing was started.
        EmulatorError: a board did not come up, or there are no pseudo terminals.
        StoreError: the announcement or the flash cannot be written.
    """
    if options.out is not None:
        options = replace(options, out=options.out.absolute())
    with ExitStack() as stack:
        desk = _Desk(options, control or RunControl(), stack)
        yield from desk.up()
        yield from desk.stay()


@dataclass(slots=True)
class _Seat:
    """One board on the desk."""

    node: BenchNode
    said: bytearray = field(default_factory=bytearray)
    front: PtyFront | None = None
    hello: Hello | None = None


class _Desk:
    def __init__(self, options: BoardsOptions, control: RunControl, stack: ExitStack) -> None:
        self._options = options
        self._control = control
        self._stack = stack
        self._state = _state_file(options)
        kept = read_bench(options.out) if options.out is not None else None
        self._seed = _seed(options, kept)
        scenario = replace(options.scenario or _households(options), seed=self._seed)
        prepared = prepare(scenario)
        self._interval_ms = scenario.interval_ms
        self._bench = EmulatedBench(seed=self._seed, duration_ns=_FOREVER_NS)
        stack.callback(self._bench.close)
        nodes = [self._node(node, scenario.duration_ns) for node in prepared.nodes]
        self._remember(nodes, kept)
        self._seats = [self._seat(node) for node in nodes]
        self._soak = (
            Soak(self._bench, nodes, epoch_ms=utc_ms(), interval_ms=self._interval_ms)
            if options.link == "memory"
            else None
        )

    def up(self) -> Iterator[BoardsEvent]:
        """Boot all boards; announce them."""
        world = self._bench.world
        for seat in self._seats:
            seat.node.board.power_on()
        limit_ns = world.now_ns + _ANSWER_NS
        while any(seat.hello is None for seat in self._seats) and world.now_ns < limit_ns:
            if self._control.stopped:
                return
            world.run_until(world.now_ns + NS_PER_S // 10)
        ports = tuple(self._port(seat) for seat in self._seats)
        if self._state is not None:
            self._stack.callback(self._state.remove)
            self._state.write(
                PortsFile(
                    ports=ports,
                    started_ms=utc_ms(),
                    speed=self._options.speed or Fraction(1),
                    pid=os.getpid(),
                )
            )
        for port in ports:
            expected = port.expected
            yield BoardUp(name=expected.name, serial=expected.serial, address=port.address)
        yield BoardsReady(
            count=len(ports), state_file=self._state.path if self._state is not None else None
        )

    def stay(self) -> Iterator[BoardsEvent]:
        """Let time pass until somebody stops it or the duration is over."""
        duration_s = self._options.duration_s
        world = self._bench.world
        end_ns = _FOREVER_NS if duration_s is None else world.now_ns + duration_s * NS_PER_S
        if self._soak is not None:
            yield from self._soak.run(end_ns, self._control, speed=self._options.speed)
            return
        fronts = [seat.front for seat in self._seats if seat.front is not None]
        serve(
            world,
            fronts,
            keep_going=lambda: not self._control.stopped,
            speed=self._options.speed,
            until_ns=end_ns,
        )

    def _node(self, prepared: PreparedNode, duration_ns: int) -> BenchNode:
        spec = prepared.spec
        noise = int.from_bytes(demo_key(self._seed, "noise", spec.name)[:4])
        return self._bench.add(
            NodePlan(
                name=spec.name,
                asset=spec.asset,
                board=prepared.board,
                load=EndlessLoad(prepared.load, period_ns=duration_ns),
                chip_errors=ChipErrors(**asdict(spec.chip), noise_seed=noise),
                interval_ms=self._interval_ms,
            )
        )

    def _remember(self, nodes: Sequence[BenchNode], kept: BenchState | None) -> None:
        """Each start draws new entropy: a board switched on again does not repeat itself."""
        out = self._options.out
        if out is None:
            return
        cfg = {node.plan.name: node.expected.cfg for node in nodes}
        if kept is not None and dict(kept.cfg) != cfg:
            raise ConfigError(
                "holds boards with other names, firmware or configuration",
                path=f"--out {out}",
                hint="use the scenario and version they were made with, or another folder",
            )
        starts = kept.starts + 1 if kept is not None else 1
        for node in nodes:
            node.board.boots = starts * _BOOTS_PER_START
        write_bench(out, BenchState(seed=self._seed, starts=starts, cfg=cfg))

    def _seat(self, node: BenchNode) -> _Seat:
        """Flash goes to its file before anybody hears of it; then we listen, then the world."""
        seat = _Seat(node=node)
        out = self._options.out
        if out is not None:
            kept = KeptFlash(out / f"{node.plan.name}.flash", node.flash)
            node.board.on_output(lambda _t_ns, _data: kept.sync())
            self._stack.callback(kept.sync)
        scanner = FrameScanner()

        def listen(_t_ns: int, data: bytes) -> None:
            seat.said += data
            for item in scanner.feed(data):
                if isinstance(item, Frame) and item.kind == FrameKind.HELLO:
                    seat.hello = parse_hello(item.body)
                    stop()

        stop = node.board.on_output(listen)
        if self._options.link == "pty":
            link = out / f"{node.plan.name}.tty" if out is not None else None
            seat.front = PtyFront(node.board, link=link)
            self._stack.callback(seat.front.close)
        return seat

    def _port(self, seat: _Seat) -> LivePort:
        plan = seat.node.plan
        if seat.hello is None:
            last = seat.said.decode("utf-8", "replace").split("\n")[-_LINES_SHOWN:]
            raise EmulatorError(
                f"board {plan.name} did not say who it is; its console ends: {' '.join(last)!r}",
                seed=self._seed,
                virtual_time_ns=self._bench.world.now_ns,
            )
        return LivePort(
            address=seat.front.address if seat.front is not None else "memory",
            expected=seat.node.expected,
            public_key=seat.hello.public_key,
            interval_ms=self._interval_ms,
            load=f"{plan.load.label} ({plan.load.origin.value})",
        )


def _state_file(options: BoardsOptions) -> StateFile | None:
    """Return where the boards are announced; in memory nobody can reach them."""
    out = options.out
    if options.link == "memory":
        if out is not None:
            raise ConfigError("is for boards on pseudo terminals", path=f"--out {out}")
        return None
    if options.speed is None:
        raise ConfigError(
            "expected a number, because tools wait in real time",
            path="--speed max",
            hint="`--link memory` can run as fast as it goes",
        )
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError("is a file, expected a folder", path=f"--out {out}")
    return StateFile(out / STATE_NAME if out is not None else default_state_path())


def _seed(options: BoardsOptions, kept: BenchState | None) -> int:
    """Return the kept seed, the one asked for, or one that was never used: keys come from it."""
    if kept is None:
        return int.from_bytes(entropy(8)) >> 1 if options.seed is None else options.seed
    if options.seed not in {None, kept.seed}:
        raise ConfigError(
            f"expected {kept.seed}, the seed of the boards in {options.out}",
            path=f"--seed {options.seed}",
        )
    return kept.seed


def _households(options: BoardsOptions) -> Scenario:
    names = (f"board-{number}" for number in range(1, options.count + 1))
    return Scenario(
        name=_RUN_NAME,
        title="boards on a bench",
        path="",
        seed=0,
        epoch_ms=utc_ms(),
        duration_ns=_DAY_NS,
        interval_ms=_INTERVAL_MS,
        weather={},
        nodes=tuple(
            NodeSpec(
                name=name,
                asset=name,
                board=options.board,
                load=HouseholdSpec(scale=Fraction(1), base_w=_BASE_W),
            )
            for name in names
        ),
    )
