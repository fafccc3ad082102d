"""The calibration of a board as a person states it: certificate or words, and until when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from wattest.errors import ConfigError
from wattest.wire import Calibration
from wattest.wire.enrolment import REFERENCE_MAX

_MS_PER_S: Final = 1000
_CERTIFICATES: Final = (".pdf", ".txt", ".p7m", ".p7s", ".jpg", ".jpeg", ".png", ".xml", ".json")


def day_ms(day: date) -> int:
    """Return the beginning of a day, UTC ms since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _MS_PER_S


def stated_calibration(text: str | None, due: date | None) -> Calibration | None:
    """Return what is stated of the calibration; a certificate's file is named by its digest.

    Args:
        text: path of a certificate, or words, 1 to 64 characters; None: nothing is stated.
        due: last day on which it holds, or None.

    Raises:
        ConfigError: there is no such file, or the two do not go together.
    """
    if text is None:
        if due is not None:
            raise ConfigError(
                "says until when a calibration holds",
                path="--due",
                hint="give --calibration as well",
            )
        return None
    file = Path(text)
    digest = None
    if file.is_file():
        try:
            digest = sha256(file.read_bytes()).digest()
        except OSError as exc:
            raise ConfigError(f"cannot be read: {exc.strerror}", path=text) from exc
        text = file.name
    elif file.is_dir() or file.suffix.lower() in _CERTIFICATES:  # it would be logged for ever
        raise ConfigError(
            "is a folder, expected a file" if file.is_dir() else "no such file",
            path=f"--calibration {text}",
            hint="give the certificate's file, or its words without the name of a file",
        )
    if not text.isprintable() or not 1 <= len(text) <= REFERENCE_MAX:
        raise ConfigError(
            f"expected a file, or 1 to {REFERENCE_MAX} printable characters",
            path="--calibration",
        )
    due_ms = day_ms(due) if due is not None else None
    return Calibration(reference=text, digest=digest, due_ms=due_ms)
