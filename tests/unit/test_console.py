"""The REPL protocol as a machine: bytes in, bytes and jobs out."""

from __future__ import annotations

import pytest

from wattest.emulator.console import Console, Job
from wattest.emulator.console_line import LineEditor, wants_more

BANNER = b"MicroPython; board\r\nhelp\r\n"


class Terminal:
    """A console whose jobs are run by the test."""

    def __init__(self) -> None:
        self.shown = bytearray()
        self.console = Console(self.shown.extend, banner=BANNER)
        self.received = bytearray()

    def boot(self, *files: str, cold: bool = True) -> list[Job]:
        self.console.boot(files, cold=cold)
        jobs = []
        while (job := self.console.next_job(self.received)) is not None:
            jobs.append(job)
            self.console.job_done()
        return jobs

    def type(self, data: bytes) -> Job | None:
        self.received += data
        return self.console.next_job(self.received)

    def take(self) -> bytes:
        shown = bytes(self.shown)
        self.shown.clear()
        return shown


@pytest.fixture
def terminal() -> Terminal:
    terminal = Terminal()
    terminal.boot()
    terminal.take()
    return terminal


@pytest.fixture
def raw(terminal: Terminal) -> Terminal:
    terminal.type(b"\x01")
    terminal.take()
    return terminal


def test_boot_runs_the_files_in_order_then_shows_the_banner() -> None:
    terminal = Terminal()
    jobs = terminal.boot("/boot.py", "/main.py")
    assert [job.text for job in jobs] == [b"/boot.py", b"/main.py"]
    assert terminal.take() == BANNER + b">>> "


def test_a_line_is_echoed_and_becomes_a_job(terminal: Terminal) -> None:
    job = terminal.type(b"1+2\r")
    assert job == Job(kind="line", text=b"1+2")
    assert terminal.take() == b"1+2\r\n"
    assert terminal.console.running
    assert terminal.console.interrupt_char == 3
    terminal.console.job_done()
    assert terminal.take() == b">>> "
    assert terminal.console.interrupt_char == -1


def test_input_behind_a_job_waits_for_it(terminal: Terminal) -> None:
    assert terminal.type(b"a\rb\r") == Job(kind="line", text=b"a")
    assert terminal.received == b"b\r"
    terminal.console.job_done()
    assert terminal.type(b"") == Job(kind="line", text=b"b")


def test_empty_line_only_prompts(terminal: Terminal) -> None:
    assert terminal.type(b"\r\n \r") is None
    assert terminal.take() == b"\r\n>>>  \r\n>>> "


def test_compound_statement_goes_on_until_an_empty_line(terminal: Terminal) -> None:
    assert terminal.type(b"for i in x:\r  print(i)\r") is None
    assert terminal.take() == b"for i in x:\r\n...   print(i)\r\n... "
    assert terminal.type(b"\r") == Job(kind="line", text=b"for i in x:\n  print(i)\n")


def test_interrupt_forgets_the_input(terminal: Terminal) -> None:
    assert terminal.type(b"def f():\rabc\x03") is None
    assert terminal.take().endswith(b"\r\n>>> ")
    assert terminal.type(b"1\r") == Job(kind="line", text=b"1")


