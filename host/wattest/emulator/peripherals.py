"""Pins, timers, watchdog, real-time clock and analogue inputs of one board.

All of it is state and arithmetic on virtual time; nothing runs by itself. The board asks
:attr:`Timers.due_ns` and :attr:`Watchdog.deadline_ns` when something is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RTC_MEMORY_BYTES = 2048
EPOCH_2000_NS = 946_684_800 * 1_000_000_000
PULL_DOWN, PULL_UP = 1, 2
MODE_OUT, MODE_OPEN_DRAIN = 3, 7
IRQ_RISING, IRQ_FALLING = 1, 2
_PIN_COUNT = 64

_ADC_FULL_SCALE_UV = (950_000, 1_250_000, 1_750_000, 2_450_000)
"""Usable range of an ESP32's ADC by attenuation 0, 2.5, 6, 11 dB (its data sheet, table 4-4)."""


@dataclass(slots=True, kw_only=True)
class Pin:
    """One GPIO: what the chip drives, what the world drives, and the edge that interrupts."""

    mode: int = 0
    pull: int = 0
    output: int = 0
    driven: int | None = None
    irq_callback: int = 0
    irq_edges: int = 0

    @property
    def drives(self) -> int | None:
        """The level that the chip drives; None: it only listens."""
        if self.mode == MODE_OUT:
            return self.output
        return 0 if self.mode == MODE_OPEN_DRAIN and not self.output else None

    @property
    def level(self) -> int:
        """The level on the pin."""
        drives = self.drives
        if drives is not None:
            return drives
        if self.driven is not None:
            return self.driven
        return 1 if self.pull & PULL_UP else 0


class Pins:
    """All pins of a board, made when first named."""

    def __init__(self) -> None:
        self._pins: dict[int, Pin] = {}
        self._followers: dict[int, Callable[[int | None], None]] = {}

    def follow(self, number: int, follower: Callable[[int | None], None]) -> None:
        """Have a function called with what the chip drives a pin to, now and at each change."""
        self._followers[number] = follower
        follower(self[number].drives)

    def set_up(self, number: int, *, mode: int | None, pull: int | None) -> None:
        """Change what the chip does with a pin; None leaves it."""
        pin = self[number]
        before = pin.drives
        pin.mode = pin.mode if mode is None else mode
        pin.pull = pin.pull if pull is None else pull
        self._tell(number, before)

    def put(self, number: int, level: int) -> None:
        """Set the output of a pin."""
        pin = self[number]
        before = pin.drives
        pin.output = level
        self._tell(number, before)

    def _tell(self, number: int, before: int | None) -> None:
        after = self[number].drives
        if after != before and number in self._followers:
            self._followers[number](after)

    def __getitem__(self, number: int) -> Pin:
        if not 0 <= number < _PIN_COUNT:
            raise ValueError(f"no pin {number}")
        pin = self._pins.get(number)
        if pin is None:
            pin = self._pins[number] = Pin()
        return pin

    def reset(self) -> None:
        """Back to inputs; what the world drives stays driven."""
        before, self._pins = self._pins, {}
        for number, pin in before.items():
            if pin.driven is not None:
                self._pins[number] = Pin(driven=pin.driven)
            self._tell(number, pin.drives)

    def forget_interrupts(self) -> None:
        """The interpreter whose callbacks they are is gone."""
        for pin in self._pins.values():
            pin.irq_callback = pin.irq_edges = 0

    def drive(self, number: int, level: int | None) -> tuple[int, int] | None:
        """Drive a pin from outside, or let it go with None.

        Returns:
            ``(callback id, pin number)`` when the edge is to interrupt the guest.
        """
        pin = self[number]
        before = pin.level
        pin.driven = level if level is None else (1 if level else 0)
        edge = IRQ_RISING if pin.level > before else IRQ_FALLING if pin.level < before else 0
        if edge & pin.irq_edges:
            return pin.irq_callback, number
        return None


@dataclass(slots=True, kw_only=True)
class _Timer:
    callback: int
    due_ns: int
    period_ns: int
    periodic: bool


