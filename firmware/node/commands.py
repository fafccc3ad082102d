"""Authenticated commands: who may, in which order, with which arguments.

docs/formats.md, section 3. A command that passes its MAC and brings a new counter uses the
counter up, whatever becomes of it, so a refused one cannot be played again later.
"""

from micropython import const

from node.cbor import CborError, decode_map
from node.clock import UTC_MS_MAX, UTC_MS_MIN

MAC_BYTES = const(16)
SET_TIME = const(1)
SET_INTERVAL = const(2)
SET_RELAY = const(3)
BEGIN = const(4)
END = const(5)
SYNC = const(6)
IDENTIFY = const(7)
TEST_INPUT = const(8)

ACCEPTED = const(0)
NOT_AUTHENTIC = const(1)
OLD_COUNTER = const(2)
MALFORMED = const(3)
UNKNOWN_OPERATION = const(4)
OUT_OF_RANGE = const(5)
WRONG_STATE = const(6)

_COUNTER = const(1)
_OPERATION = const(2)
_ARGUMENT = const(3)
_ARGUMENT_2 = const(4)
_INTERVAL_MIN_MS = const(1000)
_INTERVAL_MAX_MS = const(3_600_000)
_ID_MAX = const(20)
_NONCE_MIN = const(8)
_NONCE_MAX = const(64)
_POWER_MAX_MILLIW = 1_000_000_000


class Refused(Exception):
    """A command that is not carried out.

    Attributes:
        reason: refusal reason of the formats.
    """

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


class Commands:
    """Checks command messages and hands them to what carries them out.

    Args:
        keystore: for the counter.
        authentic: tells whether a message's MAC is right.
        actions: an object with set_time, set_interval, set_relay, begin, end, sync, identify,
            test_input; each may raise Refused.
        sample_period_ms: record intervals are multiples of it.
    """

    def __init__(self, keystore, authentic, actions, sample_period_ms: int) -> None:
        self._keystore = keystore
        self._authentic = authentic
        self._actions = actions
        self._sample_period_ms = sample_period_ms
        # The counter of the command being dealt with; 0 if it could not be read.
        self.counter = 0

    def handle(self, message: bytes) -> None:
        """Carry a command out.

        Args:
            message: kind, CBOR and MAC.

        Raises:
            Refused: with the reason; nothing else has happened but the use of the counter.
        """
        self.counter = 0
        if not self._authentic(message, MAC_BYTES):
            raise Refused(NOT_AUTHENTIC)
        try:
            command = decode_map(message[1:-MAC_BYTES])
        except CborError:
            raise Refused(MALFORMED)
        counter = command.get(_COUNTER, b"")
        operation = command.get(_OPERATION, b"")
        if not isinstance(counter, int) or not isinstance(operation, int) or counter < 0:
            raise Refused(MALFORMED)
        for key in command:
            if key > _ARGUMENT_2 or key < _COUNTER:
                raise Refused(MALFORMED)
        self.counter = counter
        if counter <= self._keystore.command_counter():
            raise Refused(OLD_COUNTER)
        self._keystore.keep_command_counter(counter)
        self._carry_out(operation, command.get(_ARGUMENT), command.get(_ARGUMENT_2))

    def _carry_out(self, operation: int, argument, argument_2) -> None:
        actions = self._actions
        if operation == SET_TIME:
            _require(_is_int(argument, UTC_MS_MIN, UTC_MS_MAX))
            actions.set_time(argument)
        elif operation == SET_INTERVAL:
            _require(_is_int(argument, _INTERVAL_MIN_MS, _INTERVAL_MAX_MS))
            _require(argument % self._sample_period_ms == 0)
            actions.set_interval(argument)
        elif operation == SET_RELAY:
            _require(_is_int(argument, 0, 1))
            actions.set_relay(argument)
        elif operation == BEGIN:
            _require(isinstance(argument, str) and _printable(argument))
            actions.begin(argument)
        elif operation == END:
            actions.end()
        elif operation == SYNC:
            _require(_is_int(argument, 0, 0xFFFFFFFF))
            actions.sync(argument)
        elif operation == IDENTIFY:
            _require(isinstance(argument, bytes) and _NONCE_MIN <= len(argument) <= _NONCE_MAX)
            actions.identify(argument)
        elif operation == TEST_INPUT:
            _require(_is_int(argument, 0, 2))
            power = argument_2 if argument == 1 else 0
            _require(_is_int(power, -_POWER_MAX_MILLIW, _POWER_MAX_MILLIW))
            actions.test_input(argument, power)
        else:
            raise Refused(UNKNOWN_OPERATION)


def _is_int(value, low: int, high: int) -> bool:
    return isinstance(value, int) and low <= value <= high


def _printable(text: str) -> bool:
    return len(text) <= _ID_MAX and all([" " <= character <= "~" for character in text])


def _require(condition: bool) -> None:
    if not condition:
        raise Refused(OUT_OF_RANGE)
