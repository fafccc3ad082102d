"""The help: what the screen shows, what the keys do, what the marks mean."""

from __future__ import annotations

from rich.text import Text

from wattest.tui.sheet import Sheet

_HELP = """\
Nodes sign readings; the host verifies each one, mirrors it in a twin, logs
it in a ledger that only grows, and settles contracts from it. You may attack
a node; the attack must be caught.

KEYS
  space          pause, go on
  + and -        faster, slower: 1, 10, 60, 300, 900, 3600 times real time
  m              as fast as it goes
  up, down, 1-9  select a node; all panels below the table show it
  enter          open its newest reading: verification steps, contents, bytes
  l              the ledger, with an inclusion proof of the selected entry
  s              the statements in full
  e              all events of the log
  q, Ctrl-C      quit; a run with --out is complete and can be verified

ATTACKS on the selected node, and what must come of them; boards on ports
have none, and no speed
  p  cut power    recovered: nothing acknowledged is lost, nothing twice
  u  unplug       recovered: the node sends what it kept
  f  flip a bit   frame-lost: the damaged frame is dropped and sent again
  F  forge        bad-signature: a changed record in a whole frame is refused
  r  replay       replay: an old record is not counted again
  c  clone        fork: two boards sign different records under one number

MARKS, always a sign and a word
  ✓ verified     signed by the node's key, checked, logged
  ~ stale        verified, but older than three intervals, or of unknown age
  ! in doubt     signed, but a finding contradicts it; kept as evidence
  ✗ refused      not signed by a key we know: no value rests on it
  ✗ not counted  signed, but repeats or contradicts an earlier record
  ✗ frame lost   damaged on the wire; the node sends it again
  · no reading   nothing has been verified yet
  TEST           it rests on anything but real nodes and their own sensors

Power in the table is what the newest record states. In the plot it is the
mean between two readings, from the registers, beside what the plant model
expects from weather and settings.
"""


class HelpSheet(Sheet):
    """The help."""

    def on_mount(self) -> None:
        """Show it."""
        self.write("help", Text(_HELP))
