"""``wattest board``: emulated boards that other tools can attach to."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.live import stopping_on_terminate
from wattest.cli.options import Commands, Parser, add_home, count, duration_s, seed, speed
from wattest.cli.playing import stopping_on_interrupt
from wattest.errors import UsageError
from wattest.units import NS_PER_S

_LOOPBACK = "127.0.0.1"
_PORT_MAX = 65535

if TYPE_CHECKING:
    from wattest.boards import Board
    from wattest.operations.control import RunControl
    from wattest.operations.standing.board_up import BoardsOptions
    from wattest.operations.standing.options import BoardLink
    from wattest.operations.standing.soak import SoakReport

_DESCRIPTION = """\
Start emulated boards, each with interpreter and firmware on its flash and its serial port behind
an address, and keep them up until Ctrl-C. mpremote, esptool, a terminal program or
`wattest tui --live` can attach, as to a real board. Their keys are demo keys: everything that
rests on them says TEST. With --blank their flash is erased and only the chip's boot ROM speaks.
The board esp32-qemu runs a real MicroPython under Espressif's QEMU, which you install yourself.
"""

_EXAMPLES = """\
examples:
  wattest board up
  wattest board up --count 3 --out BENCH         (boards that come back with journal and key)
  wattest board up --scenario bench/scenarios/wind_farm.toml
  wattest board up --count 3 --blank --link rfc2217
  wattest board up --link memory --speed max --for 24h
  wattest board up --board esp32-qemu --micropython FILE.bin --out QEMU
  mpremote connect /dev/pts/N                    (with the address that `board up` prints)
  esptool --port /dev/pts/N flash-id
"""


def add_command(commands: Commands) -> None:
    """Add ``board up`` to the command line."""
    parser = commands.add_parser(
        "board",
        help="start emulated boards for other tools to attach to",
        description="Emulated boards that other tools can attach to.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    up = verbs.add_parser(
        "up", help="start boards until Ctrl-C", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    up.add_argument("--count", type=count, metavar="N", help="how many (default: 1)")
    up.add_argument(
        "--link",
        choices=("pty", "socket", "rfc2217", "memory"),
        help="a pseudo terminal each, a TCP port each (raw, or with modem lines), or a collector "
        "in this program (default: pty; socket for esp32-qemu)",
    )
    up.add_argument("--blank", action="store_true", help="erased flash: no firmware, no key")
    up.add_argument("--board", metavar="NAME", help="board file (default: emulated-esp32)")
    up.add_argument(
        "--scenario", type=Path, metavar="FILE", help="nodes and loads of this file, endlessly"
    )
    up.add_argument(
        "--micropython",
        type=Path,
        metavar="FILE",
        help="the image that esp32-qemu runs (default: the one of the board file, in the home)",
    )
    up.add_argument(
        "--speed",
        type=speed,
        default=1.0,
        metavar="N|max",
        help="seconds of the boards per real second (default: 1)",
    )
    up.add_argument(
        "--for", dest="duration_s", type=duration_s, metavar="T", help="stop after this time"
    )
    up.add_argument("--seed", type=seed, metavar="N", help="seed of keys and chip errors")
    up.add_argument(
        "--out", type=Path, metavar="DIR", help="keep flash here: boards return as they went"
    )
    up.add_argument(
        "--listen",
        type=_listen,
        default=(_LOOPBACK, 0),
        metavar="HOST[:PORT]",
        help="where TCP ports listen; PORT is the first board's (default: this computer only, "
        "any port)",
    )
    up.add_argument(
        "--no-sniff",
        action="store_true",
        help="on pty and socket: esptool's first frame does not lead into download mode",
    )
    up.add_argument(
        "--no-hang-up",
        action="store_true",
        help="on pty and socket: closing the port does not lead out of download mode",
    )
    add_home(up)
    up.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the boards and stay until interrupted.

    Raises:
        UsageError: options that exclude each other.
    """
    from wattest.operations.control import RunControl
    from wattest.operations.standing.board_up import BoardsReady, BoardUp, boards_up
    from wattest.operations.standing.soak import SoakReport

    control = RunControl()
    qemu_board = _qemu_board(args)
    if qemu_board is not None:
        return _run_qemu(args, qemu_board, control)
    options = _options(args)
    with stopping_on_interrupt(control), stopping_on_terminate(control):
        for event in boards_up(options, control):
            match event:
                case BoardUp():
                    print(f"{event.name}  {event.serial or 'blank'}  {event.address}", flush=True)
                case BoardsReady():
                    _show_ready(options, event.state_file)
                case SoakReport():
                    print(_line(event), flush=True)
    _show_off(args)
    return 0


def _show_off(args: argparse.Namespace) -> None:
    kept = f"; their flash is kept in {args.out}" if args.out else ""
    print(f"boards are off{kept}", file=sys.stderr)


