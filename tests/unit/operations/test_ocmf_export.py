"""Exports of ledgers with holes: what has no text is named, what is forged is never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unit.verify.chain import Node
from wattest.cli import main
from wattest.exports.ocmf import read_ocmf
from wattest.exports.ocmf_lint import OcmfItem, lint_ocmf
from wattest.exports.ocmf_record import node_payload
from wattest.ledger import CheckpointSigner, EntryKind, Ledger, NewEntry, record_entry
from wattest.operations.ocmf import Mode, OcmfExport, OcmfQuery, export_ocmf
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.operations.virtual.demo_keys import demo_key
from wattest.settlement.session import Session
from wattest.store import SqliteStore
from wattest.wire import parse_record

SEED = 3
USER = [True, "NONE", [], "CENTRAL", "s"]


class Charger:
    """A node whose records go into a ledger, and what it would sign of its sessions."""

    def __init__(self, **how: Any) -> None:
        self.node = Node(serial="CHARGER-1", **how)
        self.records = [self.node.first()]

    def read(self, **body: Any) -> None:
        """Seal a fiscal reading."""
        self.records.append(self.node.seal(registers=self._registers(1000), body=body))

    def session(self, *, signed: bool = True, forged: bool = False, **body: Any) -> None:
        """Seal a session of 5 Wh; ``body`` goes into its last record."""
        begin = self.node.seal(1, body={9: "B", 15: USER}, registers=self._registers(0))
        last = {9: "E", 15: USER, **body}
        draft = self.node.clone()
        end = draft.seal(1, body=last, registers=self._registers(5000))
        signature = None
        if signed:
            session = Session(begin=parse_record(begin), end=parse_record(end))
            signature = self._sign(node_payload(session).encode())
        if forged and signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        end = self.node.seal(1, body={**last, 25: signature}, registers=self._registers(5000))
        self.records += [begin, end]

    def _registers(self, milliwh: int) -> tuple[int, int, int, int]:
        imported, exported, use_s, power = self.node.registers
        return (imported + milliwh, exported, use_s + 60, power)

    def _sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        r, s = decode_dss_signature(self.node.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def keep(self, folder: Path, *, without: tuple[int, ...] = ()) -> Path:
        """Log everything but some records."""
        run = RunDir(folder)
        run.make(scenario="")
        signer = CheckpointSigner("wattest/test", demo_key(SEED, "ledger"))
        with SqliteStore(run.ledger, create=True) as store:
            ledger = Ledger(store, signer)
            enrolment = self.node.enrolment().to_cbor()
            ledger.append([NewEntry(kind=EntryKind.ENROLMENT, body=enrolment)])
            for number, data in enumerate(self.records):
                if number not in without:
                    ledger.append([record_entry(parse_record(data))])
        run.write_json({CHECKPOINT_KEY: signer.verifier.to_text(), "seed": SEED})
        return folder


def exported(folder: Path, mode: Mode = Mode.GATEWAY) -> OcmfExport:
    return export_ocmf(folder, OcmfQuery(mode=mode))


def pages(found: OcmfExport) -> list[str]:
    return [text.page for text in found.texts]


def test_record_that_is_missing_in_the_ledger_is_a_page_that_is_missing(tmp_path: Path) -> None:
    charger = Charger()
    for _ in range(6):
        charger.read()
    found = exported(charger.keep(tmp_path / "OUT", without=(3, 4)))
    assert pages(found) == ["F1", "F2", "F5", "F6"]
    report = lint_ocmf([OcmfItem(data=text.text.encode(), spki=text.spki) for text in found.texts])
    assert [finding.message for finding in report.findings] == ["missing: F3 to F4"]
    assert not report.passed


def test_what_has_no_time_is_named_and_left_out(tmp_path: Path) -> None:
    charger = Charger(offset_ms=None)
    charger.read()
    charger.session(signed=False)
    charger.node.offset_ms = 1_767_268_800_000
    charger.read()
    charger.session()
    folder = charger.keep(tmp_path / "OUT")
    reason = "the clock of the node was not set"
    found = exported(folder)
    assert pages(found) == ["T2", "F2"]
    assert found.left_out == (f"CHARGER-1 T1: {reason}", f"CHARGER-1 F1: {reason}")
    found = exported(folder, Mode.NODE)
    assert pages(found) == ["T2"]
    assert found.left_out == (f"CHARGER-1 T1: {reason}",)
    assert found.broken == ()


def test_session_the_node_did_not_sign_goes_out_under_the_bench_only(tmp_path: Path) -> None:
    charger = Charger()
    charger.session(signed=False)
    folder = charger.keep(tmp_path / "OUT")
    assert pages(exported(folder)) == ["T1"]
    found = exported(folder, Mode.NODE)
    assert found.texts == ()
    assert found.left_out == ("CHARGER-1 T1: the node has not signed it",)


def test_session_under_a_signature_that_does_not_hold_is_never_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    charger = Charger()
    charger.session()
    charger.session(forged=True)
    folder = charger.keep(tmp_path / "OUT")
    found = exported(folder, Mode.NODE)
    assert pages(found) == ["T1"]
    (reason,) = found.broken
    assert reason.startswith("CHARGER-1 T2: the node's signature: the signature does not belong")
    assert main.main(["ocmf", "export", str(folder), "--mode", "node"]) == 1
    said = capsys.readouterr()
    assert reason in said.err
    assert said.out.count("OCMF|") == 1
    assert main.main(["session", str(folder), "T2"]) == 0
    assert "the signature does not belong to these bytes" in capsys.readouterr().out


def test_half_a_session_is_not_exported(tmp_path: Path) -> None:
    charger = Charger()
    charger.session()
    charger.session()
    found = exported(charger.keep(tmp_path / "OUT", without=(1,)))
    assert pages(found) == ["T2"]


def test_other_key_of_the_same_node_has_its_own_pages_and_key_of_the_bench(
    tmp_path: Path,
) -> None:
    old, new = Charger(), Charger(secret=8)
    old.read()
    new.read()
    run = RunDir(old.keep(tmp_path / "OUT"))
    signer = CheckpointSigner("wattest/test", demo_key(SEED, "ledger"))
    with SqliteStore(run.ledger) as store:
        ledger = Ledger(store, signer)
        enrolment = new.node.enrolment().to_cbor()
        ledger.append([NewEntry(kind=EntryKind.ENROLMENT, body=enrolment)])
        ledger.append([record_entry(parse_record(data)) for data in new.records])
    found = exported(run.path)
    assert pages(found) == ["F1", "F1"]
    assert len({text.spki for text in found.texts}) == 2
    report = lint_ocmf([OcmfItem(data=text.text.encode(), spki=text.spki) for text in found.texts])
    assert report.passed


def test_text_names_the_bench_and_says_that_its_key_is_a_demo_key(tmp_path: Path) -> None:
    charger = Charger()
    charger.read()
    (text,) = exported(charger.keep(tmp_path / "OUT")).texts
    payload = read_ocmf(text.text).payload
    assert (payload["GI"], payload["GS"]) == ("wattest bench (demo key)", "wattest/test")
    assert text.demo


def test_empty_ledger_has_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    charger = Charger()
    charger.records = []
    folder = charger.keep(tmp_path / "OUT")
    assert main.main(["ocmf", "export", str(folder)]) == 0
    assert capsys.readouterr().err == "no text was exported\n"
    assert main.main(["session", str(folder)]) == 0
    assert "no session is logged" in capsys.readouterr().err
