"""SLIP frames as the boot ROM uses them: a frame between two C0, escapes with DB."""

from __future__ import annotations

_END = 0xC0


def encode(payload: bytes) -> bytes:
    """Return ``payload`` as one frame."""
    escaped = payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class SlipDecoder:
    """Takes frames out of a byte stream; noise between frames is dropped.

    A lost or doubled C0 costs the frames around it, not those behind: two C0 in a row always
    begin a frame.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads of the frames that ended."""
        pending = self._pending
        pending += data
        frames = []
        start = 0
        while (begin := pending.find(_END, start)) >= 0:
            end = pending.find(_END, max(begin + 1, self._scanned))
            if end < 0:
                start = begin
                break
            self._scanned = 0
            if end > begin + 1:
                frames.append(_unescape(bytes(pending[begin + 1 : end])))
                start = end + 1
            else:
                start = end  # nothing between them: the second one begins
        else:
            start = len(pending)
        del pending[:start]
        self._scanned = len(pending)
        return frames


def _unescape(data: bytes) -> bytes:
    if b"\xdb" not in data:
        return data
    return data.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
