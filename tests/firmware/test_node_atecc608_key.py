"""The key of a node with a secure element: where it is not, and what power cuts do to it."""

import pytest
from element_node import WATTS, element, is_whole, node
from power_cuts import check_evidence

from emulated import Setup
from wattest.emulator.atecc608 import Atecc608
from wattest.emulator.atecc608_vault import Vault
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.i2c import NackFault
from wattest.emulator.nvs import NvsStore

pytestmark = pytest.mark.emulated

NOON_MS = 1_767_268_800_000
SET_TIME, IDENTIFY = 1, 7


def spellings(scalar: int) -> list[bytes]:
    """How a key might stand in memory: both byte orders, as bytes and as text."""
    plain = [scalar.to_bytes(32, "big"), scalar.to_bytes(32, "little")]
    texts = [key.hex().encode() for key in plain] + [str(scalar).encode()]
    return [*plain, *texts, *(text.upper() for text in texts)]


def test_private_key_is_never_in_flash_nor_on_the_wire() -> None:
    """A node with its key in software is searched in the same way, and there it is found."""
    setup = node()
    said = bytearray()
    setup.board.on_output(lambda _t_ns, data: said.extend(data))
    setup.start().run_s(15)
    setup.command(SET_TIME, NOON_MS)
    setup.command(IDENTIFY, b"12345678")
    setup.board.hard_reset()
    setup.run_s(15)
    scalar = setup.bus.device(0x60).vault.private_key_for_tests(0)
    flash = setup.flash.read(0, setup.flash.size_bytes)
    assert not [form for form in spellings(scalar) if form in flash or form in said]

    plain = Setup().start().run_s(3)
    assert len(plain.records()) == 2
    flash = plain.flash.read(0, plain.flash.size_bytes)
    assert any(form in flash for form in spellings(scalar_in(flash)))


def scalar_in(flash: bytes) -> int:
    """The private key of a node with a key in software, from its NVS."""
    at = flash.index(b"wattest\0key") + len(b"wattest\0key")
    return int.from_bytes(flash[at : at + 32], "big")


# ---- other element, other board ----


def test_copy_of_the_flash_with_another_element_is_another_node() -> None:
    setup = node().start().run_s(35)
    clone = Setup(flash=setup.flash.copy(), element=element(b"two")).start().run_s(15)
    assert clone.host.hellos[0][1] != setup.host.hellos[0][1]
    key, boot, *_ = clone.records()
    assert (key.event, key.seq, boot.seq) == ({1: 9, 2: 1}, 1, 2)
    assert is_whole(clone)


def test_erased_flash_does_not_begin_again_under_the_old_key() -> None:
    chip = element()
    setup = node(chip).start().run_s(15)
    again = node(chip).start().run_s(15)
    assert again.host.hellos[0][1] != setup.host.hellos[0][1]
    assert again.records()[0].event == {1: 9, 2: 1}


def test_element_that_comes_back_with_another_key_signs_nothing_under_the_old_one() -> None:
    chip = element()
    setup = node(chip).start().run_s(15)
    old = setup.host.hellos[0][1]
    fault = NackFault(0x60)
    setup.bus.add_fault(fault)
    setup.run_s(10)
    chip.vault = Vault(b"two")
    setup.bus.remove_fault(fault)
    before = len(setup.records())
    setup.run_s(30)
    assert setup.host.hellos[-1][1] != old
    assert {1: 9, 2: 1} in [record.event for record in setup.records()[before:]]
    assert not [record for record in setup.records()[before:] if old in record.data]


def test_host_that_asks_for_a_new_key_gets_one_made_in_the_element() -> None:
    chip = element()
    setup = node(chip).start().run_s(35)
    scalar = chip.vault.private_key_for_tests(0)
    setup.board.power_off()
    setup.flash.restore_power()
    nvs = NvsStore(FlashLayout().nvs(setup.flash)).namespace("wattest")
    nvs.set_i32("newkey", 1)
    nvs.commit()
    before = len(setup.records())
    setup.board.power_on()
    setup.run_s(15)
    key, _boot, fiscal, *_ = setup.records()[before:]
    assert key.event == {1: 9, 2: 2}
    assert chip.vault.private_key_for_tests(0) != scalar
    assert fiscal.mantissas[0] >= 1000 * WATTS * 30 // 3600


# ---- power cuts ----


def cut_and_go_on(flash: NorFlash, vault: Vault, setup: Setup, elapsed_s: float) -> None:
    """The board starts again from what is left; what both lives sent must fit together."""
    after = Setup(flash=flash, element=Atecc608(vault)).start().run_s(2.5)
    check_evidence(setup.host.records, after, watts=WATTS, seconds=elapsed_s + 2.5)


def first_boot_cut_at(milliseconds: int) -> None:
    chip = element()
    setup = node(chip, interval_ms=1000).start().run_s(milliseconds / 1000)
    setup.board.power_off()
    cut_and_go_on(setup.flash.copy(), chip.vault, setup, milliseconds / 1000)


@pytest.mark.parametrize("milliseconds", range(260, 1400, 95))
def test_power_cut_during_the_first_boot(milliseconds: int) -> None:
    """The element reads, makes a key, signs; the journal is begun: any of it may be cut."""
    first_boot_cut_at(milliseconds)


@pytest.mark.long
def test_power_cut_at_each_three_milliseconds_of_the_first_boot() -> None:
    for milliseconds in range(250, 1500, 3):
        first_boot_cut_at(milliseconds)


def first_boot_cut_in(operation: int) -> bool:
    """Cut the supply inside that flash operation; False if there is none of that number."""
    chip = element()
    setup = node(chip, interval_ms=1000)
    setup.flash.cut_after(operation, torn_share=(operation % 3, 3))
    setup.start().run_s(5)
    if setup.board.powered:
        return False
    cut_and_go_on(setup.flash.copy(), chip.vault, setup, 5)
    return True


@pytest.mark.parametrize("operation", range(1, 34, 4))
def test_power_cut_at_flash_operations_of_the_first_boot(operation: int) -> None:
    assert first_boot_cut_in(operation)


@pytest.mark.long
def test_power_cut_at_each_flash_operation_of_the_first_five_seconds() -> None:
    operation = 1
    while first_boot_cut_in(operation):
        operation += 1
    print(f"node with an element: power cut at each of {operation - 1} flash operations")
    assert operation > 50


@pytest.mark.parametrize("offset_ms", range(0, 260, 20))
def test_reset_while_the_element_works_finds_it_again(offset_ms: int) -> None:
    """The element is not reset with the board: it may be at work, or awake with an old reply."""
    setup = node().start().run_s(10.62 + offset_ms / 1000)
    setup.board.hard_reset()
    setup.run_s(15)
    assert is_whole(setup)
    assert len(setup.host.hellos) == 2
    assert setup.events(4) == []
    assert [event[2] for event in setup.events(9)] == [0]
