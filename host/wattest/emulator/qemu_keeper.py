"""The small program that holds QEMU, so that it never outlives who started it.

It runs the command of its arguments. When its standard input ends, for whatever reason, it ends
the command. Its exit code is the command's; 128 and the number of the signal where one ended it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_END_S: Final = 5.0
_NOT_STARTED: Final = 127


def keep(command: Sequence[str], held: int) -> int:
    """Run a command until it ends, or until ``held`` does.

    Args:
        command: program and arguments.
        held: file descriptor, open as long as somebody wants the command to run.

    Returns:
        The exit code.
    """
    try:
        # Who started this program says what runs.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        return _NOT_STARTED

    def watch() -> None:
        while os.read(held, 1):  # the descriptor itself: a buffer would lock at the end
            pass
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        process.kill()

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:], sys.stdin.fileno()))
