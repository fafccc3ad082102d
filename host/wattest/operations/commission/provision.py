"""A flashed board becomes a node of the bench: challenged, checked, approved, enrolled.

The order is such that whoever is killed at any point runs the same command again: the file with
the command key, the key on the board, the enrolment in the ledger, the entry in `boards.json`, the
passport. Nothing is enrolled before a person, or ``--yes``, has said so.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from wattest.boards import Board, board_names, load_board
from wattest.errors import ConfigError, VerificationError, WattestError
from wattest.link import Port, open_port
from wattest.link.repl import interrupted
from wattest.operations.commission.calibration import stated_calibration
from wattest.operations.commission.drain import drain
from wattest.operations.commission.identity import (
    Identity,
    cfg_of_manifest,
    expected_cfg,
    prove,
)
from wattest.operations.commission.interview import interview
from wattest.operations.commission.ledger_desk import LedgerDesk
from wattest.operations.commission.onboard import (
    BoardFacts,
    ask_board,
    ask_new_key,
    write_command_key,
)
from wattest.operations.commission.provision_events import (
    Candidate,
    Collected,
    Declined,
    Enrolled,
    NodeProven,
    PortTaken,
    ProvisionEvent,
    ProvisionOptions,
    StepBegun,
)
from wattest.operations.commission.roster import Roster, check_node_name
from wattest.operations.commission.turn import port_turn
from wattest.operations.console.lease import port_lease
from wattest.operations.control import RunControl
from wattest.store import Passport, PassportEvent
from wattest.system import entropy, utc_ms
from wattest.wire import Enrolment, EnrolmentAction, EnrolmentKind

NONCE_BYTES: Final = 16
# Endings of files: whoever writes one has mistyped a path, and meant no words.
Approve = Callable[[Candidate], bool]


def provision_board(
    options: ProvisionOptions, approve: Approve, control: RunControl | None = None
) -> Generator[ProvisionEvent]:
    """Make the board on a port a node of this bench; `Enrolled` or `Declined` is last.

    Args:
        options: what to do.
        approve: shows a candidate to a person; asked before anything is enrolled, and before a
            key is thrown away.
        control: only `stopped` means something.

    Raises:
        ConfigError: an option, the ledger folder or `boards.json` does not fit, or the board runs
            no wattest firmware; the board is as it was.
        LinkError: the port cannot be used, or the board does not answer.
        VerificationError: the board is not what it says; nothing was enrolled.
        StoreError: something could not be kept; the same command goes on from there.
        Stopped: somebody asked to stop; nothing was enrolled.
    """
    with ExitStack() as stack:
        work = _Work(options, approve, control or RunControl(), stack)
        yield from work.run()


class _Work:
    def __init__(
        self, options: ProvisionOptions, approve: Approve, control: RunControl, stack: ExitStack
    ) -> None:
        self._options = options
        self._approve = approve
        self._control = control
        self._stack = stack
        self._calibration = stated_calibration(options.calibration, options.due)
        self._asked_board = None if options.board is None else load_board(options.board)
        self._roster = Roster(options.home)
        self._command_key_before: bytes | None = None

    def run(self) -> Generator[ProvisionEvent]:
        options = self._options
        out = options.out or options.home.collected
        self._stack.enter_context(port_turn(options.home, options.port))
        self._stack.enter_context(port_lease(options.port, holder="provisioning"))
        port = self._stack.enter_context(open_port(options.port))
        desk = LedgerDesk(out, now_ms=utc_ms(), copies=options.home.ledgers)
        self._desk = self._stack.enter_context(desk)
        yield StepBegun(what="asking the board")
        try:
            facts = self._ask(port)
            board = self._board(facts)
            self._cfg = self._expected_cfg(facts, board)
            yield StepBegun(what="challenging the node")
            proven = self._prove(port, facts, board)
            candidate = self._candidate(proven, board)
            yield NodeProven(candidate=candidate)
            if options.new_key:
                left = yield from self._collect_all(port, proven)
                if not self._approve(replace(candidate, throw_away=True, backlog=left)):
                    self._put_back(port)
                    yield Declined(candidate=candidate)
                    return
                yield StepBegun(what="making a new key")
                proven = self._rekey(port, facts, board, proven)
                candidate = self._candidate(proven, board)
                yield NodeProven(candidate=candidate)
            enrolment = self._enrolment(proven, board, candidate)
            if enrolment is not None and not self._approve(candidate):
                self._put_back(port)
                yield Declined(candidate=candidate)
                return
        except BaseException:
            with suppress(WattestError):  # the first error is the one to tell
                self._put_back(port)
            raise
        yield from self._enrol(enrolment, proven, facts, candidate, out)

    # ---- the board ---------------------------------------------------------------------------

    def _ask(self, port: Port) -> BoardFacts:
        """Interrupt the board, ask what it is, and see that it holds our command key."""
        with interrupted(port) as repl:
            facts = ask_board(repl, port.address)
            self._board(facts)
            self._check_name(facts)
            key = self._roster.command_key(facts.chip_id)
            if facts.command_key != key:
                self._command_key_before = facts.command_key
                write_command_key(repl, key)
        self._command_key = key
        return facts

    def _board(self, facts: BoardFacts) -> Board:
        asked = self._asked_board
        if asked is None:
            if facts.board not in board_names():  # a node names no file of ours to read
                raise ConfigError(
                    f"the board was flashed for {facts.board!r}, which is none of the project's",
                    path=self._options.port,
                    hint="give its board file with --board",
                )
            return load_board(facts.board)
        if asked.name != facts.board:
            raise ConfigError(
                f"the board was flashed for {facts.board}",
                path=f"--board {asked.name}",
                hint=f"flash it: `wattest flash --port {self._options.port} --board {asked.name}`",
            )
        return asked

    def _check_name(self, facts: BoardFacts) -> None:
        if self._options.name is not None:
            self._roster.check_name(self._options.name, facts.chip_id)

    def _expected_cfg(self, facts: BoardFacts, board: Board) -> bytes:
        """Return the digest of the files the node must run, the same for all that follows."""
        options = self._options
        if options.cfg is not None:
            return options.cfg
        if options.manifest is not None:
            return cfg_of_manifest(options.manifest, board)
        return expected_cfg(board, facts.node)

    def _prove(self, port: Port, facts: BoardFacts, board: Board) -> Identity:
        seen = interview(
            port,
            self._command_key,
            nonce=entropy(NONCE_BYTES),
            stopped=lambda: self._control.stopped,
        )
        return prove(seen, facts, board, cfg=self._cfg, address=port.address)

    def _collect_all(self, port: Port, proven: Identity) -> Generator[ProvisionEvent, None, int]:
        """Collect what the node holds under a key that is enrolled: a new key begins anew.

        Returns:
            How many records the node still holds; they would be lost.
        """
        known = self._desk.key(proven.kid)
        if known is None or known.closed:
            return proven.backlog
        yield StepBegun(what="collecting what the node holds")
        count = drain(
            port,
            self._desk,
            known.enrolment,
            command_key=self._command_key,
            backlog=proven.backlog,
            stopped=lambda: self._control.stopped,
        )
        yield Collected(records=count)
        return max(0, proven.backlog - count)

    def _rekey(self, port: Port, facts: BoardFacts, board: Board, before: Identity) -> Identity:
        with interrupted(port) as repl:
            ask_new_key(repl)
        proven = self._prove(port, facts, board)
        if proven.kid == before.kid:
            raise VerificationError(
                f"{port.address}: a new key expected, got {before.kid.hex()} again",
                hint="flash the firmware of this version: `wattest flash`",
            )
        return proven

    def _put_back(self, port: Port) -> None:
        """Give the board the command key it came with: somebody else may collect from it."""
        before, self._command_key_before = self._command_key_before, None
        if before is not None:
            with interrupted(port) as repl:
                write_command_key(repl, before)

    # ---- what it is to be --------------------------------------------------------------------

    def _candidate(self, proven: Identity, board: Board) -> Candidate:
        options = self._options
        known = self._roster.of_chip(proven.chip_id) or {}
        open_keys = self._desk.open_keys(proven.serial)
        asset_before = open_keys[-1].enrolment.asset if open_keys else None
        name = options.name or known.get("name") or proven.serial.lower()
        self._roster.check_name(name, proven.chip_id)
        replaced = [key for key in open_keys if key.enrolment.kid != proven.kid]
        own = any(key.enrolment.kid == proven.kid for key in open_keys)
        asset = options.asset or asset_before or known.get("asset") or name
        for option, text in (("--name", name), ("--asset", asset)):
            check_node_name(option, text)
        return Candidate(
            board=board.name,
            title=board.title,
            chip=board.chip,
            chip_id=proven.chip_id,
            serial=proven.serial,
            name=name,
            asset=asset,
            kind=proven.kind,
            kid=proven.kid,
            fingerprint=proven.fingerprint,
            cfg=proven.cfg.hex(),
            software=proven.software,
            backlog=proven.backlog,
            replaces=replaced[-1].enrolment.kid.hex() if replaced and not own else "",
        )

    def _enrolment(self, proven: Identity, board: Board, candidate: Candidate) -> Enrolment | None:
        """Return what is to be logged, or None if the ledger says it already."""
        known = self._desk.key(proven.kid)
        if known is not None and known.closed:
            raise VerificationError(
                f"{self._options.port}: {known.closed}: it cannot be enrolled again",
                hint="give the node a new key with --new-key",
            )
        _check_serial(self._desk, proven)
        calibration = self._calibration
        if calibration is None and known is not None:
            calibration = known.enrolment.calibration
        replaces = bytes.fromhex(candidate.replaces)
        enrolment = Enrolment(
            kid=proven.kid,
            spki=proven.spki,
            serial=proven.serial,
            kind=proven.kind,
            board=board.name,
            cfg=proven.cfg,
            demo=proven.kind is not EnrolmentKind.REAL,
            power_max_milliwatts=board.meter.power_max_milliwatts,
            enrolled_ms=utc_ms(),
            asset=candidate.asset,
            ueid=proven.ueid,
            calibration=calibration,
            action=EnrolmentAction.REKEY if replaces else EnrolmentAction.ENROL,
            replaces=replaces,
        )
        if known is not None:
            then = known.enrolment
            same = replace(then, enrolled_ms=0, action=enrolment.action, replaces=replaces)
            if same == replace(enrolment, enrolled_ms=0):
                return None
        return enrolment

    def _enrol(
        self,
        enrolment: Enrolment | None,
        proven: Identity,
        facts: BoardFacts,
        candidate: Candidate,
        out: Path,
    ) -> Generator[ProvisionEvent]:
        index = None if enrolment is None else self._desk.log(enrolment)
        known = self._desk.key(proven.kid)
        assert known is not None, "it was logged now or before"
        gone = self._roster.put(
            known.enrolment,
            name=candidate.name,
            port=self._options.port,
            chip_id=proven.chip_id,
            interval_ms=facts.interval_ms,
        )
        self._note(known.enrolment, proven)
        if gone:
            yield PortTaken(names=tuple(gone))
        yield Enrolled(candidate=candidate, index=index, out=out, ports=self._options.home.ports)

    def _note(self, enrolment: Enrolment, proven: Identity) -> None:
        """Tell the board's passport; what the same enrolment told before is told once."""
        kind = PassportEvent.REKEYED if enrolment.replaces else PassportEvent.PROVISIONED
        mark = f"{enrolment.kid.hex()}/{enrolment.enrolled_ms}"
        with Passport(self._options.home.passport) as passport:
            passport.note(
                proven.chip_id,
                kind,
                {
                    "kid": enrolment.kid.hex(),
                    "cfg": enrolment.cfg.hex(),
                    "serial": enrolment.serial,
                    "board": enrolment.board,
                    "asset": enrolment.asset,
                    "kind": enrolment.kind.name.lower(),
                    "replaces": enrolment.replaces.hex(),
                },
                at_ms=enrolment.enrolled_ms,
                once=f"provisioned/{mark}",
            )
            calibration = enrolment.calibration
            if calibration is not None:
                passport.note(
                    proven.chip_id,
                    PassportEvent.CALIBRATED,
                    {"text": calibration.reference, "due_ms": calibration.due_ms},
                    at_ms=enrolment.enrolled_ms,
                    once=f"calibrated/{calibration.reference}/{calibration.due_ms}",
                )


def _check_serial(desk: LedgerDesk, proven: Identity) -> None:
    """A serial belongs to one chip: two nodes of one name could not be told apart."""
    for key in desk.open_keys(proven.serial):
        chip = key.enrolment.ueid
        if chip and chip != proven.ueid:
            raise ConfigError(
                f"serial {proven.serial} is enrolled for the chip {chip[1:].hex()}, this is "
                f"{proven.chip_id}",
                path=str(desk.folder.run.path),
                hint="give the board another serial, or retire the other: "
                f"`wattest provision --retire --name {proven.serial}`",
            )
