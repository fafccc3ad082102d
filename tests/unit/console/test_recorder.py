"""The recorder on a pseudo terminal: every byte once, whoever watches, borrows or dies."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from console_bench import (
    Speaker,
    events,
    received,
    wait_for_bytes,
    wait_until,
)

from wattest.errors import LinkClosed, LinkError
from wattest.link import open_port
from wattest.operations.console.attached import attach, open_or_attach
from wattest.operations.console.chunk import ChunkKind
from wattest.operations.console.lease import port_lease
from wattest.operations.console.log_file import read_log
from wattest.operations.console.places import announcements, connect, find_recorder
from wattest.operations.console.recorder import Recorder
from wattest.operations.console.watcher import Watcher

LATER_S = 20.0


def read_all(port, size: int) -> bytes:
    data = b""
    while len(data) < size:
        new = port.read(size - len(data), float("inf"))
        data += new
    return data


def test_what_was_said_before_the_port_was_opened_is_kept(board: Speaker, tmp_path: Path) -> None:
    board.say(b"ets Jul 29 2019 12:21:46\r\n")
    with Recorder(board.address, tmp_path):
        board.say(b"hello\r\n")
        wait_for_bytes(tmp_path, b"ets Jul 29 2019 12:21:46\r\nhello\r\n")
    assert events(tmp_path) == ["started", "opened", "stopped"]


def test_every_byte_value_arrives_as_it_is(board: Speaker, tmp_path: Path) -> None:
    said = bytes(range(256)) * 64
    with Recorder(board.address, tmp_path):
        board.say(said)
        wait_for_bytes(tmp_path, said)


def test_watchers_see_the_same_and_a_stuck_one_holds_nobody_up(
    board: Speaker, tmp_path: Path
) -> None:
    with Recorder(board.address, tmp_path) as recorder:
        stuck = connect(recorder.announcement)
        assert stuck is not None
        stuck.send(do="watch")
        with stuck, Watcher(recorder.announcement) as one, Watcher(recorder.announcement) as two:
            said = b"".join(b"line %d\r\n" % number for number in range(3000))
            board.say(said)
            wait_for_bytes(tmp_path, said)
            for watcher in (one, two):
                texts: list[str] = []
                while not texts or texts[-1] != "line 2999":
                    new = watcher.take(LATER_S)
                    texts += [item.text for item in new if item.kind == "text"]
                assert texts == [f"line {number}" for number in range(3000)]


def test_what_a_watcher_types_reaches_the_board_and_the_log(
    board: Speaker, tmp_path: Path
) -> None:
    with (
        Recorder(board.address, tmp_path) as recorder,
        Watcher(recorder.announcement) as watcher,
    ):
        wait_until(lambda: "opened" in events(tmp_path), "open port")
        assert watcher.send(b"\x03print(1)\r") == ""
        assert board.hear(10) == b"\x03print(1)\r"
    sent = [c.data for c in read_log(tmp_path) if c.kind is ChunkKind.SENT]
    assert sent == [b"\x03print(1)\r"]


def test_second_recorder_is_refused_and_told_where_the_first_is(
    board: Speaker, tmp_path: Path
) -> None:
    with (
        Recorder(board.address, tmp_path),
        pytest.raises(LinkError, match=f"is recorded by process {os.getpid()}"),
    ):
        Recorder(board.address, tmp_path / "other")


def test_recorder_is_found_by_a_link_to_its_port(board: Speaker, tmp_path: Path) -> None:
    link = tmp_path / "node.tty"
    link.symlink_to(board.address)
    with Recorder(board.address, tmp_path / "log") as recorder:
        found = find_recorder(str(link))
        assert found is not None
        assert found[0] == recorder.announcement
        found[1].close()
    assert find_recorder(str(link)) is None


def test_socket_is_for_its_owner_alone(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path) as recorder:
        for path in (recorder.announcement.socket_path, recorder.announcement.path):
            assert path.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("*.wlog"))
    assert not list(announcements().iterdir())


def test_port_is_lent_and_comes_back_and_the_log_says_so(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path):
        board.say(b"before\r\n")
        wait_for_bytes(tmp_path, b"before\r\n")
        with port_lease(board.address, holder="flashing") as lease:
            assert lease.recorder_pid == os.getpid()
            with open_port(board.address) as port:
                board.say(b"only for the holder")
                assert read_all(port, 19) == b"only for the holder"
            board.say(b"after the holder closed it\r\n")
        wait_for_bytes(tmp_path, b"before\r\nafter the holder closed it\r\n")
    assert events(tmp_path) == ["started", "opened", "lent", "back", "opened", "stopped"]
    lent = next(c.note for c in read_log(tmp_path) if c.note.get("event") == "lent")
    assert lent["holder"] == f"flashing, process {os.getpid()}"


def test_what_is_said_right_before_a_lease_is_kept(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path):
        for number in range(20):
            board.say(b"%d " % number * 100)
            with port_lease(board.address):
                pass
        said = b"".join(b"%d " % number * 100 for number in range(20))
        wait_for_bytes(tmp_path, said)


def test_holder_listens_through_the_recorder_and_nothing_is_lost_to_either(
    board: Speaker, tmp_path: Path
) -> None:
    with Recorder(board.address, tmp_path), port_lease(board.address) as lease:
        board.say(b"rst:0x1 (POWERON_RESET)\r\n")
        with lease.listen() as port:
            board.say(b"ready\r\n")
            assert read_all(port, 32) == b"rst:0x1 (POWERON_RESET)\r\nready\r\n"
            port.write(b"x")
            assert board.hear(1) == b"x"
        wait_for_bytes(tmp_path, b"rst:0x1 (POWERON_RESET)\r\nready\r\n")


def test_lease_without_a_recorder_listens_on_the_port_itself(board: Speaker) -> None:
    with port_lease(board.address) as lease:
        assert lease.recorder_pid is None
        with lease.listen() as port:
            board.say(b"ready")
            assert read_all(port, 5) == b"ready"


def test_recorder_that_ends_while_it_lends_the_port_leaves_it_to_the_holder(
    board: Speaker, tmp_path: Path
) -> None:
    with Recorder(board.address, tmp_path) as recorder, port_lease(board.address) as lease:
        recorder.stop()
        with lease.listen() as port:
            board.say(b"ready")
            assert read_all(port, 5) == b"ready"
        lease.take()
        open_port(board.address).close()


def test_lease_ends_in_peace_though_its_recorder_has_ended(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path) as recorder, port_lease(board.address) as lease:
        recorder.stop()
        lease.give_back()


def test_second_lease_is_refused_with_the_name_of_the_first(
    board: Speaker, tmp_path: Path
) -> None:
    with (
        Recorder(board.address, tmp_path),
        port_lease(board.address, holder="flashing"),
        pytest.raises(LinkError, match="has been lent to flashing, process"),
        port_lease(board.address, holder="provisioning"),
    ):
        raise AssertionError("the port was lent twice")


def test_lease_ends_with_its_holder(board: Speaker, tmp_path: Path) -> None:
    holder = (
        "import sys\n"
        "from wattest.operations.console.lease import port_lease\n"
        "with port_lease(sys.argv[1], holder='flashing'):\n"
        "    print('mine', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with Recorder(board.address, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", holder, board.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"mine\n"
            process.send_signal(signal.SIGKILL)
            process.wait(LATER_S)
        board.say(b"still there\r\n")
        wait_for_bytes(tmp_path, b"still there\r\n")


def test_port_through_a_recorder_is_gone_while_it_is_lent(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path), open_or_attach(board.address) as port:
        board.say(b"before")
        assert read_all(port, 6) == b"before"
        with port_lease(board.address, holder="flashing"):
            with pytest.raises(LinkClosed, match="is lent to flashing"):
                port.read(1, float("inf"))
            with pytest.raises(LinkClosed, match="is lent to flashing"):
                port.write(b"x")
            with pytest.raises(LinkError, match="does not have it: is lent to flashing"):
                open_or_attach(board.address)


def test_port_through_a_recorder_ends_with_it(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path) as recorder:
        port = attach(recorder.announcement, board.address, await_port=True)
        watcher = Watcher(recorder.announcement)
    with port, pytest.raises(LinkClosed, match="its recorder has ended"):
        port.read(1, float("inf"))
    with watcher:
        while not any(item.text == "recording ended" for item in watcher.take(LATER_S)):
            pass
        with pytest.raises(LinkClosed, match="has ended"):
            watcher.take(LATER_S)


def test_port_that_vanishes_and_returns_is_read_on(tmp_path: Path) -> None:
    link = tmp_path / "node.tty"
    log = tmp_path / "log"
    with pytest.raises(LinkError, match="no such port"):
        Recorder(str(link), log)
    with Recorder(str(link), log, wait=True):
        first = Speaker()
        first.say(b"one\r\n")
        link.symlink_to(first.address)
        wait_for_bytes(log, b"one\r\n")
        first.close()
        wait_until(lambda: "lost" in events(log), "lost port")
        link.unlink()
        second = Speaker()
        second.say(b"two\r\n")
        link.symlink_to(second.address)
        wait_for_bytes(log, b"one\r\ntwo\r\n")
    second.close()
    assert events(log) == ["started", "opened", "lost", "opened", "stopped"]


def test_port_that_comes_and_goes_is_told_once(tmp_path: Path) -> None:
    link = tmp_path / "node.tty"
    log = tmp_path / "log"
    with Recorder(str(link), log, wait=True):
        for number in range(8):
            board = Speaker()
            link.symlink_to(board.address)
            wait_until(lambda n=number: events(log).count("opened") == n + 1, "open port")
            link.unlink()
            board.close()
            wait_until(lambda n=number: events(log).count("lost") == n + 1, "lost port")
    notes = [c.note for c in read_log(log) if c.kind is ChunkKind.NOTE]
    told = [n for n, note in enumerate(notes) if note["event"] == "flapping"]
    assert len(told) == 1
    assert notes[told[0]]["times"] == 5
    assert "another cable" in notes[told[0]]["try"]
    assert not any(note.get("quiet") for note in notes[: told[0]])
    assert all(note.get("quiet") for note in notes[told[0] + 1 :] if note["event"] != "stopped")


def test_killed_recorder_leaves_a_log_and_no_obstacle(board: Speaker, tmp_path: Path) -> None:
    recorder = (
        "import sys\n"
        "from pathlib import Path\n"
        "from wattest.operations.console.recorder import Recorder\n"
        "with Recorder(sys.argv[1], Path(sys.argv[2])):\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", recorder, board.address, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        board.say(b"one\r\n")
        wait_for_bytes(tmp_path, b"one\r\n")
        process.send_signal(signal.SIGKILL)
        process.wait(LATER_S)
    board.say(b"two\r\n")
    with Recorder(board.address, tmp_path):
        wait_for_bytes(tmp_path, b"one\r\ntwo\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nothing\n",
        b"[]\n",
        b'{"do": "dance"}\n',
        b'{"do": "send", "data": 5}\n',
        b'{"do": "send", "data": "*"}\n',
        b'{"do": "lease"}\n',
        b'{"do": "back"}\n',
    ],
)
def test_nonsense_at_the_desk_is_refused(board: Speaker, tmp_path: Path, line: bytes) -> None:
    with (
        Recorder(board.address, tmp_path) as recorder,
        socket.socket(socket.AF_UNIX) as stranger,
    ):
        stranger.connect(str(recorder.announcement.socket_path))
        stranger.sendall(line)
        assert b'"refused": "not understood' in stranger.recv(4096)
        with suppress(OSError):  # it hangs up on who says too much
            stranger.sendall(b"x" * 100_000)
        board.say(b"unmoved")
        wait_for_bytes(tmp_path, b"unmoved")


def test_full_disk_ends_the_recorder_with_one_line(
    board: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Recorder(board.address, tmp_path) as recorder:
        board.say(b"kept\r\n")
        wait_for_bytes(tmp_path, b"kept\r\n")

        def full(_file: int, _data: bytes) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("wattest.operations.console.log_file.os.write", full)
            os.writev(board.master, [b"lost\r\n"])
            assert recorder.wait(LATER_S)
        assert "cannot be kept: no space left on device" in str(recorder.error)
    assert received(tmp_path) == b"kept\r\n"


def test_lease_is_taken_again_after_listening(board: Speaker, tmp_path: Path) -> None:
    with Recorder(board.address, tmp_path), port_lease(board.address) as lease:
        for said in (b"first boot", b"next boot "):
            lease.take()
            with open_port(board.address):
                pass
            board.say(said)
            for _ in range(2):
                with lease.listen() as port:
                    board.say(b"!")
                    assert read_all(port, 1)
    assert received(tmp_path) == b"first boot!!next boot !!"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_doubled_while_watchers_and_borrowers_come_and_go(
    board: Speaker, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    said = [chance.randbytes(chance.randrange(1, 3000)) for _ in range(200)]
    speaker = threading.Thread(target=lambda: [board.say(part) for part in said])
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(board.address, tmp_path))
        speaker.start()
        watchers: list[Watcher] = []
        for _ in range(12):
            match chance.randrange(3):
                case 0:
                    watchers.append(stack.enter_context(Watcher(recorder.announcement)))
                case 1 if watchers:
                    watchers.pop(chance.randrange(len(watchers))).__exit__(None, None, None)
                case _:
                    with port_lease(board.address):
                        pass
            for watcher in watchers:
                watcher.take(0.0)
        speaker.join(LATER_S)
        wait_for_bytes(tmp_path, b"".join(said))
