"""Values in words: power, energy, time and digests as the screens write them; integers in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_PER_DAY = 86_400_000
_ROOT_CHARS = 12
_LONG = 100_000_000


def fixed(thousandths: int, places: int) -> str:
    """Write thousandths as a decimal with grouped digits, cut (not rounded) to ``places``.

    Args:
        thousandths: any integer.
        places: 0 to 3.
    """
    whole, rest = divmod(abs(thousandths), 1000)
    sign = "-" if thousandths < 0 else ""
    tail = f".{rest:03d}"[: places + 1] if places else ""
    return f"{sign}{whole:,}{tail}"


def power_text(milliwatts: int) -> str:
    """Write a power with its direction as a word, so that no sign must be known."""
    if abs(milliwatts) < 100:
        return "0.0 W"
    return f"{_scaled(abs(milliwatts), 1, 'W')} {'in' if milliwatts > 0 else 'out'}"


def difference_text(milliwatts: int) -> str:
    """Write a difference of powers with its sign."""
    return f"{'+' if milliwatts >= 0 else '-'}{_scaled(abs(milliwatts), 1, 'W')}"


def energy_text(milliwatthours: int, places: int = 1) -> str:
    """Write an energy register."""
    return _scaled(milliwatthours, places, "Wh")


def _scaled(thousandths: int, places: int, unit: str) -> str:
    """Write thousandths of a unit, or of its kilo where the number would be long."""
    if abs(thousandths) < _LONG:
        return f"{fixed(thousandths, places)} {unit}"
    return f"{fixed(thousandths // 1000, places)} k{unit}"


def clock_text(time_ms: int) -> str:
    """Write the time of day of UTC ms since 1970."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%H:%M:%S")


def instant_text(time_ms: int) -> str:
    """Write date and time of UTC ms since 1970."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%d %H:%M:%S UTC")


def elapsed_text(elapsed_ms: int) -> str:
    """Write a length of time as hours, minutes and seconds; days before them if there are any."""
    days, rest_ms = divmod(max(elapsed_ms, 0), _MS_PER_DAY)
    seconds = rest_ms // 1000
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{days}d {text}" if days else text


def age_text(age_ms: int | None) -> str:
    """Write how old a value is."""
    if age_ms is None:
        return "of unknown age"
    seconds = max(age_ms, 0) // 1000
    if seconds < 120:
        return f"{seconds} s old"
    if seconds < 7200:
        return f"{seconds // 60} min old"
    return f"{seconds // 3600} h old"


def speed_text(speed: float | None) -> str:
    """Write virtual seconds per real second."""
    return "max" if speed is None else f"{speed:g}x"


def short_digest(digest: bytes) -> str:
    """Return the beginning of a digest in hex."""
    return f"{digest.hex()[:_ROOT_CHARS]}…"


def bar_text(part: int, whole: int, width: int) -> str:
    """Draw how much of a whole is done.

    Args:
        part: 0 <= part <= whole; outside of it is taken as the nearer end.
        whole: everything.
        width: characters.
    """
    done = min(max(part * width // whole, 0), width) if whole > 0 else 0
    return "█" * done + "░" * (width - done)
