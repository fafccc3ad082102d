"""Boards under Espressif's QEMU that stay up: a real MicroPython runs the firmware.

Nothing is enrolled and nothing is measured here: the boards are like real ones just flashed, and
`wattest provision` and `wattest tui --live --test-input` go on from there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wattest.boards import Board
from wattest.emulator.qemu import Qemu, find_qemu, listening_port
from wattest.errors import ConfigError, EmulatorError, LinkClosed, LinkError
from wattest.flashing import FlashImage, build_image
from wattest.flashing.micropython import MicroPython, read_micropython
from wattest.flashing.whole import whole_flash
from wattest.link import Port, open_port
from wattest.operations.commission.home import Home
from wattest.operations.control import RunControl
from wattest.operations.live.ports import BlankBoard, PortsFile
from wattest.operations.standing.home import STATE_NAME, StateFile, blank_state_path
from wattest.operations.standing.options import BoardsReady, BoardUp
from wattest.operations.standing.qemu_folder import QemuFolder, QemuIdentity, QemuState
from wattest.system import entropy, monotonic_ns, utc_ms, wait_ns
from wattest.units import NS_PER_S
from wattest.wire import Frame, FrameScanner
from wattest.wire.message import FrameKind, Hello, hello_line, parse_hello

INTERVAL_MS: Final = 10_000
BOOT_NS: Final = 180 * NS_PER_S
"""A first boot makes a key; on a busy machine QEMU's watchdogs may reset it once or twice."""
_ASK_NS: Final = 15 * NS_PER_S
_LOOK_NS: Final = NS_PER_S // 20
_READ_NS: Final = NS_PER_S // 5
_READ_BYTES: Final = 4096
_SAID_KEPT: Final = 4000
_LINES_SHOWN: Final = 4
_LOCAL_MAC: Final = 0x02
"""First byte of an address that no maker of chips assigned (IEEE 802)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuOptions:
    """Which boards to start under QEMU.

    Args:
        board: its file names a machine of QEMU.
        home: of the bench: MicroPython images are looked for there.
        micropython: the image; None: the one of the board file in the home. Boards that return
            have theirs.
        count: how many; None: those that are kept, or one.
        host: interface that their ports listen on.
        port: TCP port of the first, counted up; 0: the kept ones, or any that are free.
        out: folder to keep flash and fuses in; or None.
        duration_s: time to stop after, or None.
    """

    board: Board
    home: Home
    micropython: Path | None = None
    count: int | None = None
    host: str = "127.0.0.1"
    port: int = 0
    out: Path | None = None
    duration_s: int | None = None


def qemu_up(
    options: QemuOptions, control: RunControl | None = None
) -> Generator[BoardUp | BoardsReady]:
    """Start boards under QEMU and keep them up until ``control`` says stop; then end them.

    Yields:
        A `BoardUp` each, once its node has said who it is; then `BoardsReady`.

    Raises:
        ConfigError: image, folder or count do not fit; nothing was started.
        EmulatorError: there is no QEMU with this machine, a port cannot be had, a board does not
            come up, or QEMU ends by itself.
        StoreError: the folder cannot be written.
    """
    with ExitStack() as stack:
        desk = _Desk(options, control or RunControl(), stack)
        yield from desk.up()
        desk.stay()


class _Desk:
    def __init__(self, options: QemuOptions, control: RunControl, stack: ExitStack) -> None:
        self._options = options
        self._control = control
        self._stack = stack
        self._program = find_qemu(options.board.qemu_machine)
        if options.out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wattest-qemu-")))
        else:
            folder = options.out.absolute()
        self._folder = QemuFolder(folder)
        keeps = options.out is not None
        self._file = StateFile(folder / STATE_NAME if keeps else blank_state_path(os.getpid()))
        stack.callback(self._file.remove)
        self._running: list[Qemu] = []

    def up(self) -> Generator[BoardUp | BoardsReady]:
        """Start the boards one after the other; announce them."""
        image = build_image(self._options.board, interval_ms=INTERVAL_MS)
        kept = self._folder.state
        boards = self._new(image) if kept is None else self._returning(kept, image)
        for number, board in enumerate(boards):
            qemu = Qemu(
                self._program,
                self._folder.qemu_board(board, self._options.board, self._options.host),
            )
            self._running.append(qemu)
            self._stack.callback(qemu.close)
            hello = self._hello(qemu)
            if hello is None:
                return
            if hello.serial != board.serial:
                raise EmulatorError(
                    f"{board.name}: {board.serial} expected to say hello, got {hello.serial}",
                    hint="does this QEMU read the file of the fuses?",
                )
            self._announce(boards[: number + 1])
            yield BoardUp(name=board.name, serial=hello.serial, address=qemu.board.address)
        yield BoardsReady(count=len(boards), state_file=None)

    def stay(self) -> None:
        """Look after the boards until somebody stops it or the time is over.

        Raises:
            EmulatorError: a board ended by itself.
        """
        duration_s = self._options.duration_s
        end_ns = None if duration_s is None else monotonic_ns() + duration_s * NS_PER_S
        while not self._control.stopped and (end_ns is None or monotonic_ns() < end_ns):
            for qemu in self._running:
                if not qemu.runs:
                    raise qemu.failure()
            wait_ns(_READ_NS)

    # ---- what they are -----------------------------------------------------------------------

    def _new(self, image: FlashImage) -> tuple[QemuIdentity, ...]:
        options = self._options
        micropython = self._micropython()
        boards: list[QemuIdentity] = []
        taken: set[int] = set()
        for number in range(options.count or 1):
            port = self._port(options.port + number if options.port else 0, taken)
            mac = bytes([_LOCAL_MAC]) + entropy(5)
            boards.append(QemuIdentity(name=f"board-{number + 1}", mac=mac, port=port))
        state = QemuState(
            board=options.board.name,
            cfg=image.cfg,
            micropython=micropython.sha256,
            boards=tuple(boards),
        )
        self._folder.begin(state, flash=whole_flash(micropython, image))
        return state.boards

    def _returning(self, kept: QemuState, image: FlashImage) -> tuple[QemuIdentity, ...]:
        options = self._options
        where = f"--out {options.out}"
        if (kept.board, kept.cfg) != (options.board.name, image.cfg):
            raise ConfigError(
                "holds boards with other firmware or configuration",
                path=where,
                hint="use the version they were made with, or another folder",
            )
        if options.count not in {None, len(kept.boards)}:
            raise ConfigError(
                f"holds {len(kept.boards)} boards, got --count {options.count}", path=where
            )
        if options.micropython is not None:
            given = read_micropython(options.micropython, options.board)
            if given.sha256 != kept.micropython:
                raise ConfigError(
                    f"holds boards with MicroPython {kept.micropython[:16]}, got "
                    f"{given.sha256[:16]} (SHA-256)",
                    path=where,
                    hint="leave out --micropython, or use another folder",
                )
        self._folder.check_files(kept.boards, flash_bytes=options.board.flash.size_bytes)
        taken: set[int] = set()
        boards = tuple(
            replace(
                board,
                port=self._port(options.port + number if options.port else board.port, taken),
            )
            for number, board in enumerate(kept.boards)
        )
        self._folder.keep(replace(kept, boards=boards))
        return boards

    def _port(self, wanted: int, taken: set[int]) -> int:
        """Return a port nobody listens on; a free one may be offered twice before it is used."""
        port = listening_port(self._options.host, wanted)
        while not wanted and port in taken:
            port = listening_port(self._options.host, 0)
        taken.add(port)
        return port

    def _micropython(self) -> MicroPython:
        options = self._options
        known = options.board.micropython
        path = options.micropython or options.home.micropython / known.file_name
        if options.micropython is None and not path.exists():
            raise ConfigError(
                f"no MicroPython for {options.board.name}: {path} is not there",
                path="--micropython",
                hint=f"get {known.url} and give --micropython FILE",
            )
        return read_micropython(path, options.board)

    # ---- coming up ---------------------------------------------------------------------------

    def _hello(self, qemu: Qemu) -> Hello | None:
        """Wait for what the node says of itself; None if somebody stopped it before.

        Afterwards the port is free: QEMU talks to one at a time.
        """
        listener = _Listener(qemu.board.address)
        begun_ns = asked_ns = monotonic_ns()
        try:
            while not self._control.stopped:
                now_ns = monotonic_ns()
                hello = listener.listen()
                if hello is not None:
                    return hello
                if not qemu.runs:
                    raise qemu.failure()
                if now_ns - begun_ns > BOOT_NS:
                    raise EmulatorError(
                        f"{qemu.board.name} did not say who it is; "
                        f"its console ends: {listener.last_lines()!r}",
                        hint="is it a MicroPython for this board? see docs/qemu.md",
                    )
                if now_ns - asked_ns > _ASK_NS:
                    asked_ns = now_ns
                    listener.ask()
        finally:
            listener.close()
        return None

    def _announce(self, boards: tuple[QemuIdentity, ...]) -> None:
        """Tell `wattest boards scan`: there is nothing to collect before they are provisioned."""
        host = self._options.host
        self._file.write(
            PortsFile(
                ports=(),
                blank=tuple(
                    BlankBoard(
                        name=board.name,
                        address=f"socket://{host}:{board.port}",
                        board=self._options.board.name,
                        chip_id=board.mac.hex(),
                    )
                    for board in boards
                ),
                started_ms=utc_ms(),
                pid=os.getpid(),
            )
        )


class _Listener:
    """Listens at a port that may not be there yet."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._port: Port | None = None
        self._scanner = FrameScanner()
        self._said = bytearray()

    def listen(self) -> Hello | None:
        """Wait a moment for a hello."""
        if self._port is None:
            try:
                self._port = open_port(self._address, keep_input=True)
            except LinkError:
                wait_ns(_LOOK_NS)
                return None
        try:
            data = self._port.read(_READ_BYTES, (monotonic_ns() + _READ_NS) / NS_PER_S)
        except LinkClosed:
            self.close()
            return None
        self._said = (self._said + data)[-_SAID_KEPT:]
        for item in self._scanner.feed(data):
            if isinstance(item, Frame) and item.kind == FrameKind.HELLO:
                return parse_hello(item.body)
        return None

    def ask(self) -> None:
        """Ask for a hello: it may have come before we were there."""
        if self._port is not None:
            try:
                self._port.write(hello_line())
            except LinkError:
                self.close()

    def last_lines(self) -> str:
        """What the console showed last."""
        text = self._said.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-_LINES_SHOWN:])

    def close(self) -> None:
        """Let go of the port."""
        if self._port is not None:
            self._port.close()
            self._port = None
