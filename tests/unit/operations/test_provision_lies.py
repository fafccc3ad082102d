"""Nodes that are not what they say, on the port of who provisions them: one line, no enrolment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from talking_node import COMMAND_KEY, NONCE, TalkingNode

from wattest.boards import load_board
from wattest.errors import LinkTimeout, VerificationError
from wattest.link import Port
from wattest.operations.commission.boot_record import Stopped
from wattest.operations.commission.identity import Identity, expected_cfg, prove
from wattest.operations.commission.interview import interview
from wattest.operations.commission.onboard import BoardFacts
from wattest.wire import EnrolmentKind, encode_frame
from wattest.wire.message import FrameKind, Reply, encode_reply

CHIP_ID = "240ac4123456"
UEID = b"\x02" + bytes.fromhex(CHIP_ID)
BOOT = {1: 1, 2: 1, 3: 0, 4: 0, 5: 0}
FACTS = BoardFacts(
    chip_id=CHIP_ID,
    machine="Generic ESP32 module with ESP32",
    version="1.28.0",
    emulated=False,
    node={"board": "esp32-devkitc", "interval_ms": 60_000},
    command_key=COMMAND_KEY,
)


class ShowingNode(TalkingNode):
    """Shows a boot record after each hello, as firmware does; its answers can be spoilt.

    Attributes:
        ueid: what its boot record says.
        other: a node whose records it shows in the place of its own, by event kind.
        spoil: what becomes of a shown record.
        answer_nonce: what becomes of a nonce.
        refusal: reason it refuses challenges with, or 0.
    """

    def __init__(self, number: int = 1, *, cfg: bytes = bytes(16), serial: str = "") -> None:
        super().__init__(number, cfg=cfg, serial=serial)
        self.ueid: bytes | None = UEID
        self.other: dict[int, TalkingNode] = {}
        self.spoil: Callable[[bytes], bytes] = bytes
        self.answer_nonce: Callable[[bytes], bytes] = bytes
        self.refusal = 0
        self.dumb = False

    def say_hello(self, public_key: bytes = b"", *, answers: int = 0) -> None:
        super().say_hello(public_key, answers=answers)
        self._show(BOOT, ueid=self.ueid)

    def _command(self, body: bytes) -> None:
        from wattest.wire import cbor

        fields = cbor.decode(body[:-16])
        if not self.refusal:
            self._show({1: 7}, nonce=self.answer_nonce(fields[3]))
        reply = Reply(counter=fields[1], refusal=self.refusal)
        self.out += encode_frame(FrameKind.REPLY, encode_reply(reply))

    def _show(self, event: dict[int, int], **claims: bytes | None) -> None:
        signer = self.other.get(event[1], self)
        data = self.spoil(signer.seal(event=event, **claims))
        self.out += encode_frame(FrameKind.SHOWN, data)


class Wire:
    """A node as the line behind a port."""

    def __init__(self, node: TalkingNode) -> None:
        self._node = node
        self._out = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self._out)

    def read(self, size: int = 1, /) -> bytes:
        if not self._out:
            self._out += self._node.speak()
        data, self._out = bytes(self._out[:size]), self._out[size:]
        return data

    def write(self, data: bytes, /) -> int:
        self._node.hear(data)
        return len(data)

    def close(self) -> None:
        """Nothing to let go."""


def meet(node: TalkingNode, facts: BoardFacts = FACTS, *, cfg: bytes = bytes(16)) -> Identity:
    """Interview a node and check what it showed."""
    port = Port("PORT", Wire(node))
    seen = interview(port, COMMAND_KEY, nonce=NONCE, wait_s=0.3)
    return prove(seen, facts, load_board("esp32-devkitc"), cfg=cfg, address="PORT")


def test_honest_node_is_believed() -> None:
    node = ShowingNode()
    identity = meet(node)
    assert (identity.kid, identity.serial, identity.ueid) == (node.kid, node.serial, UEID)
    assert (identity.kind, identity.software) == (EnrolmentKind.REAL, "wattest-node 0.1.0")
    assert identity.chip_id == CHIP_ID
    assert identity.fingerprint.replace(" ", "").startswith(node.kid.hex())


def test_name_of_the_firmware_cannot_paint_over_the_fingerprint() -> None:
    """Goal: what a person compares is shown as it is, whatever else the node says."""
    node = ShowingNode()
    node.software = "node\r\nfingerprint  0000\x1b[2A" + "x" * 200
    assert meet(node).software == (r"node fingerprint 0000\x1b[2A" + "x" * 200)[:64]


def test_backlog_does_not_keep_a_node_from_answering() -> None:
    node = ShowingNode()
    for _ in range(40):
        node.seal()
    assert meet(node).backlog >= 40


def spoilt(**changes: object) -> ShowingNode:
    node = ShowingNode()
    for name, value in changes.items():
        setattr(node, name, value)
    return node


def hello_of(node: TalkingNode) -> bytes:
    TalkingNode.say_hello(node)
    said, node.out = bytes(node.out), bytearray()
    return said


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


LIARS: dict[str, tuple[Callable[[], ShowingNode], str]] = {
    "another nonce": (
        lambda: spoilt(answer_nonce=lambda nonce: bytes(len(nonce))),
        rf"wrong answer to the challenge: nonce {NONCE.hex()} expected, got 00000000",
    ),
    "a signature that does not hold": (
        lambda: spoilt(spoil=flipped),
        "boot record: bad-signature",
    ),
    "a boot record of another key": (
        lambda: spoilt(other={1: TalkingNode(2, serial="demo-0001")}),
        r"boot record: unknown-key: key \w+ is not enrolled; the node says hello with key",
    ),
    "an answer of another key": (
        lambda: spoilt(other={7: TalkingNode(2, serial="demo-0001")}),
        "answer: unknown-key",
    ),
    "another serial in its records than in its hello": (
        lambda: spoilt(other={1: TalkingNode(serial="demo-0002")}),
        "boot record: wrong-serial: serial expected demo-0001, got demo-0002",
    ),
    "the chip of another board": (
        lambda: spoilt(ueid=b"\x02" + bytes(6)),
        f"chip {CHIP_ID} expected in the boot record, got 02000000000000",
    ),
    "no chip": (lambda: spoilt(ueid=None), "the boot record names no chip"),
    "other files": (
        lambda: ShowingNode(cfg=b"\x01" * 16),
        f"files of digest {'00' * 16} expected for esp32-devkitc, the node runs {'01' * 16}",
    ),
    "a full journal": (lambda: spoilt(refusal=6), "the node's journal is full"),
    "a refusal": (lambda: spoilt(refusal=1), "refused the challenge, authentication"),
    "no answer at all": (
        lambda: spoilt(spoil=lambda data: b"rubbish" if b"\x50" in data else b"junk"),
        "wrong answer to the challenge: nonce .* expected, got none",
    ),
}


@pytest.mark.parametrize("lie", LIARS)
def test_node_that_lies_is_refused_in_one_line(lie: str) -> None:
    make, said = LIARS[lie]
    with pytest.raises(VerificationError, match=said) as caught:
        meet(make())
    assert "\n" not in caught.value.diagnostics()
    assert caught.value.hint


def test_old_recording_of_an_honest_node_does_not_answer_a_new_nonce() -> None:
    """Whoever replays what a node once said on this link cannot know the nonce."""
    honest = ShowingNode()
    recorded: list[bytes] = []
    wire = Wire(honest)
    port = Port("PORT", wire)
    interview(port, COMMAND_KEY, nonce=bytes(16), wait_s=0.3)
    honest.say_hello()
    recorded.append(honest.speak())

    class Replayer(TalkingNode):
        def hear(self, data: bytes) -> None:
            self.out += recorded[0]

    with pytest.raises(LinkTimeout, match="PORT: expected"):
        meet(Replayer())


def test_silent_port_is_given_up_with_what_it_printed() -> None:
    class Mute(TalkingNode):
        def hear(self, data: bytes) -> None:
            self.out += b"rst:0x1 (POWERON_RESET)\r\ninvalid header: 0xffffffff\r\n"

    with pytest.raises(
        LinkTimeout, match=r"expected a hello of wattest firmware \(it printed: invalid header"
    ):
        meet(Mute())


def test_two_keys_on_one_port_are_refused() -> None:
    node = ShowingNode()

    class Two(TalkingNode):
        def hear(self, data: bytes) -> None:
            super().hear(data)
            if self.commands:
                self.out += hello_of(node)

    said = rf"one key expected, got hello with {Two(2).kid.hex()} and with {node.kid.hex()}"
    with pytest.raises(VerificationError, match=said):
        meet(Two(2))


def test_somebody_may_stop_it() -> None:
    with pytest.raises(Stopped):
        interview(
            Port("PORT", Wire(ShowingNode())), COMMAND_KEY, nonce=NONCE, stopped=lambda: True
        )


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, emulated=True),
        replace(FACTS, node={**FACTS.node, "board": "emulated-esp32"}),
    ],
)
def test_real_needs_that_nothing_says_emulated(facts: BoardFacts) -> None:
    node = ShowingNode()
    port = Port("PORT", Wire(node))
    seen = interview(port, COMMAND_KEY, nonce=NONCE, wait_s=0.3)
    identity = prove(seen, facts, load_board(facts.board), cfg=bytes(16), address="PORT")
    assert identity.kind is EnrolmentKind.EMULATED


def test_random_ueid_is_that_of_an_emulated_node() -> None:
    assert meet(spoilt(ueid=b"\x01" + bytes(16))).kind is EnrolmentKind.EMULATED


def test_expected_digest_follows_the_names_and_the_interval_of_the_node() -> None:
    board = load_board("esp32-devkitc")
    one = expected_cfg(board, {"board": board.name, "interval_ms": 60_000})
    assert one == expected_cfg(board, {"board": board.name, "interval_ms": 60_000, "more": 1})
    assert one != expected_cfg(board, {"board": board.name, "interval_ms": 1000})
    assert one != expected_cfg(board, {"board": board.name, "interval_ms": 60_000, "serial": "x"})
