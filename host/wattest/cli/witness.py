"""``wattest witness``: watch over somebody else's ledger, so that it cannot have two histories."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.options import Commands, add_json
from wattest.cli.output import print_json, print_table
from wattest.errors import ConfigError, NoteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wattest.ledger import CheckpointVerifier
    from wattest.witness import Handled, Keeper, WitnessServer

LISTEN_DEFAULT = "127.0.0.1:7380"

_DESCRIPTION = """\
Serve as a witness: cosign the checkpoints of ledgers you are shown, but only if each one extends
the one before. Keep it running on a machine of your own, and give its key to the other party.
"""

_EXAMPLES = """\
examples:
  wattest witness --log VKEY            cosign checkpoints of the ledger with this key
  wattest witness --listen 0.0.0.0:7380 reachable from other machines
  wattest witness key                   print this witness's key, for terms and --witness
  wattest witness show                  print what it has cosigned
"""


def add_command(commands: Commands) -> None:
    """Add ``witness`` to the command line."""
    parser = commands.add_parser(
        "witness",
        help="cosign the other party's checkpoints: serve, key, show",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "verb",
        nargs="?",
        choices=("serve", "key", "show"),
        default="serve",
        metavar="serve|key|show",
        help="serve (default), print the key, or print what was cosigned",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="what the witness remembers; its key is kept beside it "
        "(default: witness/witness.json in your bench)",
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=LISTEN_DEFAULT,
        help=f"where to serve (default: {LISTEN_DEFAULT}, this machine only)",
    )
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="VKEY",
        help="also cosign the ledger with this key from now on; may be repeated",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="of a new witness (default: this machine's name)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do the verb."""
    state = args.state if args.state is not None else _default_state()
    if args.verb == "serve":
        return _serve(args, state)
    if args.log or args.name is not None or args.listen != LISTEN_DEFAULT:
        raise UsageError(f"witness {args.verb}: --log, --name and --listen go with serve")
    if args.verb == "key":
        _show_key(state, as_json=args.json)
    else:
        _show(state, as_json=args.json)
    return 0


def _default_state() -> Path:
    from wattest.operations.commission.home import Home

    return Home.find().path / "witness" / "witness.json"


def _serve(args: argparse.Namespace, state: Path) -> int:
    from wattest.witness import Keeper, WitnessServer

    host, port = _address(args.listen)
    keys = [_log_key(text) for text in args.log]
    voice = _Voice(as_json=args.json)
    with (
        Keeper(state, name=args.name, default_name=_machine_name()) as keeper,
        WitnessServer(keeper, host, port, tell=voice.tell) as server,
        _shut_down_on_signals(server),
    ):
        keeper.trust(keys)
        voice.begin(keeper, server)
        server.serve_forever()
    return 0


def _show_key(state: Path, *, as_json: bool) -> None:
    from wattest.witness import read_witness

    key, _ = read_witness(state)
    if as_json:
        print_json({"name": key.name, "key": key.to_text()})
    else:
        print(key.to_text())


def _show(state: Path, *, as_json: bool) -> None:
    from wattest.witness import read_witness

    key, remembered = read_witness(state)
    logs = [
        {
            "origin": origin,
            "keys": [each.to_text() for each in log.keys],
            "size": log.size,
            "root": log.root.hex(),
            "note": log.note.decode(),
        }
        for origin, log in sorted(remembered.logs.items())
    ]
    if as_json:
        print_json({"name": key.name, "key": key.to_text(), "logs": logs})
        return
    print(f"key  {key.to_text()}")
    rows = [(str(log["origin"]), str(log["size"]), str(log["root"])) for log in logs]
    if rows:
        print_table(("ledger", "size", "root"), rows, left=1)
    else:
        print("no ledger yet: add one with --log VKEY")


def _address(text: str) -> tuple[str, int]:
    host, divider, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not divider or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"expected HOST:PORT, got {text!r}", path="--listen")
    return host, int(port)


def _log_key(text: str) -> CheckpointVerifier:
    from wattest.ledger import CheckpointVerifier

    try:
        return CheckpointVerifier.from_text(text)
    except NoteError as error:
        hint = "`wattest ledger show DIR` prints it where the ledger is kept"
        raise ConfigError(str(error), path="--log", hint=hint) from error


def _machine_name() -> str:
    plain = "".join(c if c.isalnum() or c in ".-" else "-" for c in socket.gethostname())
    return f"{plain or 'witness'}/wattest-witness"


class _Voice:
    """Says on standard output who serves and what was asked; several threads may speak."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._turn = threading.Lock()

    def begin(self, keeper: Keeper, server: WitnessServer) -> None:
        """Say who serves, where, and which ledgers."""
        origins = sorted(keeper.state.logs)
        if self._as_json:
            self._say(
                {"event": "serving", "url": server.url, "key": keeper.key.to_text()}
                | {"state": str(keeper.path), "made": keeper.made, "logs": origins}
            )
            return
        made = " (new: give this key to the other party)" if keeper.made else ""
        logs = ", ".join(origins) or "none yet: add one with --log VKEY"
        for line in (f"key     {keeper.key.to_text()}{made}", f"ledgers {logs}"):
            self._say(line)
        self._say(f"serving {server.url}; Ctrl-C ends it")

    def tell(self, handled: Handled) -> None:
        """Say what became of a request."""
        evidence = str(handled.evidence) if handled.evidence else None
        if self._as_json:
            document = {"event": "request", "status": handled.status, "origin": handled.origin}
            rest = {"size": handled.size, "message": handled.message, "fork": handled.proved}
            rest["evidence"] = evidence
            self._say(document | rest)
            return
        what = "cosigned" if handled.status == 200 else f"refused ({handled.status})"
        size = "" if handled.size is None else f" size {handled.size}"
        why = f": {handled.message}" if handled.message else ""
        kept = f"; both notes are kept in {evidence}" if evidence else ""
        kept = f"; FORK{kept}" if handled.proved else kept
        self._say(f"{what} {handled.origin or 'a request'}{size}{why}{kept}")

    def _say(self, what: str | dict[str, Any]) -> None:
        """Say a line; a reader who left does not keep the witness from its duty."""
        line = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
        with self._turn, suppress(OSError, ValueError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


@contextmanager
def _shut_down_on_signals(server: WitnessServer) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the serving; what was answered is on disk already."""

    def stop(_number: int, _frame: object) -> None:
        # From another thread: `shutdown` waits for the loop that runs in this one.
        threading.Thread(target=server.shutdown, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
