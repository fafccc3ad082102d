"""The signature of a session's OCMF text: against vectors, and on an emulated board."""

import json
from types import SimpleNamespace

import cbor2
import element_node
import pyocmf
import pytest
import vector_sessions
from host_side import Decoded
from node.chain import TRANSACTION, Chain
from node.cose import Sealer
from node.journal import RECORD_MAX
from node.ocmf import SessionSigner, utc_text
from node.p256 import Signer
from node.record import ClaimsWriter, Reading

from emulated import Setup

VECTORS = json.loads(vector_sessions.VECTORS.read_text())
SESSIONS = VECTORS["sessions"]
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
NOON_MS = 1_767_268_800_000
SET_TIME, BEGIN, END = 1, 4, 5


def test_shared_sessions_are_what_the_independent_code_makes() -> None:
    assert vector_sessions.VECTORS.read_text() == vector_sessions.text()


class NodeSide:
    """The parts of a node that seal the two records of a session."""

    def __init__(self, session: dict, table: bytes) -> None:
        private = bytes.fromhex(VECTORS["private"])
        signer = Signer(table)

        def sign(digest: bytes, pause) -> bytes:
            return signer.sign(private, digest, pause)

        self.session = session
        self.chain = Chain(bytes.fromhex(VECTORS["kid"]))
        self.chain.seq = [0, session["seq"] - 1, 0]
        self.chain.bootcount = 1
        self.chain.transaction = session["user"]
        self.writer = ClaimsWriter()
        self.writer.serial = session["serial"]
        self.writer.cfg = bytes.fromhex(VECTORS["cfg"])
        self.writer.bootseed = vector_sessions.SEED_1
        self.writer.current_kind = session["current"]
        self.sealer = Sealer(self.chain.kid, sign)
        self.sign = sign
        self.signer: SessionSigner | None = None

    def seal(self, number: int) -> bytes:
        """The record of step 0 or 1, sealed as a recorder does."""
        step = self.session["steps"][number]
        expected = bytes.fromhex(self.session["begin"])
        body = cbor2.loads(cbor2.loads(expected).value[2])[-65537]
        reading = Reading()
        reading.ctx = TRANSACTION
        reading.time_ms, reading.tsync, reading.mono_ms = step["time"], step["tsync"], step["mono"]
        reading.import_milliwh, reading.use_s, reading.power_milliw = step["milliwh"], 60, 1000
        reading.status, reading.err = step.get("status", "G"), step.get("err", "")
        reading.tx = step["tx"]
        self.chain.seq[2] = step["evt"]
        self.chain.prev = body[11]
        if self.signer is not None:
            reading.ocmf = self.signer.end(self.chain, reading, lambda: None)
        target = bytearray(RECORD_MAX)
        size = self.sealer.seal(target, self.writer.write(self.chain, reading), lambda: None)
        self.chain.seq[TRANSACTION] += 1
        if step["tx"] == "B":
            self.signer = SessionSigner(self.chain, reading, self.writer, self.sign)
        return bytes(target[:size])


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["name"])
def test_node_writes_both_records_of_a_session_byte_for_byte(session: dict, table: bytes) -> None:
    node = NodeSide(session, table)
    assert node.seal(0).hex() == session["begin"]
    assert node.seal(1).hex() == session["end"]


def test_largest_end_of_a_session_fits_the_buffers_of_a_node(table: bytes) -> None:
    largest = {"time": (1 << 42), "tsync": 3, "milliwh": 1 << 62, "mono": 1 << 62, "evt": 1 << 32}
    steps = [
        {**largest, "tx": "B"},
        {**largest, "tx": "P", "status": "X", "err": "Et"},
    ]
    session = {**SESSIONS[0], "serial": "S" * 32, "user": "u" * 20, "steps": steps}
    node = NodeSide({**session, "seq": (1 << 32) - 3}, table)
    node.chain.bootcount = (1 << 32) - 1
    node.seal(0)
    assert 450 < len(node.seal(1)) <= RECORD_MAX


def test_session_is_not_signed_where_numbers_were_burnt_in_it(table: bytes) -> None:
    node = NodeSide(SESSIONS[0], table)
    node.seal(0)
    node.chain.seq[TRANSACTION] += 1
    body = cbor2.loads(cbor2.loads(node.seal(1)).value[2])[-65537]
    assert 25 not in body


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (0, "1970-01-01T00:00:00"),
        (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"),
        (1_798_761_599, "2026-12-31T23:59:59"),
        (1_798_761_600, "2027-01-01T00:00:00"),
        (4_107_542_399, "2100-02-28T23:59:59"),
        (4_107_542_400, "2100-03-01T00:00:00"),
    ],
)
def test_utc_is_written_from_seconds(second: int, text: str) -> None:
    assert utc_text(second) == text


