"""Every state a power cut can leave a node's flash in, and what must be true after it.

A run on a flash that keeps a log of its operations is done once. The image a cut at operation k
leaves is then the image after k - 1 operations with operation k torn: what the node did before the
cut does not depend on the cut. Each image is booted and judged together with what the host had
received by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from host_side import Decoded

from emulated import Setup
from wattest.emulator.flash import NorFlash

TORN_SHARES = ((0, 1), (1, 3), (1, 2), (7, 8), (1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One program (with data) or erase, and how many records the host had by then."""

    offset: int
    data: bytes | None
    received: int


class LoggingFlash(NorFlash):
    """A flash that remembers what was done to it."""

    def __init__(self, base: NorFlash) -> None:
        super().__init__(base.size_bytes, timing=base.timing)
        self._sectors = base.copy()._sectors
        self.log: list[Operation] = []
        self.received = lambda: 0

    def program(self, offset: int, data: bytes) -> bool:
        self.log.append(Operation(offset=offset, data=bytes(data), received=self.received()))
        return super().program(offset, data)

    def erase(self, offset: int) -> bool:
        self.log.append(Operation(offset=offset, data=None, received=self.received()))
        return super().erase(offset)


def apply(flash: NorFlash, operation: Operation) -> None:
    if operation.data is None:
        flash.erase(operation.offset)
    else:
        flash.program(operation.offset, operation.data)


def images(base: NorFlash, log: list[Operation]) -> Iterator[tuple[int, NorFlash, int]]:
    """Number of the operation, flash after a cut in it, records the host had."""
    whole = base.copy()
    for number, operation in enumerate(log, start=1):
        cut = whole.copy()
        cut.cut_after(1, torn_share=TORN_SHARES[number % len(TORN_SHARES)])
        apply(cut, operation)
        cut.restore_power()
        yield number, cut.copy(), operation.received
        apply(whole, operation)


def logged_run(base: NorFlash, seconds: float, script=None) -> tuple[Setup, list[Operation]]:
    """Run a node on a copy of this flash; what it did to it."""
    flash = LoggingFlash(base)
    setup = Setup(flash=flash)
    flash.received = lambda: len(setup.host.records)
    setup.start()
    if script is None:
        setup.run_s(seconds)
    else:
        script(setup)
    return setup, list(flash.log)


def check_evidence(before: list[Decoded], after: Setup, *, watts: int, seconds: float) -> None:
    """No number twice, nothing missing, the chain whole, no energy invented."""
    kid = after.host.hellos[-1][1]
    records = before + after.host.records
    identities: dict[tuple[int, int], bytes] = {}
    chain: dict[int, Decoded] = {}
    if any(kid not in record.data for record in before):
        raise AssertionError("a key that had signed was replaced")
    for record in records:
        known = identities.setdefault((record.ctx, record.seq), record.data)
        assert known == record.data, "one number, two records"
        chain[record.position] = record
    assert sorted(chain) == list(range(len(chain))), "a record is missing"
    prev = bytes(32)
    for position in range(len(chain)):
        assert chain[position].body[11] == prev, "the chain is broken"
        prev = chain[position].digest
    energies = [chain[position].mantissas[0] for position in range(len(chain))]
    assert energies == sorted(energies), "a register ran backwards"
    assert energies[-1] <= watts * 1000 * seconds / 3600 + 1, "energy from nowhere"
    assert after.events(10) == []
    boots = [record for record in after.host.records if record.event.get(1) == 1]
    assert boots, "no boot event"
    assert boots[-1].event[5] == 0
