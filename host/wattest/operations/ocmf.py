"""Exports readings and sessions of a kept run as OCMF, signed by their node or by the bench.

The bench has one key of P-256 for each key of a node, made of the secret that signs the ledger's
checkpoints: nothing has to be kept beside it, and whoever exports the same records again gets the
same bytes. In a virtual run that secret derives from the seed; the texts then say "demo key".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from wattest.errors import ConfigError, UsageError
from wattest.exports.ocmf import read_ocmf
from wattest.exports.ocmf_record import (
    gateway_reading_payload,
    gateway_session_payload,
    node_text,
    why_no_text,
)
from wattest.exports.ocmf_signature import OcmfSigner, SignatureState, derived_signer, verify_ocmf
from wattest.ledger import CheckpointSigner
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.kept.sessions import KeptRecords, read_records
from wattest.operations.rundir import RunDir
from wattest.operations.virtual.demo_keys import demo_key
from wattest.settlement.session import Session, sessions_of
from wattest.wire import Ctx, Record

GATEWAY: Final = "wattest bench"
GATEWAY_DEMO: Final = "wattest bench (demo key)"
_KEY_FILE = "ledger.key"


class Mode(StrEnum):
    """Who signs the text."""

    GATEWAY = "gateway"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfQuery:
    """What is exported; everything, unless said otherwise.

    Args:
        mode: who signs.
        session: id of a session, or its page such as ``T3``; then no fiscal readings.
        node: serial, asset, name or kid.
        from_ms: of readings at or after this time, of sessions that end at or after it.
        to_ms: likewise, before this time.
    """

    mode: Mode = Mode.GATEWAY
    session: str | None = None
    node: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def covers(self, record: Record) -> bool:
        """Tell whether the time of a record lies in the window."""
        if record.time_ms is None:
            return self.from_ms is None and self.to_ms is None
        after = self.from_ms is None or self.from_ms <= record.time_ms
        return after and (self.to_ms is None or record.time_ms < self.to_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedText:
    """One text.

    Args:
        text: OCMF, complete.
        spki: key it is signed with, SubjectPublicKeyInfo DER.
        page: letter and number.
        serial: of the node.
        session: id of the session; None for a fiscal reading.
        entries: where its records are in the ledger.
        demo: the key, or that of the node, derives from a seed.
    """

    text: str
    spki: bytes
    page: str
    serial: str
    session: str | None
    entries: tuple[int, ...]
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfExport:
    """The outcome.

    Args:
        texts: sessions, then fiscal readings, each in ledger order.
        left_out: what has no text, and why: honest gaps, such as a clock that was not set.
        broken: what must have a text and has none: a signature that does not hold.
    """

    texts: tuple[ExportedText, ...]
    left_out: tuple[str, ...]
    broken: tuple[str, ...]


def export_ocmf(path: Path, query: OcmfQuery) -> OcmfExport:
    """Export what ``query`` asks for from the run in ``path``; nothing is written.

    Raises:
        ConfigError: this is not the folder of a run, or the bench's key is not there.
        UsageError: no such node or session.
        VerificationError: a logged record does not hold.
        StoreError: the ledger cannot be read.
    """
    kept = read_records(path)
    if query.node is not None and not any(
        kept.is_node(kid, query.node) for kid in kept.enrolments
    ):
        known = ", ".join(sorted({one.serial for one in kept.enrolments.values()})) or "none"
        raise UsageError(f"ocmf export: no node {query.node!r}, there are: {known}")
    gateway = _Gateway(path, kept) if query.mode is Mode.GATEWAY else None
    work = _Export(kept, query, gateway)
    work.sessions()
    if query.session is None and gateway is not None:
        work.readings()
    return OcmfExport(
        texts=tuple(work.texts), left_out=tuple(work.left_out), broken=tuple(work.broken)
    )


class _Gateway:
    """The bench as a signer."""

    def __init__(self, path: Path, kept: KeptRecords) -> None:
        self._secret, self.demo = _ledger_secret(path)
        self.fields = {"GI": GATEWAY_DEMO if self.demo else GATEWAY, "GS": kept.origin}
        self._signers: dict[bytes, OcmfSigner] = {}

    def signer(self, kid: bytes) -> OcmfSigner:
        """Return the bench's key for the records of one key."""
        if kid not in self._signers:
            self._signers[kid] = derived_signer(self._secret, kid)
        return self._signers[kid]


