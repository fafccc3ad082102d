"""A node of the simulation: real signatures, a real journal, no interpreter; it can be copied."""

from __future__ import annotations

import copy
import random
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from wattest.wire import cbor
from wattest.wire.cose import seal_sign1
from wattest.wire.record import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE

sys.path.append(str(Path(__file__).parents[1] / "unit" / "operations"))
from talking_node import TalkingNode

POWER_MAX_MILLIWATTS = 5_000_000


class SimNode(TalkingNode):
    """Meters a random load with a clock that drifts; loses power, and boots again.

    Args:
        number: makes key and serial.
        chance: all its randomness.
        start_ms: UTC ms since 1970 of its first boot.
    """

    def __init__(self, number: int, chance: random.Random, start_ms: int) -> None:
        super().__init__(number)
        self.chance = chance
        self.drift_ppm = chance.randint(-200, 200)
        self.power_milliwatts = chance.randint(0, POWER_MAX_MILLIWATTS)
        self.export_microjoules = 0
        self.use_ms = 0
        self.clock_ms = start_ms
        self.mono_ms = 0
        self.bootcount = 0
        self.bootseed = bytes(8)
        self.seqs = [0, 0, 0]
        self.sealed_ms = start_ms
        self.boot()

    def boot(self) -> None:
        """Power comes back: what was not in the journal is lost, and the boot is recorded."""
        self.bootcount += 1
        self.bootseed = self.chance.randbytes(8)
        self.mono_ms = 0
        self.next_send = self.acknowledged
        self.out.clear()
        self.seal(event={1: 1, 2: 1, 3: 0, 4: 2, 5: 0})

    def pass_time(self, elapsed_ms: int) -> None:
        """Let time pass under the load of the moment."""
        own_ms = elapsed_ms + elapsed_ms * self.drift_ppm // 1_000_000
        self.clock_ms += own_ms
        self.mono_ms += own_ms
        self.export_microjoules += self.power_milliwatts * own_ms
        self.use_ms += own_ms
        if self.chance.randrange(8) == 0:
            self.power_milliwatts = self.chance.randint(0, POWER_MAX_MILLIWATTS)

    def seal(
        self,
        *,
        event: dict[int, Any] | None = None,
        nonce: bytes | None = None,
        ueid: bytes | None = None,
    ) -> bytes:
        """Append a record to the journal: a reading, or an event of the legal log."""
        del ueid
        ctx = 0 if event is None else 2
        self.seqs[ctx] += 1
        body: dict[int, Any] = {
            1: self.seqs[ctx],
            2: ctx,
            3: self.clock_ms,
            4: 2,
            5: self.mono_ms,
            6: [
                [OBIS_IMPORT, 0, -3, 30],
                [OBIS_EXPORT, self.export_microjoules // 3_600_000, -3, 30],
                [OBIS_USE, self.use_ms // 1000, 0, 7],
                [OBIS_POWER, -self.power_milliwatts, -3, 27],
            ],
            7: "G",
            10: self.seqs[2],
            11: self.prev,
            12: self.cfg,
            16: 0,
        }
        if event is not None:
            body[17] = event
        claims: dict[int, Any] = {2: self.serial, 267: self.bootcount, 268: self.bootseed}
        if nonce is not None:
            claims[10] = nonce
        claims[-65537] = body
        data = seal_sign1(self.kid, cbor.encode(claims), self._sign)
        self.prev = sha256(data).digest()
        self.journal.append(data)
        self.sealed_ms = self.clock_ms
        return data

    def twin_brother(self) -> SimNode:
        """Return a copy that signs with the same key and goes its own way from here."""
        brother = copy.copy(self)
        brother.seqs = list(self.seqs)
        brother.journal = list(self.journal)
        brother.out = bytearray()
        brother.export_microjoules += 7 * 3_600_000
        return brother

    def _prune(self, position: int, digest: bytes) -> None:
        """An acknowledgement of what a copied board signed under our number is not for us."""
        if sha256(self.journal[position]).digest()[:8] == digest:
            super()._prune(position, digest)
