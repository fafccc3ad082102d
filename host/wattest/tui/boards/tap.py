"""The console of one port, for the screen: through the recorder that runs, or one of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from wattest.errors import WattestError
from wattest.operations.commission.home import Home
from wattest.operations.console.places import find_recorder, log_folder
from wattest.operations.console.recorder import Recorder
from wattest.operations.console.view import Item
from wattest.operations.console.watcher import Watcher

_KEPT = 500


class Tap:
    """Follows one port; whoever flashes the board borrows the port from its recorder.

    Args:
        address: the port.
        home: where a log is kept if nobody records yet.

    Attributes:
        items: the newest things the console showed.
        ours: we record it, so the recording ends with this.
        trouble: why nothing comes any more, or ``""``.

    Raises:
        WattestError: the port cannot be opened.
    """

    def __init__(self, address: str, home: Home) -> None:
        self.address = address
        self.items: deque[Item] = deque(maxlen=_KEPT)
        self.trouble = ""
        with ExitStack() as stack:
            found = find_recorder(address)
            self.ours = found is None
            if found is None:
                folder = log_folder(home.make(), address)
                announcement = stack.enter_context(Recorder(address, folder)).announcement
            else:
                announcement, talk = found
                talk.close()
            self._watcher = stack.enter_context(Watcher(announcement))
            self.items.extend(self._watcher.backlog())
            self._stack = stack.pop_all()

    def take(self) -> bool:
        """Take what is new without waiting; say whether there was anything."""
        if self.trouble:
            return False
        try:
            new = self._watcher.take(0.0)
        except WattestError as exc:
            self.trouble = str(exc)
            return True
        self.items.extend(new)
        return bool(new)

    def send(self, data: bytes) -> str:
        """Give bytes to the board; return why not, or ``""``."""
        return _why_not(lambda: self._watcher.send(data))

    def reset(self) -> str:
        """Reset the board; return why not, or ``""``."""
        return _why_not(self._watcher.reset)

    def close(self) -> None:
        """Stop following."""
        self._stack.close()


def _why_not(ask: Callable[[], str]) -> str:
    """Return why the board was not given what was asked, or ``""``."""
    try:
        return ask()
    except WattestError as exc:
        return str(exc)
