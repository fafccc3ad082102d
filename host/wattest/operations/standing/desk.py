"""The boards of one `board up`: started, reached, announced, kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from wattest.boards import load_board
from wattest.emulator.board import SerialOptions
from wattest.emulator.fronts import Front, PtyFront, Rfc2217Front, SocketFront, serve
from wattest.emulator.ina228 import ChipErrors
from wattest.errors import ConfigError, EmulatorError
from wattest.operations.control import RunControl
from wattest.operations.live.ports import BlankBoard, LivePort, PortsFile
from wattest.operations.standing.endless_load import EndlessLoad
from wattest.operations.standing.home import (
    STATE_NAME,
    BenchState,
    StateFile,
    blank_state_path,
    default_state_path,
    read_bench,
    write_bench,
)
from wattest.operations.standing.kept_element import KeptElement
from wattest.operations.standing.kept_flash import KeptFlash
from wattest.operations.standing.kept_wear import KeptWear
from wattest.operations.standing.options import BoardsOptions, BoardsReady, BoardUp
from wattest.operations.standing.soak import Soak, SoakReport
from wattest.operations.virtual.bench import BareBoard, BenchNode, EmulatedBench, NodePlan
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
_WHOLE_HOUSEHOLD_W = 4800  # what a day of it may reach; smaller boards meter a smaller one
_LINES_SHOWN = 4
_RUN_NAME = "bench"


@dataclass(slots=True)
class _Seat:
    """One board on the desk."""

    board: BareBoard
    said: bytearray = field(default_factory=bytearray)
    front: Front | None = None
    hello: Hello | None = None
    returned: bool = False  # with flash that an earlier program kept

    @property
    def serial(self) -> str:
        """What it calls itself, ``""`` if nothing on it has said so."""
        return self.hello.serial if self.hello is not None else ""

    @property
    def address(self) -> str:
        """What to open."""
        return self.front.address if self.front is not None else "memory"


class Desk:
    """Boards that are up together.

    Args:
        options: which, and how.
        control: ends it.
        stack: what is started is ended with it.

    Raises:
        ConfigError: scenario, board, folder or seed do not fit; nothing was started.
        EmulatorError: a port cannot be had.
        StoreError: the folder cannot be used.
    """

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
        self._starts = kept.starts + 1 if kept is not None else 1
        # Each start draws new entropy: a board switched on again does not repeat itself.
        self._bench = EmulatedBench(
            seed=self._seed,
            duration_ns=_FOREVER_NS,
            ports=_serial_options(options),
            life=self._starts,
        )
        stack.callback(self._bench.close)
        boards = [self._board(node, scenario.duration_ns) for node in prepared.nodes]
        self._remember(boards, kept)
        self._seats = [self._seat(board, number) for number, board in enumerate(boards)]
        self._soak = (
            Soak(
                self._bench,
                [board for board in boards if isinstance(board, BenchNode)],
                epoch_ms=utc_ms(),
                interval_ms=self._interval_ms,
            )
            if options.link == "memory"
            else None
        )

    def up(self) -> Iterator[BoardUp | BoardsReady]:
        """Boot all boards; announce them."""
        for seat in self._seats:
            seat.board.board.power_on()
        if not self._options.blank and not self._wait_for_hellos():
            return
        nodes = [(seat, self._node(seat)) for seat in self._seats]
        ports = tuple(self._port(seat, node) for seat, node in nodes if node is not None)
        if self._state is not None:
            self._stack.callback(self._state.remove)
            self._state.write(
                PortsFile(
                    ports=ports,
                    blank=tuple(_blank(seat) for seat, node in nodes if node is None),
                    started_ms=utc_ms(),
                    speed=self._options.speed or Fraction(1),
                    pid=os.getpid(),
                )
            )
        for seat in self._seats:
            yield BoardUp(name=seat.board.plan.name, serial=seat.serial, address=seat.address)
        state_file = self._state.path if self._state is not None and ports else None
        yield BoardsReady(count=len(nodes), state_file=state_file)

    def _wait_for_hellos(self) -> bool:
        """Let time run until all boards have said who they are; False if stopped before."""
        world = self._bench.world
        limit_ns = world.now_ns + _ANSWER_NS
        while any(seat.hello is None for seat in self._seats) and world.now_ns < limit_ns:
            if self._control.stopped:
                return False
            world.run_until(world.now_ns + NS_PER_S // 10)
        return True

    def stay(self) -> Iterator[SoakReport]:
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

    def _board(self, prepared: PreparedNode, duration_ns: int) -> BareBoard:
        spec = prepared.spec
        noise = int.from_bytes(demo_key(self._seed, "noise", spec.name)[:4])
        plan = NodePlan(
            name=spec.name,
            asset=spec.asset,
            board=prepared.board,
            load=EndlessLoad(prepared.load, period_ns=duration_ns),
            chip_errors=ChipErrors(**asdict(spec.chip), noise_seed=noise),
            interval_ms=self._interval_ms,
        )
        return self._bench.add_bare(plan) if self._options.blank else self._bench.add(plan)

    def _remember(self, boards: Sequence[BareBoard], kept: BenchState | None) -> None:
        """Write down what the next start must know."""
        out = self._options.out
        if out is None:
            return
        cfg = {
            board.plan.name: board.expected.cfg if isinstance(board, BenchNode) else b""
            for board in boards
        }
        if kept is not None and dict(kept.cfg) != cfg:
            raise ConfigError(
                "holds boards with other names, firmware or configuration",
                path=f"--out {out}",
                hint="give the --count, --board or --scenario and the version they were made "
                "with, or another folder",
            )
        write_bench(out, BenchState(seed=self._seed, starts=self._starts, cfg=cfg))

    def _seat(self, board: BareBoard, number: int) -> _Seat:
        """Flash goes to its file before anybody hears of it; then we listen, then the world."""
        seat = _Seat(board=board)
        out = self._options.out
        if out is not None:
            self._keep_element(out, board)
            kept = KeptFlash(out / f"{board.plan.name}.flash", board.flash)
            board.board.on_output(lambda _t_ns, _data: kept.sync())
            self._stack.callback(kept.sync)
            self._keep_wear(out, board)
            seat.returned = kept.existed
        scanner = FrameScanner()

        def listen(_t_ns: int, data: bytes) -> None:
            seat.said += data
            for item in scanner.feed(data):
                if isinstance(item, Frame) and item.kind == FrameKind.HELLO:
                    seat.hello = parse_hello(item.body)
                    stop()

        if not self._options.blank:
            stop = board.board.on_output(listen)
        seat.front = self._front(board, number)
        if seat.front is not None:
            self._stack.callback(seat.front.close)
        return seat

    def _keep_wear(self, out: Path, board: BareBoard) -> None:
        wear = KeptWear(out / f"{board.plan.name}.wear", board.flash)
        home = self._options.home
        if home is not None:
            self._stack.callback(wear.note, home, board.board.unique_id.hex())
        self._stack.callback(wear.save)

    def _keep_element(self, out: Path, board: BareBoard) -> None:
        """The element's EEPROM goes to its file before the flash that depends on it."""
        element = self._bench.elements.get(board.plan.name)
        if element is not None:
            kept = KeptElement(out / f"{board.plan.name}.element", element.vault)
            board.board.on_output(lambda _t_ns, _data: kept.sync())

    def _front(self, board: BareBoard, number: int) -> Front | None:
        options = self._options
        port = options.port + number if options.port else 0
        match options.link:
            case "pty":
                name = f"{board.plan.name}.tty"
                return PtyFront(board.board, link=options.out / name if options.out else None)
            case "socket":
                return SocketFront(board.board, host=options.host, port=port)
            case "rfc2217":
                return Rfc2217Front(board.board, host=options.host, port=port)
            case _:
                return None

    def _node(self, seat: _Seat) -> BenchNode | None:
        """Return the board as the node it was made to be; None: there is another one or none.

        Raises:
            EmulatorError: a new board did not come up as what it was made.
        """
        node = seat.board
        if not isinstance(node, BenchNode) or seat.serial == node.expected.serial:
            return node if isinstance(node, BenchNode) else None
        if seat.returned:  # a tool has erased it, or written other firmware, while it was up
            return None
        last = seat.said.decode("utf-8", "replace").split("\n")[-_LINES_SHOWN:]
        raise EmulatorError(
            f"board {node.plan.name} did not say who it is; its console ends: {' '.join(last)!r}",
            seed=self._seed,
            virtual_time_ns=self._bench.world.now_ns,
        )

    def _port(self, seat: _Seat, node: BenchNode) -> LivePort:
        assert seat.hello is not None
        load = node.plan.load
        return LivePort(
            address=seat.address,
            expected=node.expected,
            public_key=seat.hello.public_key,
            interval_ms=self._interval_ms,
            load=f"{load.label} ({load.origin.value})",
        )


