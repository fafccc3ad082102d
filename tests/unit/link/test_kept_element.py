"""A secure element in a file: it comes back with its key, whatever the program did in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.emulator.atecc608_packet import Opcode
from wattest.emulator.atecc608_vault import Vault
from wattest.errors import EmulatorError
from wattest.operations.standing.kept_element import KeptElement


def make_key(vault: Vault) -> bytes:
    return vault.execute(Opcode.GENKEY, 4, 0, b"")


def public_key(vault: Vault) -> bytes:
    return vault.execute(Opcode.GENKEY, 0, 0, b"")


def test_key_counters_locks_and_serial_number_come_back(tmp_path: Path) -> None:
    path = tmp_path / "board.element"
    vault = Vault(b"first life", locked=False)
    kept = KeptElement(path, vault)
    vault.execute(Opcode.LOCK, 0x80, 0, b"")
    public = make_key(vault)
    vault.execute(Opcode.COUNTER, 1, 1, b"")
    kept.sync()
    other = Vault(b"second life")
    KeptElement(path, other)
    assert public_key(other) == public
    assert other.serial_number == vault.serial_number
    assert other.config == vault.config
    assert other.execute(Opcode.COUNTER, 0, 1, b"")[0] == 1
    assert path.stat().st_mode & 0o077 == 0, "a private key is in it"
    assert make_key(other) != make_key(vault), "each life draws its own random numbers"


def test_file_is_written_only_when_the_chip_changed(tmp_path: Path) -> None:
    path = tmp_path / "board.element"
    vault = Vault(b"one")
    kept = KeptElement(path, vault)
    make_key(vault)
    kept.sync()
    path.unlink()
    kept.sync()
    assert not path.exists()
    make_key(vault)
    kept.sync()
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"config": "00"}', b"\xff\xfe"])
def test_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "board.element"
    path.write_bytes(content)
    with pytest.raises(EmulatorError, match=r"secure element .*board\.element"):
        KeptElement(path, Vault(b"one"))


def test_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="No such file or directory"):
        KeptElement(tmp_path / "nowhere" / "board.element", Vault(b"one"))
