"""The boards screen's sheets: a whole passport, and the help."""

from __future__ import annotations

from rich.text import Text

from wattest.operations.commission.passport import BoardStory
from wattest.tui.boards.paint import story_text
from wattest.tui.sheet import Sheet

_HELP = """\
One line a port. A board that is plugged in, pulled out, or brought up by
`wattest board up` appears by itself within a few seconds.

KEYS
  up, down    select a port; passport and console follow
  f           flash: MicroPython and the node's firmware. Another kind of
              board is refused before anything is written. The key of a
              board that has one, and its journal, stay.
  F           the same although the board holds just this already
  p           provision: the node is challenged with a nonce, you compare
              the fingerprint and say yes, and it is enrolled in the ledger
  y, n        the answer to that question
  esc         stop what is being done; it says in what state it leaves
              the board
  c           console on or off. From then on every byte is kept on disk;
              flashing borrows the port from the recorder and gives it back
  i           interrupt the program (Ctrl-C to the board)
  d           soft reset (Ctrl-D to the board)
  R           reset by the control lines, with the recorder listening
  n           note a life event: repair, calibration, retirement, ...
  enter       the whole passport
  r           scan now
  q           quit; recordings of this screen end with it
"""


class BoardsHelp(Sheet):
    """The help."""

    def on_mount(self) -> None:
        """Show it."""
        self.write("help", Text(_HELP))


class PassportSheet(Sheet):
    """One board's whole story.

    Args:
        story: what to show.
        now_ms: UTC ms, for what is overdue.
    """

    def __init__(self, story: BoardStory, now_ms: int) -> None:
        super().__init__()
        self._story = story
        self._now_ms = now_ms

    def on_mount(self) -> None:
        """Show it."""
        title = f"passport of {self._story.facts.chip_id}"
        self.write(title, story_text(self._story, self._now_ms))
