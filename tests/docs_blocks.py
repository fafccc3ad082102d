"""Reads README.md and docs/: their console blocks, and what each needs to run.

A block of commands looks like this; only lines that begin with ``$ `` are commands:

    <!-- needs: run -->
    ```console
    $ wattest verify OUT
    ```

The comment right above is for this module alone: ``needs: load`` puts ``load.csv`` into the
folder, ``needs: run`` also a finished run in ``OUT``; ``exit: 1`` expects that code instead of
0; ``not run: reason`` leaves the block alone and must say why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\s*$")
_COMMENT = re.compile(r"^<!-- (needs|exit|not run): (.+) -->$")
_PLAYS = re.compile(r"^wattest (demo|run|replay)\b(?!.*--help)")
_SHORT = "2min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One console block.

    Args:
        place: file and line of its first line.
        commands: without their prompts; lines joined where one ends in a backslash.
        needs: ``""``, ``load`` or ``run``.
        exit_code: what the last command ends with.
        not_run: why it is not run, or ``""``.
    """

    place: str
    commands: tuple[str, ...]
    needs: str = ""
    exit_code: int = 0
    not_run: str = ""


def blocks(path: Path, name: str) -> Iterator[Block]:
    """Yield the console blocks of one file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    notes: dict[str, str] = {}
    inside: str | None = None
    body: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if inside is not None:
            if not fence:
                body.append(line)
                continue
            if inside == "console":
                yield _block(f"{name}:{first}", body, notes)
            inside, body, notes = None, [], {}
        elif fence:
            inside, first = fence.group(1), number
        elif comment := _COMMENT.match(line):
            notes[comment.group(1)] = comment.group(2)
        elif line.strip():
            notes = {}


def shortened(command: str) -> str:
    """Return a command that plays a scenario with little virtual time, any other unchanged."""
    if not _PLAYS.match(command):
        return command
    short, count = re.subn(r"--for \S+", f"--for {_SHORT}", command)
    return short if count else f"{command} --for {_SHORT}"


def _block(place: str, body: list[str], notes: dict[str, str]) -> Block:
    commands: list[str] = []
    going_on = False
    for line in body:
        if going_on:
            commands[-1] += line.strip().removesuffix("\\")
        elif line.startswith("$ "):
            commands.append(line[2:].removesuffix("\\"))
        else:
            continue
        going_on = line.endswith("\\")
    return Block(
        place=place,
        commands=tuple(commands),
        needs=notes.get("needs", ""),
        exit_code=int(notes.get("exit", "0")),
        not_run=notes.get("not run", ""),
    )
