"""``wattest boards``: board files, what is plugged in, and the passports of boards."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.boards_show import (
    board_as_json,
    board_lines,
    day,
    entry_as_json,
    file_lines,
    moment,
    port_as_json,
    port_lines,
    story_as_json,
    story_lines,
    wrapped,
)
from wattest.cli.options import Commands, Parser, add_home, add_json
from wattest.cli.output import print_json, print_table

if TYPE_CHECKING:
    from wattest.operations.commission.home import Home

_LIFE_EVENTS = ("repair", "refurbish", "retire", "reuse", "calibrated", "failure", "note")

_EXAMPLES = """\
examples:
  wattest boards list
  wattest boards show esp32-c3-devkitm-1
  wattest boards scan                        what is plugged in, and who holds it
  wattest boards passport 246f               the board whose chip id begins so
  wattest boards note 246f --event calibrated --due 2027-06-30 --text "certificate 4711"
"""


def add_command(commands: Commands) -> None:
    """Add ``boards`` and its verbs to the command line."""
    parser = commands.add_parser(
        "boards",
        help="board files, what is plugged in, and what happened to each board",
        description="Board files, ports with boards, and the boards' passports.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    listing = verbs.add_parser("list", help="the board files, and the boards that are known")
    show = verbs.add_parser("show", help="what a board file says")
    show.add_argument("board", metavar="BOARD", help="a name, or the path of a .toml file")
    scan = verbs.add_parser(
        "scan", help="ports with the boards they may be, and the programs that hold them"
    )
    scan.add_argument(
        "--ports",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a further boards.json of emulated boards, or the folder it is in",
    )
    passport = verbs.add_parser("passport", help="the story of a board")
    passport.add_argument(
        "chip_id", nargs="?", metavar="CHIP_ID", help="or the beginning of it (default: all)"
    )
    note = verbs.add_parser("note", help="note what was done to a board, or seen of it")
    note.add_argument("chip_id", metavar="CHIP_ID", help="or the beginning of it")
    note.add_argument("--event", required=True, choices=_LIFE_EVENTS, help="what happened")
    note.add_argument("--text", default="", metavar="TEXT", help="in your words")
    note.add_argument(
        "--due", type=_date, metavar="DATE", help="last day the calibration holds: 2027-06-30"
    )
    for verb, function in (
        (listing, _list),
        (show, _show),
        (scan, _scan),
        (passport, _passport),
        (note, _note),
    ):
        if verb is not show:
            add_home(verb)
        add_json(verb)
        verb.set_defaults(run=function)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date as 2027-06-30, got {text!r}") from None


def _home(args: argparse.Namespace) -> Home:
    from wattest.operations.commission.home import Home

    return Home.find(args.home)


def _list(args: argparse.Namespace) -> int:
    from wattest.boards import board_names, load_board
    from wattest.operations.commission.passport import known_boards

    boards = [load_board(name) for name in board_names()]
    known = known_boards(_home(args))
    if args.json:
        files = [
            {"name": b.name, "title": b.title, "chip": b.chip, "emulated": b.emulated}
            for b in boards
        ]
        print_json({"files": files, "known": [entry_as_json(entry) for entry in known]})
        return 0
    for line in file_lines(boards):
        print(line)
    print()
    _print_known(args)
    return 0


def _print_known(args: argparse.Namespace) -> None:
    from wattest.operations.commission.passport import known_boards

    known = known_boards(_home(args))
    if not known:
        print("no board has a passport yet: `wattest flash` begins one")
        return
    rows = [
        (
            each.chip_id,
            each.board or each.chip or "-",
            each.serial or "-",
            str(each.state),
            day(each.last_seen_ms),
        )
        for each in known
    ]
    print_table(("chip id", "board", "node", "state", "last seen"), rows, left=5)


def _show(args: argparse.Namespace) -> int:
    from wattest.boards import load_board

    board = load_board(args.board)
    if args.json:
        print_json(board_as_json(board))
        return 0
    for line in board_lines(board):
        print(line)
    return 0


def _scan(args: argparse.Namespace) -> int:
    from wattest.operations.commission.scan import scan_ports
    from wattest.operations.standing.home import STATE_NAME, announcement_paths

    further = [path / STATE_NAME if path.is_dir() else path for path in args.ports]
    scan = scan_ports(_home(args), [*announcement_paths(), *further])
    if args.json:
        print_json(
            {
                "ports": [port_as_json(port) for port in scan.ports],
                "remarks": list(scan.remarks),
            }
        )
        return 0
    if not scan.ports:
        print("no serial port, and no emulated board that is up")
    for port in scan.ports:
        for line in port_lines(port):
            print(line)
    for remark in scan.remarks:
        print(wrapped(f"({remark})"))
    return 0


def _passport(args: argparse.Namespace) -> int:
    from wattest.operations.commission.passport import board_story, known_boards
    from wattest.system import utc_ms

    if args.chip_id is None:
        if args.json:
            print_json({"known": [entry_as_json(entry) for entry in known_boards(_home(args))]})
        else:
            _print_known(args)
        return 0
    story = board_story(_home(args), args.chip_id)
    now_ms = utc_ms()
    if args.json:
        print_json(story_as_json(story, now_ms))
        return 0
    for line in story_lines(story, now_ms):
        print(line)
    return 0


def _note(args: argparse.Namespace) -> int:
    from wattest.operations.commission.passport import note_life
    from wattest.system import utc_ms

    now_ms = utc_ms()
    chip_id = note_life(
        _home(args), args.chip_id, args.event, at_ms=now_ms, text=args.text, due=args.due
    )
    said: dict[str, Any] = {"chip_id": chip_id, "event": args.event, "at_ms": now_ms}
    if args.json:
        print_json(said)
    else:
        print(f"noted for {chip_id} at {moment(now_ms)}: {args.event}")
    return 0
