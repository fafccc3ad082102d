"""esptool as a program: progress from its lines, failures in one line, its end when stopped."""

import os
import time
from pathlib import Path

import pytest

from wattest.boards.esp_image import Segment
from wattest.errors import FlashError
from wattest.flashing import esptool_process
from wattest.flashing.esptool import ChipInfo, Esptool
from wattest.flashing.esptool_process import EsptoolStopped

# Lines of esptool 5.6.0, whose output was no terminal.
FLASH_ID = """\
Connected to ESP32-C6 on /dev/ttyUSB0:
Chip type:          ESP32-C6 (QFN40) (revision v0.1)
MAC:                40:4c:ca:ff:fe:40:01:02
BASE MAC:           40:4c:ca:40:01:02
MAC_EXT:            ff:fe

Detected flash size: 8MB
"""
WRITE = """\
Writing '0.bin' at 0x00200000...
Flash will be erased from 0x00200000 to 0x00201fff...
Writing at 0x00201000 ━━━━━━━━━━━━━━━                50.0% 32B/64B [0s]
Writing at 0x00202000 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 100.0% 64B/64B [0s]
Wrote 8192 bytes (64 compressed) at 0x00200000 in 0.1 seconds (655.4 kbit/s).
Hash of data verified.
'1.bin' at 0x00008000 already in flash, skipping write.
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a program in esptool's place; returns what takes its source."""
    package = tmp_path / "esptool"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def install(source: str) -> Path:
        (package / "__main__.py").write_text(source, encoding="utf-8")
        return tmp_path

    return install


def test_the_base_address_is_the_chip_id_and_the_size_is_in_bytes(fake):
    fake(f"print({FLASH_ID!r})")
    assert Esptool("/dev/ttyUSB0").identify() == ChipInfo(
        chip="esp32c6", chip_id="404cca400102", flash_bytes=8 << 20
    )


def test_a_flash_chip_that_esptool_does_not_know_has_no_size(fake):
    fake(f"print({FLASH_ID.replace('8MB', 'Unknown')!r})")
    assert Esptool("p").identify().flash_bytes is None


def test_an_answer_without_a_chip_is_an_error(fake):
    fake("print('esptool v9')")
    with pytest.raises(FlashError, match="p: expected chip type and MAC address"):
        Esptool("p").identify()


def test_progress_counts_the_bytes_of_all_segments(fake):
    fake(f"print({WRITE!r})")
    segments = [Segment(offset=0x200000, data=bytes(8192)), Segment(offset=0x8000, data=bytes(8))]
    moved = [m.done_bytes for m in Esptool("p").write(segments, skip_same=True)]
    assert moved == [4096, 8192, 8200]


def test_a_write_names_chip_speed_and_segments_in_their_order(fake, tmp_path):
    fake(
        f"import sys, pathlib\npathlib.Path({str(tmp_path / 'said')!r}).write_text(\n"
        "    ' '.join(sys.argv[1:]) + str([pathlib.Path(p).read_bytes() for p in sys.argv[-1:]]))"
    )
    segments = [Segment(offset=0x200000, data=b"vfs"), Segment(offset=0x8000, data=b"table")]
    list(Esptool("p", baud=115_200).write(segments, skip_same=True, start=True))
    said = (tmp_path / "said").read_text()
    assert said.startswith(
        "--chip auto --port p --baud 115200 --before default-reset --after hard-reset "
        "write-flash --skip-flashed 0x200000 "
    )
    assert said.index("0x200000") < said.index("0x8000")
    assert said.endswith("[b'table']")


def test_settings_of_a_persons_own_esptool_do_not_change_ours(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("ESPTOOL_PORT", "/dev/other")
    fake(
        "import os\n"
        f"open({str(tmp_path / 'env')!r}, 'w').write(os.environ.get('ESPTOOL_PORT', '-'))"
    )
    Esptool("p").erase(0x8000, 4096)
    assert (tmp_path / "env").read_text() == "-"


FAILURES = {
    "[Errno 13] could not open port: [Errno 13] Permission denied: '/dev/x'": (
        "may not be opened: permission denied",
        "dialout",
    ),
    "Could not exclusively lock port /dev/x: [Errno 11] Resource temporarily unavailable": (
        "is in use by another program",
        "close that program",
    ),
    "Failed to connect to ESP32: No serial data received.": ("no ESP32 answers", "BOOT"),
    "Failed to connect to ESP32: Wrong boot mode detected (0x13)!": ("did not enter", "BOOT"),
    "MD5 of file does not match data in flash!": ("reads back differently", "worn out"),
    "The chip stopped responding.": ("the chip stopped answering", "cable"),
    "Packet content transfer stopped (received 8 bytes)": ("the chip stopped answering", "cable"),
    "Invalid head of packet (0xFF): Possible serial noise or corruption.": (
        "bytes were lost on the line",
        "lower --baud",
    ),
    "File 'x' (length 9) at offset 0x0 will not fit in 8 bytes of flash.": (
        "does not fit the flash chip",
        "board file",
    ),
    "Something new went wrong": ("esptool failed: Something new went wrong", ""),
}


@pytest.mark.parametrize("said", FAILURES)
def test_a_failure_is_one_line_with_what_to_do(fake, said):
    meaning, hint = FAILURES[said]
    text = f"Connecting...\nA fatal error occurred: {said}\n\nHint: read the manual\n"
    fake(f"import sys\nprint({text!r})\nsys.exit(2)")
    with pytest.raises(FlashError, match=r"^p: ") as caught:
        Esptool("p").identify()
    assert meaning in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in caught.value.diagnostics()


def test_a_stop_ends_the_program_at_once(fake, tmp_path):
    pid_file = tmp_path / "pid"
    fake(
        "import os, time, pathlib\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n"
        "print('Writing at 0x00001000')\ntime.sleep(600)"
    )
    tool = Esptool("p", stopped=lambda: pid_file.exists() and bool(pid_file.read_text()))
    begun = time.monotonic()
    with pytest.raises(EsptoolStopped):
        tool.identify()
    assert time.monotonic() - begun < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_caller_that_gives_up_leaves_no_program_behind(fake, tmp_path):
    pid_file = tmp_path / "pid"
    fake(
        "import os, time, pathlib\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n"
        "print('Writing at 0x00001002', flush=True)\ntime.sleep(600)"
    )
    moving = Esptool("p").write([Segment(offset=0x1000, data=bytes(8))], skip_same=False)
    assert next(moving).done_bytes == 2
    moving.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_program_that_says_nothing_any_more_is_ended(fake, monkeypatch):
    monkeypatch.setattr(esptool_process, "SILENCE_S", 0.5)
    fake("import time\ntime.sleep(600)")
    with pytest.raises(FlashError, match="esptool said nothing for"):
        Esptool("p").identify()


@pytest.mark.parametrize("port", ["socket://127.0.0.1:5000", "/dev/serial/by-id/usb-noise-if00"])
def test_name_of_a_port_does_not_pass_for_a_cause(fake, port):
    fake(f"print('Serial port {port}:'); print('KeyError: 7'); raise SystemExit(1)")
    with pytest.raises(FlashError, match="esptool failed: Serial port the port: KeyError: 7"):
        Esptool(port).identify()
