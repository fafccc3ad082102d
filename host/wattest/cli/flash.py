"""``wattest flash``: MicroPython and the node's files on a board; checked by what it signs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.build import add_image_options
from wattest.cli.live import stopping_on_terminate
from wattest.cli.options import Commands, add_home, add_json
from wattest.cli.output import ProgressLine, good, marked, print_json
from wattest.cli.playing import stopping_on_interrupt
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.operations.commission.flash_events import Flashed, FlashEvent, FlashOptions

_BAUD = 460_800
_BAUD_RANGE = (9600, 4_000_000)
_KIB = 1024

_DESCRIPTION = """\
Write MicroPython and the node's files to a board in one esptool session, verify, reset, and wait
for the boot record that the node signs. Another chip or flash size is refused before anything is
written. The node keeps its key and its journal. A board that holds just this already is not
written again.
"""

_EXAMPLES = """\
examples:
  wattest flash --port /dev/ttyUSB0 --board esp32-devkitc --download
  wattest flash --port /dev/ttyUSB0 --board esp32-devkitc --micropython ESP32_GENERIC.bin
  wattest flash --port /dev/pts/4 --board emulated-esp32
"""


def add_command(commands: Commands) -> None:
    """Add ``flash`` to the command line."""
    parser = commands.add_parser(
        "flash",
        help="write MicroPython and the firmware to a board",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--port", required=True, metavar="P", help="serial port, rfc2217://, socket:// or usb:"
    )
    add_image_options(parser)
    parser.add_argument(
        "--micropython",
        type=Path,
        metavar="FILE",
        help="MicroPython's combined .bin (default: the one in the home folder)",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="fetch the image that the board file knows, and check its SHA-256",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="write although the board holds this already, or is known as another board",
    )
    parser.add_argument(
        "--new-key",
        action="store_true",
        help="erase the whole chip first: key and journal are gone for good",
    )
    parser.add_argument(
        "--baud",
        type=int,
        default=_BAUD,
        metavar="N",
        help="speed to transfer at, 9600 to 4000000 (default: 460800)",
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Flash a board.

    Returns:
        0: the board runs what it should.

    Raises:
        KeyboardInterrupt: somebody stopped it; says in what state the board is.
        WattestError: see `wattest.operations.commission.flash.flash_board`.
    """
    from wattest.operations.commission.flash import flash_board
    from wattest.operations.control import RunControl

    control = RunControl()
    options = _options(args)
    with stopping_on_interrupt(control), stopping_on_terminate(control):
        events = flash_board(options, control)
        with closing(events):
            flashed = _follow(events)
    if args.json:
        print_json(_as_json(flashed, args.port))
    else:
        _show(flashed)
    return 0


def _options(args: argparse.Namespace) -> FlashOptions:
    from wattest.boards import load_board
    from wattest.operations.commission.flash_events import FlashOptions
    from wattest.operations.commission.home import Home

    low, high = _BAUD_RANGE
    if not low <= args.baud <= high:
        raise UsageError(f"flash: --baud: expected {low} to {high}, got {args.baud}")
    if args.download and args.micropython is not None:
        raise UsageError(
            "flash: --download and --micropython exclude each other", hint="leave one of them out"
        )
    return FlashOptions(
        port=args.port,
        board=load_board(args.board),
        home=Home.find(args.home),
        serial=args.serial,
        interval_ms=args.interval_ms,
        micropython=args.micropython,
        download=args.download,
        force=args.force,
        new_key=args.new_key,
        baud=args.baud,
    )


def _follow(events: Iterator[FlashEvent]) -> Flashed:
    """Say on stderr what happens.

    Raises:
        KeyboardInterrupt: somebody stopped it.
    """
    from wattest.operations.commission import flash_events as told
    from wattest.operations.commission.words import said

    progress = ProgressLine()
    for event in events:
        match event:
            case told.Step():
                progress.say(event.text)
                progress = ProgressLine()
            case told.Moved():
                text = f"{event.done_bytes // _KIB} of {event.total_bytes // _KIB} KiB"
                progress.update(event.done_bytes, event.total_bytes or event.done_bytes, text)
            case told.Interrupted():
                progress.clear()
                raise KeyboardInterrupt(event.text)
            case told.Flashed():
                progress.clear()
                return event
            case _:
                progress.say(said(event))
    raise AssertionError("a flash ends with Flashed or Interrupted")


def _show(flashed: Flashed) -> None:
    print(f"board        {flashed.board}, chip {flashed.chip_id}")
    print(f"micropython  {flashed.micropython}")
    print(f"node         {flashed.serial}, key {flashed.kid}, boot {flashed.bootcount}")
    print(f"cfg          {flashed.cfg}, as its signed boot record says")
    if flashed.new_key:
        print(marked("the node made a new key: enrol it with `wattest provision`"))
    done = "it was up to date, nothing was written" if flashed.cached else "written and verified"
    print(good(f"PASS: {done}"))


def _as_json(flashed: Flashed, port: str) -> dict[str, str | int | bool]:
    return {
        "port": port,
        "board": flashed.board,
        "chip_id": flashed.chip_id,
        "cached": flashed.cached,
        "cfg": flashed.cfg,
        "image_sha256": flashed.image_sha256,
        "micropython": flashed.micropython,
        "micropython_sha256": flashed.micropython_sha256,
        "kid": flashed.kid,
        "serial": flashed.serial,
        "bootcount": flashed.bootcount,
        "new_key": flashed.new_key,
    }
