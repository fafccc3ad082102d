"""``wattest provision``: a flashed board challenged, shown, and enrolled; or a node retired."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.live import stopping_on_terminate
from wattest.cli.options import Commands, add_home, add_json
from wattest.cli.output import ProgressLine, good, marked, print_json
from wattest.errors import UsageError

if TYPE_CHECKING:
    from wattest.operations.commission.provision_events import (
        Candidate,
        Declined,
        Enrolled,
        ProvisionEvent,
        ProvisionOptions,
    )

EXIT_DECLINED = 1
_CFG_BYTES = 16
_INTERRUPTED = "interrupted: the board meters on; the same command goes on from there"

_DESCRIPTION = """\
Make a flashed board a node of your bench. It is given a key for commands, restarted and
challenged with a nonce; what it answers is checked: signature, key, serial, chip, and the digest
of its files. You are shown its fingerprint and asked; then it is enrolled in the ledger, and
collectors find it in boards.json. Run it again after every update of its firmware: the node keeps
its key.
"""

_EXAMPLES = """\
examples:
  wattest provision --port /dev/ttyUSB0 --name heat-pump
  wattest provision --port /dev/ttyUSB0 --yes --calibration certificate.pdf --due 2027-06-30
  wattest provision --port /dev/ttyUSB0 --new-key      collect, then begin a new key
  wattest provision --retire --name heat-pump          its last entry
  wattest tui --live --ports ~/.local/share/wattest    collect from what was provisioned
"""


def add_command(commands: Commands) -> None:
    """Add ``provision`` to the command line."""
    parser = commands.add_parser(
        "provision",
        help="enrol a flashed board: challenge it, show its fingerprint, ask; or retire a node",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--port", metavar="P", help="serial port, rfc2217://, socket:// or usb: of the board"
    )
    parser.add_argument(
        "--board", metavar="B", help="refuse a board that was flashed for another board file"
    )
    parser.add_argument("--name", metavar="N", help="of the node (default: the one it had)")
    parser.add_argument("--asset", metavar="A", help="what it meters (default: its name)")
    parser.add_argument("--yes", action="store_true", help="enrol without asking")
    parser.add_argument(
        "--new-key",
        action="store_true",
        help="collect what the node holds, then have it make a new signing key",
    )
    parser.add_argument(
        "--retire",
        action="store_true",
        help="close the keys of the node that --name says, for good; needs no board",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why it is retired")
    parser.add_argument(
        "--cfg", metavar="HEX", help="digest of the files it must run (default: of this build)"
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="manifest of the image it must run"
    )
    parser.add_argument(
        "--calibration", metavar="FILE|TEXT", help="certificate: a file, whose digest is logged"
    )
    parser.add_argument(
        "--due", type=_date, metavar="DATE", help="last day the calibration holds: 2027-06-30"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="live folder to enrol in (default: the home's)"
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Provision a board, or retire a node.

    Returns:
        0: it is enrolled, or retired; 1: the person said no.

    Raises:
        KeyboardInterrupt: somebody stopped it; nothing was enrolled, and the board meters on.
        WattestError: see `wattest.operations.commission.provision.provision_board`.
    """
    if args.retire:
        return _retire(args)
    from wattest.operations.commission.boot_record import Stopped
    from wattest.operations.commission.provision import provision_board
    from wattest.operations.control import RunControl

    options = _options(args)
    control = RunControl()
    asked = _Asked(yes=args.yes)
    with stopping_on_terminate(control):
        events = provision_board(options, asked.approve, control)
        try:
            with closing(events):
                ended = _follow(events)
        except Stopped:
            raise KeyboardInterrupt("stopped: nothing was enrolled; the board meters on") from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_INTERRUPTED) from None
    return _tell(ended, args)


def _options(args: argparse.Namespace) -> ProvisionOptions:
    from wattest.operations.commission.home import Home
    from wattest.operations.commission.provision_events import ProvisionOptions
    from wattest.operations.commission.roster import check_node_name

    if args.port is None:
        raise UsageError("provision: --port is missing", hint="see `wattest boards scan`")
    if args.reason:
        raise UsageError("provision: --reason belongs to --retire")
    if args.cfg is not None and args.manifest is not None:
        raise UsageError("provision: --cfg and --manifest exclude each other")
    for option, text in (("--name", args.name), ("--asset", args.asset)):
        if text is not None:
            check_node_name(option, text)
    return ProvisionOptions(
        port=args.port,
        home=Home.find(args.home),
        board=args.board,
        name=args.name,
        asset=args.asset,
        out=args.out,
        new_key=args.new_key,
        cfg=_cfg(args.cfg),
        manifest=args.manifest,
        calibration=args.calibration,
        due=args.due,
    )


