"""``wattest stimulus``: play a scenario's load to a real board."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.live import stopping_on_terminate
from wattest.cli.options import Commands, add_json, duration_s, scale, step_ns
from wattest.cli.output import ProgressLine, bad, print_json
from wattest.cli.playing import stopping_on_interrupt
from wattest.errors import UsageError
from wattest.units import NS_PER_MS, NS_PER_S, format_decimal, format_duration

if TYPE_CHECKING:
    from wattest.operations.control import RunControl
    from wattest.operations.stimulus.player import Applied, Began, Played

_DESCRIPTION = """\
Play the load of a scenario's node to a real board, in real time: through an electronic load or a
power supply, or through a second board that plays the node's sensor. Each level is told when it is
due and read back; nothing is played any more at the end, after Ctrl-C, and when this program dies.
docs/stimulus.md says how to wire it.
"""
_EXAMPLES = """\
examples:
  wattest stimulus mine.toml --instrument 192.0.2.7 --dialect rigol-dl3000
  wattest stimulus mine.toml --instrument /dev/ttyUSB1 --dialect scpi-supply --resistance 10
  wattest stimulus mine.toml --board /dev/ttyUSB1
"""
_STEP_NS_MIN = NS_PER_S // 20
_STEP_NS_MAX = 60 * NS_PER_S


def add_command(commands: Commands) -> None:
    """Add ``stimulus`` to the command line."""
    parser = commands.add_parser(
        "stimulus",
        help="play a load to a real board through an instrument or a second board",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    add("scenario", type=Path, metavar="SCENARIO.toml", help="its nodes have the loads")
    add("--node", metavar="NAME", help="whose load (default: the first node's)")
    through = parser.add_mutually_exclusive_group(required=True)
    through.add_argument(
        "--instrument",
        metavar="ADDRESS",
        help="HOST, HOST:PORT or a serial port of the load or supply",
    )
    through.add_argument(
        "--board", metavar="PORT", help="port of a board that runs firmware/stimulus"
    )
    add("--dialect", metavar="D", help="the instrument's family, or the path of a .toml file")
    add("--resistance", type=scale, metavar="OHM", help="what a supply feeds; not for a load")
    add("--step", type=_step_ns, default=NS_PER_S // 5, metavar="T", help="(default: 200ms)")
    add(
        "--for",
        dest="duration_s",
        type=duration_s,
        metavar="T",
        help="how long (default: the scenario's duration)",
    )
    add("--out", type=Path, metavar="DIR", help="keep stimulus.csv in this folder")
    add_json(parser)
    parser.set_defaults(run=run)


def _step_ns(text: str) -> int:
    return step_ns(text, minimum=_STEP_NS_MIN, maximum=_STEP_NS_MAX)


def run(args: argparse.Namespace) -> int:
    """Play it."""
    from wattest.operations.control import RunControl

    control = RunControl()
    with (
        stopping_on_interrupt(control),
        stopping_on_terminate(control),
        closing(_playing(args, control)) as events,
    ):
        played = _follow(events, ProgressLine())
    _show(played, args)
    return 1 if played.resets else 0


def _playing(args: argparse.Namespace, control: RunControl) -> Generator[Began | Applied | Played]:
    from wattest.operations.stimulus.by_board import BoardPlayOptions, play_through_board
    from wattest.operations.stimulus.by_instrument import (
        InstrumentOptions,
        play_through_instrument,
    )
    from wattest.scenario import load_scenario

    duration_ns = None if args.duration_s is None else args.duration_s * NS_PER_S
    if args.board is not None:
        if args.dialect is not None or args.resistance is not None:
            raise UsageError("stimulus: --dialect and --resistance go with --instrument")
        board = BoardPlayOptions(
            scenario=load_scenario(args.scenario),
            node=args.node,
            port=args.board,
            step_ns=args.step,
            duration_ns=duration_ns,
            out=args.out,
        )
        return play_through_board(board, control)
    if args.dialect is None:
        raise UsageError("stimulus: --instrument needs --dialect")
    instrument = InstrumentOptions(
        scenario=load_scenario(args.scenario),
        node=args.node,
        instrument=args.instrument,
        dialect=args.dialect,
        resistance_mohm=None if args.resistance is None else int(args.resistance * 1000),
        step_ns=args.step,
        duration_ns=duration_ns,
        out=args.out,
    )
    return play_through_instrument(instrument, control)


def _follow(events: Iterator[Began | Applied | Played], progress: ProgressLine) -> Played:
    from wattest.operations.stimulus.player import Applied, Began

    duration_ns = 0
    ended = None
    for event in events:
        match event:
            case Began():
                duration_ns = event.duration_ns
                progress.say(f"{event.identity}: plays {event.load}; Ctrl-C stops it")
            case Applied():
                text = f"{_watts(event.asked_uw)} W asked"
                if event.flow is not None:
                    text += f", {_watts(event.flow.power_uw)} W flow"
                progress.update(event.t_ns, duration_ns, text)
            case _:
                ended = event
    progress.clear()
    assert ended is not None, "playing ends with Played"
    return ended


def _watts(power_uw: int) -> str:
    return format_decimal(Fraction(power_uw, 10**6), 1)


def _show(played: Played, args: argparse.Namespace) -> None:
    asked = format_decimal(played.asked_wh, 6)
    flowed = None if played.flowed_wh is None else format_decimal(played.flowed_wh, 6)
    if args.json:
        print_json(
            {
                "duration_ms": played.duration_ns // NS_PER_MS,
                "asked_wh": asked,
                "flowed_wh": flowed,
                "levels": played.levels,
                "late": played.late,
                "stopped": played.stopped,
                "resets": played.resets,
            }
        )
        return
    duration = format_duration(played.duration_ns // NS_PER_S * NS_PER_S)
    print(f"played {duration} in {played.levels} levels, {played.late} left out as late")
    verb = "flowed" if args.board is None else "were played"
    print(f"asked for {asked} Wh, {flowed} Wh {verb}" if flowed else f"asked for {asked} Wh")
    end = "the output is off" if args.board is None else "the board plays nothing any more"
    print(end + (": stopped before the end" if played.stopped else ""))
    if played.resets:
        print(bad(f"FAIL: the stimulus board started anew: {played.resets}x"))
