"""What arrives at a board that is starting, and boards of every kind on a port."""

from __future__ import annotations

import pytest
from board_harness import Bench

pytestmark = pytest.mark.emulated

LOOP = "print('main')\nwhile True: pass"


def started(main: str, typed: bytes) -> Bench:
    """Switch a board on, type at once, and let a second pass."""
    bench = Bench()
    bench.board.install({"main.py": main.encode()})
    bench.board.power_on()
    bench.run(0.05)
    bench.type(typed)
    return bench


def test_what_a_tool_types_while_the_chip_starts_reaches_the_prompt() -> None:
    bench = started("print('main')", b"print(6*7)\r")
    assert "\r\n42\r\n>>> " in bench.output.decode()
    bench.close()


def test_interrupt_typed_while_the_chip_starts_stops_its_program() -> None:
    bench = started(LOOP, b"\r\x03\r\x01")
    shown = bench.output.decode()
    assert "KeyboardInterrupt" in shown
    assert shown.endswith("raw REPL; CTRL-B to exit\r\n>")
    bench.close()


def test_only_the_first_128_bytes_wait_for_the_program() -> None:
    bench = started("", b"#" * 126 + b"\r" + b"print('lost')\r")
    shown = bench.output.decode()
    assert "#" * 126 in shown
    assert "lost" not in shown
    bench.close()


def test_board_that_is_off_keeps_nothing() -> None:
    bench = Bench()
    bench.board.feed(b"print('lost')\r")
    bench.run(1)
    bench.start("print('main')")
    assert "lost" not in bench.output.decode()
    bench.close()


def test_reset_while_bytes_wait_does_not_lose_them() -> None:
    bench = Bench()
    bench.board.install({"main.py": b"print('main')"})
    bench.board.power_on()
    bench.run(0.1)
    bench.board.feed(b"print('kept')\r")
    bench.run(0.1)
    bench.board.press_enable()
    bench.run(1)
    assert "\r\nkept\r\n" in bench.output.decode()
    bench.close()
