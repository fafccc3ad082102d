"""littlefs on the flash model: the guest's file operations and power cuts under them."""

from __future__ import annotations

import errno

import pytest
from littlefs import lfs

from wattest.emulator.filesystem import LittleFs
from wattest.emulator.filesystem_port import OpenMode
from wattest.emulator.flash import NorFlash, Partition
from wattest.emulator.guest import StopGuest
from wattest.errors import EmulatorError

READ = OpenMode(True, False, False, False, False, False)
APPEND = OpenMode(False, True, True, False, True, False)
FRESH = OpenMode(False, True, True, False, False, True)


def partition(flash: NorFlash | None = None) -> Partition:
    flash = flash or NorFlash(64 * 4096)
    return Partition(flash, 0, flash.size_bytes)


def mounted(part: Partition | None = None) -> LittleFs:
    return LittleFs.mount(part or partition(), format_if_needed=True)


def test_blank_flash_is_formatted_only_when_asked() -> None:
    with pytest.raises(EmulatorError, match="no littlefs at flash offset 0x0"):
        LittleFs.mount(partition())
    assert mounted().listdir("/") == []


def test_disk_version_is_what_every_micropython_can_mount() -> None:
    disk = mounted()
    assert lfs.fs_stat(disk._fs).disk_version == 0x00020000


def test_files_and_folders_survive_a_remount() -> None:
    part = partition()
    mounted(part).install([("node/app.mpy", b"abc"), ("/main.py", b"x" * 9000)])
    disk = LittleFs.mount(part)
    assert sorted(disk.listdir("/")) == [("main.py", False), ("node", True)]
    assert disk.entries("/node") == [("app.mpy", False, 3)]
    assert disk.read_file("/main.py") == b"x" * 9000
    assert disk.stat("/node").is_dir
    assert disk.exists("/node/app.mpy")
    assert not disk.exists("/lib")


def test_append_seek_and_read() -> None:
    disk = mounted()
    for part in (b"one", b"two"):
        handle = disk.open("/log", APPEND)
        assert disk.write(handle, part) == 3
        disk.close(handle)
    handle = disk.open("/log", READ)
    assert disk.seek(handle, -2, 2) == 4
    assert disk.read(handle, 10) == b"wo"


def test_unclosed_file_is_lost_when_the_guest_ends() -> None:
    part = partition()
    disk = mounted(part)
    handle = disk.open("/a", APPEND)
    disk.write(handle, b"kept")
    disk.sync(handle)
    disk.write(handle, b"lost")
    assert LittleFs.mount(part).read_file("/a") == b"kept"


def test_failures_carry_the_hosts_errno() -> None:
    disk = mounted()
    disk.mkdir("/d")
    disk.write_file("/f", b"")
    disk.write_file("/d/x", b"")
    cases = [
        (lambda: disk.stat("/no"), errno.ENOENT),
        (lambda: disk.mkdir("/d"), errno.EEXIST),
        (lambda: disk.rmdir("/d"), errno.ENOTEMPTY),
        (lambda: disk.rmdir("/f"), errno.ENOTDIR),
        (lambda: disk.unlink("/d"), errno.EISDIR),
        (lambda: disk.open("/d", READ), errno.EISDIR),
        (lambda: disk.open("/f", FRESH), errno.EEXIST),
        (lambda: disk.write_file("/" + "n" * 300, b""), errno.ENAMETOOLONG),
    ]
    for action, number in cases:
        with pytest.raises(OSError, match=r"[.]|") as caught:
            action()
        assert caught.value.errno == number


def test_full_disk_is_an_error_and_keeps_what_was_there() -> None:
    disk = mounted(partition(NorFlash(8 * 4096)))
    disk.write_file("/keep", b"1")
    with pytest.raises(OSError, match=r"[.]|") as caught:
        disk.write_file("/big", bytes(64 * 1024))
    assert caught.value.errno == errno.ENOSPC
    assert disk.read_file("/keep") == b"1"


def test_usage_counts_blocks() -> None:
    disk = mounted()
    blocks, empty = disk.usage()
    disk.write_file("/a", bytes(20_000))
    assert (blocks, disk.usage()[1] - empty) == (64, 5)


def test_replacing_by_rename_is_old_or_new_at_every_flash_operation() -> None:
    """Write new, then rename over old, with power cut inside every operation in turn."""
    start = NorFlash(32 * 4096)
    mounted(partition(start)).write_file("/state", b"old" * 100)
    seen = []
    for cut in range(1, 200):
        flash = start.copy()
        part = partition(flash)
        flash.cut_after(cut)
        try:
            disk = LittleFs.mount(part)
            disk.write_file("/state.new", b"new" * 100)
            disk.rename("/state.new", "/state")
        except StopGuest:
            flash.restore_power()
            seen.append(LittleFs.mount(part).read_file("/state"))
            continue
        break
    assert len(seen) == cut - 1 > 3
    assert set(seen) <= {b"old" * 100, b"new" * 100}
    assert seen[0] == b"old" * 100


def test_formatting_stops_when_power_fails() -> None:
    flash = NorFlash(32 * 4096)
    flash.cut_after(2)
    with pytest.raises(StopGuest, match="power cut"):
        mounted(partition(flash))
    flash.restore_power()
    assert mounted(partition(flash)).listdir("/") == []
