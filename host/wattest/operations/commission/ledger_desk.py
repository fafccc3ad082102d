"""The live ledger, opened to log what happens to keys: enrolled, replaced, retired.

It is the folder that `wattest tui --live` collects into; while a collector has it, nobody else
does. It is opened before a board is touched and left as whole as it was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from wattest.errors import ConfigError
from wattest.ledger import EntryKind, NewEntry, Receipt
from wattest.operations.live.folder import LiveDir
from wattest.operations.live.summary import finished
from wattest.operations.rundir import RunDir
from wattest.verify import Verifier
from wattest.wire import Enrolment, EnrolmentAction, parse_enrolment

INTERVAL_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedKey:
    """A key as the ledger has it: what was last promised, and why it is closed, or nothing."""

    enrolment: Enrolment
    closed: str


class LedgerDesk:
    """The open folder; a context manager.

    Args:
        path: folder of a live collection; made if it is not there.
        now_ms: UTC ms since 1970.
        copies: folder outside that keeps the ledger's newest checkpoint, too; None: nobody does.

    Attributes:
        folder: the folder.
        ledger: its ledger.

    Raises:
        ConfigError: it holds something else, or a collector is at work there.
        StoreError: it cannot be used.
        VerificationError: its ledger is not the one that was kept.
    """

    def __init__(self, path: Path, *, now_ms: int, copies: Path | None = None) -> None:
        self._now_ms = now_ms
        self._before = _read_before(path)
        self.folder = LiveDir(
            path,
            epoch_ms=now_ms,
            interval_ms=int(self._before.get("interval_ms", INTERVAL_MS)),
            demo_keys=False,
            copies=copies,
        )
        try:
            self.ledger = self.folder.open_ledger()
            self._verifier = Verifier()
            self._keys: dict[bytes, Enrolment] = {}
            for entry in self.ledger.entries():
                if entry.kind == EntryKind.ENROLMENT:
                    self._take(parse_enrolment(entry.body))
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def key(self, kid: bytes) -> LoggedKey | None:
        """Return what the ledger says of a key."""
        enrolment = self._keys.get(kid)
        if enrolment is None:
            return None
        return LoggedKey(enrolment=enrolment, closed=self._verifier.closed(kid))

    def open_keys(self, serial: str) -> list[LoggedKey]:
        """Return the keys of a node that are in force, the oldest first."""
        return [key for key in self.keys(serial) if not key.closed]

    def keys(self, serial: str) -> list[LoggedKey]:
        """Return every key that was ever enrolled for a node, the oldest first."""
        known = (self.key(kid) for kid, e in self._keys.items() if e.serial == serial)
        return [key for key in known if key is not None]

    def log(self, enrolment: Enrolment) -> int:
        """Log an enrolment, durably; return its index.

        Raises:
            VerificationError: its key was closed before.
            StoreError: nothing was logged.
        """
        self._check(enrolment)
        entry = NewEntry(kind=EntryKind.ENROLMENT, body=enrolment.to_cbor())
        (receipt,) = self.ledger.append([entry])
        assert isinstance(receipt, Receipt), "only records can be duplicates"
        self._take(enrolment)
        return receipt.index

    def _check(self, enrolment: Enrolment) -> None:
        known = self.key(enrolment.kid)
        if known is None:
            return
        then = known.enrolment
        before = (then.serial, then.asset, then.kind, then.demo)
        now = (enrolment.serial, enrolment.asset, enrolment.kind, enrolment.demo)
        if before != now:
            raise ConfigError(
                f"key {enrolment.kid.hex()} is enrolled as {then.serial} for {then.asset} "
                f"({then.kind.name.lower()}), {enrolment.serial} for {enrolment.asset} "
                f"({enrolment.kind.name.lower()}) was asked for",
                path=str(self.folder.run.path),
                hint="a key keeps serial and asset for life: give the node a new one, --new-key",
            )

    def _take(self, enrolment: Enrolment) -> None:
        self._verifier.enrol(enrolment)
        if enrolment.action is not EnrolmentAction.RETIRE:
            self._keys[enrolment.kid] = enrolment

    def _close(self) -> None:
        """Say in run.json what is true again, unless a collection was cut short before."""
        try:
            values = self._summary()
            if values:
                self.folder.end(values)
        finally:
            self.folder.__exit__(None, None, None)

    def _summary(self) -> dict[str, Any]:
        if not hasattr(self, "ledger"):
            return {}
        signed = self.ledger.checkpoint()
        new = {
            "entries": self.ledger.size,
            "checkpoint": signed.note.decode() if signed else "",
            "demo_keys": self._before.get("demo_keys") is True
            or any(enrolment.demo for enrolment in self._keys.values()),
        }
        if self._before.get("finished") is True:
            return {**self._before, **new}
        if self._before or not signed:
            return {}
        _, values = finished(
            now_ms=self._now_ms, ledger=self.ledger, twins=(), readings={}, findings=()
        )
        return {**values, **new}


def _read_before(path: Path) -> dict[str, Any]:
    """Return run.json as it was before; `LiveDir` says what is wrong with the folder."""
    run = RunDir(path)
    return run.read_json() if run.run_json.exists() else {}
