"""What an operator states on a kept ledger, with no party's key: estimates, anchors, a new key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattest.errors import ConfigError, UsageError
from wattest.ledger import EntryKind, NewEntry
from wattest.operations.accounting.desk import AccountsDesk
from wattest.settlement.quantity import KINDS
from wattest.system import utc_ms
from wattest.wire import Anchor, LoggedEstimate

EVIDENCE_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """An entry that was logged.

    Args:
        index: its place.
        size: of the checkpoint it speaks of, or of the one that covers it.
    """

    index: int
    size: int


def anchor(path: Path, *, method: str, place: str, evidence: Path | None) -> Stated:
    """Log that the newest checkpoint of a kept ledger was put elsewhere.

    Args:
        path: folder of a kept run.
        method: how, such as ``print`` or ``rfc3161``.
        place: where, such as an address.
        evidence: file with what the place answered, or None.

    Raises:
        ConfigError: this is no kept run that can be added to, or the file cannot be used.
        UsageError: the ledger is empty.
        StoreError: nothing was logged.
    """
    content = b"" if evidence is None else _read(evidence)
    if len(content) > EVIDENCE_BYTES_MAX:
        raise ConfigError(
            f"at most {EVIDENCE_BYTES_MAX} bytes expected, got {len(content)}",
            path=str(evidence),
            hint="log its SHA-256 as the place, and keep the file",
        )
    with AccountsDesk(path) as desk:
        newest = desk.ledger.checkpoint()
        if newest is None:
            raise UsageError("ledger anchor: the ledger is empty, there is no checkpoint yet")
        stated = Anchor(
            size=newest.checkpoint.size,
            root=newest.checkpoint.root,
            method=method,
            place=place,
            evidence=content,
            time_ms=utc_ms(),
        )
        (index,) = desk.log([NewEntry(kind=EntryKind.ANCHOR, body=stated.to_cbor())])
    return Stated(index=index, size=stated.size)


def estimate(
    path: Path,
    *,
    asset: str,
    quantity: str,
    window: tuple[int, int],
    amount: Fraction,
    unit: str,
    model: Path,
    inputs: Path,
) -> Stated:
    """Log what a model says an asset delivered in time that no reading covers.

    It is billed only by terms whose policy says ``estimates = "logged"``, up to their cap.

    Args:
        path: folder of a kept run.
        asset: its name.
        quantity: as contracts name it.
        window: ``(begin, end)``, UTC ms since 1970.
        amount: in ``unit``; rounded down to whole base counts.
        unit: of the quantity, such as ``kWh``.
        model: file of the model; its digest is logged.
        inputs: file of what it was given; its digest is logged.

    Raises:
        ConfigError: this is no kept run that can be added to, or a file cannot be read.
        UsageError: no such quantity or unit, or the window is empty.
        StoreError: nothing was logged.
    """
    units = KINDS[quantity].units if quantity in KINDS else {}
    if unit not in units:
        known = ", ".join(units) or "a quantity with units, such as export_energy"
        raise UsageError(f"ledger estimate: {quantity} in {known} expected, got {unit}")
    if window[0] >= window[1]:
        raise UsageError("ledger estimate: --to after --from expected")
    stated = LoggedEstimate(
        asset=asset,
        quantity=quantity,
        window=window,
        count=int(amount * units[unit]),
        model=hashlib.sha256(_read(model)).digest(),
        inputs=hashlib.sha256(_read(inputs)).digest(),
        made_ms=utc_ms(),
    )
    with AccountsDesk(path) as desk:
        assets = {a for c in desk.fold.contracts.values() for a in c.terms_now.assets}
        if asset not in assets:
            raise UsageError(
                f"ledger estimate: an asset under contract expected ({', '.join(sorted(assets))})"
                f", got {asset}"
            )
        (index,) = desk.log([NewEntry(kind=EntryKind.ESTIMATE, body=stated.to_cbor())])
    return Stated(index=index, size=index + 1)


def rotate(path: Path) -> tuple[Stated, str]:
    """Give the ledger of a live collection another key; the old one names it.

    Returns:
        The entry, and the new verifier key.

    Raises:
        ConfigError: this is no live collection, or a collector is at work there.
        StoreError: the old key goes on.
    """
    with AccountsDesk(path) as desk:
        receipt, verifier = desk.rotate()
    return Stated(index=receipt.index, size=receipt.size), verifier.to_text()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {(error.strerror or '').lower()}", path=str(file)
        ) from error
