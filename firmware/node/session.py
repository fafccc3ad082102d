"""The link to the host: frames out, printable lines in, over the console's own port.

docs/formats.md, sections 2 and 3. Records go out in journal order, at most eight beyond the last
acknowledged one; without an acknowledgement the node goes back, after 3 s and then ever later.
The boot record and the answer to a nonce are shown out of turn too.
"""

import select
import sys
import time
from binascii import a2b_base64, crc32
from hashlib import sha256

from micropython import const

from node import frame
from node.cbor import encode_bytes, encode_int, encode_map_head, encode_text
from node.journal import Reader
from node.mac import hmac_sha256, same_bytes

HELLO_LINE = const(0x10)
ACK_LINE = const(0x11)
COMMAND_LINE = const(0x12)
_WINDOW = const(8)
_PATIENCE_MIN_MS = const(3000)
_PATIENCE_MAX_MS = const(60_000)
_LINE_MAX = const(200)
_NEWLINE = const(10)
_RETURN = const(13)
_TILDE = const(126)
_MASK_32 = 0xFFFFFFFF
_DIGEST_BYTES = const(8)
_ACK_MAC_BYTES = const(8)
_ACK_BYTES = const(20)
_CRC_BYTES = const(4)
_PROTOCOL = const(1)
_HELLO_MAX = const(180)
# Input bytes looked at before the loop gets its turn again.
_INPUT_TURN = const(256)