class _Export:
    """The texts made so far."""

    def __init__(self, kept: KeptRecords, query: OcmfQuery, gateway: _Gateway | None) -> None:
        self._kept = kept
        self._query = query
        self._gateway = gateway
        self.texts: list[ExportedText] = []
        self.left_out: list[str] = []
        self.broken: list[str] = []

    def sessions(self) -> None:
        """Make the texts of sessions."""
        query = self._query
        known = []
        for session in sessions_of(self._wanted(Ctx.TRANSACTION)):
            name, page = session.name, f"T{session.number}"
            known.append(name or page)
            if query.session in {None, name, page} and query.covers(session.end):
                self._session(session, page)
        if query.session is not None and not (self.texts or self.left_out or self.broken):
            listed = ", ".join(known) or "none"
            raise UsageError(f"ocmf export: no session {query.session!r}, there are: {listed}")

    def readings(self) -> None:
        """Make the texts of fiscal readings."""
        gateway = self._gateway
        assert gateway is not None
        for index, record in self._wanted(Ctx.FISCAL):
            if not self._query.covers(record):
                continue
            page = f"F{record.seq}"
            reason = why_no_text(record)
            if reason:
                self.left_out.append(f"{record.serial} {page}: {reason}")
                continue
            signer = gateway.signer(record.kid)
            text = signer.sign(gateway_reading_payload(record, gateway.fields))
            self._add(text, signer.spki, record, (index,), None)

    def _session(self, session: Session, page: str) -> None:
        end = session.end
        place = f"{end.serial} {page}"
        reason = why_no_text(session.begin, end)
        if not reason and self._gateway is None and session.signature is None:
            reason = "the node has not signed it"
        if reason:
            self.left_out.append(f"{place}: {reason}")
            return
        if self._gateway is not None:
            signer = self._gateway.signer(end.kid)
            spki = signer.spki
            text = signer.sign(gateway_session_payload(session, self._gateway.fields))
        else:
            spki = self._kept.enrolments[end.kid].spki
            text = node_text(session)
            check = verify_ocmf(read_ocmf(text), spki)
            if check.state is not SignatureState.VALID:
                self.broken.append(f"{place}: the node's signature: {check.message}")
                return
        self._add(text, spki, end, (session.begin_index, session.end_index), session.name)

    def _add(
        self, text: str, spki: bytes, record: Record, entries: tuple[int, ...], name: str | None
    ) -> None:
        page = read_ocmf(text).page
        assert page is not None
        demo = self._kept.enrolments[record.kid].demo
        self.texts.append(
            ExportedText(
                text=text,
                spki=spki,
                page=f"{page[0]}{page[1]}",
                serial=record.serial,
                session=name,
                entries=entries,
                demo=demo or (self._gateway is not None and self._gateway.demo),
            )
        )

    def _wanted(self, ctx: Ctx) -> Iterator[tuple[int, Record]]:
        node = self._query.node
        for index, record in self._kept.records:
            if record.ctx is ctx and (node is None or self._kept.is_node(record.kid, node)):
                yield index, record


def _ledger_secret(path: Path) -> tuple[bytes, bool]:
    """Return the secret of the ledger's signer, and whether everybody can know it.

    Raises:
        ConfigError: it is not there, or not the one that signs this ledger.
    """
    run = RunDir(path)
    values = run.read_json()
    verifier = checkpoint_verifier(run)
    demo = values.get("live") is not True
    hint = "export with --mode node, or where the bench that collected it keeps its folder"
    if demo:
        secret = demo_key(int(values.get("seed") or 0), "ledger")
    else:
        file = run.path / _KEY_FILE
        try:
            secret = bytes.fromhex(file.read_text("ascii"))
        except (OSError, ValueError) as error:
            what = "is not there" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise ConfigError(
                f"{what}: the bench signs with a key made of it", path=str(file), hint=hint
            ) from error
    try:
        signer = CheckpointSigner(verifier.origin, secret)
    except ValueError as error:
        raise ConfigError(str(error), path=str(run.path / _KEY_FILE), hint=hint) from error
    if signer.verifier.to_text() != verifier.to_text():
        raise ConfigError(
            "the key that signs this ledger is not the one its bench would have",
            path=str(run.run_json),
            hint=hint,
        )
    return secret, demo
