"""What a node keeps in NVS: its signing key unless a secure element has it, and the command key.

All of it can be read by anyone who holds the board's USB port; the documentation says so.
"""

from micropython import const

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

    def keep_private_key(self, private: bytes) -> None:
        """Keep a new signing key, 32 bytes; on return it survives power loss."""
        self._nvs.set_blob("key", private)
        self._nvs.commit()

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

    def new_key_asked(self) -> bool:
        """Has the host asked for a new signing key? Only its REPL can."""
        try:
            return self._nvs.get_i32("newkey") == 1
        except OSError:
            return False

    def forget_new_key(self) -> None:
        """The new key is there, or none was asked for."""
        if self.new_key_asked():
            self._nvs.erase_key("newkey")
            self._nvs.commit()

    def _blob(self, name: str, size: int) -> bytes | None:
        buf = bytearray(size)
        try:
            found = self._nvs.get_blob(name, buf)
        except OSError:
            return None
        return bytes(buf) if found == size else None
