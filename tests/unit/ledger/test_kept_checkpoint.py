"""A ledger that was cut short or put back is noticed by the checkpoint kept outside of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger_samples import plain, signer
from wattest.errors import ForkFound, NoteError, SignatureInvalid, StoreError
from wattest.ledger import CheckpointVerifier, Ledger, LedgerView
from wattest.ledger.kept_checkpoint import check_kept
from wattest.store import MemoryStore, SqliteStore
from wattest.witness import FileCopy


class Copy:
    """A copy in memory that can be made to fail."""

    where = "the drawer"

    def __init__(self, note: bytes | None = None) -> None:
        self.note = note
        self.full = False

    def read(self) -> bytes | None:
        return self.note

    def write(self, note: bytes) -> None:
        if self.full:
            raise StoreError("the drawer is full")
        self.note = note

    def of(self, _: CheckpointVerifier) -> Copy:
        return self


def grown(store: MemoryStore, *numbers: int, kept: Copy | None = None) -> Ledger:
    ledger = Ledger(store, signer(), kept=kept)
    for number in numbers:
        ledger.append([plain(number)])
    return ledger


def note_of(ledger: Ledger) -> bytes:
    signed = ledger.checkpoint()
    assert signed is not None
    return signed.note


def test_the_copy_follows_every_commit_and_the_ledger_goes_on_from_it():
    store, copy = MemoryStore(), Copy()
    ledger = grown(store, kept=copy)
    assert copy.note is None
    for number in range(3):
        ledger.append([plain(number)])
        assert copy.note == note_of(ledger)
    assert grown(store, 3, kept=copy).size == 4


def test_a_copy_that_is_behind_is_caught_up_with_at_the_start_of_the_next_append():
    store, copy = MemoryStore(), Copy()
    ledger = grown(store, 0, kept=copy)
    first, copy.full = copy.note, True
    ledger.append([plain(1)])  # logged: nothing may say that it was not
    assert (ledger.size, copy.note) == (2, first)
    with pytest.raises(StoreError, match="the drawer is full"):
        ledger.append([plain(2)])
    assert ledger.size == 2
    copy.full = False
    assert grown(store, kept=copy).size == 2
    ledger.append([plain(2)])
    assert (ledger.size, copy.note) == (3, note_of(ledger))


def test_an_older_ledger_in_the_newer_ones_place_is_refused_and_told_what_to_do():
    copy = Copy(note_of(grown(MemoryStore(), 0, 1, 2)))
    for older in ((0, 1), (0,), ()):
        with pytest.raises(ForkFound) as caught:
            grown(_store(*older), kept=copy)
        line = caught.value.diagnostics()
        assert f"has {len(older)} entries, but the checkpoint kept in the drawer covers 3" in line
        assert "bring the newest ledger file back" in line
        assert "\n" not in line
        assert caught.value.known == copy.note


@pytest.mark.parametrize("numbers", [(7, 1, 2), (0, 1, 7), (7, 1, 2, 3), (0, 1, 7, 3, 4)])
def test_a_rewritten_ledger_is_refused_however_long_it_is(numbers: tuple[int, ...]):
    copy = Copy(note_of(grown(MemoryStore(), 0, 1, 2)))
    with pytest.raises(ForkFound, match="does not go on from the checkpoint of size 3 kept in"):
        grown(_store(*numbers), kept=copy)


def _store(*numbers: int) -> MemoryStore:
    store = MemoryStore()
    grown(store, *numbers)
    return store


def test_a_copy_of_another_ledger_or_no_note_is_refused():
    with pytest.raises(SignatureInvalid, match="expected a signature of wattest/test"):
        grown(MemoryStore(), kept=Copy(signer(2).sign(0, bytes(32)).note))
    for note in (b"", b"x", note_of(grown(MemoryStore(), 0))[:-1]):
        with pytest.raises(NoteError):
            grown(MemoryStore(), kept=Copy(note))


def test_a_backup_put_back_is_refused_by_the_file_outside(tmp_path: Path):
    path, backup = tmp_path / "ledger.sqlite", tmp_path / "backup.sqlite"
    copy = FileCopy(tmp_path / "kept", signer().verifier)
    for number in range(2):
        with SqliteStore(path) as store:
            Ledger(store, signer(), kept=copy).append([plain(number)])
        if not number:
            shutil.copyfile(path, backup)
    shutil.copyfile(backup, path)
    with SqliteStore(path) as store, pytest.raises(ForkFound, match=copy.where):
        Ledger(store, signer(), kept=copy)
    assert [file.suffix for file in (tmp_path / "kept").iterdir()] == [".note"]


def test_two_ledgers_of_one_name_have_copies_of_their_own(tmp_path: Path):
    one, two = (FileCopy(tmp_path, signer(n).verifier) for n in (1, 2))
    one.write(signer(1).sign(0, bytes(32)).note)
    assert two.read() is None
    assert one.where != two.where


def test_a_file_outside_that_cannot_be_used_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    copy = FileCopy(tmp_path / "file", signer().verifier)
    with pytest.raises(StoreError, match="cannot be read"):
        copy.read()
    with pytest.raises(StoreError, match="cannot make the folder"):
        copy.write(b"note")
    large = FileCopy(tmp_path, signer().verifier)
    Path(large.where).write_bytes(bytes(70_000))
    with pytest.raises(StoreError, match="expected at most 65536 bytes"):
        large.read()


def test_a_changed_key_has_a_copy_at_once_and_the_older_notes_still_hold(tmp_path: Path):
    path, old, new = tmp_path / "ledger.sqlite", signer(1), signer(2)
    with SqliteStore(path) as store:
        ledger = Ledger(store, old, kept=FileCopy(tmp_path, old.verifier))
        ledger.append([plain(0)])
        before = note_of(ledger)
    shutil.copyfile(path, tmp_path / "before.sqlite")
    with SqliteStore(path) as store:
        ledger = Ledger(store, old, kept=FileCopy(tmp_path, old.verifier))
        ledger.rotate(new)
        copy = FileCopy(tmp_path, new.verifier)
        assert copy.read() == note_of(ledger)
        ledger.append([plain(1)])
        assert copy.read() == note_of(ledger)
    with SqliteStore(path) as store:
        view = LedgerView(store, new.verifier)
        assert check_kept(view, before, where="run.json").size == 1
        assert Ledger(store, new, kept=copy).size == 3
    older = tmp_path / "before.sqlite"
    with SqliteStore(older) as store, pytest.raises(SignatureInvalid):
        Ledger(store, new, kept=copy)
    with SqliteStore(older) as store, pytest.raises(ForkFound, match="has 1 entries, but"):
        Ledger(store, old, kept=FileCopy(tmp_path, old.verifier))
