"""Where the node's secrets live: NVS today, a secure element behind the same calls later.

A key in NVS can be read by anyone who holds the board's USB port; the documentation says so.
"""

from micropython import const

from node.p256 import random_scalar

NAMESPACE = "wattest"
_KEY_BYTES = const(32)
_COUNTER_BYTES = const(8)


class KeyStore:
    """Secrets and the few values that must outlive the journal.

    Args:
        nvs: an `esp32.NVS` of the namespace "wattest".
    """

    def __init__(self, nvs) -> None:
        self._nvs = nvs

    def private_key(self) -> bytes | None:
        """The signing scalar, 32 bytes big-endian; None before the first boot."""
        return self._blob("key", _KEY_BYTES)

    def make_private_key(self) -> bytes:
        """Make a new signing key on the node and keep it."""
        private = random_scalar().to_bytes(_KEY_BYTES, "big")
        self._nvs.set_blob("key", private)
        self._nvs.commit()
        return private

    def command_key(self) -> bytes | None:
        """Key of acknowledgements and commands, 32 bytes; None if never provisioned."""
        return self._blob("cmdkey", _KEY_BYTES)

    def command_counter(self) -> int:
        """The last accepted command counter; 0 if none was accepted."""
        blob = self._blob("counter", _COUNTER_BYTES)
        return int.from_bytes(blob, "big") if blob else 0

    def keep_command_counter(self, counter: int) -> None:
        """Remember a counter over power loss; done before the command is carried out."""
        self._nvs.set_blob("counter", counter.to_bytes(_COUNTER_BYTES, "big"))
        self._nvs.commit()

    def interval_ms(self) -> int | None:
        """The record interval set by command, ms; None if it was never changed."""
        try:
            return self._nvs.get_i32("interval")
        except OSError:
            return None

    def keep_interval_ms(self, interval_ms: int) -> None:
        """Remember the record interval over power loss."""
        self._nvs.set_i32("interval", interval_ms)
        self._nvs.commit()

    def _blob(self, name: str, size: int) -> bytes | None:
        buf = bytearray(size)
        try:
            found = self._nvs.get_blob(name, buf)
        except OSError:
            return None
        return bytes(buf) if found == size else None
