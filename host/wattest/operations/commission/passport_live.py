"""What a live collection teaches about boards, noted in their passports as it is told.

The collector knows nothing of this: it listens to the same events as the faces do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from typing import Final

from wattest.boards import load_board
from wattest.errors import ConfigError, StoreError
from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import chip_id_of, version_of
from wattest.operations.events import (
    ConsolePrinted,
    RecordLogged,
    RecordRefused,
    RunEvent,
    RunFinished,
    RunStarted,
)
from wattest.store import Passport, PassportEvent
from wattest.system import utc_ms
from wattest.verify import Finding, FindingCode, Severity, Verdict
from wattest.wire import Record

FAILURES_MAX: Final = 100
"""Failures noted of a board in one collection; the ledger has them all."""

_CAUSE: Final = 2
_TORN_BYTES: Final = 5


def with_passports(
    events: Generator[RunEvent],
    home: Home,
    *,
    slots: Mapping[str, str | None] | None = None,
    now_ms: Callable[[], int] = utc_ms,
) -> Generator[RunEvent]:
    """Pass a collection's events on, noting resets, keys, firmware and failures of its boards.

    Without a home nothing is noted. A passport that cannot be written ends the notes, never the
    collection: it is told as a line of text.

    Args:
        events: of a live collection.
        home: of the bench.
        slots: where the boards are plugged in, by node.
        now_ms: this machine's UTC, ms.
    """
    with ExitStack() as stack:
        stack.enter_context(closing(events))
        keeper: PassportKeeper | None = None
        wanted = home.path.is_dir()
        for event in events:
            yield event
            if not wanted:
                continue
            try:
                if keeper is None:
                    passport = stack.enter_context(Passport(home.passport))
                    keeper = PassportKeeper(passport, slots or {}, now_ms)
                keeper.take(event)
            except StoreError as exc:
                wanted = False
                text = f"wattest: no passports are kept from here on: {exc}\n"
                yield ConsolePrinted(node=_somebody(event), now_ms=now_ms(), text=text)


class PassportKeeper:
    """Turns events of a live collection into notes.

    A board is known by the hardware identity in a boot record; of a node that booted before the
    collection began, by the key that its passport has.

    Args:
        passport: open.
        slots: where the boards are plugged in, by node.
        now_ms: this machine's UTC, ms: nodes may have a time of their own.
    """

    def __init__(
        self, passport: Passport, slots: Mapping[str, str | None], now_ms: Callable[[], int]
    ) -> None:
        self._passport = passport
        self._slots = slots
        self._now_ms = now_ms
        self._chips: dict[str, str] = {}
        self._boards: dict[str, str] = {}
        self._failures: Counter[str] = Counter()
        self._strangers: set[tuple[str, bytes]] = set()
        self._out = ""

    def take(self, event: RunEvent) -> None:
        """Note what an event teaches.

        Raises:
            StoreError: it could not be noted.
        """
        match event:
            case RunStarted():
                self._begin(event)
            case RecordLogged():
                assert event.verdict.record is not None, "only parsed records are logged"
                if not _is_of_another_chip(event.verdict):
                    self._learn(event.node, event.verdict.record)
                self._note_failures(event.node, event.verdict.findings)
            case RecordRefused():
                self._note_failures(event.node, event.verdict.findings)
            case RunFinished():
                self._end(event)
            case _:
                pass

    def _begin(self, event: RunStarted) -> None:
        self._out = event.out
        by_kid = {entry.kid: entry.chip_id for entry in self._passport.boards() if entry.kid}
        for node in event.nodes:
            self._boards[node.name] = node.board
            chip_id = by_kid.get(node.kid.hex()) if node.kid else None
            if chip_id is not None:
                self._chips[node.name] = chip_id

    def _learn(self, node: str, record: Record) -> None:
        chip_id = chip_id_of(record.ueid)
        if chip_id is None:
            if node not in self._chips:
                self._recognise(node, record)
            return
        self._chips[node] = chip_id
        board = self._boards.get(node, "")
        who = {"board": board, "serial": record.serial}
        self._note_key(node, record, who)
        assert record.event is not None, "only a boot event states the hardware"
        cause = reset_cause(board, record.event.fields.get(_CAUSE, 0))
        torn = record.event.fields.get(_TORN_BYTES, 0)
        detail: dict[str, str | int | bool | None] = {
            **who,
            "cause": cause,
            "cfg": record.cfg.hex(),
            "version": version_of(record.boot),
        }
        if torn:
            detail["torn_bytes"] = torn
        self._note(node, PassportEvent.RESET, detail, once=_name(record))

    def _recognise(self, node: str, record: Record) -> None:
        """Find the board of a node that does not boot now, by its key."""
        if (node, record.kid) in self._strangers:
            return
        for entry in self._passport.boards():
            if entry.kid == record.kid.hex():
                self._chips[node] = entry.chip_id
                return
        self._strangers.add((node, record.kid))

    def _note_key(self, node: str, record: Record, who: Mapping[str, str]) -> None:
        kid = record.kid.hex()
        keys = {use.kid for use in self._passport.facts(self._chips[node]).keys}
        if kid in keys:
            return
        kind = PassportEvent.REKEYED if keys else PassportEvent.PROVISIONED
        self._note(node, kind, {**who, "kid": kid}, once=f"key {kid}")

    def _note_failures(self, node: str, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            if finding.severity < Severity.WARNING or node not in self._chips:
                continue
            self._failures[node] += 1
            if self._failures[node] > FAILURES_MAX:
                return
            detail = {
                "code": finding.code.value,
                "text": finding.message[:1000],
                "kid": finding.kid.hex(),
                "ctx": finding.ctx,
                "seq": finding.seq,
            }
            once = f"{finding.code} {finding.kid.hex()}/{finding.ctx}/{finding.seq}"
            self._note(
                node, PassportEvent.FAILURE, detail, once=once if finding.seq >= 0 else None
            )

    def _end(self, event: RunFinished) -> None:
        readings = {totals.node: totals.readings for totals in event.nodes}
        for node in self._chips:
            detail: dict[str, str | int | bool | None] = {
                "out": self._out,
                "readings": readings.get(node, 0),
                "failures": self._failures[node],
            }
            self._note(node, PassportEvent.RUN, detail)

    def _note(
        self,
        node: str,
        kind: PassportEvent,
        detail: Mapping[str, str | int | bool | None],
        *,
        once: str | None = None,
    ) -> None:
        self._passport.note(
            self._chips[node],
            kind,
            detail,
            at_ms=self._now_ms(),
            slot=self._slots.get(node),
            once=once,
        )


def reset_cause(board: str, value: int) -> str:
    """Return the name of a boot event's cause, as the board file has it.

    Where a chip cannot tell causes apart, all of them: ``power_on or brownout``.

    Args:
        board: name or path of a board file.
        value: what machine.reset_cause() said.
    """
    try:
        causes = load_board(board).reset_causes
    except ConfigError:
        causes = ()
    return " or ".join(name for name, each in causes if each == value) or f"cause {value}"


def _is_of_another_chip(verdict: Verdict) -> bool:
    """Tell whether a boot record names a chip that its key was not enrolled for.

    A node may name any chip: what it says goes into no passport but its own.
    """
    return any(finding.code is FindingCode.WRONG_CHIP for finding in verdict.findings)


def _name(record: Record) -> str:
    return f"{record.kid.hex()}/{int(record.ctx)}/{record.seq}"


def _somebody(event: RunEvent) -> str:
    if isinstance(event, RunStarted):
        return next((node.name for node in event.nodes), "")
    node = getattr(event, "node", "")
    return node if isinstance(node, str) else ""