def test_utc_of_each_day_of_this_century_is_that_of_another_calendar() -> None:
    from datetime import UTC, datetime

    for day in range(36_525):
        second = 946_684_800 + 86_400 * day
        assert utc_text(second)[:10] == datetime.fromtimestamp(second, UTC).date().isoformat()


# ---- on an emulated board ----


def ocmf_of(setup: Setup, begin: Decoded, end: Decoded) -> tuple[str, str]:
    """OCMF of a session as another party makes it from the two records, and the key in hex."""
    steps = [
        SimpleNamespace(body=record.body, milliwh=record.mantissas[0]) for record in (begin, end)
    ]
    case = (
        "", end.claims[2], end.body[15][4], begin.seq, end.body[13],
        *(
            {
                "time": step.body[3], "tsync": step.body[4], "milliwh": step.milliwh,
                "tx": step.body[9], "evt": step.body[10], "status": step.body[7],
                "err": step.body.get(8, ""),
            }
            for step in steps
        ),
    )  # fmt: skip
    text = vector_sessions._text(case).replace(VECTORS["cfg"], end.body[12].hex())
    r, s = end.body[25][:32], end.body[25][32:]
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    key = SPKI + setup.host.hellos[-1][8]
    return f'OCMF|{text}|{{"SD":"{der.hex()}"}}', key.hex()


@pytest.mark.emulated
def test_session_of_an_emulated_board_is_ocmf_that_another_verifier_accepts() -> None:
    setup = Setup().start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    for name in ("first|one", ""):
        assert setup.command(BEGIN, name) == 0
        setup.run_s(70)
        assert setup.command(END) == 0
    setup.run_s(3)
    records = setup.records(1)
    for number, (begin, end) in enumerate(zip(records[::2], records[1::2], strict=True), 1):
        text, key = ocmf_of(setup, begin, end)
        parsed = pyocmf.OCMF.from_string(text, strict=True)
        assert parsed.verify(key) == (True, [])
        assert f"T{number}" == parsed.payload.PG
        forged = pyocmf.OCMF.from_string(text.replace('"ST":"G"', '"ST":"X"', 1))
        assert not forged.verify_signature(key)


@pytest.mark.emulated
def test_session_that_a_power_failure_ends_has_no_time_and_no_signature() -> None:
    setup = Setup().start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    setup.command(BEGIN, "cut")
    setup.run_s(30)
    setup.board.power_off()
    setup.run_s(30)
    setup.board.power_on()
    setup.run_s(10)
    setup.command(SET_TIME, NOON_MS + 120_000)
    setup.command(BEGIN, "next")
    setup.run_s(30)
    setup.command(END)
    setup.run_s(3)
    _, cut, _, end = setup.records(1)
    assert (cut.body[9], 3 in cut.body, 25 in cut.body) == ("P", False, False)
    text, key = ocmf_of(setup, setup.records(1)[2], end)
    assert '"PG":"T2"' in text
    assert pyocmf.OCMF.from_string(text, strict=True).verify(key) == (True, [])


@pytest.mark.emulated
def test_session_is_signed_by_a_secure_element_too() -> None:
    setup = element_node.node().start().run_s(5)
    setup.command(SET_TIME, NOON_MS)
    setup.command(BEGIN, "element")
    setup.run_s(30)
    setup.command(END)
    setup.run_s(3)
    text, key = ocmf_of(setup, *setup.records(1))
    assert pyocmf.OCMF.from_string(text, strict=True).verify(key) == (True, [])


def free_bytes_after(sessions: int) -> int:
    """Free heap of a node that was stopped after as many sessions."""
    setup = Setup().start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    for _ in range(sessions):
        setup.command(BEGIN, "s")
        setup.run_s(5)
        setup.command(END)
        setup.run_s(3)
    assert len(setup.records(1)) == 2 * sessions
    setup.send(b"\x03")
    setup.run_s(1)
    setup.send(b"import gc; gc.collect(); print('left', gc.mem_free(), 'bytes')\r")
    setup.run_s(1)
    text = bytes(setup.host.text + setup.host.stream).decode()
    return int(text.rpartition("left ")[2].split()[0])


@pytest.mark.emulated
def test_memory_of_sessions_is_given_back_when_they_end() -> None:
    """Goal: what one session needs is there for signing when it is over; none leaks any."""
    none, one, five = (free_bytes_after(sessions) for sessions in (0, 1, 5))
    assert none - one < 500, (none, one)
    assert abs(one - five) < 200, (one, five)
