"""SCPI over a port: lines out, one line back for each question, errors asked for by name.

Values are decimal texts on the line and whole micro units here; nothing becomes a float.
"""

from __future__ import annotations

import time
from typing import Final

from wattest.errors import InstrumentError, LinkTimeout
from wattest.link import Port
from wattest.units import parse_decimal

ANSWER_S: Final = 2.0
_LINE_MAX: Final = 4096
_STALE_MAX: Final = 8
_MICRO: Final = 1_000_000


class Scpi:
    """One instrument's conversation.

    Args:
        port: an open port.
        name: for messages, such as ``load 192.0.2.7:5555``.
    """

    def __init__(self, port: Port, name: str) -> None:
        self.name = name
        self._port = port
        self._received = bytearray()

    def send(self, command: str) -> None:
        """Send a command, or several lines of them.

        Raises:
            LinkError: the instrument is gone.
        """
        self._port.write(command.encode("ascii") + b"\n")

    def ask(self, question: str) -> str:
        """Send a question; return its answer without the line end.

        Raises:
            LinkTimeout: no answer.
            LinkError: the instrument is gone.
            InstrumentError: the answer is no text.
        """
        self._received.clear()  # what an earlier question left behind is not our answer
        self.send(question)
        return self._line(question)

    def knows(self, question: str) -> bool:
        """Tell whether the instrument answers a question, without waiting for silence.

        ``*ESR?`` is sent behind it: the first answer is either to the question, or a status byte
        with the command error bit (IEEE 488.2 section 11.5.1).

        Args:
            question: whose answer is 0, 1, ON or OFF.
        """
        self._received.clear()
        self.send(f"{question}\n*ESR?")
        known = self._line(question).upper() in {"0", "1", "ON", "OFF"}
        if known:
            self._line("*ESR?")
        self.forget_errors()
        return known

    def do_now(self, command: str, identity: str) -> None:
        """Send a command whatever was said before, and pass over what still comes of that.

        Args:
            command: has no answer of its own.
            identity: what the instrument said to ``*IDN?``; asked again behind the command, it
                marks where the answers to earlier questions end.

        Raises:
            InstrumentError: something else than that answers.
            LinkError: the instrument is gone.
        """
        self._received.clear()
        self.send(f"{command}\n*IDN?")
        for _ in range(_STALE_MAX):
            if (said := self._line("*IDN?")) == identity:
                return
        raise InstrumentError(f"{self.name}: expected {identity!r}, got {said!r}")

    def _line(self, question: str) -> str:
        deadline_s = time.monotonic() + ANSWER_S
        while b"\n" not in self._received:
            data = self._port.read(_LINE_MAX, deadline_s)
            if not data or len(self._received) > _LINE_MAX:
                raise LinkTimeout(
                    f"{self.name}: an answer to {question} expected",
                    deadline_s=ANSWER_S,
                    received_bytes=len(self._received),
                )
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        try:
            return line.decode("ascii").strip()
        except UnicodeDecodeError:
            raise InstrumentError(
                f"{self.name}: {question} was answered with {bytes(line)!r}"
            ) from None

    def ask_micro(self, question: str) -> int:
        """Ask for a number; return it in millionths of its unit, nearest.

        Raises:
            InstrumentError: the answer is no number.
        """
        answer = self.ask(question)
        try:
            return round(parse_decimal(answer) * _MICRO)
        except ValueError:
            raise InstrumentError(
                f"{self.name}: {question} expected a number, got {answer!r}"
            ) from None

    def do(self, *commands: str) -> None:
        """Send commands and make sure that the instrument takes them.

        They go in one piece with the question for errors: over TCP a line behind another would
        wait for the first one's delayed acknowledgement.

        Raises:
            InstrumentError: it refuses: names the commands, and the instrument's own text.
            LinkError: it is gone.
        """
        answer = self.ask("\n".join((*commands, ":SYSTem:ERRor?")))
        if not _is_no_error(answer):
            done = ", ".join(commands)
            raise InstrumentError(f"{self.name}: {done}: the instrument says {answer}")

    def forget_errors(self) -> None:
        """Clear status and errors of earlier users."""
        self.send("*CLS")


def _is_no_error(answer: str) -> bool:
    code = answer.split(",", 1)[0].strip().lstrip("+-")
    return code.isdigit() and int(code) == 0


def decimal(micro: int) -> str:
    """Write millionths as a decimal with six places: 1500000 is ``1.500000``."""
    sign = "-" if micro < 0 else ""
    return f"{sign}{abs(micro) // _MICRO}.{abs(micro) % _MICRO:06d}"
