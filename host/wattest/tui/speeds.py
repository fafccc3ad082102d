"""The steps of speed that the keys take: virtual seconds per real second; None has no brake."""

from __future__ import annotations

SPEEDS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0)


def faster(speed: float | None) -> float | None:
    """Return the next higher step; beyond the highest there is no brake."""
    if speed is None:
        return None
    return next((step for step in SPEEDS if step > speed), None)


def slower(speed: float | None) -> float:
    """Return the next lower step; the lowest stays."""
    lower = [step for step in SPEEDS if speed is None or step < speed]
    return lower[-1] if lower else SPEEDS[0]
