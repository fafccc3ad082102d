"""Parties of contracts with keys of their own, for tests: real signatures, no key files."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ledger_samples import ALGORITHM
from wattest.wire import seal_act


class Party:
    """Signs acts.

    Args:
        number: makes the key.
        name: what contracts call it.
    """

    def __init__(self, number: int, name: str) -> None:
        self.name = name
        self._key = ec.derive_private_key(0xBEEF + number, ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def act(self, kind: type[Any], contract: str = "wind", **fields: Any) -> bytes:
        """Return an act of this party as an entry body."""
        act = kind(contract=contract, party=self.name, time_ms=fields.pop("time_ms", 1), **fields)
        return seal_act(act, self.public, self.sign)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ALGORITHM))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
