"""Where recorders are announced, so that other programs of the same person find them.

A recorder announces itself by a JSON file and a Unix socket beside it, both readable by their
owner only, in the folder where `board up` announces its boards. An announcement whose socket
nobody answers belongs to a program that was killed, and is removed by whoever finds it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from wattest.errors import ConfigError, LinkError, StoreError
from wattest.link.scan import USB_PREFIX, find_usb
from wattest.operations.console.talk import Talk
from wattest.operations.private import check_owner, runtime_folder, write_private

_KEY_CHARS = 16
_BACKLOG = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A recorder that runs, or ran until it was killed.

    Args:
        address: its port, as `plain_address` writes it.
        pid: its process.
        log: folder of its log.
    """

    address: str
    pid: int
    log: str

    @property
    def socket_path(self) -> Path:
        """Where it listens."""
        return announcements() / f"{_key(self.address)}.sock"

    @property
    def path(self) -> Path:
        """Where it is announced."""
        return announcements() / f"{_key(self.address)}.json"


def announcements() -> Path:
    """Return the folder of the announcements; it need not be there.

    Raises:
        ConfigError: it would lie in another user's folder.
    """
    return runtime_folder() / "console"


def plain_address(address: str) -> str:
    """Return an address that means the same in every folder; links are kept."""
    if _is_no_path(address) or (sys.platform == "win32" and "/" not in address):
        return address
    return str(Path(address).absolute())


def log_folder(home: Path, address: str) -> Path:
    """Return where the log of a port is kept.

    Args:
        home: of the bench.
        address: of the port; a link keeps a log of its own name.
    """
    name = plain_address(address).removeprefix("/dev/")
    return home / "console" / (re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "port")


def is_same_port(one: str, other: str) -> bool:
    """Tell whether two plain addresses lead to the same port now."""
    if one == other:
        return True
    if "://" in one or "://" in other:
        return False
    try:
        return os.path.realpath(find_usb(one)) == os.path.realpath(find_usb(other))
    except LinkError:  # one of them is not plugged in
        return False


def find_recorder(address: str) -> tuple[Announcement, Talk] | None:
    """Look for the recorder of a port.

    Args:
        address: as a person gives it; a link to the port finds it too.

    Returns:
        Its announcement and an open conversation, or None if nobody records that port.

    Raises:
        ConfigError: the recorder, or the folder of the announcements, is another user's.
    """
    wanted = plain_address(address)
    folder = announcements()
    if not folder.is_dir():
        return None
    check_owner(folder)
    for path in sorted(folder.glob("*.json")):
        announcement = _read(path)
        if announcement is None or not is_same_port(announcement.address, wanted):
            continue
        talk = connect(announcement)
        if talk is not None:
            return announcement, talk
    return None


def listen(announcement: Announcement) -> socket.socket:
    """Open the socket of a recorder and announce it.

    Call it with the port open, or after `find_recorder` said no: a socket that is there then is
    left from a program that was killed.

    Raises:
        ConfigError: the folder is another user's.
        StoreError: the folder cannot be used, or its name is too long for a socket.
    """
    folder = announcements()
    path = announcement.socket_path
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(folder)
        path.unlink(missing_ok=True)
        server = _unix_socket()
    except OSError as exc:
        raise _cannot_listen(path, exc) from exc
    try:
        server.bind(str(path))
        path.chmod(0o600)  # nobody can have connected before `listen`
        server.listen(_BACKLOG)
        write_private(announcement.path, (json.dumps(asdict(announcement)) + "\n").encode())
    except (OSError, StoreError) as exc:
        server.close()
        if isinstance(exc, StoreError):
            raise
        raise _cannot_listen(path, exc) from exc
    return server


def withdraw(announcement: Announcement) -> None:
    """Take an announcement away."""
    for path in (announcement.path, announcement.socket_path):
        with suppress(OSError):
            path.unlink()


def _cannot_listen(path: Path, exc: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot listen there: {exc.strerror or exc}",
        hint="give another folder in XDG_RUNTIME_DIR",
    )


def _is_no_path(address: str) -> bool:
    return "://" in address or address.startswith(USB_PREFIX)


def _unix_socket() -> socket.socket:
    if sys.platform == "win32":
        raise OSError("this system has no Unix sockets")
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def connect(announcement: Announcement) -> Talk | None:
    """Begin a conversation with a recorder; None if it is gone.

    Raises:
        ConfigError: it is another user's.
    """
    try:
        line = _unix_socket()
    except OSError:
        return None
    try:
        line.connect(str(announcement.socket_path))
    except PermissionError as exc:
        line.close()
        raise ConfigError(
            f"{announcement.address} is recorded by another user, process {announcement.pid}",
            path=str(announcement.socket_path),
        ) from exc
    except (ConnectionRefusedError, FileNotFoundError):  # it was killed
        line.close()
        withdraw(announcement)
        return None
    except OSError:
        line.close()
        return None
    return Talk(line)


def _read(path: Path) -> Announcement | None:
    try:
        values = json.loads(path.read_bytes())
        return Announcement(
            address=str(values["address"]), pid=int(values["pid"]), log=str(values["log"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _key(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:_KEY_CHARS]
