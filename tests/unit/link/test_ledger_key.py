"""The key of a live ledger is replaced; a host that dies in between goes on with the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger_samples import plain
from wattest.errors import SignatureInvalid, StoreError
from wattest.ledger import CheckpointVerifier
from wattest.ledger.audit import audit_report
from wattest.operations.live.folder import LiveDir
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir


def opened(path: Path) -> LiveDir:
    return LiveDir(path, epoch_ms=1, interval_ms=1000, demo_keys=True)


def named_key(path: Path) -> CheckpointVerifier:
    return CheckpointVerifier.from_text(RunDir(path).read_json()[CHECKPOINT_KEY])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A live ledger of two entries."""
    with opened(tmp_path / "out") as folder:
        folder.open_ledger().append([plain(1), plain(2)])
    return tmp_path / "out"


def check_sound(out: Path, key: CheckpointVerifier, entries: int) -> None:
    with opened(out) as folder:
        ledger = folder.open_ledger()
        assert folder.signer.verifier.to_text() == key.to_text()
        ledger.append([plain(9)])
        report = audit_report(folder.store, key)
    assert [finding.line() for finding in report.findings] == []
    assert report.size == entries + 1
    assert not (out / "ledger.key.next").exists()


def test_new_key_signs_and_vouches_for_the_old_one(out: Path) -> None:
    before = named_key(out)
    with opened(out) as folder:
        receipt = folder.rotate(folder.open_ledger())
        assert (receipt.index, receipt.size) == (2, 3)
    after = named_key(out)
    assert after.to_text() != before.to_text()
    check_sound(out, after, 3)
    assert (out / "ledger.key").stat().st_mode & 0o77 == 0


def test_host_that_dies_before_the_entry_keeps_the_old_key(out: Path) -> None:
    before = named_key(out)
    with opened(out) as folder:
        folder._key.prepare()
    check_sound(out, before, 2)


def test_host_that_dies_after_the_entry_has_the_new_key(out: Path) -> None:
    with opened(out) as folder:
        successor = folder._key.prepare()
        folder.open_ledger().rotate(successor)
    check_sound(out, successor.verifier, 3)
    assert named_key(out).to_text() == successor.verifier.to_text()


def test_host_that_dies_before_run_json_names_the_new_key_names_it_later(out: Path) -> None:
    with opened(out) as folder:
        successor = folder._key.prepare()
        folder.open_ledger().rotate(successor)
        folder._key.take()
    check_sound(out, successor.verifier, 3)


def test_key_of_another_ledger_is_not_named(out: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "other"):
        pass
    named = named_key(out).to_text()
    (out / "ledger.key").write_bytes((tmp_path / "other" / "ledger.key").read_bytes())
    with pytest.raises(SignatureInvalid):
        opened(out)
    assert named_key(out).to_text() == named


def test_disk_that_fails_at_the_entry_leaves_the_old_key(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named_key(out)
    with opened(out) as folder:
        ledger = folder.open_ledger()

        def full(batch: object) -> None:
            raise StoreError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(folder.store, "commit", full)
            with pytest.raises(StoreError, match="disk full"):
                folder.rotate(ledger)
    check_sound(out, before, 2)
