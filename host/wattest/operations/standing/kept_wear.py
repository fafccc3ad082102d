"""How often each sector of an emulated board's flash was erased, over all its lives.

Real chips do not tell. The count is written when the board is switched off: a program that is
killed loses what it counted, not what it counted before.
"""

from __future__ import annotations

import json
from pathlib import Path

from wattest.emulator.flash import NorFlash
from wattest.errors import EmulatorError
from wattest.operations.commission.home import Home
from wattest.operations.rundir import write_whole
from wattest.store import Passport, PassportEvent
from wattest.system import utc_ms


class KeptWear:
    """Keeps the erase counts of a chip in ``path``, and its board's passport informed.

    Args:
        path: one JSON object, sector number to count.
        flash: the chip; its counts are replaced by the file's, or begin at nothing.

    Raises:
        EmulatorError: the file cannot be read.
    """

    def __init__(self, path: Path, flash: NorFlash) -> None:
        self._path = path
        self._flash = flash
        try:
            text = path.read_bytes() if path.exists() else b"{}"
            flash.wear = {int(index): int(count) for index, count in json.loads(text).items()}
        except (OSError, ValueError, AttributeError, TypeError) as exc:
            raise EmulatorError(
                f"erase counts {path}: cannot be read: {exc}", hint="delete the file"
            ) from exc

    def save(self) -> None:
        """Write the counts.

        Raises:
            StoreError: they cannot be written.
        """
        counts = {str(index): count for index, count in sorted(self._flash.wear.items())}
        write_whole(self._path, (json.dumps(counts) + "\n").encode())

    def note(self, home: Home, chip_id: str) -> None:
        """Tell the board's passport, if it has one.

        Raises:
            StoreError: it cannot be told.
        """
        if not self._flash.wear or not home.passport.exists():
            return
        with Passport(home.passport) as passport:
            if passport.facts(chip_id).first_seen_ms is None:
                return
            detail = {"erases": sum(self._flash.wear.values()), "worst": self.worst}
            passport.note(chip_id, PassportEvent.WEAR, detail, at_ms=utc_ms())

    @property
    def worst(self) -> int:
        """Erasures of the sector that had most."""
        return max(self._flash.wear.values(), default=0)
