"""Flashes a board: MicroPython and the node's files, in one session, without losing its key.

    find the chip        refuse another one before anything is written
    read the journal     a node without its journal makes a new key
    erase the table      from here on nothing starts that could see half a file system
    write                file system, application, bootloader, and the partition table last
    reset                wait for the signed boot record and compare what it says

NVS, where the key is, is neither read nor written. The power may go at any point: the next flash
goes on from the journal on the board, or from the copy that was kept of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from wattest.boards import Board
from wattest.boards.esp_image import PARTITION_TABLE_OFFSET, Segment
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.errors import ConfigError, FlashError, StoreError, VerificationError, WattestError
from wattest.flashing import FlashImage, build_image
from wattest.flashing.esptool import ChipInfo, Esptool
from wattest.flashing.esptool_process import EsptoolStopped
from wattest.flashing.micropython import (
    MicroPython,
    check_micropython,
    download_micropython,
    read_micropython,
)
from wattest.link import find_usb, open_port
from wattest.operations.commission.boot_record import BootSeen, Stopped, await_boot_record
from wattest.operations.commission.carry import Journal, ReadOut, Rescue, choose
from wattest.operations.commission.flash_events import (
    ChipFound,
    Flashed,
    FlashEvent,
    FlashOptions,
    Interrupted,
    JournalKept,
    Moved,
    Step,
)
from wattest.operations.commission.passport import version_of
from wattest.operations.commission.scan import slot_of
from wattest.operations.commission.turn import port_turn
from wattest.operations.console.lease import Lease, port_lease
from wattest.store import BoardFacts, Passport, PassportEvent
from wattest.system import utc_ms

_SECTOR_BYTES = 4096
_CACHED_WAIT_S = 15.0
_REASON_CHARS = 300


class Control(Protocol):
    """The hand of a person."""

    stopped: bool


def flash_board(options: FlashOptions, control: Control) -> Generator[FlashEvent]:
    """Flash a board; the last event is `Flashed`, or `Interrupted` if somebody stopped it.

    Args:
        options: what is wanted.
        control: looked at several times a second.

    Raises:
        ConfigError: board, image or MicroPython file do not fit; the port was not touched.
        LinkError: the port cannot be opened.
        FlashError: no chip answers, it is another one, or it stopped half way; says which state
            the board is in.
        VerificationError: the node that started is not the one that was written.
        StoreError: passport, home or the copy of the journal cannot be used.
    """
    board = options.board
    if board.qemu_machine:
        raise ConfigError(
            f"{board.name} has no download mode while it runs",
            path="--board",
            hint=f"`wattest board up --board {board.name}` writes its flash itself",
        )
    yield Step(text=f"building the firmware for {board.name}")
    image = build_image(board, serial=options.serial, interval_ms=options.interval_ms)
    micropython = yield from _micropython(options)
    with (
        port_turn(options.home, options.port),
        port_lease(options.port, holder="wattest flash") as lease,
    ):
        if "://" not in options.port:
            open_port(options.port).close()  # what is wrong with the port is said best by it
        with Passport(options.home.passport) as passport:
            flashing = _Flashing(
                options, image, micropython, lease=lease, passport=passport, control=control
            )
            yield from flashing.run()


def _micropython(options: FlashOptions) -> Generator[FlashEvent, None, MicroPython]:
    board, home = options.board, options.home
    if options.micropython is not None:
        return read_micropython(options.micropython, board)
    if board.emulated:
        return check_micropython(synthetic_micropython(board.chip), board, where="emulated")
    path = home.micropython / board.micropython.file_name
    if not path.exists():
        if not options.download:
            raise ConfigError(
                f"no MicroPython for {board.name}: {path} is not there",
                path="--micropython",
                hint=f"give --download to fetch it, or get {board.micropython.url} yourself "
                "and give --micropython FILE",
            )
        yield Step(text=f"downloading {board.micropython.url}")
        for done, total in download_micropython(board.micropython, home.make(home.micropython)):
            yield Moved(done_bytes=done, total_bytes=total)
    return read_micropython(path, board)


class _Flashing:
    """One attempt at one port, and how far it has come."""

    def __init__(
        self,
        options: FlashOptions,
        image: FlashImage,
        micropython: MicroPython,
        *,
        lease: Lease,
        passport: Passport,
        control: Control,
    ) -> None:
        self._options = options
        self._image = image
        self._micropython = micropython
        self._lease = lease
        self._passport = passport
        self._control = control
        self._place = find_usb(options.port)
        self._tool = Esptool(self._place, baud=options.baud, stopped=self._is_stopped)
        self._chip_id = self._enrolled_kid = ""
        self._rescue: Rescue | None = None
        self._writing = self._written = False

    def run(self) -> Iterator[FlashEvent]:
        """Do it; what goes wrong says in which state the board is."""
        try:
            yield from self._flash()
        except (EsptoolStopped, Stopped):
            self._note_failure("interrupted")
            yield Interrupted(text=f"interrupted: {'; '.join(self._state())}")
        except WattestError as exc:
            self._note_failure(str(exc))
            state, *what_to_do = self._state()
            if isinstance(exc, StoreError):  # a full disk, say: what of the board?
                exc.hint = "; ".join(part for part in (exc.hint, state, *what_to_do) if part)
            if not isinstance(exc, FlashError):
                raise
            hint = "; ".join(part for part in (exc.hint, *what_to_do) if part)
            raise FlashError(f"{exc}; {state}", hint=hint) from exc

    # ---- steps -------------------------------------------------------------------------------

    def _flash(self) -> Iterator[FlashEvent]:
        options, board = self._options, self._options.board
        yield Step(text=f"looking for the chip behind {options.port}")
        chip = self._tool.identify()
        self._chip_id = chip.chip_id
        facts = self._passport.facts(chip.chip_id)
        self._enrolled_kid = facts.kid
        _refuse_another(chip, board, facts, options)
        if facts.first_seen_ms is None:
            self._note(PassportEvent.SEEN, {"chip": chip.chip})
        yield ChipFound(chip=chip.chip, chip_id=chip.chip_id, flash_bytes=board.flash.size_bytes)
        if self._is_known_to_hold_it(facts):
            seen = yield from self._look_at_it()
            if seen is not None:
                yield self._flashed(seen, None, cached=True)
                return
        self._rescue = Rescue(options.home, chip.chip_id)
        journal = yield from self._journal()
        data = self._image.with_journal(journal.files)
        yield from self._write(data, journal)
        yield Step(text="waiting for the signed boot record")
        seen = self._await_boot(options.boot_wait_s)
        self._compare(seen)
        self._note_flashed(seen)
        yield self._flashed(seen, journal, cached=False)

    def _journal(self) -> Generator[FlashEvent, None, Journal]:
        assert self._rescue is not None
        if self._options.new_key:
            self._rescue.drop()
            return Journal(files={}, head=None, rescued=False)
        yield Step(text="reading the journal that is on the board")
        reading = ReadOut(self._tool, self._options.board)
        yield from reading
        journal = choose(reading.image, self._rescue)
        if journal.head is not None:
            yield JournalKept(
                kid=journal.head.kid.hex(), entries=journal.head.entries, rescued=journal.rescued
            )
        return journal

    def _write(self, data: bytes, journal: Journal) -> Iterator[FlashEvent]:
        assert self._rescue is not None
        options = self._options
        yield Step(text="writing")
        self._writing = True
        if journal.head is not None:
            # Half a file system must never start: its firmware would miss the journal and make
            # a new key. The table is written last, so nothing starts before all is there.
            self._tool.erase(PARTITION_TABLE_OFFSET, _SECTOR_BYTES)
        vfs = Segment(offset=options.board.flash.vfs_offset, data=data)
        rest = sorted(
            self._micropython.segments,
            key=lambda part: (part.offset == PARTITION_TABLE_OFFSET, -part.offset),
        )
        for moved in self._tool.write(
            [vfs, *rest],
            skip_same=not options.force,
            erase_all=options.new_key,
            start=True,
        ):
            yield Moved(done_bytes=moved.done_bytes, total_bytes=moved.total_bytes)
        self._written = True
        self._rescue.drop()

    def _is_known_to_hold_it(self, facts: BoardFacts) -> bool:
        options = self._options
        return (
            not options.force
            and not options.new_key
            and facts.image_sha256 == self._image.sha256
            and facts.micropython_sha256 == self._micropython.sha256
        )

    def _look_at_it(self) -> Generator[FlashEvent, None, BootSeen | None]:
        """Start what is there; None if that is not what it should be."""
        yield Step(text="it was flashed with just this: looking at what it runs")
        self._tool.start_application()
        try:
            seen = self._await_boot(_CACHED_WAIT_S)
            self._compare(seen)
        except (FlashError, VerificationError):
            yield Step(text="it does not run what it should")
            self._lease.take()  # looking gave the port back to its recorder
            self._tool.identify()
            return None
        return seen

    # ---- the node ----------------------------------------------------------------------------

    def _await_boot(self, wait_s: float) -> BootSeen:
        return await_boot_record(
            self._options.port, self._lease.listen, wait_s=wait_s, stopped=self._is_stopped
        )

    def _compare(self, seen: BootSeen) -> None:
        if seen.record.cfg != self._image.cfg:
            raise VerificationError(
                f"{self._options.port}: the node's boot record says cfg {seen.record.cfg.hex()}, "
                f"expected {self._image.cfg.hex()}",
                hint="other files are on the board: `wattest flash --force` writes it anew",
            )

    def _flashed(self, seen: BootSeen, journal: Journal | None, *, cached: bool) -> Flashed:
        head = journal.head if journal is not None else None
        before = head.kid.hex() if head is not None else self._enrolled_kid
        return Flashed(
            board=self._options.board.name,
            chip_id=self._chip_id,
            cached=cached,
            cfg=seen.record.cfg.hex(),
            image_sha256=self._image.sha256,
            micropython=self._micropython.version or self._micropython.name,
            micropython_sha256=self._micropython.sha256,
            kid=seen.record.kid.hex(),
            serial=seen.record.serial,
            bootcount=seen.record.bootcount,
            new_key=before not in {"", seen.record.kid.hex()},
        )

    # ---- how far it has come -----------------------------------------------------------------

    def _is_stopped(self) -> bool:
        return self._control.stopped

    def _state(self) -> tuple[str, ...]:
        """Return in which state the board is, and what to do; leave it usable if possible."""
        if self._written:
            return "all is written and verified", "reset the board by its button, then look again"
        if self._writing:
            kept = self._rescue is not None and self._rescue.exists
            copy = f", its journal is kept in {self._rescue.path}" if kept and self._rescue else ""
            key = "" if self._options.new_key else f"; its key is untouched{copy}"
            return f"the board is half written and may not start{key}", "run the command again"
        if self._chip_id:
            # Left in its loader it would look dead.
            with suppress(FlashError):
                Esptool(self._place, baud=self._options.baud).start_application()
        return ("nothing was written",)

    def _note_failure(self, reason: str) -> None:
        if self._writing:
            detail = {"reason": reason[:_REASON_CHARS], "board": self._options.board.name}
            with suppress(WattestError):
                self._note(PassportEvent.FLASH_FAILED, detail)

    def _note_flashed(self, seen: BootSeen) -> None:
        board = self._options.board
        self._note(
            PassportEvent.FLASHED,
            {
                "chip": board.chip,
                "board": board.name,
                "serial": seen.record.serial,
                "image_sha256": self._image.sha256,
                "micropython_sha256": self._micropython.sha256,
                "micropython": self._micropython.version or self._micropython.name,
                "cfg": seen.record.cfg.hex(),
                "version": version_of(seen.record.boot),
                "kid": seen.record.kid.hex(),
            },
        )

    def _note(self, kind: PassportEvent, detail: Mapping[str, str]) -> None:
        slot = slot_of(self._options.port)
        self._passport.note(self._chip_id, kind, detail, at_ms=utc_ms(), slot=slot)


def _refuse_another(
    chip: ChipInfo, board: Board, facts: BoardFacts, options: FlashOptions
) -> None:
    """Refuse a board that is not the one meant.

    Raises:
        FlashError: another chip, flash of another size, or a chip known as another board.
    """
    if chip.chip != board.chip:
        raise FlashError(
            f"{options.port}: expected an {board.chip} for {board.name}, got an {chip.chip}",
            hint="give the board file of this board with --board",
        )
    if chip.flash_bytes != board.flash.size_bytes:
        found = f"{chip.flash_bytes >> 20} MiB" if chip.flash_bytes else "a size not known"
        raise FlashError(
            f"{options.port}: expected {board.flash.size_bytes >> 20} MiB of flash for "
            f"{board.name}, got {found}",
            hint="give a board file with its size_bytes",
        )
    if facts.board and facts.board != board.name and not options.force:
        raise FlashError(
            f"{options.port}: chip {chip.chip_id} is known as {facts.board}, not as {board.name}",
            hint="is it the right port? --force writes it anyway",
        )
