"""Commands over the link of an emulated node: carried out, refused, counted, logged."""

import cbor2
import pytest
from host_side import command_line, line

from emulated import COMMAND_KEY, Setup
from wattest.emulator.flash import FlashLayout
from wattest.emulator.nvs import NvsStore

pytestmark = pytest.mark.emulated

NOON_MS = 1_767_268_800_000
SET_TIME, SET_INTERVAL, RELAY, BEGIN, END, SYNC, IDENTIFY, TEST_INPUT = range(1, 9)
AUTHENTICATION, COUNTER, MALFORMED, UNKNOWN, RANGE, STATE = range(1, 7)


@pytest.fixture(scope="module")
def node() -> Setup:
    """One node for all tests that only ask for an answer."""
    return Setup().start().run_s(3)


def answer(setup: Setup, data: bytes) -> dict[int, int]:
    before = len(setup.host.replies)
    setup.send(data)
    setup.run_s(1.5)
    assert len(setup.host.replies) == before + 1
    return setup.host.replies[-1]


def test_interval_is_changed_on_record_and_survives_power_loss() -> None:
    setup = Setup().start().run_s(3)
    assert setup.command(SET_INTERVAL, 5000) == 0
    setup.run_s(21)
    assert setup.events(3) == [{1: 3, 2: 1, 3: 60_000, 4: 5000}]
    assert len(setup.records(0)) == 4
    setup.board.power_off()
    setup.board.power_on()
    setup.run_s(11)
    assert len(setup.records(0)) == 6


def test_relay_follows_the_command_and_is_on_record() -> None:
    setup = Setup().start().run_s(3)
    assert setup.board.pin_level(4) == 0
    assert setup.command(RELAY, 1) == 0
    assert setup.board.pin_level(4) == 1
    assert setup.command(RELAY, 0) == 0
    assert setup.board.pin_level(4) == 0
    assert setup.events(5) == [{1: 5, 2: 1}, {1: 5, 2: 0}]


def test_node_without_relay_refuses_the_command() -> None:
    setup = Setup(relay_pin=-1).start().run_s(3)
    assert setup.command(RELAY, 1) == STATE


