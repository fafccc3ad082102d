"""What errors show is one line, whatever a board put into it."""

from __future__ import annotations

import pytest

from wattest.errors import LinkError, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("port: 5 Ω, ½ W", "port: 5 Ω, ½ W"),
        ("two\r\nlines\tand  blanks ", "two lines and blanks"),
        ("\x1b[2J\x07gone", r"\x1b[2J\x07gone"),
        ("\u202eright to left", r"\u202eright to left"),
        ("\u2028", ""),
    ],
)
def test_what_would_move_a_cursor_is_spelt_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_error_quotes_a_board_without_obeying_it() -> None:
    error = LinkError("it printed: \x1b[1A\r\nfingerprint", hint="look at it")
    assert error.diagnostics() == r"it printed: \x1b[1A fingerprint; look at it"
