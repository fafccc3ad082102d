"""One job at a port at a time: esptool lets go of it between two sessions.

The lock is a file in the home; it goes with the process, however that ends.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattest.errors import LinkError, StoreError
from wattest.link import find_usb
from wattest.operations.commission.home import Home

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NAME_CHARS = 16


@contextmanager
def port_turn(home: Home, address: str) -> Iterator[None]:
    """Keep other jobs of this bench away from a port.

    Args:
        home: of the bench.
        address: of the port; a link to a port, or its USB plug or socket, is that port.

    Raises:
        LinkError: another job is at it, or it is not plugged in.
        StoreError: the home cannot be used.
    """
    place = address if "://" in address else str(Path(find_usb(address)).resolve())
    digest = hashlib.sha256(place.encode()).hexdigest()[:_NAME_CHARS]
    path = home.make(home.path / "locks") / f"{digest}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise StoreError(
            f"{path}: cannot be opened: {(exc.strerror or '').lower()}",
            hint="choose another folder with --home",
        ) from exc
    try:
        _take(lock, address)
        yield
    finally:
        os.close(lock)


def _take(lock: int, address: str) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise LinkError(
            f"{address}: another job is at this port", hint="wait until it has ended"
        ) from None
