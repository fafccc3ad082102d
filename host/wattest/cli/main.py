"""Entry point: finds the command and runs it; what goes wrong becomes one line and a code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from wattest import __version__
from wattest.cli import (
    accounts,
    board,
    boards,
    build,
    bundle,
    console,
    contract,
    decode,
    demo,
    dispute,
    flash,
    ledger,
    ocmf,
    page,
    party,
    provision,
    replay,
    run,
    session,
    settle,
    statement,
    stimulus,
    tui,
    verify,
    witness,
)
from wattest.cli.options import Parser
from wattest.errors import StoreError, WattestError, one_line

EXIT_BUG = 4
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}

_DESCRIPTION = """\
Test bench for energy-meter nodes that are paid by what they measure: real or emulated
boards sign readings; wattest verifies, mirrors, logs and settles them.
"""

_EPILOG = """\
start here:
  wattest demo                          the wind-farm story, live in this terminal
  wattest demo --headless --for 1h      the same without a terminal, with a summary
  wattest replay load.csv --column P --unit kW --out OUT
                                        meter your own load, keep the evidence in OUT
  wattest verify OUT                    audit that evidence from the first byte on
  wattest statement OUT                 what was settled, and from which readings

exit codes: 0 as expected; 1 evidence or a verdict does not hold; 2 wrong call or file;
3 a board, port, disk or ledger file cannot be used; 4 a bug in wattest; 130 interrupted
"""

_COMMANDS = (
    demo,
    run,
    replay,
    verify,
    decode,
    ledger,
    statement,
    session,
    ocmf,
    contract,
    party,
    accounts,
    settle,
    dispute,
    bundle,
    page,
    build,
    flash,
    provision,
    board,
    boards,
    console,
    tui,
    stimulus,
    witness,
)


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="wattest", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"wattest {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for command in _COMMANDS:
        command.add_command(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments after the program's name; the process's own when ``None``.

    Returns:
        The exit code, as the table in docs/commands.md has it.
    """
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
    except WattestError as error:
        _complain(error.diagnostics())
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        _complain(str(interrupt) or "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_PIPE
    except OSError as error:
        if error.errno not in _FULL:
            return _report_bug()
        _silence_stdout()
        _complain(f"cannot write: {os.strerror(error.errno).lower()}")
        return StoreError.exit_code
    except Exception:  # noqa: BLE001 - the last handler: whatever comes here is a bug
        return _report_bug()
    return code


def _report_bug() -> int:
    traceback.print_exc()
    _complain("this is a bug in wattest: please report it with the lines above")
    return EXIT_BUG


def _dispatch(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit:  # --help and --version have said their piece; all else raises UsageError
        return 0
    if not hasattr(args, "run"):
        parser.print_help()
        return 0
    result = args.run(args)
    assert isinstance(result, int)
    return result


def _complain(message: str) -> None:
    print(f"wattest: {one_line(message)}", file=sys.stderr)


def _silence_stdout() -> None:
    """Keep the interpreter from complaining about the broken pipe a second time at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