def test_transaction_has_a_beginning_and_an_end_of_its_own_context() -> None:
    setup = Setup().start().run_s(10)
    assert setup.command(BEGIN, "session-0001") == 0
    setup.run_s(30)
    assert setup.command(BEGIN, "again") == STATE
    assert setup.command(END) == 0
    assert setup.command(END) == STATE
    begin, end = setup.records(1)
    assert (begin.seq, begin.body[9]) == (1, "B")
    assert (end.seq, end.body[9]) == (2, "E")
    assert begin.body[15] == end.body[15] == [True, "NONE", [], "CENTRAL", "session-0001"]
    elapsed_ms = end.body[5] - begin.body[5]
    energy = end.mantissas[0] - begin.mantissas[0]
    assert abs(energy - 288_000 * elapsed_ms // 3_600_000) <= 1


def test_transaction_cut_off_by_power_loss_is_ended_as_such() -> None:
    setup = Setup().start().run_s(5)
    assert setup.command(BEGIN, "session-0002") == 0
    setup.board.power_off()
    setup.board.power_on()
    setup.run_s(5)
    begin, end = setup.records(1)
    assert (begin.body[9], end.body[9]) == ("B", "P")
    assert end.body[15][4] == "session-0002"
    assert setup.command(END) == STATE


def test_identify_answers_the_nonce_with_a_fresh_record(node: Setup) -> None:
    assert node.command(IDENTIFY, b"0123456789abcdef") == 0
    record = node.records(2)[-1]
    assert record.event == {1: 7}
    assert record.claims[10] == b"0123456789abcdef"


def test_injected_input_is_marked_in_every_record_it_touches() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(12)
    assert setup.command(TEST_INPUT, 1, -36_000) == 0
    setup.run_s(10)
    assert setup.command(TEST_INPUT, 0) == 0
    setup.run_s(25)
    marks = [record.body[16] for record in setup.records(0)]
    assert marks[0] == 0
    assert marks[1] == 1
    assert marks[-1] == 0
    assert setup.events(8) == [{1: 8, 2: 0, 3: 1}, {1: 8, 2: 1, 3: 0}]
    during = setup.records(0)[1]
    assert abs(during.mantissas[3] + 36_000) <= 1
    assert during.mantissas[1] > 0


def test_another_injected_power_is_metered_at_once_and_is_no_event() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(10)
    for power_milliw in (360_000, -720_000, 180_000):
        assert setup.command(TEST_INPUT, 1, power_milliw) == 0
        setup.run_s(8.5)
    assert setup.command(TEST_INPUT, 0) == 0
    setup.run_s(12)
    begun, ended = (record for record in setup.records(2) if record.event[1] == 8)
    assert (begun.event, ended.event) == ({1: 8, 2: 0, 3: 1}, {1: 8, 2: 1, 3: 0})
    imported, exported = (ended.mantissas[i] - begun.mantissas[i] for i in (0, 1))
    assert imported == pytest.approx(1500, abs=6)
    assert exported == pytest.approx(2000, abs=6)


def test_injected_power_that_nobody_renews_ends_after_a_minute_on_record() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(5)
    assert setup.command(TEST_INPUT, 1, 360_000) == 0
    setup.run_s(40)
    assert setup.command(TEST_INPUT, 1, 360_000) == 0
    setup.run_s(57)
    assert setup.events(8) == [{1: 8, 2: 0, 3: 1}]
    setup.run_s(30)
    begun, ended = (record for record in setup.records(2) if record.event[1] == 8)
    assert ended.event == {1: 8, 2: 1, 3: 0}
    # 41.5 s until it was renewed, a minute, and up to a sample.
    assert 10_100 <= ended.mantissas[0] - begun.mantissas[0] <= 10_350
    assert [record.body[16] for record in setup.records(0)][-1] == 0


def test_power_injected_again_in_time_goes_on() -> None:
    setup = Setup().start().run_s(5)
    for _ in range(4):
        assert setup.command(TEST_INPUT, 1, 1000) == 0
        setup.run_s(40)
    assert setup.events(8) == [{1: 8, 2: 0, 3: 1}]


def test_mark_of_injected_input_survives_a_reset_within_the_interval() -> None:
    setup = Setup().start().run_s(10)
    assert setup.command(TEST_INPUT, 1, 1000) == 0
    setup.board.hard_reset()
    setup.run_s(65)
    assert setup.records(0)[0].body[16] == 1
    setup.run_s(60)
    assert setup.records(0)[-1].body[16] == 0


def test_sync_sends_again_what_is_retained() -> None:
    setup = Setup().start().run_s(5)
    seen = len(setup.host.records)
    assert seen == 2
    assert setup.command(SYNC, 0) == 0
    assert [record.position for record in setup.host.records[seen:]] == [0, 1]
    assert setup.command(SYNC, 3) == RANGE


def test_command_is_refused_without_the_key(node: Setup) -> None:
    counter = node.host.counter + 1000
    reply = answer(node, command_line(bytes(32), counter, IDENTIFY, b"01234567"))
    assert reply == {1: 0, 2: AUTHENTICATION}
    assert node.command(IDENTIFY, b"01234567") == 0


def test_command_is_refused_when_played_again(node: Setup) -> None:
    counter = node.host.counter = node.host.counter + 1
    data = command_line(COMMAND_KEY, counter, IDENTIFY, b"01234567")
    assert answer(node, data) == {1: counter, 2: 0}
    assert answer(node, data) == {1: counter, 2: COUNTER}
    older = command_line(COMMAND_KEY, counter - 1, IDENTIFY, b"01234567")
    assert answer(node, older) == {1: counter - 1, 2: COUNTER}


REFUSED = {
    "unknown operation": (UNKNOWN, 9, ()),
    "operation 0": (UNKNOWN, 0, ()),
    "time before 2020": (RANGE, SET_TIME, (1_500_000_000_000,)),
    "time after 2100": (RANGE, SET_TIME, (5_000_000_000_000,)),
    "time as text": (RANGE, SET_TIME, ("now",)),
    "time missing": (RANGE, SET_TIME, ()),
    "interval too short": (RANGE, SET_INTERVAL, (999,)),
    "interval too long": (RANGE, SET_INTERVAL, (3_601_000,)),
    "interval off the grid": (RANGE, SET_INTERVAL, (1500,)),
    "relay 2": (RANGE, RELAY, (2,)),
    "id too long": (RANGE, BEGIN, ("x" * 21,)),
    "id not printable": (RANGE, BEGIN, ("a\tb",)),
    "id as bytes": (RANGE, BEGIN, (b"abc",)),
    "nonce too short": (RANGE, IDENTIFY, (b"1234567",)),
    "nonce too long": (RANGE, IDENTIFY, (b"x" * 65,)),
    "input 3": (RANGE, TEST_INPUT, (3,)),
    "power missing": (RANGE, TEST_INPUT, (1,)),
    "power beyond the scale": (RANGE, TEST_INPUT, (1, 2_000_000)),
    "end without begin": (STATE, END, ()),
    "position not retained": (RANGE, SYNC, (999,)),
    "field too many": (MALFORMED, END, (1, 2, 3)),
}


@pytest.mark.parametrize(("reason", "op", "arguments"), REFUSED.values(), ids=REFUSED)
def test_command_is_refused_with_its_reason(
    reason: int,
    op: int,
    arguments: tuple[object, ...],
    node: Setup,
) -> None:
    node.run_s(0.3)
    assert node.command(op, *arguments) == reason


def test_command_that_is_no_cbor_is_malformed(node: Setup) -> None:
    import hmac

    for body in (b"", b"\xff", cbor2.dumps([1, 2]), cbor2.dumps({1: 5}), cbor2.dumps({2: 1})):
        mac = hmac.digest(COMMAND_KEY, b"\x12" + body, "sha256")[:16]
        assert answer(node, line(0x12, body + mac))[2] == MALFORMED


def test_refusals_are_told_once_a_minute_with_their_total() -> None:
    setup = Setup().start().run_s(3)
    for _ in range(5):
        assert setup.command(99) == UNKNOWN
    assert setup.command(RELAY, 9) == RANGE
    setup.run_s(70)
    assert setup.events(6) == [{1: 6, 2: UNKNOWN, 3: 1}, {1: 6, 2: RANGE, 3: 6}]
    assert setup.command(99) == UNKNOWN
    setup.run_s(70)
    setup.board.power_off()
    setup.board.power_on()
    setup.run_s(3)
    setup.command(99)
    setup.run_s(2)
    assert setup.events(6)[-1] == {1: 6, 2: UNKNOWN, 3: 8}


def test_counter_survives_power_loss() -> None:
    setup = Setup().start().run_s(3)
    setup.host.counter = 1 << 40
    data = setup.host.command(IDENTIFY, b"01234567")
    assert answer(setup, data)[2] == 0
    setup.board.power_off()
    setup.board.power_on()
    setup.run_s(3)
    assert setup.host.hellos[-1][6] == (1 << 40) + 1
    assert answer(setup, data)[2] == COUNTER


def test_node_without_command_key_refuses_everything() -> None:
    setup = Setup()
    namespace = NvsStore(FlashLayout().nvs(setup.flash)).namespace("wattest")
    namespace.erase_key("cmdkey")
    namespace.commit()
    setup.acknowledging = False
    setup.start().run_s(3)
    assert setup.command(IDENTIFY, b"01234567") == AUTHENTICATION


def test_noise_on_the_line_never_reaches_the_loop() -> None:
    """Random bytes, random lines with a right CRC, random commands with a right MAC."""
    import hmac
    import random

    chance = random.Random(99)
    setup = Setup(interval_ms=5000).start().run_s(3)
    for round_ in range(60):
        size = chance.randrange(1, 90)
        body = chance.randbytes(size)
        noise = bytes(byte for byte in chance.randbytes(100) if byte != 3)
        kind = chance.choice([0x10, 0x11, 0x12, 0x13, 0x00, 0xFF])
        mac = hmac.digest(COMMAND_KEY, b"\x12" + body, "sha256")[:16]
        setup.send((noise + b"\n", line(kind, body), line(0x12, body + mac))[round_ % 3])
        setup.run_s(0.4)
    setup.run_s(10)
    assert all(event[2] != 6 for event in setup.events(4))
    assert b"wattest: error" not in setup.host.text
    assert setup.command(IDENTIFY, b"01234567") == 0
    assert len(setup.records(0)) >= 6
