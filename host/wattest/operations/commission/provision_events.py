"""What provisioning asks for, shows and tells: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from wattest.operations.commission.home import Home
from wattest.wire import EnrolmentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionOptions:
    """What to do with the board on a port.

    Args:
        port: its address.
        home: of the bench.
        board: board file it must have been flashed for; None: whichever it says.
        name: of the node; None: the one it had, else its serial in small letters.
        asset: what it meters; None: the one it had, else its name.
        out: folder of the live ledger; None: that of the home.
        new_key: have it make a new signing key.
        cfg: digest of the files it must run, 16 bytes; None: of this build for its board.
        manifest: file that names the digest instead.
        calibration: file of a certificate, or words; None: what is known stays.
        due: last day on which the calibration holds.
    """

    port: str
    home: Home
    board: str | None = None
    name: str | None = None
    asset: str | None = None
    out: Path | None = None
    new_key: bool = False
    cfg: bytes | None = None
    manifest: Path | None = None
    calibration: str | None = None
    due: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a person says yes or no to.

    Args:
        board: name of the board file.
        title: what a person calls such a board.
        chip: kind of chip, as the board file has it.
        chip_id: 12 hex digits.
        serial: what the node calls itself.
        name: name it is given.
        asset: what it meters.
        kind: real or emulated.
        kid: of its key, 8 bytes.
        fingerprint: SHA-256 of its public key, in groups.
        cfg: digest of its files, hex.
        software: name and version of its firmware.
        backlog: records it holds that nobody has acknowledged.
        replaces: key whose place this one takes, hex, or ``""``.
        throw_away: the question is whether this key may be replaced by one still to be made; what
            the node holds under it and nobody has collected is lost.
    """

    board: str
    title: str
    chip: str
    chip_id: str
    serial: str
    name: str
    asset: str
    kind: EnrolmentKind
    kid: bytes
    fingerprint: str
    cfg: str
    software: str
    backlog: int
    replaces: str = ""
    throw_away: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun:
    """Something that takes a moment has begun."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProven:
    """The node answered the challenge and is what it says."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Records were collected before a key was given up."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTaken:
    """Boards that were behind this port before are not collected from until they are found."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The person said no: nothing was enrolled, and the board meters on."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The node is enrolled, and the bench knows where it answers.

    Args:
        candidate: as it was approved.
        index: entry of the ledger, or None: the ledger held it already.
        out: folder of the ledger.
        ports: file that names the board to collectors.
    """

    candidate: Candidate
    index: int | None
    out: Path
    ports: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A node is retired.

    Args:
        serial: of the node.
        kids: keys that were closed now, hex; none: they were closed before.
        out: folder of the ledger.
    """

    serial: str
    kids: tuple[str, ...]
    out: Path


ProvisionEvent = StepBegun | NodeProven | Collected | PortTaken | Declined | Enrolled | Retired
