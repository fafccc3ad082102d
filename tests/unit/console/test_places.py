"""Where recorders are announced: nobody else's folder, nothing taken away that lives."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from console_bench import Speaker, wait_until

from wattest.cli import main
from wattest.errors import ConfigError, StoreError
from wattest.operations.console import recorder as recorder_module
from wattest.operations.console.lease import ANSWER_S
from wattest.operations.console.places import announcements, connect, find_recorder
from wattest.operations.console.recorder import Recorder


def somebody_elses(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have a folder belong to another user."""
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        if path != folder:
            return found
        return os.stat_result([*found[:4], os.getuid() + 1, *found[5:10]])

    monkeypatch.setattr(Path, "stat", stat)


@pytest.mark.parametrize("which", ["console", "its parent"])
def test_recorders_in_somebody_elses_folder_are_not_trusted(
    board: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Goal: below /tmp anybody can make the folder first, and put a recorder of their own in."""
    folder = announcements()
    folder.mkdir(parents=True)
    somebody_elses(monkeypatch, folder if which == "console" else folder.parent)
    with pytest.raises(ConfigError, match="belongs to another user"):
        find_recorder(board.address)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Recorder(board.address, tmp_path)


def test_boards_in_somebody_elses_folder_are_nobodys_to_collect_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Goal: an announcement says which boards are real, so only our own counts."""
    folder = announcements().parent
    folder.mkdir(parents=True)
    (folder / "boards.json").write_text("{}")
    somebody_elses(monkeypatch, folder)
    for argv in (["tui", "--live", "--headless"], ["boards", "scan"], ["console", "--board", "x"]):
        assert main.main(argv) == 2, argv
        assert "belongs to another user" in capsys.readouterr().err


def test_a_recorder_that_cannot_be_reached_for_another_reason_stays_announced(
    board: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_fails(_line: socket.socket, _path: str) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with Recorder(board.address, tmp_path) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "connect", connect_fails)
            assert connect(recorder.announcement) is None
        talk = connect(recorder.announcement)
        assert talk is not None
        talk.close()


def test_nothing_stays_open_when_a_recorder_cannot_be_announced(
    board: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_announcement: object) -> socket.socket:
        raise StoreError("no room")

    before = set(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(recorder_module, "listen", fail)
    with pytest.raises(StoreError, match="no room"):
        Recorder(board.address, tmp_path)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_holder_that_hangs_up_before_it_has_the_port_changes_nothing(
    board: Speaker, tmp_path: Path
) -> None:
    """Goal: the port was never closed, so nobody may be told that it is being opened again."""
    with Recorder(board.address, tmp_path) as recorder:
        wait_until(lambda: recorder.standing()["state"] == "open", "open port")
        for number in range(20):
            gone = connect(recorder.announcement)
            assert gone is not None
            gone.send(do="lease", holder=f"gone {number}")
            gone.close()
        talk = connect(recorder.announcement)
        assert talk is not None
        with talk:
            while "refused" in (answer := talk.ask(ANSWER_S, do="lease", holder="last")):
                pass  # the last of them has not been missed yet
            assert answer == {"ok": True}
            assert recorder.standing()["state"] == "lent"
            assert talk.receive(0.0) is None, "one answer"
            assert talk.ask(ANSWER_S, do="back") == {"ok": True}
        wait_until(lambda: recorder.standing()["state"] == "open", "port that is open again")
        wait_until(lambda: recorder.send(b"?") == "", "port that takes bytes")
        assert board.hear(1) == b"?"
