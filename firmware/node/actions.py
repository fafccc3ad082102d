"""What commands do, once they are authenticated and in range."""

from node.chain import EVENT, TRANSACTION
from node.commands import OUT_OF_RANGE, WRONG_STATE, Refused
from node.meter import COUNTS_MAX, INJECTED, SENSOR
from node.record import CONFIG, IDENTIFY, INPUT, RELAY, TIME_SET

_PARAMETER_INTERVAL = 1


class Actions:
    """Carries commands out on a node.

    Each command that changes something first takes a sample, so that the registers of its record
    are those of the instant of the change.

    Args:
        node: the application.
    """

    def __init__(self, node) -> None:
        self._node = node

    def set_time(self, utc_ms: int) -> None:
        """Let now be this time."""
        node = self._node
        clock = node.clock
        self._prepare(EVENT)
        before = clock.setting()
        old = clock.utc_ms()
        if clock.set_utc(utc_ms):
            node.meter.mark_step()
        try:
            node.recorder.event((TIME_SET, old, utc_ms, clock.tsync()), node.sample_if_due)
        except OSError:
            clock.restore(before)
            raise
        node.align_to_clock(None if old is None else utc_ms - old)

    def set_interval(self, interval_ms: int) -> None:
        """Seal fiscal readings at multiples of this."""
        node = self._node
        self._prepare(EVENT)
        old = node.interval_ms
        node.keystore.keep_interval_ms(interval_ms)
        node.interval_ms = interval_ms
        node.align()
        event = (CONFIG, _PARAMETER_INTERVAL, old, interval_ms)
        node.recorder.event(event, node.sample_if_due)

    def set_relay(self, closed: int) -> None:
        """Open or close the relay."""
        node = self._node
        if node.relay is None:
            raise Refused(WRONG_STATE)
        self._prepare(EVENT)
        node.relay(closed)
        node.recorder.event((RELAY, closed), node.sample_if_due)

    def begin(self, identification: str) -> None:
        """Begin a transaction."""
        node = self._node
        if node.chain.transaction is not None:
            raise Refused(WRONG_STATE)
        self._prepare(TRANSACTION)
        node.recorder.begin_transaction(identification, node.sample_if_due)

    def end(self) -> None:
        """End the open transaction."""
        node = self._node
        if node.chain.transaction is None:
            raise Refused(WRONG_STATE)
        self._prepare(TRANSACTION)
        node.recorder.end_transaction("E", node.sample_if_due)

    def sync(self, position: int) -> None:
        """Send again from a position; sending is no permission to prune."""
        journal = self._node.journal
        if not journal.first_retained() <= position <= journal.acknowledged:
            raise Refused(OUT_OF_RANGE)
        self._node.session.send_from(position)

    def identify(self, nonce: bytes) -> None:
        """Answer a nonce with a fresh record, shown at once whatever waits before it."""
        node = self._node
        self._prepare(EVENT)
        node.session.show(node.recorder.event((IDENTIFY,), node.sample_if_due, nonce))

    def test_input(self, selected: int, power_milliw: int) -> None:
        """Measure the sensor, a given power, or a stimulus board; records say which.

        Only a change of the input is an event: another power is no news, the records say 1.
        """
        node = self._node
        counts = abs(power_milliw) * 1_000_000 // node.power_nw_per_count
        if selected == INJECTED and counts > COUNTS_MAX:
            raise Refused(OUT_OF_RANGE)
        if selected == SENSOR:
            selected = node.meter.own_input
        old = node.meter.input
        if selected == old:
            node.meter.sample()
            node.meter.inject(counts, power_milliw < 0)
            return
        self._prepare(EVENT)
        node.meter.inject(counts, power_milliw < 0)
        node.meter.select_input(selected)
        node.recorder.event((INPUT, old, selected), node.sample_if_due)

    def _prepare(self, ctx: int) -> None:
        """Latch now; refuse what could not be put on record."""
        node = self._node
        if not node.recorder.has_room(ctx):
            raise Refused(WRONG_STATE)
        node.meter.sample()
