"""Nodes whose port is open and who say nothing: asked first, then told about, once each time."""

from __future__ import annotations

from wattest.session import Session, State

SILENT = (
    "does not answer; if its program is stopped at a prompt, Ctrl-D in `wattest console` starts it"
)
_ASK_INTERVALS = 3
_ASK_MS_MIN = 30_000
_SILENT_MS = 15_000


class Silence:
    """Who was heard when."""

    def __init__(self) -> None:
        self._heard_ms: dict[str, int] = {}
        self._silent: set[str] = set()

    def heard(self, name: str, now_ms: int) -> None:
        """A node has said something."""
        self._heard_ms[name] = now_ms

    def connected(self, name: str) -> None:
        """A node has answered hello."""
        self._silent.discard(name)

    def act(self, name: str, session: Session, interval_ms: int, now_ms: int) -> bool:
        """Greet a node that has not been heard for some intervals; say whether it is silent now.

        Args:
            name: of the node; its port is open.
            session: the conversation with it.
            interval_ms: how often it sends a record.
            now_ms: the nodes' time.

        Returns:
            True once, when its first unanswered hello is 15 s old.
        """
        quiet_ms = now_ms - self._heard_ms.setdefault(name, now_ms)
        patience_ms = max(_ASK_INTERVALS * interval_ms, _ASK_MS_MIN)
        if session.state is State.OPEN and quiet_ms > patience_ms:
            self._heard_ms[name] = now_ms
            session.hello()
        since_ms = session.greeting_since_ms
        if since_ms is None or now_ms - since_ms < _SILENT_MS or name in self._silent:
            return False
        self._silent.add(name)
        return True