def test_paste_mode_takes_indented_text_as_it_is(terminal: Terminal) -> None:
    assert terminal.type(b"\x05if 1:\r  2\r\x04") == Job(kind="stream", text=b"if 1:\n  2\n")
    shown = terminal.take()
    assert shown.startswith(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    terminal.console.job_done()
    assert terminal.type(b"\x05x\x03") is None
    assert terminal.take().endswith(b"\r\n>>> ")


def test_end_of_transmission_wants_a_soft_reset(terminal: Terminal) -> None:
    assert terminal.type(b"\x04") is None
    assert terminal.console.soft_reset_wanted
    assert terminal.take() == b"\r\n"


def test_raw_repl_runs_a_block_and_frames_its_output(raw: Terminal) -> None:
    assert raw.type(b"print(1)\x04") == Job(kind="stream", text=b"print(1)")
    raw.console.output(b"1\n")
    raw.console.job_done()
    assert raw.take() == b"OK1\r\n\x04\x04>"


def test_raw_repl_frames_an_error(raw: Terminal) -> None:
    raw.type(b"1/0\x04")
    raw.console.error_begins()
    raw.console.output(b'Traceback:\n  File "x", line 3, in _supervisor\n')
    raw.console.output(b'  File "/<stdin>", line 1\nZeroDivisionError: \n')
    raw.console.error_ends()
    raw.console.job_done()
    expected = b'Traceback:\r\n  File "<stdin>", line 1\r\nZeroDivisionError: \r\n'
    assert raw.take() == b"OK\x04" + expected + b"\x04>"


def test_raw_paste_gives_a_window_and_takes_the_source(raw: Terminal) -> None:
    assert raw.type(b"\x05A\x01") is None
    assert raw.take() == b"R\x01\x80\x00\x01"
    source = b"x" * 130
    assert raw.type(source) is None
    assert raw.take() == b"\x01"
    assert raw.type(b"\x04") == Job(kind="stream", text=source)
    assert raw.take() == b"\x04"


def test_raw_paste_can_be_abandoned(raw: Terminal) -> None:
    assert raw.type(b"\x05A\x01abc\x03") is None
    assert raw.take().endswith(b"\x04\x04\x04>")


def test_unknown_raw_command_is_refused(raw: Terminal) -> None:
    assert raw.type(b"\x05Z\x01") is None
    assert raw.take() == b"R\x00>"


def test_leaving_the_raw_repl_shows_the_banner(raw: Terminal) -> None:
    raw.type(b"\x02")
    assert raw.take() == b"\r\n" + BANNER + b">>> "


def test_soft_reset_in_the_raw_repl_stays_raw(raw: Terminal) -> None:
    raw.type(b"\x04")
    assert raw.console.soft_reset_wanted
    raw.take()
    raw.boot("/boot.py", cold=False)
    assert raw.take() == b"raw REPL; CTRL-B to exit\r\n>"
    raw.boot(cold=True)
    assert raw.take() == BANNER + b">>> "


def test_output_gets_line_ends_unless_it_is_binary(terminal: Terminal) -> None:
    terminal.type(b"x\r")
    terminal.take()
    terminal.console.output(b"a\nb\n")
    terminal.console.output(b"\x00\x0a\x00")
    terminal.console.interrupt_char = -1
    terminal.console.output(b"c\n")
    assert terminal.take() == b"a\r\nb\r\n\x00\x0a\x00c\n"


def test_editor_erases_and_recalls() -> None:
    shown = bytearray()
    editor = LineEditor(shown.extend)

    def enter(data: bytes) -> str | None:
        lines = [editor.char(char) for char in data]
        return lines[-1]

    assert enter(b"abx\x7fc\r") == "abc"
    assert enter(b"second\r") == "second"
    assert enter(b"\x1b[A\x1b[A\r") == "abc"
    assert enter(b"\x1b[A\x1b[A\x1b[Bq\r") == "abcq"
    assert enter(b"a\x1b[3~b\t\r") == "ab    "
    assert enter("é\r".encode()) == "é"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("1+1", False),
        ("f(1,", True),
        ("x = {1: 2", True),
        ("x = '('", False),
        ("x = 1  # (", False),
        ("'''doc", True),
        ("'''doc'''", False),
        ("a = \\", True),
        ("if x: y", True),
        ("if x: y\n", False),
        ("def f():\n  return 1", True),
        ("def f():\n  return 1\n", False),
        ("define = 1", False),
        ("@decorator", True),
        ("x = 'it\\'s ('", False),
    ],
)
def test_whether_python_wants_another_line(text: str, more: bool) -> None:
    assert wants_more(text, text.rpartition("\n")[2]) is more
