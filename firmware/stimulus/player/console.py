"""Lines over the console: what to play, and what was played.

P 1500000      play 1500 W (milliwatts, import positive); OK and the energy played until now,
               milliwatt-hours since the start; or ERR and why
?              who it is: ID, role, unique id of the chip, lowest and highest power

When it starts it says so: what it played before is not in its energy any more.
"""

import select
import sys
import time

from machine import unique_id

_LINE_MAX = 40
_NEWLINE = 10
_RETURN = 13


class Console:
    """The bench's end of the board.

    Args:
        role: what plays: tell, milliwh, turn, stop, name, lowest, highest.
    """

    def __init__(self, role) -> None:
        self._role = role
        self._in = sys.stdin.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._line = b""

    def run(self) -> None:
        """Until Ctrl-C."""
        print("wattest-stimulus starts")
        while True:
            wait_ms = self._role.turn(time.ticks_ms())
            if self._readable(wait_ms):
                self._take(self._in.read(1)[0])

    def _readable(self, timeout_ms: int) -> bool:
        for _ in self._poll.ipoll(timeout_ms):
            return True
        return False

    def _take(self, byte: int) -> None:
        if byte == _RETURN:
            return
        if byte != _NEWLINE:
            self._line = (self._line + bytes([byte]))[: _LINE_MAX + 1]
            return
        line, self._line = self._line, b""
        if line:
            print(self._answer(line))

    def _answer(self, line: bytes) -> str:
        role = self._role
        words = line.split()
        if len(line) > _LINE_MAX or not words:
            return "ERR line: P and milliwatts, or ? expected"
        if words == [b"?"]:
            return self._who()
        if len(words) != 2 or words[0] != b"P":
            return "ERR line: P and milliwatts, or ? expected"
        try:
            milliw = int(words[1])
        except ValueError:
            return "ERR power: whole milliwatts expected"
        if not role.lowest <= milliw <= role.highest:
            return "ERR power: %d..%d milliwatts expected" % (role.lowest, role.highest)
        role.tell(milliw)
        return "OK %d" % role.milliwh()

    def _who(self) -> str:
        role = self._role
        return "ID %s %s %d %d" % (
            role.name,
            unique_id().hex(),
            role.lowest,
            role.highest,
        )
