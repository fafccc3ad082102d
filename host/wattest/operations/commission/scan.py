"""What is plugged in, or up: every port with the boards it may be and the programs that hold it.

Nothing is opened: looking does not reset a board, and takes no port from anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wattest.boards import Board, board_names, load_board
from wattest.errors import ConfigError, LinkError
from wattest.link import Holders, SerialPort, find_usb, holders_of, serial_ports
from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import known_boards
from wattest.operations.live.ports import PortsFile, process_runs, read_ports
from wattest.store import BoardEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPort:
    """A port, and what may be said about it without opening it.

    Args:
        address: what `wattest.link.open_port` takes.
        description: what the system or the plug says it is.
        slot: physical USB socket, or None.
        usb: vendor and product as ``10c4:ea60``, or None.
        serial_number: of the plug, or None.
        boards: names of board files that may be behind it; one, where it is known.
        chip_id: of the board, if the plug says it or its passport does; or None.
        node: serial of the node it was enrolled as, or ``""``.
        last_here: chip id of the known board that was in this socket last, or None.
        served_by: process that embodies an emulated board, or None.
        holders: who has it open.
    """

    address: str
    description: str
    slot: str | None = None
    usb: str | None = None
    serial_number: str | None = None
    boards: tuple[str, ...] = ()
    chip_id: str | None = None
    node: str = ""
    last_here: str | None = None
    served_by: int | None = None
    holders: Holders


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """All ports, and what kept the scan from saying more, a line each."""

    ports: tuple[FoundPort, ...]
    remarks: tuple[str, ...]


def scan_ports(
    home: Home,
    announcements: Sequence[Path] = (),
    *,
    lister: Callable[[], Sequence[SerialPort]] = serial_ports,
    lookup: Callable[[list[str]], Mapping[str, Holders]] = holders_of,
) -> Scan:
    """Look at all ports.

    Args:
        home: of the bench: its passports, and the nodes it knows by port.
        announcements: where emulated boards that are up may be announced.
        lister: lists serial ports.
        lookup: finds out who has which of some ports open.

    Raises:
        StoreError: the passport file cannot be read.
    """
    boards = [load_board(name) for name in board_names()]
    known = known_boards(home)
    remarks: list[str] = []
    ports = [_serial_port(port, boards, known) for port in lister()]
    served: list[FoundPort] = []
    for path in dict.fromkeys([*announcements, home.ports]):
        file = _announced(path, remarks)
        if file is None:
            continue
        if not file.pid:
            ports = _with_nodes(ports, file, known)
        elif process_runs(file.pid):
            served += _served_ports(file, known)
    return _with_holders([*ports, *served], lookup, remarks)


def boards_of(port: SerialPort, boards: Sequence[Board]) -> tuple[str, ...]:
    """Return the names of the boards that such a USB plug may belong to."""
    pair = (port.vid, port.pid)
    return tuple(
        board.name for board in boards if pair in {(each.vid, each.pid) for each in board.usb}
    )


def slot_of(
    address: str, *, lister: Callable[[], Sequence[SerialPort]] = serial_ports
) -> str | None:
    """Return the USB socket behind an address; None if it is not USB, or not there."""
    if "://" in address:
        return None
    try:
        real = Path(find_usb(address, lister=lister)).resolve()
    except (LinkError, OSError):
        return None
    for port in lister():
        if Path(port.address).resolve() == real:
            return port.location
    return None


def _serial_port(
    port: SerialPort, boards: Sequence[Board], known: Sequence[BoardEntry]
) -> FoundPort:
    found = FoundPort(
        address=port.address,
        description=port.description,
        slot=port.location,
        usb=port.usb,
        serial_number=port.serial,
        boards=boards_of(port, boards),
        last_here=next((each.chip_id for each in known if port.location == each.slot), None)
        if port.location
        else None,
        holders=Holders(),
    )
    named = next((each for each in known if each.chip_id == port.chip_id), None)
    if named is not None:
        return _as_known(found, named)
    return replace(found, chip_id=port.chip_id)


def _as_known(found: FoundPort, entry: BoardEntry) -> FoundPort:
    return replace(
        found,
        chip_id=entry.chip_id,
        node=entry.serial,
        boards=(entry.board,) if entry.board else found.boards,
    )


def _with_nodes(
    ports: list[FoundPort], file: PortsFile, known: Sequence[BoardEntry]
) -> list[FoundPort]:
    """Name the ports that nodes are known to be behind."""
    nodes = {live.address: live.expected for live in file.ports}
    by_serial = {entry.serial: entry for entry in known if entry.serial}
    named = []
    for port in ports:
        places = (port.address, f"usb:{port.slot}", f"usb:{port.serial_number}")
        node = next((nodes[place] for place in places if place in nodes), None)
        if node is not None and not port.node:
            entry = by_serial.get(node.serial)
            chip_id = entry.chip_id if entry is not None else port.chip_id
            port = replace(port, node=node.serial, boards=(node.board,), chip_id=chip_id)  # noqa: PLW2901
        named.append(port)
    return named


def _served_ports(file: PortsFile, known: Sequence[BoardEntry]) -> list[FoundPort]:
    nodes = [
        FoundPort(
            address=live.address,
            description="emulated board",
            boards=(live.expected.board,),
            node=live.expected.serial,
            served_by=file.pid,
            holders=Holders(),
        )
        for live in file.ports
    ]
    for blank in file.blank:
        found = FoundPort(
            address=blank.address,
            description="emulated board",
            boards=(blank.board,),
            chip_id=blank.chip_id,
            served_by=file.pid,
            holders=Holders(),
        )
        entry = next((each for each in known if each.chip_id == blank.chip_id), None)
        nodes.append(_as_known(found, entry) if entry is not None else found)
    return nodes


def _announced(path: Path, remarks: list[str]) -> PortsFile | None:
    if not path.exists():
        return None
    try:
        return read_ports(path)
    except ConfigError as exc:
        remarks.append(f"passed over: {exc}")
        return None


def _with_holders(
    ports: list[FoundPort],
    lookup: Callable[[list[str]], Mapping[str, Holders]],
    remarks: list[str],
) -> Scan:
    local = [port.address for port in ports if "://" not in port.address]
    held = lookup(local)
    told = []
    for port in ports:
        held_by = held.get(port.address, Holders(can_tell=False))
        # Whoever embodies an emulated board has its port open: that keeps nobody out.
        others = tuple(each for each in held_by.found if each.pid != port.served_by)
        told.append(replace(port, holders=replace(held_by, found=others)))
    hidden = max((each.hidden for each in held.values()), default=0)
    if local and not all(each.can_tell for each in held.values()):
        remarks.append("this system does not tell which program holds a port")
    elif hidden:
        remarks.append(
            f"{hidden} processes of other users hide what they hold: a port that looks free may "
            "be theirs"
        )
    return Scan(ports=tuple(told), remarks=tuple(remarks))
