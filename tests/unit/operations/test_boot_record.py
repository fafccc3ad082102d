"""The signed boot record of a node after a reset: what is believed, what is said without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from talking_node import TalkingNode

from wattest.errors import FlashError, LinkClosed, LinkError, VerificationError
from wattest.operations.commission.boot_record import BootSeen, Stopped, await_boot_record
from wattest.wire import encode_frame
from wattest.wire.message import FrameKind, hello_line

CFG = bytes(range(16))
UEID = b"\x02\x24\x0a\xc4\x00\x07\xa5"
BOOT = {1: 1, 2: 1, 3: 0, 4: 0, 5: 0}
GREETING = 0.05
PROMPT = b"MicroPython v1.28.0; ESP32\r\n>>> \r\nSyntaxError: invalid syntax\r\n>>> "


@dataclass
class FakePort:
    """A port that says what it was given, piece by piece, and keeps what it is told."""

    pieces: list[bytes]
    told: bytearray = field(default_factory=bytearray)
    closes: int = 0

    def __enter__(self):
        return self

    def __exit__(self, *_cause):
        self.closes += 1

    def write(self, data: bytes) -> None:
        self.told += data

    def read(self, _size: int, _deadline_s: float) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if piece == b"gone":
            raise LinkClosed("p: the port vanished")
        return piece


def booted(*, cfg: bytes = CFG) -> tuple[TalkingNode, bytes]:
    """Return a node and the boot record it sealed."""
    node = TalkingNode(cfg=cfg)
    return node, node.seal(event=BOOT, ueid=UEID)


def said(node: TalkingNode, *shown: bytes) -> bytes:
    """Return a hello and records out of turn, as they stand on the line."""
    node.say_hello()
    for record in shown:
        node.out += encode_frame(FrameKind.SHOWN, record)
    return node.speak()


def wait(pieces: Iterable[bytes], *, wait_s: float = 0.3) -> tuple[BootSeen, FakePort]:
    port = FakePort(list(pieces))
    seen = await_boot_record("p", lambda: port, wait_s=wait_s, stopped=lambda: False)
    return seen, port


def test_a_boot_record_under_the_key_of_the_hello_is_believed():
    node, record = booted()
    seen, port = wait([b"ets Jun  8 2016\r\n", said(node, record)])
    assert seen.data == record
    assert seen.record.cfg == CFG
    assert seen.hello.kid == node.kid
    assert port.told == hello_line()
    assert port.closes == 1


def test_it_is_found_however_the_bytes_are_cut():
    node, record = booted()
    line = b"noise\x00\x01\x02\x00" + said(node, record)
    seen, _ = wait([line[at : at + 1] for at in range(len(line))])
    assert seen.data == record


def test_records_that_are_no_boot_event_are_passed_over():
    node, record = booted()
    other = node.seal(event={1: 2, 2: 0})
    seen, _ = wait([said(node, other, record)])
    assert seen.data == record


def test_a_record_before_any_hello_proves_nothing():
    _, record = booted()
    with pytest.raises(FlashError, match=r"no signed boot record within 0\.3 s"):
        wait([encode_frame(FrameKind.SHOWN, record)])


def test_a_changed_record_is_no_proof():
    node, record = booted()
    changed = record[:-1] + bytes([record[-1] ^ 1])
    with pytest.raises(VerificationError, match="signature does not match"):
        wait([said(node, changed)])


def test_the_record_of_another_key_is_no_proof():
    node, _ = booted()
    stranger = TalkingNode(2, cfg=CFG)
    with pytest.raises(VerificationError, match="the node says hello with"):
        wait([said(node, stranger.seal(event=BOOT, ueid=UEID))])


def test_bytes_that_are_no_record_are_passed_over():
    node, record = booted()
    seen, _ = wait([said(node, b"\x01\x02\x03", record)])
    assert seen.data == record


def test_a_port_that_leaves_and_comes_back_is_opened_again():
    node, record = booted()
    ports = [FakePort([b"text\r\n", b"gone"]), FakePort([said(node, record)])]
    tries = iter([LinkError("p: no such port"), ports[0], LinkError("p: no such port"), ports[1]])

    def opener():
        port = next(tries)
        if isinstance(port, LinkError):
            raise port
        return port

    seen = await_boot_record("p", opener, wait_s=30.0, stopped=lambda: False)
    assert seen.data == record
    assert [port.closes for port in ports] == [1, 1]


def test_a_port_that_does_not_come_back_is_named():
    def opener():
        raise LinkError("p: no such port", hint="is the board plugged in and up?")

    with pytest.raises(FlashError, match="p: the port did not come back: p: no such port"):
        await_boot_record("p", opener, wait_s=GREETING, stopped=lambda: False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "and it printed nothing"),
        (b"invalid header: 0xffffffff\r\n" * 3, "it printed: invalid header: 0xffffffff"),
        (
            b"wattest: /node.json: not JSON; correct the file and reset\r\n" + PROMPT,
            "it printed: wattest: /node.json: not JSON; correct the file and reset",
        ),
        (
            b"ImportError: no module named 'node'\r\nMicroPython v1.28.0\r\n>>> ",
            "it printed: ImportError: no module named 'node'",
        ),
        (b"x" * 1000, "it printed: " + "x" * 160),
    ],
)
def test_without_a_record_the_error_says_what_the_board_printed(text, expected):
    with pytest.raises(FlashError) as caught:
        wait([text])
    assert str(caught.value).endswith(expected)
    assert "\n" not in caught.value.diagnostics()


def test_somebody_may_stop_the_wait():
    with pytest.raises(Stopped):
        await_boot_record("p", lambda: FakePort([]), wait_s=30.0, stopped=lambda: True)
