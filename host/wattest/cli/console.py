"""``wattest console``: the permanent recorder of a port, and everybody who watches it."""

from __future__ import annotations

import argparse
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wattest.cli.console_keys import raw_keyboard, typed
from wattest.cli.live import stopping_on_terminate
from wattest.cli.options import Commands, add_home, add_json, duration_s, index
from wattest.cli.playing import stopping_on_interrupt
from wattest.errors import ConfigError, LinkError, UsageError
from wattest.units import NS_PER_S

if TYPE_CHECKING:
    from wattest.cli.console_show import Columns
    from wattest.operations.console.places import Announcement
    from wattest.operations.console.recorder import Recorder
    from wattest.operations.console.search import Query
    from wattest.operations.console.view import Item
    from wattest.operations.console.watcher import Watcher
    from wattest.operations.control import RunControl

EXIT_NOT_FOUND = 1
_SLICE_S = 0.1
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")

_DESCRIPTION = """\
Watch what a board says: its text to the left, its frames decoded to the right, each with its time.
One program, the recorder, has the port open and keeps every byte; as many as wanted watch it. The
first `console` on a port is its recorder too, and the recording ends when it is left; with
--record it only records. Keys go to the board; Ctrl-] leaves. Times are UTC.
"""

_EXAMPLES = """\
examples:
  wattest console --port /dev/ttyUSB0
  wattest console --port /dev/ttyUSB0 --record --wait     (before the board is plugged in)
  wattest console --port /dev/ttyUSB0 --search Traceback  (in what has been kept)
  wattest console --port /dev/ttyUSB0 --since 10min --until 14:30
  wattest console --log FOLDER --reading 17 --json
  wattest console --port /dev/ttyUSB0 --lend mpremote connect /dev/ttyUSB0 fs ls
"""


