"""The node's CBOR, COSE, COBS and records against independent codecs and the shared vectors."""

import json
import random
import zlib
from hashlib import sha256

import cbor2
import pytest
import vector_records
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st
from node import cbor, frame
from node.chain import EVENT, TRANSACTION, Chain
from node.cose import Sealer
from node.p256 import Signer
from node.record import ClaimsWriter, Reading

INTEGERS = [0, 1, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, (1 << 63) - 1]


def encoded(writer, *arguments) -> bytes:
    buf = bytearray(600)
    return bytes(buf[: writer(buf, 0, *arguments)])


@pytest.mark.parametrize("value", INTEGERS + [-1 - value for value in INTEGERS])
def test_integers_have_the_shortest_head(value: int) -> None:
    assert encoded(cbor.encode_int, value) == cbor2.dumps(value)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 500])
def test_strings_and_containers_have_the_shortest_head(size: int) -> None:
    assert encoded(cbor.encode_bytes, bytes(size)) == cbor2.dumps(bytes(size))
    assert encoded(cbor.encode_text, "x" * size) == cbor2.dumps("x" * size)
    assert encoded(cbor.encode_bytes_head, size) + bytes(size) == cbor2.dumps(bytes(size))
    assert encoded(cbor.encode_array_head, size) + bytes(size) == cbor2.dumps([0] * size)
    assert encoded(cbor.encode_map_head, size)[0] >> 5 == 5


def test_booleans_and_tags_are_those_of_cbor() -> None:
    assert encoded(cbor.encode_bool, True) == b"\xf5"
    assert encoded(cbor.encode_bool, False) == b"\xf4"
    assert encoded(cbor.encode_tag, 18) == b"\xd2"


def test_writer_that_runs_out_of_buffer_raises() -> None:
    with pytest.raises((IndexError, ValueError)):
        cbor.encode_int(bytearray(0), 0, 1)


def test_command_map_is_read_back() -> None:
    command = {1: 7, 2: 8, 3: "id", 4: -250}
    assert cbor.decode_map(cbor2.dumps(command)) == command
    assert cbor.decode_map(cbor2.dumps({1: 1 << 40, 3: b"nonce"})) == {1: 1 << 40, 3: b"nonce"}


BROKEN_MAPS = {
    "nothing": "",
    "not a map": "8101",
    "indefinite map": "bf0101ff",
    "truncated map": "a101",
    "truncated string": "a10345",
    "truncated head": "a10119",
    "trailing byte": "a1010100",
    "long head": "a1180101",
    "long value": "a1011801",
    "keys descending": "a202010102",
    "key twice": "a201010102",
    "negative key": "a12001",
    "text key": "a1616101",
    "nested array": "a10180",
    "null": "a101f6",
    "float": "a101f90000",
    "tag": "a101c000",
    "beyond 63 bits": "a1011bffffffffffffffff",
    "text not UTF-8": "a10161ff",
    "length beyond the end": "a1035bffffffffffffff00",
}


@pytest.mark.parametrize("data", BROKEN_MAPS.values(), ids=BROKEN_MAPS)
def test_reader_refuses_what_is_not_deterministic(data: str) -> None:
    with pytest.raises(cbor.CborError, match=r"."):
        cbor.decode_map(bytes.fromhex(data))


@given(st.binary(max_size=40))
def test_reader_never_fails_in_another_way(data: bytes) -> None:
    try:
        found = cbor.decode_map(data)
    except cbor.CborError:
        return
    assert cbor2.dumps(found) == data


def frame_of(kind: int, body: bytes) -> bytes:
    writer = frame.FrameWriter(1024)
    writer.begin(kind)
    writer.add(body)
    return bytes(writer.finish())


@pytest.mark.parametrize("size", [0, 1, 248, 249, 250, 253, 254, 255, 256, 503, 508, 1024])
@pytest.mark.parametrize("fill", ["zeros", "ones", "random", "sparse"])
def test_frames_decode_with_another_cobs(size: int, fill: str) -> None:
    chance = random.Random(size)
    body = {
        "zeros": bytes(size),
        "ones": b"\xff" * size,
        "random": chance.randbytes(size),
        "sparse": bytes(chance.choice([0, 1, 2, 2, 2, 2]) for _ in range(size)),
    }[fill]
    found = frame_of(1, body)
    assert found[0] == found[-1] == 0
    assert 0 not in found[1:-1]
    covered = b"\x01" + body
    plain = covered + zlib.crc32(covered).to_bytes(4, "little")
    assert cobs.decode(found[1:-1]) == plain
    assert found[1:-1] == cobs.encode(plain)


