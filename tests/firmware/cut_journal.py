"""A journal of the node on a littlefs of the host, whose power can be cut."""

import os
import random
import struct
from hashlib import sha256
from types import SimpleNamespace
from typing import Self

import pytest
from node import journal as journal_module
from node.journal import Journal

from wattest.emulator.filesystem import LittleFs
from wattest.emulator.filesystem_port import OpenMode
from wattest.emulator.flash import NorFlash, Partition
from wattest.emulator.guest import StopGuest

STATE_BYTES = 90
SEGMENT_BYTES = 2048
JOURNAL_BYTES = 8 * SEGMENT_BYTES


def record_of(position: int) -> bytes:
    """What the test puts at a position: 300 to 420 bytes that name it."""
    size = 300 + position * 37 % 120
    seed = sha256(struct.pack("<I", position)).digest()
    return (seed * 16)[:size]


def state_of(position: int) -> bytes:
    return bytes([position % 251]) * STATE_BYTES


class NodeFile:
    """A file of the littlefs with the methods the node's code uses."""

    def __init__(self, fs: LittleFs, path: str, mode: str) -> None:
        writing = mode != "rb"
        self._fs = fs
        self._handle = fs.open(
            path,
            OpenMode(not writing, writing, writing, mode == "wb", mode == "ab", False),
        )

    def readinto(self, buf) -> int:
        data = self._fs.read(self._handle, len(buf))
        buf[: len(data)] = data
        return len(data)

    def write(self, data) -> int:
        return self._fs.write(self._handle, bytes(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._fs.seek(self._handle, offset, whence)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._fs.close(self._handle)


class JournalBench:
    """Journal, flash and what must be true of them."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        flash: NorFlash | None = None,
    ) -> None:
        self.flash = flash or NorFlash(512 << 10)
        self._partition = Partition(self.flash, 0, self.flash.size_bytes)
        self.fs = LittleFs.mount(self._partition, format_if_needed=True)
        self._monkeypatch = monkeypatch
        self._patch()
        self.appended = 0
        self.acknowledged = 0
        self.held: int | None = None
        self.journal = self._recovered()

    # ---- plain use ----

    def append(self) -> bytes:
        return self.write_record(self.journal.next_position)

    def write_record(self, position: int) -> bytes:
        record = record_of(position)
        self.journal.space()[: len(record)] = record
        self.journal.append(len(record), bytearray(state_of(position)))
        return record

    def restart(self) -> None:
        self.fs = LittleFs.mount(self._partition)
        self._patch()
        self.journal = self._recovered()

    def segment_positions(self) -> list[int]:
        names = [name for name, _ in self.fs.listdir("/journal") if len(name) == 8]
        return sorted(int(name, 16) for name in names)

    def segments(self) -> int:
        return len(self.segment_positions())

    def last_segment(self) -> str:
        return f"/journal/{self.segment_positions()[-1]:08x}"

    def damage_last_entry(self) -> None:
        data = bytearray(self.fs.read_file(self.last_segment()))
        data[-50] ^= 1
        self.fs.write_file(self.last_segment(), bytes(data))

    # ---- cuts ----

    def run_script(self, *, cut_after: int = 0, chance: random.Random | None = None) -> int:
        """Append, acknowledge and hold until the script or the power ends; operations used."""
        before = self.flash.operations
        if cut_after:
            share = (chance.randrange(0, 9), 8) if chance else (1, 2)
            self.flash.cut_after(cut_after, torn_share=share)
        try:
            for step in range(14):
                self._append_counted()
                if step in (6, 9, 12):
                    self.acknowledged = max(self.acknowledged, step - 1)
                    self.journal.acknowledge(step - 2)
                if step == 10:
                    self.journal.hold(bytearray(state_of(200)))
                    self.held = self.journal.next_position
        except StopGuest:
            pass
        return self.flash.operations - before

    def recover_and_append(self, *, cut_after: int) -> bool:
        """Start again and append two records; True if the power was cut on the way."""
        self.flash.restore_power()
        self.flash.cut_after(cut_after)
        try:
            self.restart()
            self._append_counted()
            self._append_counted()
        except StopGuest:
            return True
        self.flash.cancel_cut()
        return False

    def check_after_cut(self) -> None:
        """Everything appended is there, and the next number was never used."""
        self.flash.restore_power()
        self.restart()
        journal = self.journal
        assert (journal.torn_bytes, journal.burnt) == (0, 0)
        assert self.appended <= journal.next_position <= self.appended + 1
        assert journal.first_retained() <= self.acknowledged
        for position in range(max(journal.first_retained(), 0), journal.next_position):
            assert self._read(position) == record_of(position)
        if journal.next_position:
            state = bytes(journal.head_state or b"")
            expected = {state_of(journal.next_position - 1)}
            if self.held in (None, journal.next_position):
                expected.add(state_of(200))
            assert state in expected
        self.append()
        self.restart()
        assert self._read(self.journal.next_position - 1)

    def _append_counted(self) -> None:
        position = self.journal.next_position
        self.write_record(position)
        self.appended = position + 1

    def _read(self, position: int) -> bytes:
        reader = journal_module.Reader(self.journal)
        reader.seek(position)
        found = reader.read()
        assert found is not None
        assert reader.lost == 0
        return bytes(found)

    def _recovered(self) -> Journal:
        journal = Journal(
            "/journal",
            max_bytes=JOURNAL_BYTES,
            segment_bytes=SEGMENT_BYTES,
            state_bytes=STATE_BYTES,
        )
        journal.recover()
        return journal

    def _patch(self) -> None:
        """Let the node's code see this littlefs as its own file system."""
        fs = self.fs
        node_os = SimpleNamespace(
            listdir=lambda path: [name for name, _ in fs.listdir(path)],
            mkdir=fs.mkdir,
            remove=fs.unlink,
            stat=lambda path: (0,) * 6 + (fs.stat(path).size_bytes,),
        )
        self._monkeypatch.setattr(journal_module, "os", node_os)
        self._monkeypatch.setattr(
            journal_module,
            "open",
            lambda path, mode: NodeFile(fs, path, mode),
            raising=False,
        )