def _qemu_board(args: argparse.Namespace) -> Board | None:
    """Return the board that is asked for, if QEMU embodies it.

    Raises:
        UsageError: QEMU does not do what is asked for, or only QEMU does.
    """
    from wattest.boards import load_board

    board = load_board(args.board) if args.board is not None else None
    if board is None or not board.qemu_machine:
        if args.micropython is not None:
            raise UsageError(
                "board up: --micropython is for boards under QEMU",
                hint="add --board esp32-qemu; other emulated boards have their own interpreter",
            )
        return None
    refused = {
        "--scenario": args.scenario is not None,
        "--blank": args.blank,
        f"--link {args.link}": args.link not in {None, "socket"},
        "--speed": args.speed != 1.0,
        "--seed": args.seed is not None,
        "--no-sniff": args.no_sniff,
        "--no-hang-up": args.no_hang_up,
    }
    for option, given in refused.items():
        if given:
            raise UsageError(f"board up: {option} is not for {board.name}", hint="leave it out")
    return board


def _run_qemu(args: argparse.Namespace, board: Board, control: RunControl) -> int:
    from wattest.operations.commission.home import Home
    from wattest.operations.standing.options import BoardUp
    from wattest.operations.standing.qemu_up import QemuOptions, qemu_up

    host, port = args.listen
    options = QemuOptions(
        board=board,
        home=Home.find(args.home),
        micropython=args.micropython,
        count=args.count,
        host=host,
        port=port,
        out=args.out,
        duration_s=args.duration_s,
    )
    events = qemu_up(options, control)
    with stopping_on_interrupt(control), stopping_on_terminate(control), closing(events):
        for event in events:
            if isinstance(event, BoardUp):
                print(f"{event.name}  {event.serial}  {event.address}", flush=True)
            else:
                print(
                    "up until Ctrl-C; enrol with `wattest provision --port ADDRESS`, then collect "
                    f"with `wattest tui --live --ports {options.home.ports} --test-input FILE`",
                    file=sys.stderr,
                    flush=True,
                )
    _show_off(args)
    return 0


def _options(args: argparse.Namespace) -> BoardsOptions:
    from wattest.operations.commission.home import Home
    from wattest.operations.standing.board_up import BoardsOptions
    from wattest.scenario import load_scenario

    if args.scenario is not None and (args.count is not None or args.board is not None):
        raise UsageError(
            "board up: --scenario says how many boards of which kind",
            hint="leave out --count and --board",
        )
    host, port = args.listen
    link: BoardLink = args.link or "pty"
    if link not in {"socket", "rfc2217"} and (host, port) != (_LOOPBACK, 0):
        raise UsageError(
            f"board up: --listen is for TCP ports, not for --link {link}",
            hint="add --link socket or --link rfc2217",
        )
    return BoardsOptions(
        scenario=load_scenario(args.scenario) if args.scenario is not None else None,
        board=args.board or "emulated-esp32",
        count=args.count or 1,
        blank=args.blank,
        link=link,
        host=host,
        port=port,
        sniff_sync=not args.no_sniff,
        reset_on_hang_up=not args.no_hang_up,
        seed=args.seed,
        speed=None if args.speed is None else Fraction(args.speed),
        out=args.out,
        duration_s=args.duration_s,
        home=Home.find(args.home),
    )


def _listen(text: str) -> tuple[str, int]:
    """Read ``--listen``: a host, and a port behind a colon.

    Raises:
        argparse.ArgumentTypeError: the port is none.
    """
    host, _, number = text.partition(":")
    if not host or (number and not (number.isdecimal() and int(number) <= _PORT_MAX)):
        raise argparse.ArgumentTypeError(
            f"expected a host, or host:port with port 0 to {_PORT_MAX}, got {text!r}"
        )
    return host, int(number or 0)


def _show_ready(options: BoardsOptions, state_file: Path | None) -> None:
    if options.link == "memory":
        line = "up, with a collector in memory; Ctrl-C stops them"
    elif state_file is None:
        line = "up until Ctrl-C; flash them with `esptool --port ADDRESS` or `wattest flash`"
    else:
        where = "" if _is_default(state_file) else f" --ports {state_file}"
        line = (
            "up until Ctrl-C; attach with `mpremote connect ADDRESS`, "
            f"or collect with `wattest tui --live{where}`"
        )
    print(line, file=sys.stderr, flush=True)


def _is_default(state_file: Path) -> bool:
    from wattest.operations.standing.home import default_state_path

    return state_file == default_state_path()


def _line(report: SoakReport) -> str:
    seconds = max(report.elapsed_ns, 0) // NS_PER_S
    hours, rest = divmod(seconds, 3600)
    return (
        f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}  {report.boards} boards, "
        f"{report.logged} records verified, {report.refused} refused, "
        f"{report.findings} findings, {report.damaged} damaged frames, "
        f"{report.dropped_bytes} bytes dropped, {report.boots} boots, {report.crashes} crashes"
    )
