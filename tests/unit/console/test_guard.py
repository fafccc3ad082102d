"""Boards that start over and over and ports that come and go: told once, with what was said."""

from __future__ import annotations

from hashlib import sha256

from ledger_samples import EPOCH_MS, SampleNode
from wattest.operations.console.guard import BootGuard, FlapGuard
from wattest.wire import cbor, encode_frame
from wattest.wire.cose import seal_sign1
from wattest.wire.message import FrameKind, Hello, RecordFrame, encode_hello, encode_record_frame
from wattest.wire.record import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE

S = 1_000_000_000
ROM = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
LOAD = b"configsip: 0, SPIWP:0xee\r\nload:0x3fff0030,len:4892\r\nentry 0x400805f0\r\n"


def starts(guard: BootGuard, times: int, *, every_s: int, said: bytes, rom: bytes = ROM) -> list:
    notes = []
    for number in range(times):
        notes += guard.take(rom + LOAD + said, number * every_s * S)
    return notes


def boot_frame(position: int, bootcount: int) -> bytes:
    """A frame with the boot record of a start; nobody looks at its signature."""
    registers = [[OBIS_IMPORT, 0, -3, 30], [OBIS_EXPORT, 0, -3, 30], [OBIS_USE, 0, 0, 7]]
    body = {
        1: bootcount,
        2: 2,
        3: EPOCH_MS,
        4: 2,
        5: 10,
        6: [*registers, [OBIS_POWER, 0, -3, 27]],
        7: "G",
        10: bootcount,
        11: bytes(32),
        12: bytes(16),
        16: 0,
        17: {1: 1, 2: 1, 3: 60_000, 4: 2, 5: 0},
    }
    claims = {2: "WT-1", 267: bootcount, 268: bytes(8), 270: "node", 271: ["1"], -65537: body}
    data = seal_sign1(sha256(b"guard").digest()[:8], cbor.encode(claims), lambda _: bytes(64))
    carried = encode_record_frame(RecordFrame(position=position, record=data))
    return encode_frame(FrameKind.RECORD, carried)


def hello_frame(next_position: int) -> bytes:
    node = SampleNode(1)
    hello = Hello(
        kid=node.kid,
        serial="WT-1",
        first_position=0,
        next_position=next_position,
        unacknowledged_position=0,
        command_counter=0,
        public_key=node.spki[-64:],
    )
    return encode_frame(FrameKind.HELLO, encode_hello(hello))


def test_five_starts_within_a_minute_are_told_once_with_the_last_words_before_each() -> None:
    notes = starts(BootGuard(), 50, every_s=2, said=b"OSError: [Errno 19] ENODEV\r\n")
    assert len(notes) == 1
    assert notes[0]["event"] == "boot-loop"
    assert notes[0]["starts"] == 5
    assert notes[0]["seconds"] == 8.0
    said = [start["said"] for start in notes[0]["before"]]
    assert said == [""] + ["OSError: [Errno 19] ENODEV"] * 4
    assert {start["cause"] for start in notes[0]["before"]} == {"SW_CPU_RESET"}
    assert "mpremote" in notes[0]["try"]


def test_board_that_starts_now_and_then_is_in_no_loop() -> None:
    assert starts(BootGuard(), 50, every_s=16, said=b"ready\r\n") == []


def test_waking_from_deep_sleep_is_no_start() -> None:
    for cause in (b"rst:0x5 (DEEPSLEEP_RESET)", b"rst:0x5 (DSLEEP)"):
        rom = ROM.replace(b"rst:0xc (SW_CPU_RESET)", cause)
        assert starts(BootGuard(), 50, every_s=2, said=b"", rom=rom) == []


def test_loop_is_told_again_after_a_calm_minute() -> None:
    guard = BootGuard()
    first = starts(guard, 10, every_s=2, said=b"")
    notes = [n for k in range(10) for n in guard.take(ROM, (100 + k) * S)]
    assert len(first) == len(notes) == 1


def test_advice_follows_from_what_was_said() -> None:
    advice = {}
    for said in (b"Brownout detector was triggered\r\n", b"invalid header: 0xffffffff\r\n", b""):
        advice[said] = starts(BootGuard(), 5, every_s=1, said=said)[0]["try"]
    assert len(set(advice.values())) == 3
    assert "supply" in advice[b"Brownout detector was triggered\r\n"]
    assert "wattest flash" in advice[b"invalid header: 0xffffffff\r\n"]


def test_banner_is_known_however_the_bytes_are_cut() -> None:
    guard = BootGuard()
    stream = (ROM + LOAD + b"no sensor\r\n") * 5
    notes = []
    for byte in stream:
        notes += guard.take(bytes((byte,)), S)
    assert len(notes) == 1
    assert notes[0]["before"][-1]["said"] == "no sensor"


def test_starts_that_are_seen_by_their_boot_records_alone_are_told() -> None:
    guard = BootGuard()
    notes = []
    for number in range(6):
        notes += guard.take(hello_frame(number + 1) + boot_frame(number, number + 1), number * S)
    assert [note["starts"] for note in notes] == [5]


def test_boot_record_that_is_sent_again_is_no_second_start() -> None:
    guard = BootGuard(times=1)
    boot = hello_frame(2) + boot_frame(1, 1)
    (note,) = guard.take(b"no sensor\r\n" + boot, 0)
    assert note["before"][0]["said"] == "no sensor"
    assert guard.take(boot, 61 * S) == [], "nobody has acknowledged it"


def test_journal_full_of_old_starts_is_no_loop() -> None:
    records = b"".join(boot_frame(number, number + 1) for number in range(20))
    assert BootGuard().take(hello_frame(30) + records, S) == []
    assert BootGuard().take(records, S) == []


def test_port_that_vanishes_over_and_over_is_told_once_until_it_is_calm() -> None:
    guard = FlapGuard()
    notes = [guard.lost(number * S) for number in range(40)]
    told = [note for note in notes if note is not None]
    assert len(told) == 1
    assert told[0]["times"] == 5
    assert guard.told
    assert guard.lost(140 * S) is None
    assert not guard.told


def test_unplugging_now_and_then_is_no_trouble() -> None:
    guard = FlapGuard()
    assert not any(guard.lost(number * 20 * S) for number in range(40))