def add_command(commands: Commands) -> None:
    """Add ``console`` to the command line."""
    parser = commands.add_parser(
        "console",
        help="record, watch and search what a board says",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--port", metavar="P", help="/dev/ttyUSB0, rfc2217://host:port, ...")
    which.add_argument("--board", metavar="B", help="name or serial of a board that is known")
    which.add_argument("--log", type=Path, metavar="DIR", help="a kept log, or one file of it")
    parser.add_argument("--record", action="store_true", help="record, and show nothing")
    parser.add_argument("--watch", action="store_true", help="send no keys to the board")
    parser.add_argument("--reset", action="store_true", help="reset the board, with us listening")
    parser.add_argument("--wait", action="store_true", help="begin before the port is there")
    parser.add_argument(
        "--lend",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="lend the port to a command, such as mpremote; the last option",
    )
    parser.add_argument(
        "--search", metavar="TEXT|/RE/", help="show kept lines that hold this, and end"
    )
    parser.add_argument("--since", metavar="TIME", help="... that came at or after this time")
    parser.add_argument("--until", metavar="TIME", help="... that came before this time")
    parser.add_argument("--reading", type=index, metavar="N", help="... with reading number N")
    parser.add_argument(
        "--for", dest="duration_s", type=duration_s, metavar="T", help="leave after this time"
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, watch or search.

    Returns:
        0, or 1 when a search finds nothing, or what the command that the port was lent to returns.

    Raises:
        LinkError: the port cannot be opened, or the recorder that was watched has ended.
    """
    from wattest.operations.commission.home import Home
    from wattest.operations.console.places import find_recorder, log_folder
    from wattest.operations.control import RunControl

    query = _query(args)
    if args.log is not None:
        return _show_kept(args.log, query, args)
    home = Home.find(args.home)
    address = args.port or _address_of(args.board, home.ports)
    if args.lend is not None:
        return _lend(address, args.lend)
    if query is not None:
        return _show_kept(log_folder(home.path, address), query, args)
    control = RunControl()
    with stopping_on_interrupt(control), stopping_on_terminate(control):
        found = find_recorder(address)
        if found is None:
            return _record(address, log_folder(home.make(), address), control, args)
        announcement, talk = found
        talk.close()
        if args.record:
            raise UsageError(
                f"console: process {announcement.pid} records {address} already",
                hint="leave out --record to watch it",
            )
        _say(f"watching {address}: process {announcement.pid} records it, and goes on after you")
        _watch(announcement, None, control, args)
    return 0


def _record(address: str, folder: Path, control: RunControl, args: argparse.Namespace) -> int:
    from wattest.operations.console.recorder import Recorder

    with Recorder(address, folder, wait=args.wait) as recorder:
        if args.record:
            _say(f"recording {address} into {folder} until Ctrl-C")
            for _ in _while_wanted(control, args.duration_s, recorder):
                recorder.wait(_SLICE_S)
        else:
            _say(f"recording {address} into {folder}; the recording ends when you leave")
            _watch(recorder.announcement, recorder, control, args)
    if recorder.error is not None:
        raise recorder.error
    _say(f"nobody records {address} any more; what it said is kept in {folder}")
    return 0


def _lend(address: str, command: list[str]) -> int:
    """Run a command while no recorder has the port."""
    from wattest.operations.console.lease import port_lease

    if not command:
        raise UsageError("console: --lend needs a command", hint="give it as the last option")
    with port_lease(address, holder=Path(command[0]).name) as lease:
        if lease.recorder_pid is not None:
            _say(f"process {lease.recorder_pid} lends {address} to {command[0]}")
        try:
            done = subprocess.run(command, check=False)  # noqa: S603
            return done.returncode & 0xFF
        except OSError as exc:
            raise UsageError(f"console: {command[0]}: {(exc.strerror or '').lower()}") from exc


def _watch(
    announcement: Announcement,
    recorder: Recorder | None,
    control: RunControl,
    args: argparse.Namespace,
) -> None:
    from wattest.cli.console_show import Columns, can_draw
    from wattest.operations.console.watcher import Watcher

    columns = Columns() if can_draw() and not args.json else None
    with ExitStack() as stack:
        watcher = stack.enter_context(Watcher(announcement))
        keyboard = None
        if columns is not None and sys.stdin.isatty() and not args.watch:
            _say("keys go to the board; Ctrl-] leaves")
            keyboard = stack.enter_context(raw_keyboard())
        elif columns is not None:
            _say("Ctrl-C leaves")
        face = _Face(columns, as_json=args.json)
        face.show(watcher, watcher.backlog())
        if args.reset and (refused := watcher.reset()):
            raise LinkError(refused)
        for _ in _while_wanted(control, args.duration_s, recorder):
            if keyboard is not None and _type(watcher, face, keyboard):
                break
            face.show(watcher, watcher.take(0.0 if keyboard is not None else _SLICE_S))
    if columns is not None:
        print()


class _Face:
    """How things are shown."""

    def __init__(self, columns: Columns | None, *, as_json: bool) -> None:
        self.columns = columns
        self._as_json = as_json
        self._refused = ""

    def show(self, watcher: Watcher, items: list[Item]) -> None:
        from wattest.cli.console_show import show_json, show_plain

        if self.columns is not None:
            self.columns.show(items)
            self.columns.live(watcher.unfinished, watcher.unfinished_since_ms)
        elif items:
            (show_json if self._as_json else show_plain)(items)

    def refused(self, why: str) -> None:
        """Say once that the board does not get what is typed."""
        if why and why != self._refused:
            _say(f"not sent: {why}")
        self._refused = why


def _type(watcher: Watcher, face: _Face, keyboard: int) -> bool:
    """Wait for keys or news and send the keys; true if the person wants to leave."""
    readable, _, _ = select.select([keyboard, watcher.fileno()], [], [], _SLICE_S)
    if keyboard not in readable:
        return False
    keys, leaves = typed(keyboard)
    if keys:
        face.refused(watcher.send(keys))
    return leaves


def _while_wanted(
    control: RunControl, duration_s: int | None, recorder: Recorder | None
) -> Iterator[None]:
    """Go round until somebody has enough, the time is over, or our own recorder has ended."""
    from wattest.system import monotonic_ns

    begun_ns = monotonic_ns()
    while not control.stopped and (recorder is None or not recorder.wait(0.0)):
        if duration_s is not None and monotonic_ns() - begun_ns >= duration_s * NS_PER_S:
            return
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- what is kept ----------------------------------------------------------------------------


def _show_kept(path: Path, query: Query | None, args: argparse.Namespace) -> int:
    from wattest.cli.console_show import show_json, show_plain
    from wattest.operations.console.log_file import read_log
    from wattest.operations.console.search import Query, find

    found = 0
    query, is_search = query or Query(), query is not None
    for item in find(read_log(path, since_ms=query.since_ms), query):
        found += 1
        (show_json if args.json else show_plain)([item])
    if not found and is_search:
        _say(f"nothing found in {path}")
        return EXIT_NOT_FOUND
    return 0


def _query(args: argparse.Namespace) -> Query | None:
    """Return what is looked for; None if the person wants to watch."""
    from wattest.operations.console.search import Query, pattern_of

    wanted = (args.search, args.since, args.until, args.reading)
    if all(value is None for value in wanted):
        return None
    if args.record or args.wait or args.reset:
        raise UsageError("console: --record, --wait and --reset are not for searching")
    return Query(
        pattern=None if args.search is None else pattern_of(args.search),
        since_ms=None if args.since is None else _moment_ms(args.since, "--since"),
        until_ms=None if args.until is None else _moment_ms(args.until, "--until"),
        reading=args.reading,
    )


def _moment_ms(text: str, option: str) -> int:
    """Read a time: ISO 8601, a time of today, or how long ago; UTC."""
    from wattest.system import utc_ms

    now_ms = utc_ms()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        if hours < 24 and minutes < 60 and seconds < 60:
            today_ms = now_ms // 86_400_000 * 86_400_000
            return today_ms + (hours * 3600 + minutes * 60 + seconds) * 1000
    try:
        return now_ms - duration_s(text) * 1000
    except argparse.ArgumentTypeError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"console: {option} {text}: expected a time such as 2026-06-15T12:00:00Z, 12:00, "
            "or 10min for ten minutes ago"
        ) from None
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(zoned.timestamp() * 1000)


# ---- which board -----------------------------------------------------------------------------


def _address_of(board: str, provisioned: Path) -> str:
    """Find a board among those that were provisioned and those that `board up` announces."""
    from wattest.operations.live.ports import address_now, read_ports
    from wattest.operations.standing.home import default_state_path

    known: list[str] = []
    for path in (provisioned, default_state_path()):
        if not path.exists():
            continue
        file = read_ports(path)
        for live in file.ports:
            if board in {live.expected.name, live.expected.serial}:
                return address_now(file, live)
            known.append(live.expected.name)
    raise ConfigError(
        f"no board {board!r} is known; known: {', '.join(known) or 'none'}",
        path="--board",
        hint="give its port with --port",
    )
