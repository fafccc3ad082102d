"""Who has a port open, and how sure that is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattest.errors import LinkError
from wattest.link import Holder, Holders, holders, holders_of, open_port

if not Path("/proc/self/fd").is_dir():
    pytest.skip("this system does not show what processes have open", allow_module_level=True)

HOLDER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address() -> object:
    ours, theirs = os.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_program_that_has_a_port_open_is_named_whatever_name_it_used(
    address: str, tmp_path: Path
) -> None:
    script = tmp_path / "grabber.py"
    script.write_text(HOLDER)
    link = tmp_path / "port"
    link.symlink_to(address)
    process = subprocess.Popen(
        [sys.executable, script, link], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert holders(address).found == (Holder(pid=process.pid, name="grabber.py"),)
        assert holders(str(link)).found == holders(address).found
    assert holders(address).found == ()


def test_module_that_python_runs_is_called_by_its_name(address: str, tmp_path: Path) -> None:
    (tmp_path / "grabbing.py").write_text(HOLDER)
    process = subprocess.Popen(
        [sys.executable, "-m", "grabbing", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert [each.name for each in holders(address).found] == ["grabbing"]


def test_program_typed_on_the_command_line_is_called_after_its_interpreter(address: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert holders(address).found[0].name.startswith("python")
        with pytest.raises(LinkError, match=rf"in use by .* \(python.*, process {process.pid}\)"):
            open_port(address)


def test_this_program_does_not_count_and_a_free_or_missing_port_has_nobody(address: str) -> None:
    found = holders_of([address, "/dev/no-such-port", str(Path(__file__))])
    assert [each.found for each in found.values()] == [(), (), ()]


def test_process_that_may_not_be_looked_into_is_counted(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("self", "17", "18", "cpuinfo"):
        (tmp_path / name / "fd").mkdir(parents=True)
    (tmp_path / "18" / "fd" / "3").symlink_to(address)
    (tmp_path / "18" / "comm").write_text("picocom\n")
    (tmp_path / "18" / "cmdline").write_bytes(b"/usr/bin/picocom\0-b\0")
    real = Path.iterdir

    def iterdir(path: Path) -> object:
        if path == tmp_path / "17" / "fd":
            raise PermissionError
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = holders(address, proc=tmp_path)
    assert found == Holders(found=(Holder(pid=18, name="picocom"),), hidden=1)


def test_system_that_shows_no_processes_cannot_tell(address: str, tmp_path: Path) -> None:
    assert not holders(address, proc=tmp_path).can_tell
