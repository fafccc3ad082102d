"""A load that begins again when it is over: what boards that stay up meter."""

from __future__ import annotations

from collections.abc import Callable

from wattest.scenario import LoadProfile


class EndlessLoad(LoadProfile):
    """A load of ``period_ns`` that repeats.

    Args:
        load: what flows in the first period.
        period_ns: after which it begins again, above 0.
    """

    __slots__ = ("_period_ns",)

    def __init__(self, load: LoadProfile, *, period_ns: int) -> None:
        super().__init__(
            power=load.power, voltage=load.voltage, label=load.label, origin=load.origin
        )
        self._period_ns = period_ns

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean power over ``[t0, t1)``, µW, nearest."""
        return self._mean(super().power_mean_uw, t0_ns, t1_ns)

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean voltage over ``[t0, t1)``, µV, nearest."""
        return self._mean(super().voltage_mean_uv, t0_ns, t1_ns)

    def _mean(self, mean: Callable[[int, int], int], t0_ns: int, t1_ns: int) -> int:
        """Ask piece by piece: a window may reach into the next round."""
        width_ns = t1_ns - t0_ns
        start_ns = t0_ns % self._period_ns
        if start_ns + width_ns <= self._period_ns:
            return mean(start_ns, start_ns + width_ns)
        total = 0
        rest_ns = width_ns
        while rest_ns:
            piece_ns = min(rest_ns, self._period_ns - start_ns)
            total += mean(start_ns, start_ns + piece_ns) * piece_ns
            rest_ns -= piece_ns
            start_ns = 0
        return (2 * total + width_ns) // (2 * width_ns)