def test_frames_of_runs_around_254_bytes_are_those_of_another_cobs() -> None:
    for lead in range(250, 262):
        for tail in (0, 1, 3):
            plain = bytearray(b"\x01" * lead + b"\x00" * tail + b"\x02" * (lead - 1))
            target = bytearray(2000)
            end = frame.encode_cobs(target, 0, plain, len(plain))
            assert bytes(target[:end]) == cobs.encode(bytes(plain))


def test_body_that_is_too_large_is_refused() -> None:
    writer = frame.FrameWriter(8)
    writer.begin(1)
    with pytest.raises(ValueError, match="body too large"):
        writer.add(bytes(9))


# ---- records ----


def reading_of(body: dict, nonce: bytes) -> Reading:
    reading = Reading()
    reading.ctx = body[2]
    reading.time_ms = body.get(3)
    reading.tsync = body[4]
    reading.mono_ms = body[5]
    reading.import_milliwh, reading.export_milliwh, reading.use_s, reading.power_milliw = (
        register[1] for register in body[6]
    )
    reading.status = body[7]
    reading.err = body.get(8, "")
    reading.tx = body.get(9, "")
    reading.input = body[16]
    event = body.get(17, {})
    reading.event = tuple(event.get(key) for key in range(1, 1 + max(event, default=0)))
    reading.nonce = nonce
    return reading


def test_node_writes_the_shared_records_byte_for_byte(table: bytes) -> None:
    vectors = json.loads(vector_records.VECTORS.read_text())
    private = bytes.fromhex(vectors["private"])
    kid = bytes.fromhex(vectors["kid"])
    signer = Signer(table)
    sealer = Sealer(kid, lambda digest, pause: signer.sign(private, digest, pause))
    writer = ClaimsWriter()
    chain = Chain(kid)
    chain.bootcount = 1
    writer.serial = vectors["serial"]
    writer.cfg = bytes.fromhex(vectors["cfg"])
    writer.bootseed = bytes.fromhex(vectors["bootseed"])
    writer.current_kind = 1
    target = bytearray(1024)
    for vector in vectors["records"]:
        expected = bytes.fromhex(vector["record"])
        claims = cbor2.loads(cbor2.loads(expected).value[2])
        body = claims[-65537]
        writer.ueid = claims.get(256, b"")
        if body[2] == TRANSACTION:
            chain.transaction = body[15][4]
        reading = reading_of(body, claims.get(10, b""))
        end = sealer.seal(target, writer.write(chain, reading), lambda: None)
        assert bytes(target[:end]) == expected, vector["name"]
        chain.seq[body[2]] += 1
        chain.prev = sha256(expected).digest()
    assert chain.seq[EVENT] == 4


def test_shared_records_are_what_the_independent_code_makes() -> None:
    assert vector_records.VECTORS.read_text() == vector_records.text()


def test_state_of_a_chain_is_read_back() -> None:
    class NoRegisters:
        def pack_state(self, buf: bytearray, offset: int) -> None:
            buf[offset : offset + 44] = bytes(range(44))

    chain = Chain(b"kid45678")
    chain.seq = [1, 1 << 20, (1 << 32) - 1]
    chain.bootcount, chain.refused, chain.transaction = 5, 6, "session-0001-abcdefg"
    other = Chain(b"kid45678")
    other.unpack(bytes(chain.pack(NoRegisters())), b"p" * 32)
    assert (other.seq, other.bootcount, other.refused) == (chain.seq, 5, 6)
    assert (other.transaction, other.prev) == ("session-0001-abcdefg", b"p" * 32)
    for transaction in (None, ""):
        chain.transaction = transaction
        other.unpack(bytes(chain.pack(NoRegisters())), bytes(32))
        assert other.transaction == transaction


def test_largest_record_fits_its_buffers(table: bytes) -> None:
    """A boot event with the longest texts, and an identify event with the longest nonce."""
    chain = Chain(bytes(8))
    chain.seq = [(1 << 32) - 2] * 3
    chain.bootcount = (1 << 32) - 1
    writer = ClaimsWriter()
    writer.serial, writer.ueid, writer.cfg, writer.bootseed = (
        "S" * 32,
        bytes(33),
        bytes(16),
        b"8" * 8,
    )
    reading = reading_of(
        {
            2: EVENT, 3: -(1 << 62), 4: 3, 5: 1 << 62, 7: "X", 8: "Et", 16: 2,
            6: [[0, 1 << 62, 0, 0]] * 4, 17: {1: 1, 2: 5, 3: 1 << 62, 4: 2, 5: 1 << 31},
        },
        bytes(64),
    )  # fmt: skip
    sealer = Sealer(bytes(8), lambda _digest, _pause: bytes(64))
    from node.journal import RECORD_MAX

    target = bytearray(RECORD_MAX)
    size = sealer.seal(target, writer.write(chain, reading), None)
    assert 400 < size <= RECORD_MAX
