"""Seals records: claims, signature, journal. The one place where a number is used up."""

import sys

from node.chain import EVENT, FISCAL, TRANSACTION
from node.record import Reading


class Recorder:
    """Turns the meter's state into the next record of a chain.

    Args:
        chain: counters, as they are behind the last record.
        journal: recovered.
        sealer: COSE_Sign1 under the chain's key.
        writer: encodes claims.
        registers, meter, clock: what is read at the latch, which is the last sample.
        power_nw_per_count: weight of a POWER count.
    """

    def __init__(
        self, *, chain, journal, sealer, writer, registers, meter, clock, power_nw_per_count: int
    ) -> None:
        self._chain = chain
        self._journal = journal
        self._sealer = sealer
        self._writer = writer
        self._sessions: list = []  # the one that is open, once its first record is sealed
        self._registers = registers
        self._meter = meter
        self._clock = clock
        self._power_nw_per_count = power_nw_per_count
        self._reading = Reading()

    def has_room(self, ctx: int) -> bool:
        """Can a record of this ctx be appended now?"""
        return self._journal.room(ctx == EVENT)

    def fiscal(self, pause) -> None:
        """Seal the reading that ends a fiscal interval."""
        self._seal_interval(FISCAL, self._meter.fiscal, "", None, pause)

    def begin_transaction(self, identification: str, pause) -> None:
        """Seal the reading that begins a transaction."""
        self._sessions.clear()
        self._meter.next_interval(self._meter.transaction)
        self._chain.transaction = identification
        try:
            self._seal_interval(TRANSACTION, self._meter.transaction, "B", identification, pause)
        except Exception:
            self._chain.transaction = None
            raise
        try:
            # Here only while a session is open: free memory is what makes signing fast.
            from node.ocmf import SessionSigner
        except MemoryError:
            return  # the session will come without its second signature
        sign = self._sealer.sign
        self._sessions.append(SessionSigner(self._chain, self._reading, self._writer, sign))

    def end_transaction(self, tx: str, pause) -> None:
        """Seal the reading that ends the open transaction: "E", or "P" after a power failure.

        A session that this node has seen begin is signed as a whole, too.
        """
        self._seal_interval(TRANSACTION, self._meter.transaction, tx, None, pause)
        if self._sessions:
            self._sessions.clear()
            del sys.modules["node.ocmf"]
            delattr(sys.modules["node"], "ocmf")

    def event(self, event: tuple, pause, nonce: bytes = b"") -> memoryview:
        """Seal an event of the legal log; its values are those of keys 1, 2, 3 and so on.

        Returns:
            The record; valid until the journal is used again.
        """
        reading = self._latch(EVENT, self._meter.fiscal)
        reading.event = event
        reading.nonce = nonce
        size = self._seal(reading, self._chain.transaction, pause)
        return self._journal.space()[:size]

    def hold(self) -> None:
        """Keep the registers although no fiscal reading can be appended."""
        self._journal.hold(self._chain.pack(self._registers))

    def _latch(self, ctx: int, interval) -> Reading:
        reading = self._reading
        clock = self._clock
        registers = self._registers
        reading.ctx = ctx
        reading.time_ms = clock.utc_ms()
        reading.tsync = clock.tsync()
        reading.mono_ms = clock.mono_ms()
        reading.import_milliwh = registers.import_milliwh()
        reading.export_milliwh = registers.export_milliwh()
        reading.use_s = registers.use_s()
        reading.power_milliw = self._meter.power_milliw(self._power_nw_per_count)
        reading.status = interval.status()
        reading.err = interval.err()
        reading.input = interval.input
        reading.tx = ""
        reading.event = ()
        reading.nonce = b""
        reading.ocmf = b""
        return reading

    def _seal_interval(self, ctx: int, interval, tx: str, transaction, pause) -> None:
        """Seal the end of an interval; the next one begins at the latch, not after signing."""
        reading = self._latch(ctx, interval)
        reading.tx = tx
        worst = interval.worst
        missed = interval.missed
        stepped = interval.stepped
        self._meter.next_interval(interval)
        if ctx == FISCAL:
            transaction = self._chain.transaction
        try:
            self._seal(reading, transaction, pause)
        except Exception:
            interval.restore(worst, missed, stepped, reading.input)
            raise

    def _seal(self, reading: Reading, transaction: str | None, pause) -> int:
        """Sign and append; only then the numbers are used up. Returns the size of the record.

        Args:
            reading: what the record says.
            transaction: id of the transaction that is open behind this record.
            pause: handed to the signer.

        Raises:
            OSError: the journal refused; the chain is as it was, or as the journal says once it
                has been recovered.
        """
        chain = self._chain
        journal = self._journal
        if journal.dirty:
            self._resume()
        if reading.tx and self._sessions:
            reading.ocmf = self._sessions[0].end(chain, reading, pause)
        payload = self._writer.write(chain, reading)
        size = self._sealer.seal(journal.space(), payload, pause)
        pause()
        ctx = reading.ctx
        before = chain.transaction
        chain.seq[ctx] += 1
        chain.transaction = transaction
        try:
            journal.append(size, chain.pack(self._registers))
        except Exception:
            chain.seq[ctx] -= 1
            chain.transaction = before
            raise
        chain.prev = journal.head_digest
        self._registers.mark_position(journal.next_position)
        return size

    def _resume(self) -> None:
        """An append failed: what is on flash decides which numbers are used."""
        journal = self._journal
        journal.recover()
        if journal.head_state is not None:
            self._chain.unpack(journal.head_state, journal.head_digest)
        self._registers.mark_position(journal.next_position)