def _blank(seat: _Seat) -> BlankBoard:
    plan = seat.board.plan
    return BlankBoard(
        name=plan.name,
        address=seat.address,
        board=plan.board.name,
        chip_id=seat.board.board.unique_id.hex(),
    )


def _serial_options(options: BoardsOptions) -> SerialOptions | None:
    """Return how tools get into download mode; where none can come, boards need no image."""
    if options.link == "memory":
        return None
    has_lines = options.link == "rfc2217"
    return SerialOptions(
        sniff_sync=options.sniff_sync and not has_lines,
        reset_on_hang_up=options.reset_on_hang_up and not has_lines,
    )


def _state_file(options: BoardsOptions) -> StateFile | None:
    """Return where the boards are announced.

    In memory nobody can reach them. Blank ones have nothing for a collector, so they do not take
    the place where it looks; those who flash boards find them beside it.
    """
    out = options.out
    if options.link == "memory":
        if out is not None:
            raise ConfigError("is for boards on ports", path=f"--out {out}")
        if options.blank:
            raise ConfigError(
                "expected a port, because a blank board has nothing to collect",
                path="--link memory",
                hint="leave out --blank, or use --link pty, socket or rfc2217",
            )
        return None
    if options.speed is None:
        raise ConfigError(
            "expected a number, because tools wait in real time",
            path="--speed max",
            hint="`--link memory` can run as fast as it goes",
        )
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError("is a file, expected a folder", path=f"--out {out}")
    if out is not None:
        return StateFile(out / STATE_NAME)
    return StateFile(blank_state_path(os.getpid()) if options.blank else default_state_path())


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
    limit_w = load_board(options.board).meter.power_max_milliwatts // 1000
    scale = min(Fraction(1), Fraction(limit_w, _WHOLE_HOUSEHOLD_W))
    load = HouseholdSpec(scale=scale, base_w=max(1, int(_BASE_W * scale)))
    names = [f"board-{number}" for number in range(1, options.count + 1)]
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
            NodeSpec(name=name, asset=name, board=options.board, load=load) for name in names
        ),
    )
