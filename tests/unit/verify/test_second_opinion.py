"""The second opinion agrees with the first, and with nothing that was changed."""

from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest
from chain import Node

from wattest.errors import SignatureInvalid, VerificationError
from wattest.verify.second_opinion import second_opinion
from wattest.wire import Record, parse_record


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def record(node: Node) -> Record:
    return parse_record(node.seal(registers=(1, 2, 3, -4)))


def test_second_opinion_agrees_with_readings_and_events(node: Node) -> None:
    for data in (node.first(), node.boot(), node.seal(), node.seal(1)):
        second_opinion(parse_record(data), node.spki)


def test_signature_of_another_key_is_refused(record: Record) -> None:
    with pytest.raises(SignatureInvalid, match="second opinion: the signature does not hold"):
        second_opinion(record, Node(secret=8).spki)


def test_key_that_is_none_is_refused(record: Record, node: Node) -> None:
    for spki in (b"", node.spki[:-1] + bytes((node.spki[-1] ^ 1,))):
        with pytest.raises(SignatureInvalid, match="second opinion: the signature does not hold"):
            second_opinion(record, spki)


@pytest.mark.parametrize("changes", [{"seq": 9}, {"status": "D"}, {"kid": bytes(8)}])
def test_values_that_are_not_in_the_bytes_are_seen(
    record: Record, node: Node, changes: dict[str, object]
) -> None:
    with pytest.raises(VerificationError, match=r"cbor2 reads (other claims|another header)"):
        second_opinion(replace(record, **changes), node.spki)


def test_bytes_that_are_no_record_are_seen(record: Record, node: Node) -> None:
    protected, _, payload, signature = cbor2.loads(record.encoded).value
    for encoded, expected in (
        (b"\xd2", "cannot read the message"),
        (cbor2.dumps([1]), "sees no COSE_Sign1"),
        (
            cbor2.dumps(cbor2.CBORTag(18, [protected, {4: b"x"}, payload, signature])),
            "unprotected",
        ),
        (
            cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"\xa1", signature])),
            "cannot read the record",
        ),
    ):
        with pytest.raises(VerificationError, match=f"second opinion: cbor2.*{expected}"):
            second_opinion(replace(record, encoded=encoded), node.spki)