def _cfg(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != _CFG_BYTES:
        raise UsageError(f"provision: --cfg: expected {_CFG_BYTES} bytes in hex, got {text!r}")
    return value


def _typed() -> str:
    """Return the line a person types; none where there is no standard input at all."""
    return sys.stdin.readline() if sys.stdin is not None else ""


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"expected a day such as 2027-06-30, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


class _Asked:
    """Shows a candidate on standard error and asks whoever sits at standard input.

    Args:
        yes: the answer is given already.
    """

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def approve(self, candidate: Candidate) -> bool:
        """Show and ask; the end of the input is a no."""
        from wattest.operations.commission.words import candidate_rows, question

        if not candidate.throw_away:
            for word, what in candidate_rows(candidate):
                print(f"{word:<12} {what}", file=sys.stderr)
        if self._yes:
            return True
        print(f"{question(candidate)} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = _typed()
        if not answer.endswith("\n"):
            print(file=sys.stderr)
        return answer.strip().lower() in {"y", "yes"}


def _follow(events: Iterator[ProvisionEvent]) -> Enrolled | Declined:
    """Say on stderr what happens."""
    from wattest.operations.commission.provision_events import Declined, Enrolled
    from wattest.operations.commission.words import said

    progress = ProgressLine()
    for event in events:
        if isinstance(event, Declined | Enrolled):
            return event
        if text := said(event):
            progress.say(text)
    raise AssertionError("provisioning ends with Enrolled or Declined")


def _tell(ended: Enrolled | Declined, args: argparse.Namespace) -> int:
    from wattest.operations.commission.provision_events import Declined

    candidate = ended.candidate
    if isinstance(ended, Declined):
        if args.json:
            print_json({"enrolled": False, **_as_json(candidate)})
        else:
            print(marked("not enrolled; the board meters on"))
        return EXIT_DECLINED
    if args.json:
        print_json(
            {
                "enrolled": True,
                **_as_json(candidate),
                "index": ended.index,
                "out": str(ended.out),
                "ports": str(ended.ports),
            }
        )
        return 0
    how = "as before in" if ended.index is None else f"entry {ended.index} of"
    print(f"enrolled     {candidate.serial}, key {candidate.kid.hex()}, {how} {ended.out}")
    print(f"collect      wattest tui --live --ports {ended.ports} --out {ended.out}")
    print(good(f"PASS: {candidate.name} proved who it is"))
    return 0


def _as_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "asset": candidate.asset,
        "serial": candidate.serial,
        "board": candidate.board,
        "chip": candidate.chip,
        "chip_id": candidate.chip_id,
        "kind": candidate.kind.name.lower(),
        "kid": candidate.kid.hex(),
        "fingerprint": candidate.fingerprint.replace(" ", ""),
        "cfg": candidate.cfg,
        "software": candidate.software,
        "backlog": candidate.backlog,
        "replaces": candidate.replaces,
    }


def _retire(args: argparse.Namespace) -> int:
    from wattest.operations.commission.home import Home
    from wattest.operations.commission.retire import retire_node

    if args.name is None:
        raise UsageError("provision: --retire needs --name", hint="its name, or its serial")
    for option in ("port", "board", "asset", "cfg", "manifest", "calibration", "due"):
        if getattr(args, option) is not None:
            raise UsageError(f"provision: --{option} has no meaning with --retire")
    if args.new_key:
        raise UsageError("provision: --new-key and --retire exclude each other")
    home = Home.find(args.home)
    if not args.yes:
        print(
            f"Retire {args.name}? What it holds and nobody has collected is lost. [y/N] ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if _typed().strip().lower() not in {"y", "yes"}:
            print(marked("not retired"))
            return EXIT_DECLINED
    retired = retire_node(home, args.name, out=args.out, reason=args.reason)
    if args.json:
        print_json({"serial": retired.serial, "kids": list(retired.kids), "out": str(retired.out)})
        return 0
    if retired.kids:
        print(good(f"{retired.serial} is retired: {', '.join(retired.kids)} in {retired.out}"))
    else:
        print(f"{retired.serial} was retired before")
    return 0
