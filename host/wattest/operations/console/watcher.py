"""One who watches a port through its recorder, in this or another process; as many as wanted."""

from __future__ import annotations

import base64
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wattest.errors import LinkClosed
from wattest.operations.console.log_file import LogReader, newest_segment
from wattest.operations.console.places import Announcement, connect
from wattest.operations.console.talk import Talk
from wattest.operations.console.text_line import TextLine
from wattest.operations.console.view import Item, View
from wattest.system import monotonic_ns

ANSWER_S: Final = 5.0
BACKLOG_LINES: Final = 20


class Watcher:
    """Follows a recorder; a context manager.

    Args:
        announcement: of the recorder.

    Raises:
        LinkClosed: the recorder is gone.
    """

    def __init__(self, announcement: Announcement) -> None:
        self.announcement = announcement
        self._talk = self._connected()
        self._speech = self._connected()
        self._talk.send(do="watch")
        folder = Path(announcement.log)
        self._log = LogReader(folder, newest_segment(folder))
        self._view = View()
        self._is_gone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._talk.close()
        self._speech.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable when `take` has something to return."""
        return self._talk.fileno()

    @property
    def unfinished(self) -> TextLine:
        """The line that has not ended yet."""
        return self._view.unfinished

    @property
    def unfinished_since_ms(self) -> int | None:
        """When it began, UTC ms; None if it is empty."""
        return self._view.unfinished_since_ms

    def backlog(self, lines: int = BACKLOG_LINES) -> list[Item]:
        """Return the newest items of the recorder's present segment, once, before `take`."""
        kept: deque[Item] = deque(maxlen=lines)
        while new := self._new():
            kept += new
        return list(kept)

    def take(self, timeout_s: float) -> list[Item]:
        """Return what is new; wait for it if there is nothing.

        Raises:
            LinkClosed: the recorder is gone, and everything it kept has been returned.
        """
        if self._is_gone:
            raise LinkClosed(
                f"{self.announcement.address}: its recorder, process "
                f"{self.announcement.pid}, has ended"
            )
        try:
            self._talk.receive(timeout_s)
            while self._talk.receive(0.0) is not None:
                pass
        except LinkClosed:
            self._is_gone = True
        return self._new() + list(self._view.silence(monotonic_ns()))

    def send(self, data: bytes) -> str:
        """Give bytes to the board; return why not, or ``""``.

        Raises:
            LinkError: the recorder is gone, or does not answer.
        """
        text = base64.b64encode(data).decode("ascii")
        answer = self._speech.ask(ANSWER_S, do="send", data=text)
        return str(answer.get("refused", ""))

    def reset(self) -> str:
        """Reset the board by the control lines; return why not, or ``""``.

        Raises:
            LinkError: the recorder is gone, or does not answer.
        """
        return str(self._speech.ask(ANSWER_S, do="reset").get("refused", ""))

    def _connected(self) -> Talk:
        talk = connect(self.announcement)
        if talk is None:
            raise LinkClosed(
                f"{self.announcement.address}: its recorder, process "
                f"{self.announcement.pid}, is gone"
            )
        return talk

    def _new(self) -> list[Item]:
        return [item for chunk in self._log.read() for item in self._view.take(chunk)]
