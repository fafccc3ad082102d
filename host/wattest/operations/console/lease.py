"""A port taken over from its recorder for a while, and given back.

Who flashes or provisions needs the port itself. If a recorder holds it, it is asked to let go; its
log says from when to when the port was lent, and to whom. The recorder takes the port back when
the holder says so, or when the holder is gone: a lease never outlives its holder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from wattest.errors import LinkError
from wattest.link import Port, open_port
from wattest.operations.console.attached import attach
from wattest.operations.console.places import Announcement, find_recorder
from wattest.operations.console.talk import Talk

ANSWER_S: Final = 10.0


class Lease:
    """A port that is ours until it is given back.

    Args:
        address: of the port.
        announcement: of its recorder; None: nobody records it.
        talk: conversation with the recorder, or None.
        holder: who has it.
    """

    def __init__(
        self,
        address: str,
        announcement: Announcement | None = None,
        talk: Talk | None = None,
        holder: str = "",
    ) -> None:
        self.address = address
        self._announcement = announcement
        self._talk = talk
        self._holder = holder
        self._is_ours = False

    @property
    def recorder_pid(self) -> int | None:
        """Process of the recorder, or None."""
        return self._announcement.pid if self._announcement is not None else None

    def take(self) -> None:
        """Have the port to ourselves, again after it was given back; nothing if we have it.

        Raises:
            LinkError: the recorder has lent the port to somebody else, or does not answer.
        """
        if self._talk is None or self._is_ours or self._is_forsaken():
            return
        answer = self._talk.ask(ANSWER_S, do="lease", holder=self._holder)
        if "refused" in answer:
            raise LinkError(
                f"{self.address}: {answer['refused']}", hint="wait until it is given back"
            )
        self._is_ours = True

    def give_back(self) -> None:
        """Let the recorder have the port again; nothing if it has.

        Close the port before. The recorder tries to open it until it is free.

        Raises:
            LinkError: the recorder does not answer.
        """
        if self._talk is None or not self._is_ours:
            return
        self._is_ours = False
        if not self._is_forsaken():
            self._talk.ask(ANSWER_S, do="back")

    def listen(self, *, reset_board: bool = False) -> Port:
        """Give the port back and go on reading what the board says, through the recorder.

        From here on every byte of the board reaches both the log and the caller. Without a
        recorder the port is opened, with what is buffered in it.

        Args:
            reset_board: by the control lines, once the port is open: nothing after it is missed.

        Raises:
            LinkError: the port cannot be opened or has no control lines, or the recorder does not
                answer.
        """
        if self._announcement is None or self._is_forsaken():
            return open_port(self.address, keep_input=True, reset_board=reset_board)
        with ExitStack() as stack:
            port = attach(self._announcement, self.address, await_port=True)
            stack.callback(port.close)
            self.give_back()
            if reset_board and self._talk is not None:
                answer = self._talk.ask(ANSWER_S, do="reset")
                if "refused" in answer:
                    raise LinkError(answer["refused"])
            stack.pop_all()
        return port

    def _is_forsaken(self) -> bool:
        """Tell whether the recorder has ended while it lent us the port: it is ours to open."""
        found = find_recorder(self.address)
        if found is not None:
            found[1].close()
            return False
        self._announcement = self._talk = None
        self._is_ours = False
        return True


@contextmanager
def port_lease(address: str, *, holder: str = "wattest") -> Iterator[Lease]:
    """Hold a port that a recorder may be reading; without a recorder nothing happens.

    At the end, however it comes, the recorder has the port again.

    Args:
        address: what `wattest.link.open_port` takes.
        holder: who needs it, in a word or two: the log and other programs say so.

    Raises:
        LinkError: the recorder has lent the port to somebody else, or does not answer.
    """
    found = find_recorder(address)
    if found is None:
        yield Lease(address)
        return
    announcement, talk = found
    with talk:
        lease = Lease(address, announcement, talk, f"{holder}, process {os.getpid()}")
        lease.take()
        yield lease
        lease.give_back()
