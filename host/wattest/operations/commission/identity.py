"""Whether a node is what it says: records it showed, against its chip, its board, its files.

Whatever a node says at its REPL is only asked for; what decides stands under its signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from wattest.boards import Board, node_config
from wattest.errors import ConfigError, VerificationError, one_line
from wattest.flashing import build_firmware
from wattest.operations.commission.interview import Interview
from wattest.operations.commission.onboard import BoardFacts
from wattest.verify import FindingCode, Verifier
from wattest.wire import Enrolment, EnrolmentKind, Record, kid_of, spki_der

CFG_BYTES: Final = 16
_EUI48: Final = b"\x02"
_EMULATED_UEID: Final = 1
_SOFTWARE_CHARS: Final = 64
_GROUP_CHARS: Final = 4
_DIFFERENCES_SHOWN: Final = 4
_DECISIVE: Final = (
    FindingCode.MALFORMED,
    FindingCode.UNKNOWN_KEY,
    FindingCode.BAD_SIGNATURE,
    FindingCode.WRONG_SERIAL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a node has proven.

    Args:
        spki: its public key, SPKI DER.
        serial: what it calls itself, signed.
        cfg: digest of its files, signed, 16 bytes.
        ueid: of its chip, signed.
        chip_id: the same, 12 hex digits.
        software: name and version of the firmware, signed.
        kind: real, or emulated if anything says so.
        backlog: records it holds that nobody has acknowledged.
    """

    spki: bytes
    serial: str
    cfg: bytes
    ueid: bytes
    chip_id: str
    software: str
    kind: EnrolmentKind
    backlog: int

    @property
    def kid(self) -> bytes:
        """Key identifier, 8 bytes."""
        return kid_of(self.spki)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in groups of four hex digits, for people to compare."""
        return fingerprint(self.spki)


def fingerprint(spki: bytes) -> str:
    """Return SHA-256 of a public key in groups; its first 16 digits are the kid."""
    digits = sha256(spki).hexdigest()
    groups = (digits[i : i + _GROUP_CHARS] for i in range(0, len(digits), _GROUP_CHARS))
    return " ".join(groups)


def kind_of(board: Board, facts: BoardFacts, ueid: bytes) -> EnrolmentKind:
    """Return what stands behind a key: real only if nothing says that it is emulated."""
    emulated = board.emulated or facts.emulated or ueid[0] == _EMULATED_UEID
    return EnrolmentKind.EMULATED if emulated else EnrolmentKind.REAL


def expected_cfg(board: Board, node: Mapping[str, Any]) -> bytes:
    """Return the digest of this build for a board, with the names and the interval of a node.

    Args:
        board: the board file.
        node: the node's `/node.json`: serial, ueid and interval are taken from it.

    Raises:
        ConfigError: the interval does not fit, or the firmware does not compile.
    """
    config = _own_config(board, node)
    table_bytes = board.memory.p256_table_bytes
    return build_firmware(config, p256_table_bytes=table_bytes, chip=board.chip).cfg


def cfg_of_manifest(path: Path, board: Board) -> bytes:
    """Return the digest that the manifest of an image names.

    Raises:
        ConfigError: it cannot be read, or is of another board.
    """
    try:
        manifest = json.loads(path.read_bytes())
        name, cfg = manifest["board"], bytes.fromhex(manifest["cfg"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        why = (exc.strerror or "").lower() if isinstance(exc, OSError) else "is no manifest"
        raise ConfigError(
            f"cannot be read: {why}", path=str(path), hint="`wattest build` writes manifest.json"
        ) from exc
    if name != board.name:
        raise ConfigError(f"a manifest of {board.name} expected, got {name}", path=str(path))
    if len(cfg) != CFG_BYTES:
        raise ConfigError(f"expected {CFG_BYTES} bytes in hex", path=str(path), key="cfg")
    return cfg


def prove(
    seen: Interview, facts: BoardFacts, board: Board, *, cfg: bytes, address: str
) -> Identity:
    """Check what a node showed; what it returns is proven.

    Args:
        seen: of the conversation; the nonce of the answer was ours.
        facts: what the board said at its REPL.
        board: the board file it was flashed for.
        cfg: digest of the files it must run.
        address: of the port, for errors.

    Raises:
        VerificationError: a signature, key, serial, chip or digest does not hold; one line.
    """
    hello = seen.hello
    spki = spki_der(hello.public_key)
    promise = _promise(spki, hello.serial, board)
    boot = _verified(seen.boot, promise, f"{address}: boot record")
    answer = _verified(seen.answer, promise, f"{address}: answer")
    if boot.bootseed != answer.bootseed:
        raise VerificationError(
            f"{address}: boot record and answer are of two boots", hint="try again"
        )
    claims = boot.boot
    ueid = claims.ueid if claims is not None else None
    if ueid is None:
        raise VerificationError(
            f"{address}: the boot record names no chip", hint="flash it anew: `wattest flash`"
        )
    if ueid[0] != _EMULATED_UEID and ueid != _EUI48 + bytes.fromhex(facts.chip_id):
        raise VerificationError(
            f"{address}: chip {facts.chip_id} expected in the boot record, got {ueid.hex()}",
            hint="was this file system copied from another board? flash it anew",
        )
    for record in (boot, answer):
        if record.cfg != cfg:
            raise _wrong_files(record.cfg, cfg, facts, board, address)
    versions = (claims.software_versions or ()) if claims is not None else ()
    name = (claims.software_name or "") if claims is not None else ""
    return Identity(
        spki=spki,
        serial=boot.serial,
        cfg=cfg,
        ueid=ueid,
        chip_id=facts.chip_id,
        software=one_line(" ".join((name, *versions)))[:_SOFTWARE_CHARS],
        kind=kind_of(board, facts, ueid),
        backlog=hello.next_position - hello.unacknowledged_position,
    )


def _promise(spki: bytes, serial: str, board: Board) -> Enrolment:
    """Return what the hello says, as something to verify records against."""
    return Enrolment(
        kid=kid_of(spki),
        spki=spki,
        serial=serial,
        kind=EnrolmentKind.EMULATED,
        board=board.name,
        cfg=bytes(CFG_BYTES),
        demo=True,
        power_max_milliwatts=board.meter.power_max_milliwatts,
        enrolled_ms=0,
        asset="",
    )


def _verified(data: bytes, promise: Enrolment, what: str) -> Record:
    """Return a record whose signature holds under the key of the hello."""
    verdict = Verifier([promise]).check(data)
    for finding in verdict.findings:
        if finding.code in _DECISIVE:
            raise VerificationError(
                f"{what}: {finding.code.value}: {finding.message}; "
                f"the node says hello with key {promise.kid.hex()}",
                hint="nothing was enrolled; reset the board and try again",
            )
    assert verdict.record is not None, "what is not malformed is a record"
    return verdict.record


def _wrong_files(
    got: bytes, expected: bytes, facts: BoardFacts, board: Board, address: str
) -> VerificationError:
    differing = _differences(board, facts.node)
    why = (
        f"/node.json differs in {', '.join(differing)}"
        if differing
        else "/node.json says what it should, so its form or other files differ"
    )
    return VerificationError(
        f"{address}: files of digest {expected.hex()} expected for {board.name}, the node runs "
        f"{got.hex()}: {why}",
        hint=f"`wattest flash` puts them there; --cfg {got.hex()} accepts what it runs",
    )


def _differences(board: Board, node: Mapping[str, Any]) -> list[str]:
    """Name the keys in which a node's configuration is not that of its board file."""
    try:
        own = _own_config(board, node)
    except ConfigError:
        return ["interval_ms"]
    names = [key for key in sorted({*own, *node}) if own.get(key) != node.get(key)]
    told = [f"{key} (expected {own.get(key)}, got {node.get(key)})" for key in names]
    more = len(told) - _DIFFERENCES_SHOWN
    return [*told[:_DIFFERENCES_SHOWN], f"{more} more"] if more > 0 else told


def _own_config(board: Board, node: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return node_config(
            board,
            serial=node.get("serial"),
            interval_ms=node.get("interval_ms", 0),
            ueid=node.get("ueid"),
        )
    except (ValueError, TypeError) as exc:
        raise ConfigError(str(exc), path="/node.json", key="interval_ms") from exc
