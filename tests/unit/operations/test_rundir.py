"""The folder of a run: written whole or not at all, and every failure one clear line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wattest.errors import ConfigError, StoreError
from wattest.operations.rundir import FrameLog, RunDir, write_whole


def made(path: Path) -> RunDir:
    run = RunDir(path / "OUT")
    run.make(scenario="name = 1\n")
    return run


def test_folders_above_are_made_and_the_scenario_is_kept(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "a" / "b" / "OUT")
    run.make(scenario="name = 1\n")
    assert run.scenario.read_text() == "name = 1\n"
    assert run.statements.is_dir()


def test_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.ledger.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="already holds a run"):
        run.make(scenario="")
    assert run.ledger.read_bytes() == b"precious"
    assert run.scenario.read_text() == "name = 1\n"


def test_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "OUT").write_text("mine")
    with pytest.raises(ConfigError, match="is a file, expected a folder"):
        made(tmp_path)
    with pytest.raises(StoreError, match="cannot make the folder"):
        RunDir(tmp_path / "OUT" / "below").make(scenario="")
    assert (tmp_path / "OUT").read_text() == "mine"


def test_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(StoreError, match="cannot be written"):
        write_whole(tmp_path / "missing" / "file", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        write_whole(tmp_path / "folder", b"")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "folder"]


def test_frames_are_kept_with_time_and_place(tmp_path: Path) -> None:
    run = made(tmp_path)
    for first in (0, 5):  # the second time the log goes on where it ended
        log = FrameLog(run)
        log.append(first, "n-1", b"abc")
        log.append(first + 1, "n-2", b"de")
        log.flush()
        log.close()
    assert run.frames.read_bytes() == b"abcdeabcde"
    assert run.frames_index.read_text().splitlines() == [
        "t_ns,node,offset,length",
        "0,n-1,0,3",
        "1,n-2,3,2",
        "5,n-1,5,3",
        "6,n-2,8,2",
    ]


def test_frames_that_cannot_be_kept_are_told_in_one_line(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.frames.mkdir()
    with pytest.raises(StoreError, match="OUT: received bytes cannot be kept: Is a directory"):
        FrameLog(run)


def test_digests_cover_every_file_but_the_ledger_and_can_be_checked_by_others(
    tmp_path: Path,
) -> None:
    run = made(tmp_path)
    (run.statements / "a.txt").write_bytes(b"a")
    run.ledger.write_bytes(b"ledger")
    run.ledger.with_name("ledger.sqlite-wal").write_bytes(b"beside")
    run.write_json({"finished": False})
    run.write_digests()
    assert run.file_names() == ["run.json", "scenario.toml", "statements/a.txt"]
    lines = dict(reversed(line.split("  ")) for line in run.digests.read_text().splitlines())
    assert sorted(lines) == run.file_names()
    assert lines["statements/a.txt"] == hashlib.sha256(b"a").hexdigest()
