"""The raw REPL against ports where none answers, or one that does something else."""

from __future__ import annotations

import pytest

from wattest.errors import LinkClosed, LinkTimeout
from wattest.link import Port, repl
from wattest.link.repl import Repl, ReplError, interrupted

READY = b"raw REPL; CTRL-B to exit\r\n>"


class Script:
    """A line that says given things, each after so many bytes were written."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self._out = bytearray()
        self.written = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self._out)

    def read(self, size: int = 1, /) -> bytes:
        data, self._out = bytes(self._out[:size]), self._out[size:]
        return data

    def write(self, data: bytes, /) -> int:
        self.written += data
        if self._answers:
            self._out += self._answers.pop(0)
        return len(data)

    def close(self) -> None:
        """Nothing to let go."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repl, "_ANSWER_S", 0.02)


def test_board_without_micropython_is_quoted_and_told_what_to_do() -> None:
    line = Script(b"rst:0x1 (POWERON_RESET)\r\ninvalid header: 0xffffffff\r\n\x00\xff")
    said = r"P: expected the prompt of MicroPython \(it printed: invalid header: 0xffffffff\)"
    with pytest.raises(LinkTimeout, match=said) as caught, interrupted(Port("P", line)):
        pass
    assert "wattest flash" in caught.value.hint
    assert bytes(line.written).endswith(b"\r\x02\x04"), "the board is let go on"


def test_silent_board_is_given_up() -> None:
    with pytest.raises(LinkTimeout, match="it printed nothing"):
        Repl(Port("P", Script())).enter()


def test_prompt_that_comes_at_the_second_try_is_enough() -> None:
    prompt = Repl(Port("P", Script(b"\x00\x01frames\x04", b"more" + READY)))
    prompt.enter()


def test_micropython_without_raw_paste_is_refused() -> None:
    prompt = Repl(Port("P", Script(READY, b"R\x00")))
    prompt.enter()
    with pytest.raises(ReplError, match="expected raw-paste mode, got b'R") as caught:
        prompt.run("print(1)")
    assert "1.24" in caught.value.hint


def test_code_goes_out_no_faster_than_the_window_lets_it() -> None:
    line = Script(READY, b"R\x01\x04\x00", b"\x01", b"\x01", b"\x04ok\r\n\x04\x04>")
    prompt = Repl(Port("P", line))
    prompt.enter()
    assert prompt.run("0123456789") == "ok\n"
    assert b"0123" + b"4567" + b"89" + b"\x04" in line.written


def test_board_that_stops_reading_the_code_is_told() -> None:
    prompt = Repl(Port("P", Script(READY, b"R\x01\x04\x00", b"\x04")))
    prompt.enter()
    with pytest.raises(ReplError, match="the board stopped reading the code"):
        prompt.run("0123456789")


def test_port_that_vanishes_ends_in_one_line() -> None:
    class Gone(Script):
        def read(self, size: int = 1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(LinkClosed, match="P: the port vanished"), interrupted(Port("P", Gone())):
        pass
