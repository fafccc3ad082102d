"""Nodes with a secure element, and what a test looks at on them."""

from emulated import Setup
from wattest.emulator.atecc608 import Atecc608
from wattest.emulator.atecc608_vault import Vault

WATTS = 288


def element(seed: bytes = b"one", **how: bool) -> Atecc608:
    return Atecc608(Vault(seed, **how))


def node(chip: Atecc608 | None = None, **config: object) -> Setup:
    return Setup(element=chip or element(), **{"interval_ms": 10_000, **config})


def text_of(setup: Setup) -> str:
    return bytes(setup.host.text + setup.host.stream).decode(errors="replace")


def is_whole(setup: Setup) -> bool:
    """Numbers count up by one in each ctx, and every record names the one before."""
    prev, seqs = bytes(32), [0, 0, 0]
    for record in setup.records():
        seqs[record.ctx] += 1
        if (record.seq, record.body[11]) != (seqs[record.ctx], prev):
            return False
        prev = record.digest
    return True
