"""Power fails at every flash operation of the boot that makes a new key by command."""

import cbor2
import pytest
from host_side import Decoded
from power_cuts import images, logged_run

from emulated import Setup
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.nvs import NvsStore

pytestmark = pytest.mark.emulated

SMALL = {"interval_ms": 1000, "journal_bytes": 16_384, "journal_segment_bytes": 2048}


def kid_of(record: Decoded) -> bytes:
    return cbor2.loads(cbor2.loads(record.data).value[0])[4]


def told_to_make_a_key() -> tuple[NorFlash, bytes]:
    """The flash of a node that metered for a while and was told by the REPL; and its old key."""
    setup = Setup(**SMALL).start().run_s(4)
    setup.board.power_off()
    namespace = NvsStore(FlashLayout().nvs(setup.flash)).namespace("wattest")
    namespace.set_i32("newkey", 1)
    namespace.commit()
    return setup.flash.copy(), setup.host.hellos[-1][1]


def check(before: list[Decoded], after: Setup, old: bytes) -> None:
    """The old key signs nothing more, and the last key has one whole chain."""
    records = before + after.host.records
    assert all(kid_of(record) != old for record in records), "the old key signed again"
    contents: dict[tuple[bytes, int, int], bytes] = {}
    for record in records:
        identity = (kid_of(record), record.ctx, record.seq)
        assert contents.setdefault(identity, record.data) == record.data, "two of one number"
    last = after.host.hellos[-1][1]
    assert last != old
    chain = {r.position: r for r in records if kid_of(r) == last}
    assert sorted(chain) == list(range(len(chain)))
    assert chain[0].event[1] == 9
    prev = bytes(32)
    for position in range(len(chain)):
        assert chain[position].body[11] == prev
        prev = chain[position].digest


def test_power_cut_at_every_flash_operation_of_the_boot_that_makes_a_new_key() -> None:
    base, old = told_to_make_a_key()
    run, log = logged_run(base, 2.5)
    assert run.events(9)[0] == {1: 9, 2: 2}
    covered = 0
    for number, flash, received in images(base, log):
        after = Setup(flash=flash).start().run_s(2.2)
        try:
            check(run.host.records[:received], after, old)
        except AssertionError as fault:
            raise AssertionError(f"power cut at flash operation {number}: {fault}") from fault
        covered += 1
    print(f"new key by command: power cut at each of {covered} flash operations")
    assert covered == len(log) > 20
