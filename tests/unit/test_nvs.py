"""Small values in flash: what commit promises, at every flash operation."""

from __future__ import annotations

import pytest

from wattest.emulator.flash import NorFlash, Partition
from wattest.emulator.guest import StopGuest
from wattest.emulator.nvs import NvsFull, NvsStore


def partition(flash: NorFlash | None = None) -> Partition:
    flash = flash or NorFlash(0x6000)
    return Partition(flash, 0, flash.size_bytes)


def test_only_commit_makes_values_durable() -> None:
    part = partition()
    space = NvsStore(part).namespace("meter")
    space.set_i32("boots", -7)
    space.set_blob("key", b"\x00\xff")
    assert space.get_i32("boots") == -7
    with pytest.raises(KeyError):
        NvsStore(part).namespace("meter").get_i32("boots")
    space.commit()
    again = NvsStore(part).namespace("meter")
    assert (again.get_i32("boots"), again.get_blob("key")) == (-7, b"\x00\xff")


def test_namespaces_are_apart() -> None:
    store = NvsStore(partition())
    one, two = store.namespace("one"), store.namespace("two")
    one.set_i32("x", 1)
    one.commit()
    with pytest.raises(KeyError):
        two.get_i32("x")


def test_value_of_the_other_kind_is_not_found() -> None:
    space = NvsStore(partition()).namespace("a")
    space.set_i32("x", 1)
    with pytest.raises(KeyError):
        space.get_blob("x")


def test_erased_key_is_gone_after_restart() -> None:
    part = partition()
    space = NvsStore(part).namespace("a")
    space.set_i32("x", 1)
    space.commit()
    space.erase_key("x")
    space.commit()
    with pytest.raises(KeyError):
        NvsStore(part).namespace("a").get_i32("x")
    with pytest.raises(KeyError):
        space.erase_key("x")


def test_unchanged_value_costs_no_flash_operation() -> None:
    part = partition()
    space = NvsStore(part).namespace("a")
    space.set_i32("x", 1)
    space.commit()
    before = part.flash.operations
    space.set_i32("x", 1)
    space.commit()
    assert part.flash.operations == before


def test_values_survive_many_rotations() -> None:
    part = partition()
    store = NvsStore(part)
    space = store.namespace("a")
    space.set_blob("fixed", b"keep")
    for count in range(900):
        space.set_i32("count", count)
        space.commit()
    again = NvsStore(part).namespace("a")
    assert (again.get_i32("count"), again.get_blob("fixed")) == (899, b"keep")
    assert sum(part.flash.wear.values()) >= 3


def test_too_much_is_refused_and_changes_nothing() -> None:
    part = partition()
    space = NvsStore(part).namespace("a")
    space.set_blob("small", b"1")
    space.commit()
    for index in range(4):
        space.set_blob(f"b{index}", bytes(4000))
    with pytest.raises(NvsFull, match="not enough space"):
        space.commit()
    assert NvsStore(part).namespace("a").get_blob("small") == b"1"


def write_pair(part: Partition, value: int) -> None:
    """Change two values that belong together."""
    space = NvsStore(part).namespace("a")
    space.set_i32("left", value)
    space.set_blob("right", b"%d" % value * 60)
    space.commit()


def read_pair(part: Partition) -> int:
    space = NvsStore(part).namespace("a")
    left = space.get_i32("left")
    assert space.get_blob("right") == b"%d" % left * 60
    return left


@pytest.mark.parametrize("torn", [(0, 1), (1, 3), (1, 2), (1, 1)])
def test_power_cut_at_every_operation_leaves_old_or_new(torn: tuple[int, int]) -> None:
    """Seventy commits, of which some rotate the log; power cut inside each operation."""
    flash = NorFlash(0x2000)
    part = partition(flash)
    write_pair(part, 100)
    covered = rotations = 0
    seen = set()
    for value in range(101, 171):
        before = flash.copy()
        erased = sum(flash.wear.values())
        write_pair(part, value)
        rotations += sum(flash.wear.values()) > erased
        for cut in range(1, flash.operations + 1):
            broken = before.copy()
            broken.cut_after(cut, torn_share=torn)
            try:
                write_pair(partition(broken), value)
            except StopGuest:
                covered += 1
            else:
                break
            broken.restore_power()
            found = read_pair(partition(broken))
            assert found in (value - 1, value)
            seen.add(found == value)
            write_pair(partition(broken), 999)
            assert read_pair(partition(broken)) == 999
    assert rotations >= 2
    assert covered > 70
    assert False in seen


def test_torn_entry_does_not_hide_later_ones() -> None:
    part = partition()
    space = NvsStore(part).namespace("a")
    space.set_i32("x", 1)
    space.commit()
    part.flash.cut_after(1)
    space.set_i32("x", 2)
    with pytest.raises(StopGuest):
        space.commit()
    part.flash.restore_power()
    space = NvsStore(part).namespace("a")
    assert space.get_i32("x") == 1
    space.set_i32("x", 3)
    space.commit()
    assert NvsStore(part).namespace("a").get_i32("x") == 3


@pytest.mark.parametrize("name", ["", "sixteen-bytes-xx", "a\0b"])
def test_names_are_one_to_fifteen_bytes(name: str) -> None:
    store = NvsStore(partition())
    with pytest.raises(ValueError, match="1 to 15 bytes"):
        store.namespace(name)
    with pytest.raises(ValueError, match="1 to 15 bytes"):
        store.namespace("a").set_i32(name, 1)


def test_values_have_bounds() -> None:
    space = NvsStore(partition()).namespace("a")
    with pytest.raises(ValueError, match="i32 value out of range"):
        space.set_i32("x", 1 << 31)
    with pytest.raises(ValueError, match="at most 4000"):
        space.set_blob("x", bytes(4001))
