"""A program named qemu-system-xtensa that is no QEMU, for tests of what supervises one.

It knows nothing of ESP32s. It answers `-machine help`, listens where `-serial` says, and says to
whoever connects what a node says when it starts: with that, the supervision, the command line and
the error lines of the project are tested, and nothing about an emulated chip.

    STAND_IN    hello (default); dies: at once, with a line on stderr; dies-later: once somebody
                has come and gone; mute: says only text; other: says hello as somebody else; stays:
                hello, and takes no notice of SIGTERM
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

ARGUMENTS = "arguments.json"
NAME = "qemu-system-xtensa"
KEY = bytes(range(64))


def install(folder: Path, *, machines: tuple[str, ...] = ("esp32", "sim"), code: int = 0) -> Path:
    """Put the program into a folder that a test puts on PATH.

    Args:
        folder: made if it is not there; each start leaves its process and arguments in it.
        machines: what `-machine help` names.
        code: what `-machine help` exits with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = "Supported machines are:\n" + "".join(f"{name}   a machine\n" for name in machines)
    program = folder / NAME
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})\n"
        "if sys.argv[1:] == ['-machine', 'help']:\n"
        f"    print({told!r}, end='')\n"
        f"    sys.exit({code})\n"
        "import qemu_stand_in\n"
        f"qemu_stand_in.run({os.fspath(folder)!r})\n"
    )
    program.chmod(0o755)
    return program


def started(folder: Path) -> list[dict[str, object]]:
    """Return process and arguments of each start, in their order."""
    path = folder / ARGUMENTS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(folder: str) -> None:
    """Be the program."""
    arguments = sys.argv[1:]
    mode = os.environ.get("STAND_IN", "hello")
    with (Path(folder) / ARGUMENTS).open("a") as file:
        file.write(json.dumps({"pid": os.getpid(), "arguments": arguments}) + "\n")
    if mode == "dies":
        sys.stderr.write("warming up\nstand-in: no such ROM\n")
        sys.exit(7)
    if mode == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    said = b"MicroPython starts\r\nboot.py\r\n"
    if mode != "mute":
        said += hello_frame("WT-000000000000" if mode == "other" else serial_of(arguments))
    serve(arguments, said, once=mode == "dies-later")


def serial_of(arguments: list[str]) -> str:
    """Read the MAC from the file of the fuses, as a chip does."""
    drive = next(a for a in arguments if a.startswith("file=") and a.endswith("id=efuse"))
    path = drive.removeprefix("file=").partition(",if=none")[0].replace(",,", ",")
    fuses = Path(path).read_bytes()
    return "WT-" + bytes([fuses[9], fuses[8], *fuses[7:3:-1]]).hex().upper()


def hello_frame(serial: str) -> bytes:
    from wattest.wire.frame import encode_frame
    from wattest.wire.keys import kid_of, spki_der
    from wattest.wire.message import FrameKind, Hello, encode_hello

    hello = Hello(
        kid=kid_of(spki_der(KEY)),
        serial=serial,
        first_position=0,
        next_position=2,
        unacknowledged_position=0,
        command_counter=0,
        public_key=KEY,
    )
    return encode_frame(FrameKind.HELLO, encode_hello(hello))


def serve(arguments: list[str], said: bytes, *, once: bool) -> None:
    option = arguments[arguments.index("-serial") + 1]
    host, _, port = option.removeprefix("tcp:").partition(",")[0].rpartition(":")
    with socket.create_server((host, int(port))) as listener:
        while True:
            client, _ = listener.accept()
            with client:
                client.sendall(said)
                while client.recv(4096):
                    pass
            if once:
                sys.stderr.write("stand-in: out of memory\n")
                sys.exit(3)