class Session:
    """One console port.

    Attributes:
        garbage: lines that were none of ours.
        forged: acknowledgements refused since the caller last looked.

    Args:
        kid, public, serial: of the node, for the hello frame.
        journal: what is sent and pruned.
        keystore: for the command key and counter.
        frames: a FrameWriter for bodies of records.
        on_command: called with the body of a command line.
    """

    def __init__(
        self, *, kid: bytes, public: bytes, serial: str, journal, keystore, frames, on_command
    ) -> None:
        self._kid = kid
        self._public = public
        self._serial = serial
        self._journal = journal
        self._keystore = keystore
        self._on_command = on_command
        self._reader = Reader(journal)
        self._reader.position = journal.acknowledged
        self._digests: list = []
        self._resending = False
        self._patience_ms = _PATIENCE_MIN_MS
        self._retry_at = time.ticks_ms()
        self._frame = frames
        self._out = sys.stdout.buffer
        self._in = sys.stdin.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._byte = bytearray(1)
        self._line = bytearray(_LINE_MAX)
        self._line_bytes = 0
        self._taken = 0
        self._told = 0
        self._hellos = 0
        self._boot = b""
        self.garbage = 0
        self.forged = 0

    # ---- out ----

    def send_hello(self) -> None:
        """Say who and where the node is, and show the record of this boot once it is sealed."""
        journal = self._journal
        body = bytearray(_HELLO_MAX)
        end = encode_map_head(body, 0, 9)
        end = encode_bytes(body, encode_int(body, end, 1), self._kid)
        end = encode_text(body, encode_int(body, end, 2), self._serial)
        end = encode_int(body, encode_int(body, end, 3), journal.first_retained())
        end = encode_int(body, encode_int(body, end, 4), journal.next_position)
        end = encode_int(body, encode_int(body, end, 5), journal.acknowledged)
        end = encode_int(body, encode_int(body, end, 6), self._keystore.command_counter())
        end = encode_int(body, encode_int(body, end, 7), _PROTOCOL)
        end = encode_bytes(body, encode_int(body, end, 8), self._public)
        end = encode_int(body, encode_int(body, end, 9), self._hellos)
        self._send(frame.HELLO, memoryview(body)[:end])
        if self._boot:
            self.show(self._boot)

    def show(self, record) -> None:
        """Send a record out of turn; it is sent again in its turn, and acknowledged only there."""
        self._send(frame.SHOWN, record)

    def show_boot(self, record) -> None:
        """Show the record of this boot, now and after every hello."""
        self._boot = bytes(record)
        self.show(self._boot)

    def send_reply(self, counter: int, reason: int) -> None:
        """Answer a command: 0 or why it was refused."""
        body = bytearray(16)
        end = encode_map_head(body, 0, 2)
        end = encode_int(body, encode_int(body, end, 1), counter)
        end = encode_int(body, encode_int(body, end, 2), reason)
        self._send(frame.REPLY, memoryview(body)[:end])

    def send_record(self, now) -> bool:
        """Send one record if the window allows; True if one was sent."""
        journal = self._journal
        reader = self._reader
        if self._digests and time.ticks_diff(now, self._retry_at) >= 0:
            self._patience_ms = min(2 * self._patience_ms, _PATIENCE_MAX_MS)
            self._go_back()
        if reader.position >= journal.acknowledged:
            self._resending = False
        elif not self._resending:
            reader.seek(journal.acknowledged)
        if len(self._digests) >= _WINDOW or reader.position >= journal.next_position:
            return False
        record = reader.read()
        if record is None:
            return False
        if not self._digests:
            self._retry_at = time.ticks_add(now, self._patience_ms)
        position = reader.position - 1
        self._digests.append((position, sha256(record).digest()[:_DIGEST_BYTES]))
        self._frame.begin(frame.RECORD)
        self._frame.add(position.to_bytes(4, "big"))
        self._frame.add(record)
        self._out.write(self._frame.finish())
        return True

    def send_from(self, position: int) -> None:
        """Send again from this position, which is retained and not beyond the unacknowledged."""
        self._digests.clear()
        self._patience_ms = _PATIENCE_MIN_MS
        self._resending = True
        self._reader.seek(position)

    def take_lost(self) -> int:
        """Records found unreadable since the last call."""
        lost = self._reader.lost
        self._reader.lost = 0
        return lost

    def ticks_to_retry(self, now) -> int:
        """Milliseconds until something must be sent again; a long time if nothing is out."""
        if not self._digests:
            return _PATIENCE_MAX_MS
        return max(0, time.ticks_diff(self._retry_at, now))

    def _go_back(self) -> None:
        self._digests.clear()
        self._reader.seek(self._journal.acknowledged)

    def _send(self, kind: int, body) -> None:
        self._frame.begin(kind)
        self._frame.add(body)
        self._out.write(self._frame.finish())

    # ---- in ----

    def receive(self, timeout_ms: int) -> None:
        """Wait for input no longer than this, and deal with what is there."""
        turn = _INPUT_TURN
        while turn and self._readable(timeout_ms):
            timeout_ms = 0
            turn -= 1
            self._in.readinto(self._byte)
            self._taken += 1
            self._take_byte(self._byte[0])
        if self._taken != self._told:
            self._told = self._taken
            self._send(frame.TAKEN, (self._taken & _MASK_32).to_bytes(4, "big"))

    def _readable(self, timeout_ms: int) -> bool:
        for _ in self._poll.ipoll(timeout_ms):
            return True
        return False

    def _take_byte(self, byte: int) -> None:
        """A line that is too long is kept no further and becomes garbage at its end."""
        if byte != _NEWLINE:
            if byte != _RETURN:
                if self._line_bytes < _LINE_MAX:
                    self._line[self._line_bytes] = byte
                self._line_bytes += 1
            return
        size = self._line_bytes
        self._line_bytes = 0
        if not size:
            return
        message = _decode_line(memoryview(self._line)[:size]) if size < _LINE_MAX else b""
        if not message:
            self.garbage += 1
        elif message[0] == HELLO_LINE:
            self._take_hello()
        elif message[0] == ACK_LINE:
            self._take_ack(message)
        elif message[0] == COMMAND_LINE:
            self._on_command(message)
        else:
            self.garbage += 1

    def _take_hello(self) -> None:
        self._taken = 0
        self._told = 0
        self._hellos += 1
        self.send_hello()
        self.send_from(self._journal.acknowledged)

    def _take_ack(self, message: bytes) -> None:
        """Cumulative: everything up to this record is durable at the host."""
        if len(message) != 1 + _ACK_BYTES or not self.authentic(message, _ACK_MAC_BYTES):
            self.forged += 1
            return
        position = int.from_bytes(message[1:5], "big")
        digest = message[5 : 5 + _DIGEST_BYTES]
        for index, (sent, its_digest) in enumerate(self._digests):
            if sent == position and its_digest == digest:
                self._digests = self._digests[index + 1 :]
                self._patience_ms = _PATIENCE_MIN_MS
                self._retry_at = time.ticks_add(time.ticks_ms(), _PATIENCE_MIN_MS)
                self._journal.acknowledge(position)
                return

    def authentic(self, message: bytes, mac_bytes: int) -> bool:
        """Was this made with the command key? The MAC is the message's last bytes."""
        key = self._keystore.command_key()
        if key is None or len(message) <= mac_bytes:
            return False
        covered = len(message) - mac_bytes
        mac = hmac_sha256(key, message[:covered])[:mac_bytes]
        return same_bytes(mac, message[covered:])


def _decode_line(line: memoryview) -> bytes:
    """Kind and body of a line, empty if it is not one of ours."""
    if line[0] != _TILDE:
        return b""
    try:
        data = a2b_base64(line[1:])
    except ValueError:
        return b""
    size = len(data) - _CRC_BYTES
    if size < 1 or crc32(data[:size]) != int.from_bytes(data[size:], "little"):
        return b""
    return data[:size]
