"""The clock of a live collector: UTC that never goes back."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from wattest.units import NS_PER_MS

_SLOWEST = 10


class SteadyClock:
    """UTC, as one clock that only goes forwards.

    When the machine's UTC is set forwards this clock follows at once; when it is set back, this
    clock goes a tenth slower until the two agree, because deadlines of conversations rest on it.

    Args:
        utc_ms: the machine's UTC, ms since 1970.
        monotonic_ns: a clock that is never set.
        anchor_ms: UTC at which accelerated boards began; their time is UTC only there.
        speed: seconds of the boards per real second, above 0.
    """

    def __init__(
        self,
        *,
        utc_ms: Callable[[], int],
        monotonic_ns: Callable[[], int],
        anchor_ms: int = 0,
        speed: Fraction = Fraction(1),
    ) -> None:
        self._utc_ms = utc_ms
        self._monotonic_ns = monotonic_ns
        self._anchor_ms = anchor_ms
        self._speed = speed
        self._seen_ns = monotonic_ns()
        self._steady_ns = utc_ms() * NS_PER_MS

    def now_ms(self) -> int:
        """Return the time of the boards, UTC ms since 1970."""
        now_ns = self._monotonic_ns()
        elapsed_ns, self._seen_ns = now_ns - self._seen_ns, now_ns
        ahead_ns = self._steady_ns + elapsed_ns - self._utc_ms() * NS_PER_MS
        correction_ns = min(ahead_ns, elapsed_ns // _SLOWEST)
        if ahead_ns > -NS_PER_MS:  # UTC comes in whole ms: less is no difference
            correction_ns = max(correction_ns, 0)
        self._steady_ns += elapsed_ns - correction_ns
        steady_ms = self._steady_ns // NS_PER_MS
        return self._anchor_ms + int((steady_ms - self._anchor_ms) * self._speed)
