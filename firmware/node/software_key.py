"""The signing key of a node without a secure element: in NVS, used by node.p256.

Whoever holds the board's USB port can read it; the documentation says so.
"""

from node.p256 import Signer, random_scalar


class SoftwareKey:
    """A signer as node.cose describes it.

    Args:
        keystore: where the key is kept.
        table: comb table of node.p256.
    """

    failure = ()

    def __init__(self, keystore, table: bytes) -> None:
        self._keystore = keystore
        self._signer = Signer(table)
        self._private = b""

    def public_key(self) -> bytes | None:
        """x | y of the key that is kept, 64 bytes; None before the first boot."""
        private = self._keystore.private_key()
        return None if private is None else self._use(private)

    def make_key(self) -> bytes:
        """Make a new key and keep it; x | y, 64 bytes."""
        private = random_scalar().to_bytes(32, "big")
        self._keystore.keep_private_key(private)
        return self._use(private)

    def sign(self, digest: bytes, pause) -> bytes:
        """Sign a SHA-256 digest; r | s, 64 bytes."""
        return self._signer.sign(self._private, digest, pause)

    def _use(self, private: bytes) -> bytes:
        self._private = private
        return self._signer.public_key(private)
