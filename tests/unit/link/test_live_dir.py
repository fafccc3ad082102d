"""Raw bytes after a kill, and the announcement of boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattest.errors import ConfigError
from wattest.operations.live.folder import LiveDir, mend_frames
from wattest.operations.live.ports import PortsFile
from wattest.operations.rundir import FrameLog, RunDir
from wattest.operations.standing.home import StateFile, default_state_path


def open_dir(path: Path) -> LiveDir:
    return LiveDir(path, epoch_ms=1, interval_ms=1000, demo_keys=True)


HEAD = b"t_ns,node,offset,length\n"


@pytest.mark.parametrize(
    ("index", "size", "kept", "kept_size"),
    [
        (b"", 0, b"", 0),
        (HEAD, 7, HEAD, 0),
        (HEAD[:-3], 7, b"", 0),
        (HEAD + b"1,a,0,5\n2,a,5,3\n", 8, HEAD + b"1,a,0,5\n2,a,5,3\n", 8),
        (HEAD + b"1,a,0,5\n2,a,5,3\n", 7, HEAD + b"1,a,0,5\n", 5),
        (HEAD + b"1,a,0,5\n2,a,5", 9, HEAD + b"1,a,0,5\n", 5),
        (HEAD + b"1,a,0,5\n", 4, HEAD, 0),
    ],
)
def test_frames_are_cut_back_to_what_both_files_hold(
    tmp_path: Path, index: bytes, size: int, kept: bytes, kept_size: int
) -> None:
    run = RunDir(tmp_path)
    run.frames_index.write_bytes(index)
    run.frames.write_bytes(b"x" * size)
    mend_frames(run)
    assert run.frames_index.read_bytes() == kept
    assert run.frames.stat().st_size == kept_size
    log = FrameLog(run)
    log.append(9, "b", b"after")
    log.close()
    assert run.frames_index.read_bytes() == (kept or HEAD) + b"9,b,%d,5\n" % kept_size


def test_ledger_key_comes_from_entropy_and_is_private(tmp_path: Path) -> None:
    with open_dir(tmp_path / "a") as first, open_dir(tmp_path / "b") as second:
        assert first.signer.verifier.public_key != second.signer.verifier.public_key
    key = tmp_path / "a" / "ledger.key"
    assert key.stat().st_mode & 0o777 == 0o600
    with open_dir(tmp_path / "a") as again:
        assert again.signer.verifier.public_key == first.signer.verifier.public_key


def test_collector_killed_at_any_step_of_its_beginning_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["_take_lock", "_begun", "_begin", "_follow_key"]
    for step in steps:
        with monkeypatch.context() as patch:
            patch.setattr(LiveDir, step, lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                open_dir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("wattest.operations.live.folder.open_store", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_dir(tmp_path)
    with open_dir(tmp_path) as folder:
        assert folder.resumed


@pytest.mark.parametrize("text", ["", "zz", "00" * 31])
def test_damaged_ledger_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.key").write_text(text)
    with pytest.raises(ConfigError, match=r"ledger\.key: "):
        open_dir(tmp_path)


def test_folder_must_be_one_and_empty_or_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file, expected a folder"):
        open_dir(tmp_path / "file")
    (tmp_path / "ledger.sqlite").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"holds a ledger without run\.json"):
        open_dir(tmp_path)


def test_announcement_of_a_living_process_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "wattest" / "boards.json"
    mine = StateFile(path)
    mine.write(PortsFile(ports=(), pid=os.getppid()))
    with pytest.raises(ConfigError, match=f"process {os.getppid()} keeps them"):
        StateFile(path)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    mine.write(PortsFile(ports=(), pid=gone.pid))
    StateFile(path).remove()
    assert not path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_damaged_announcement_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "boards.json"
    path.write_text("{")
    StateFile(path).write(PortsFile(ports=(), pid=1))
    assert json.loads(path.read_text())["pid"] == 1


def test_announcement_lies_in_the_runtime_folder_of_its_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_state_path() == tmp_path / "wattest" / "boards.json"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert default_state_path().name == "boards.json"
    assert tmp_path not in default_state_path().parents
