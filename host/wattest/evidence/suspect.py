"""Which entry was most likely changed, when the tree says that one was.

A multi-proof says that the entries as they are do not lead to the signed root, and no more. But
most entries speak for themselves: records and acts are signed, statements and agreements name
terms by their hash. The first one that contradicts itself or others is named, else those that
nothing vouches for. That is help for people, no part of the verdict.
"""

from __future__ import annotations

from hashlib import sha256

from wattest.errors import DecodeError, SignatureInvalid, VerificationError
from wattest.evidence.bundle import PROOF
from wattest.evidence.case import RECORD_KINDS, Case
from wattest.evidence.forms import check_forms
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.entry import EntryKind
from wattest.verify.signature import load_key, verify_es256
from wattest.wire.act import Agreement, is_act, parse_act
from wattest.wire.cose import SIGNATURE_BYTES, record_to_be_signed
from wattest.wire.enrolment import parse_enrolment
from wattest.wire.keys import spki_der
from wattest.wire.record_reader import parse_record


def suspect(case: Case) -> str:
    """Name the entry that contradicts itself or others; else those that nothing vouches for."""
    return _by_signature(case) or _by_form(case) or _by_hash(case) or _unvouched(case)


def _by_signature(case: Case) -> str:
    keys: dict[bytes, bytes] = {}
    for entry in case.entries:
        try:
            if entry.kind == EntryKind.ENROLMENT:
                enrolment = parse_enrolment(entry.body)
                keys[enrolment.kid] = enrolment.spki
            elif entry.kind in RECORD_KINDS:
                record = parse_record(entry.body)
                case.records[entry.index] = record
                signed = record_to_be_signed(entry.body)
                _verify(keys.get(record.kid), signed, entry.body[-SIGNATURE_BYTES:])
            elif is_act(entry.body):
                message = parse_act(entry.body)
                if isinstance(message.act, Agreement):
                    keys[message.message.kid] = spki_der(message.act.public_key)
                spki = keys.get(message.message.kid)
                _verify(spki, message.message.to_be_signed(), message.message.signature)
        except (DecodeError, VerificationError):
            return case.name(entry.index)
    return ""


def _verify(spki: bytes | None, message: bytes, signature: bytes) -> None:
    if spki is None:
        raise SignatureInvalid("a key that the bundle knows expected")
    verify_es256(load_key(spki), message, signature)


def _by_form(case: Case) -> str:
    try:
        check_forms(Case(bundle=case.bundle))
    except RuleBroken as broken:
        return broken.where
    return ""


def _by_hash(case: Case) -> str:
    """Terms whose hash nobody names, where every statement and agreement names another."""
    read = Case(bundle=case.bundle)
    check_forms(read)
    named = {document["terms"] for document in read.statements.values()}
    named |= {s.act.terms for s in read.acts.values() if isinstance(s.act, Agreement)}
    if case.statement is not None:
        named.add(case.statement.terms)
    for index in read.terms:
        if sha256(case.body(index)).digest() not in named:
            return f"entry {index} (terms)"
    return ""


def _unvouched(case: Case) -> str:
    """Enrolments, statements, estimates and the like: no signature or hash is about them."""
    mute = [
        str(entry.index)
        for entry in case.entries
        if entry.kind not in (*RECORD_KINDS, EntryKind.TERMS) and not is_act(entry.body)
    ]
    return f"{PROOF}, or an entry that nobody signed ({', '.join(mute)})" if mute else PROOF
