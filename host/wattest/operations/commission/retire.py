"""A node's last entry: its keys are closed, and nobody collects from it any more.

The board need not be there. What it still holds is refused from now on: collect before.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wattest.errors import UsageError, one_line
from wattest.operations.commission.home import Home
from wattest.operations.commission.ledger_desk import LedgerDesk, LoggedKey
from wattest.operations.commission.passport import chip_id_of
from wattest.operations.commission.provision_events import Retired
from wattest.operations.commission.roster import Roster
from wattest.store import Passport, PassportEvent
from wattest.system import utc_ms
from wattest.wire import EnrolmentAction


def retire_node(home: Home, name: str, *, out: Path | None = None, reason: str = "") -> Retired:
    """Close every key of a node, for good.

    Killed at any point, the same call goes on: ledger first, then `boards.json`, then passport.

    Args:
        home: of the bench.
        name: of the node, or its serial.
        out: folder of the live ledger; None: that of the home.
        reason: for the passport, in a person's words.

    Raises:
        UsageError: no node of this name is or was enrolled there.
        ConfigError: the folder holds something else, or a collector is at work there.
        StoreError: something could not be kept.
    """
    folder = out or home.collected
    roster = Roster(home)
    entry = roster.named(name)
    serial = str(entry["serial"]) if entry is not None else name
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder: nothing was ever enrolled there")
    with LedgerDesk(folder, now_ms=utc_ms(), copies=home.ledgers) as desk:
        known = desk.keys(serial)
        if not known:
            raise UsageError(
                f"--name {name}: no node of this name or serial is enrolled in {folder}",
                hint=f"see `wattest ledger show {folder}`, and the names in {home.ports}",
            )
        closing = [key for key in known if not key.closed]
        for key in closing:
            desk.log(
                replace(
                    key.enrolment,
                    action=EnrolmentAction.RETIRE,
                    replaces=b"",
                    enrolled_ms=utc_ms(),
                )
            )
    roster.remove(serial)
    _note(home, known[-1], reason)
    return Retired(
        serial=serial, kids=tuple(key.enrolment.kid.hex() for key in closing), out=folder
    )


def _note(home: Home, key: LoggedKey, reason: str) -> None:
    chip_id = chip_id_of(key.enrolment.ueid or None)
    if chip_id is None:
        return
    kid = key.enrolment.kid.hex()
    detail: dict[str, str | int | bool | None] = {
        "reason": one_line(reason),
        "kid": kid,
        "serial": key.enrolment.serial,
    }
    with Passport(home.passport) as passport:
        passport.note(
            chip_id, PassportEvent.RETIRED, detail, at_ms=utc_ms(), once=f"retired/{kid}"
        )