class Timers:
    """Hardware timers whose callbacks are soft interrupts.

    Attributes:
        due_ns: when the next timer is due, or None.
    """

    def __init__(self) -> None:
        self._timers: dict[int, _Timer] = {}
        self.due_ns: int | None = None

    def reset(self) -> None:
        """Stop them all."""
        self._timers.clear()
        self.due_ns = None

    def start(
        self, number: int, *, callback: int, period_ns: int, periodic: bool, now_ns: int
    ) -> None:
        """Start timer ``number``, replacing what it did."""
        self._timers[number] = _Timer(
            callback=callback, due_ns=now_ns + period_ns, period_ns=period_ns, periodic=periodic
        )
        self._find_next()

    def stop(self, number: int) -> None:
        """Stop timer ``number`` if it runs."""
        self._timers.pop(number, None)
        self._find_next()

    def elapsed_ms(self, number: int, now_ns: int) -> int:
        """Return milliseconds since the current period began."""
        timer = self._timers.get(number)
        if timer is None:
            return 0
        return max(0, timer.period_ns - (timer.due_ns - now_ns)) // 1_000_000

    def take_due(self, now_ns: int) -> list[tuple[int, int]]:
        """Return ``(callback id, timer number)`` of all that are due, in order of time.

        A periodic timer that was held up fires once, not once for each period it missed.
        """
        due = sorted(
            (timer.due_ns, number)
            for number, timer in self._timers.items()
            if timer.due_ns <= now_ns
        )
        fired = []
        for _, number in due:
            timer = self._timers[number]
            fired.append((timer.callback, number))
            if timer.periodic:
                missed = (now_ns - timer.due_ns) // timer.period_ns
                timer.due_ns += (missed + 1) * timer.period_ns
            else:
                del self._timers[number]
        self._find_next()
        return fired

    def _find_next(self) -> None:
        self.due_ns = min((timer.due_ns for timer in self._timers.values()), default=None)


@dataclass(slots=True, kw_only=True)
class Watchdog:
    """The task watchdog: off until started, then until reset."""

    timeout_ns: int = 0
    deadline_ns: int | None = None

    def start(self, timeout_ns: int, now_ns: int) -> None:
        """Start it, or change its timeout."""
        self.timeout_ns = timeout_ns
        self.feed(now_ns)

    def feed(self, now_ns: int) -> None:
        """Count anew; nothing happens while it is off."""
        if self.timeout_ns:
            self.deadline_ns = now_ns + self.timeout_ns

    def reset(self) -> None:
        """Off."""
        self.timeout_ns = 0
        self.deadline_ns = None


@dataclass(slots=True, kw_only=True)
class RealTimeClock:
    """Wall clock and memory of the always-on domain; both are lost with the supply.

    Args:
        offset_ns: what to add to virtual time for nanoseconds since 1970.
        memory: up to 2048 bytes.
    """

    offset_ns: int = 0
    memory: bytes = b""

    def power_on(self, now_ns: int) -> None:
        """An ESP32 starts at 2000-01-01."""
        self.offset_ns = EPOCH_2000_NS - now_ns
        self.memory = b""

    def set_unix_ns(self, unix_ns: int, now_ns: int) -> None:
        """Set the clock."""
        self.offset_ns = unix_ns - now_ns

    def since_2000_ns(self, now_ns: int) -> int:
        """Return nanoseconds since 2000-01-01, what ``time.time_ns`` counts on an ESP32."""
        return now_ns + self.offset_ns - EPOCH_2000_NS


class AnalogueInputs:
    """Voltages the world applies to pins; open pins read 0."""

    def __init__(self) -> None:
        self._applied_uv: dict[int, int] = {}

    def apply(self, pin: int, microvolts: int) -> None:
        """Apply a voltage to a pin."""
        self._applied_uv[pin] = microvolts

    def read_uv(self, pin: int, attenuation: int) -> int:
        """Return what an ideal converter shows, clipped to the attenuation's range."""
        full_scale = _ADC_FULL_SCALE_UV[attenuation & 3]
        return max(0, min(full_scale, self._applied_uv.get(pin, 0)))

    def read_raw(self, pin: int, attenuation: int) -> int:
        """Return the 12-bit count."""
        full_scale = _ADC_FULL_SCALE_UV[attenuation & 3]
        return self.read_uv(pin, attenuation) * 4095 // full_scale
