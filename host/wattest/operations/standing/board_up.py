"""Emulated boards that stay up, in real time or a multiple of it, for tools and collectors.

Every board is provisioned with demo keys that derive from the seed, or is blank. On ports any tool
can attach. With the link in memory a collector inside this program takes the records, so that
boards can be soaked for days without one outside.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace

from wattest.operations.control import RunControl
from wattest.operations.standing.desk import Desk
from wattest.operations.standing.options import BoardsOptions, BoardsReady, BoardUp
from wattest.operations.standing.soak import SoakReport

__all__ = ["BoardUp", "BoardsEvent", "BoardsOptions", "BoardsReady", "boards_up"]

BoardsEvent = BoardUp | BoardsReady | SoakReport


def boards_up(options: BoardsOptions, control: RunControl | None = None) -> Generator[BoardsEvent]:
    """Start boards and keep them up until ``control`` says stop; then switch them off.

    Yields:
        A `BoardUp` each, then `BoardsReady`; then `SoakReport` now and then, with the link in
        memory.

    Raises:
        ConfigError: scenario, board, folder or seed do not fit; nothing was started.
        EmulatorError: a board did not come up, or its port cannot be had.
        StoreError: the announcement or the flash cannot be written.
    """
    if options.out is not None:
        options = replace(options, out=options.out.absolute())
    with ExitStack() as stack:
        desk = Desk(options, control or RunControl(), stack)
        yield from desk.up()
        yield from desk.stay()
