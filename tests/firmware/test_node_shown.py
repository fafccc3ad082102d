"""Records shown out of turn: the boot record after each hello, the answer to a nonce at once."""

import cbor2
import pytest
from host_side import hello_line

from emulated import CONFIG, Setup

pytestmark = pytest.mark.emulated

NONCE = bytes(range(16))
IDENTIFY = 7
BOOT_EVENT, IDENTIFY_EVENT = 1, 7


def kinds(setup: Setup) -> list[int]:
    return [shown.event[1] for shown in setup.host.shown]


def test_boot_record_is_shown_once_it_is_sealed_and_after_each_hello() -> None:
    setup = Setup(acknowledging=False).start().run_s(3)
    (shown,) = setup.host.shown
    (boot,) = [record for record in setup.records(2) if record.event[1] == BOOT_EVENT]
    assert shown.data == boot.data
    assert shown.claims[256] == b"\x02" + bytes.fromhex("240ac4123456")
    setup.send(hello_line())
    setup.run_s(1)
    assert [record.data for record in setup.host.shown] == [boot.data] * 2
    assert len(setup.host.hellos) == 2


def test_answer_to_a_nonce_is_shown_at_once_behind_a_full_window() -> None:
    setup = Setup(acknowledging=False, interval_ms=1000).start().run_s(30)
    assert len(setup.records()) == 8
    assert setup.command(IDENTIFY, NONCE) == 0
    assert kinds(setup) == [BOOT_EVENT, IDENTIFY_EVENT]
    answer = setup.host.shown[-1]
    assert answer.claims[10] == NONCE
    assert answer.claims[2] == CONFIG["serial"]
    assert len(setup.records()) == 8


def test_shown_record_comes_again_in_its_turn_and_only_there_it_is_acknowledged() -> None:
    setup = Setup().start().run_s(3)
    setup.command(IDENTIFY, NONCE)
    answer = setup.host.shown[-1]
    assert answer.data in [record.data for record in setup.records()]
    assert len({record.position for record in setup.host.records}) == len(setup.records())


def test_next_boot_shows_its_own_record() -> None:
    setup = Setup().start().run_s(3)
    setup.board.soft_reset()
    setup.run_s(3)
    first, second = setup.host.shown
    assert (first.claims[267], second.claims[267]) == (1, 2)


def ask_for_a_new_key(setup: Setup) -> None:
    """What the host does by the REPL."""
    setup.send(b"\x03")
    setup.run_s(0.5)
    setup.send(b"import esp32; n=esp32.NVS('wattest'); n.set_i32('newkey', 1); n.commit()\r")
    setup.run_s(0.5)
    setup.send(b"\x04")
    setup.run_s(5)


def test_new_key_by_command_says_so_and_the_registers_go_on() -> None:
    setup = Setup(interval_ms=1000).start().run_s(20)
    before = setup.records()[-1]
    old = setup.host.hellos[-1][1]
    ask_for_a_new_key(setup)
    new = setup.host.hellos[-1][1]
    assert new != old
    fresh = [record for record in setup.records() if kid_of(record.data) == new]
    assert fresh[0].event == {1: 9, 2: 2}
    assert fresh[1].event[1] == BOOT_EVENT
    assert [record.seq for record in fresh if record.ctx == 2] == [1, 2]
    assert fresh[0].mantissas[0] >= before.mantissas[0]
    setup.board.soft_reset()
    setup.run_s(3)
    assert setup.host.hellos[-1][1] == new


def kid_of(data: bytes) -> bytes:
    return cbor2.loads(cbor2.loads(data).value[0])[4]
