"""The node's loop: sample, integrate, seal, journal, send, prune on acknowledgement.

One thing is done at a time. Between deadlines the node waits in one poll on its console, with the
time to the next deadline. Signing is the only long computation; it calls back between its steps,
so a sample that falls due meanwhile is taken in time.
"""

import gc
import sys
import time

from micropython import const

from node.actions import Actions
from node.chain import EVENT, FISCAL, TRANSACTION
from node.commands import ACCEPTED, NOT_AUTHENTIC, Commands, Refused
from node.legal_log import (
    ERROR_ARITHMETIC,
    ERROR_BUS,
    ERROR_COUNTER,
    ERROR_ID,
    ERROR_JOURNAL_FULL,
    ERROR_SATURATED,
    SENSOR_ERRORS,
    LegalLog,
)
from node.meter import INJECTED
from node.record import BOOT, INPUT
from node.session import Session

_BUS_STUCK = "T"
_OVERFLOW = "O"
_WRONG_CHIP = "X"
_MANIPULATED = "M"
_RETREAT_MS = const(1000)
_RETREAT_POLL_MS = const(100)
_POWER_FAILED = "P"


class Node:
    """The parts, and the order in which they get their turn.

    Args:
        parts: a `node.startup.Parts`.
    """

    def __init__(self, parts) -> None:
        self.clock = parts.clock
        self.meter = parts.meter
        self.recorder = parts.recorder
        self.chain = parts.chain
        self.journal = parts.journal
        self.keystore = parts.keystore
        self.relay = parts.relay
        self.interval_ms = parts.interval_ms
        self.power_nw_per_count = parts.power_nw_per_count
        self._sensor = parts.sensor
        self._make_bus = parts.make_bus
        self._watchdog = parts.watchdog
        self._period_ms = parts.sample_period_ms
        self.log = LegalLog(parts.recorder, parts.chain, parts.clock)
        self.session = Session(
            kid=parts.chain.kid,
            public=parts.public,
            serial=parts.serial,
            journal=parts.journal,
            keystore=parts.keystore,
            frames=parts.frames,
            on_command=self._on_command,
        )
        self._commands = Commands(
            parts.keystore, self.session.authentic, Actions(self), parts.sample_period_ms
        )
        self._sampled = False
        self._record_due = False
        # A transaction that is open now was cut off by the reset.
        self._cut_off = parts.chain.transaction is not None
        self._errors = 0
        self._retreating = False
        self._retreat_until = time.ticks_ms()
        self._sample_at = time.ticks_ms()
        self._record_at = self._sample_at

    def run(self) -> None:
        """Until Ctrl-C."""
        self.meter.begin()
        self._sampled = True
        self.align()
        self.session.send_hello()
        while True:
            try:
                self.step()
            except Exception as error:
                self._contain(error)

    def align(self) -> None:
        """Put samples and records on multiples of their period: of UTC once it is known."""
        self._sample_at = self.clock.ticks_to_next(self._period_ms)
        self._record_at = self.clock.ticks_to_next(self.interval_ms)

    def align_to_clock(self, step_ms: int | None) -> None:
        """After the clock was set: a record whose moment was jumped over is sealed now.

        Args:
            step_ms: how far the clock was set forward; None if it was not known before. Half an
                interval or more is no correction but another time, with records of its own grid.
        """
        due = self._record_at
        self.align()
        half_ms = self.interval_ms // 2
        if step_ms is None or abs(step_ms) >= half_ms:
            return
        if time.ticks_diff(self._record_at, due) > half_ms:
            self._record_due = True

    def step(self) -> None:
        """One turn: a sample if it is due, one piece of work, then input."""
        if self._watchdog is not None:
            self._watchdog.feed()
        self.sample_if_due()
        if self._sampled:
            self._sampled = False
            self._watch_sensor()
            self._watch_input()
        now = time.ticks_ms()
        idle_ms = max(0, time.ticks_diff(self._sample_at, now))
        if self._in_retreat(now):
            self._sensor.awake_at = None
            time.sleep_ms(min(idle_ms, _RETREAT_POLL_MS))
        elif self._seal_due() or self.session.send_record(now):
            self.sample_if_due()
            self.session.receive(0)
        else:
            self._sensor.awake_at = None  # while the node waits, interrupts are served at once
            self.session.receive(min(idle_ms, self.session.ticks_to_retry(now)))
        self._count_refused()

    def sample_if_due(self) -> None:
        """Sample on the grid; called between two pieces of work. Allocates nothing."""
        now = self._sensor.awake_at = time.ticks_ms()
        if time.ticks_diff(now, self._sample_at) < 0:
            return
        self.meter.sample()
        self._sampled = True
        if time.ticks_diff(self._sample_at, self._record_at) >= 0:
            self._record_due = True
        while time.ticks_diff(now, self._record_at) >= 0:
            self._record_at = time.ticks_add(self._record_at, self.interval_ms)
        while time.ticks_diff(now, self._sample_at) >= 0:
            self._sample_at = time.ticks_add(self._sample_at, self._period_ms)

    # ---- sealing ----

    def _seal_due(self) -> bool:
        """Seal one record, events first; False if there is nothing to do."""
        recorder = self.recorder
        if self.log.waiting() and recorder.has_room(EVENT):
            gc.collect()
            kind, record = self.log.seal_next(self.sample_if_due)
            if kind == BOOT:
                self.session.show_boot(record)
            return True
        if self._cut_off and recorder.has_room(TRANSACTION):
            self._cut_off = False
            recorder.end_transaction(_POWER_FAILED, self.sample_if_due)
            return True
        if not self._record_due:
            return False
        self._record_due = False
        self._seal_fiscal()
        return True

    def _seal_fiscal(self) -> None:
        """The fiscal reading of an interval; held back while the journal is full."""
        if not self.recorder.has_room(FISCAL):
            self.recorder.hold()
            self.log.error(ERROR_JOURNAL_FULL, 1)
            return
        self.log.error(ERROR_JOURNAL_FULL, 0)
        if self.meter.check() and not self.meter.fiscal.missed:
            for code in SENSOR_ERRORS:
                self.log.error(code, 0)
        gc.collect()
        self.recorder.fiscal(self.sample_if_due)

    # ---- trouble ----

    def _watch_sensor(self) -> None:
        """Report a failed sample, and try to get the sensor back before the next one."""
        status = self.meter.status
        if status == "G":
            return
        if status == _WRONG_CHIP:
            self.log.error(ERROR_ID, 1)
        elif status == _MANIPULATED:
            self.log.error(ERROR_COUNTER, 1)
        elif status == _OVERFLOW:
            self.log.error(ERROR_ARITHMETIC if self._sensor.arithmetic else ERROR_SATURATED, 1)
            return
        else:
            self.log.error(ERROR_BUS, 1)
        if status == _BUS_STUCK:
            self._sensor.use_bus(self._make_bus())
        self.meter.recover()

    def _watch_input(self) -> None:
        """Go back to the sensor when an injected power was not renewed, right after a sample."""
        if self.meter.injection_lapsed():
            own_input = self.meter.own_input
            self.meter.select_input(own_input)
            self.log.add((INPUT, INJECTED, own_input))

    def _contain(self, error: Exception) -> None:
        """An exception in the loop: tell, stop working for a second, go on sampling."""
        self._errors += 1
        self._retreating = True
        self._retreat_until = time.ticks_add(time.ticks_ms(), _RETREAT_MS)
        gc.collect()
        if self._errors < 10 or self._errors % 100 == 0:
            print("wattest: error %d in the loop:" % self._errors)
            sys.print_exception(error)
        self.log.internal_error(self._errors)

    def _in_retreat(self, now) -> bool:
        if self._retreating and time.ticks_diff(now, self._retreat_until) >= 0:
            self._retreating = False
        return self._retreating

    # ---- commands ----

    def _on_command(self, message: bytes) -> None:
        reason = ACCEPTED
        gc.collect()
        try:
            self._commands.handle(message)
        except Refused as refusal:
            reason = refusal.reason
            self.log.refuse(reason)
        self.session.send_reply(self._commands.counter, reason)

    def _count_refused(self) -> None:
        """Forged acknowledgements count as refused; unreadable records are told."""
        session = self.session
        while session.forged:
            session.forged -= 1
            self.log.refuse(NOT_AUTHENTIC)
        self.log.lost_records(session.take_lost())
