"""What a way into a board needs of the board, and the loop that serves it of the way."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Protocol


class ServedBoard(Protocol):
    """A board, as the other end of a port sees it."""

    def feed(self, data: bytes, t_ns: int | None = None) -> None:
        """Send bytes to its UART, starting at ``t_ns`` (now if None or past)."""

    def on_output(self, subscriber: Callable[[int, bytes], None]) -> Callable[[], None]:
        """Have every byte it sends from now on; returns a function that ends it."""

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Drive the two lines that reset it and choose what it boots."""

    def hang_up(self) -> None:
        """Say that the last user of a port without such lines has closed it."""


class Front(Protocol):
    """One board behind one address.

    Attributes:
        address: what a tool opens.
    """

    address: str

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what to wait on; the data of each key is a function to call when readable."""

    def tick(self) -> None:
        """Do what no descriptor tells of; called often while the board is served."""

    def close(self) -> None:
        """Take the address away; the board goes on."""
