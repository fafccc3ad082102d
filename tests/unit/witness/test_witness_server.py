"""A witness over real HTTP: what logs get, what strangers get, and that nothing ends it."""

from __future__ import annotations

import http.client
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ledger_samples import signer
from wattest.errors import ConfigError, ForkFound, LinkError, SignatureInvalid, WattestError
from wattest.ledger import LedgerView
from wattest.ledger.cosignature import Cosigner, WitnessPolicy, parse_cosignature
from wattest.ledger.witness import REQUEST_BYTES_MAX, SIZE_TYPE, AddCheckpoint
from wattest.ledger.witness_client import Reply, WitnessLine, ask_to_cosign, check_with_witness
from wattest.wire.note import parse_note
from wattest.witness import Keeper, WitnessAddress, WitnessServer
from wattest.witness.keeper import digest_of
from witness_samples import SampleLog, served, way_to

VERIFIER = signer().verifier


def ask(
    server: WitnessServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def test_a_log_has_its_newest_checkpoint_cosigned_and_needs_one_question_for_the_next(
    tmp_path: Path,
):
    log = SampleLog(5)
    with served(tmp_path / "w.json") as (server, told):
        line = way_to(server)
        signed, given = ask_to_cosign(log.view, line)
        log.grow(300)
        signed, given = ask_to_cosign(log.view, line, known_size=5)
        assert [(each.status, each.size) for each in told] == [(200, 5), (200, 305)]
        assert signed.checkpoint.size == 305
        again = line.key.verify(parse_note(log.note).text, parse_cosignature(given.line.encode()))
        assert again == given
        assert check_with_witness(log.view, line) == 305


def test_a_log_that_forgot_what_the_witness_knows_is_told_and_goes_on(tmp_path: Path):
    log = SampleLog(5)
    with served(tmp_path / "w.json") as (server, told):
        ask_to_cosign(log.view, way_to(server))
        log.grow(4)
        for hint in (0, 3, 99):
            ask_to_cosign(log.view, way_to(server), known_size=hint)
        assert [each.status for each in told] == [200, 409, 200, 409, 200, 409, 200]


def test_a_program_that_looked_before_another_appended_looks_again(tmp_path: Path):
    log = SampleLog(5)
    stale = log.view
    log.grow(2)
    with served(tmp_path / "w.json") as (server, _):
        ask_to_cosign(log.view, way_to(server))
        signed, _ = ask_to_cosign(stale, way_to(server))
        assert signed.checkpoint.size == 7


def test_a_ledger_whose_key_changed_goes_on_once_the_witness_trusts_the_new_one(tmp_path: Path):
    log, new = SampleLog(5), signer(2)
    with served(tmp_path / "w.json") as (server, _):
        ask_to_cosign(log.view, way_to(server))
        log.ledger.rotate(new)
        log.grow(2)
        view = LedgerView(log.store, new.verifier)
        assert check_with_witness(view, way_to(server)) == 5
        with pytest.raises(LinkError, match="refused, 403") as caught:
            ask_to_cosign(view, way_to(server))
        assert f"--log {new.verifier.to_text()}" in caught.value.diagnostics()
        server.keeper.trust([new.verifier])
        signed, _ = ask_to_cosign(view, way_to(server))
        assert signed.checkpoint.size == 8
        assert check_with_witness(view, way_to(server)) == 8
    with served(tmp_path / "w.json") as (server, _):
        assert server.keeper.state.logs["wattest/test"].size == 8


def test_two_of_three_witnesses_make_a_checkpoint_that_a_policy_accepts(tmp_path: Path):
    log = SampleLog(9)
    with (
        served(tmp_path / "1.json", number=1) as (one, _),
        served(tmp_path / "2.json", number=2) as (two, _),
    ):
        keys = [one.keeper.key, two.keeper.key, Cosigner("absent.example", bytes(32)).key]
        policy = WitnessPolicy(2, keys)
        lines = []
        for server in (one, two):
            with pytest.raises(SignatureInvalid, match=r"of 2 of 3 witnesses, got"):
                policy.verify(log.note, lines)
            _, given = ask_to_cosign(log.view, way_to(server))
            lines.append(given.line.encode())
        assert len(policy.verify(log.note, lines)) == 2


@pytest.mark.parametrize("size", [3, 5, 8])
def test_a_forked_log_is_refused_whatever_its_size_and_both_notes_are_told(
    size: int, tmp_path: Path
):
    honest, forked = SampleLog(5), SampleLog(size, other=True)
    with served(tmp_path / "w.json") as (server, told):
        ask_to_cosign(honest.view, way_to(server))
        for attempt in (ask_to_cosign, check_with_witness):
            with pytest.raises(ForkFound) as caught:
                attempt(forked.view, way_to(server))
            line = caught.value.diagnostics()
            assert f"size 5 root {honest.ledger.root().hex()}" in line
            assert f"size {size} root {forked.ledger.root().hex()}" in line
            assert caught.value.known.startswith(honest.note)
            assert caught.value.shown == forked.note
        assert server.keeper.state.logs["wattest/test"].root == honest.ledger.root()
        if size >= 5:
            assert told[-1].evidence is not None
        log = SampleLog(7)
        ask_to_cosign(log.view, way_to(server))


def test_a_ledger_that_was_emptied_is_a_fork(tmp_path: Path):
    with served(tmp_path / "w.json") as (server, _):
        ask_to_cosign(SampleLog(5).view, way_to(server))
        with pytest.raises(ForkFound, match="this ledger is empty"):
            check_with_witness(SampleLog(0).view, way_to(server))


def test_an_unknown_log_is_told_what_the_witness_must_add(tmp_path: Path):
    with served(tmp_path / "w.json", trusting=False) as (server, _):
        with pytest.raises(LinkError, match="refused, 404") as caught:
            ask_to_cosign(SampleLog(1).view, way_to(server))
        assert f"--log {VERIFIER.to_text()}" in caught.value.diagnostics()
        assert check_with_witness(SampleLog(1).view, way_to(server)) is None
    with served(tmp_path / "v.json") as (server, _):
        other = signer(2)
        note = other.sign(3, bytes(32)).note
        body = AddCheckpoint(old_size=0, proof=(), note=note).encode()
        assert ask(server, "POST", "/add-checkpoint", body)[0] == 403


def test_another_witness_at_the_same_address_does_not_count(tmp_path: Path):
    with served(tmp_path / "w.json") as (server, _):
        stranger = Cosigner(server.keeper.key.name, bytes(32)).key
        line = way_to(server)
        with pytest.raises(SignatureInvalid, match="expected its cosignature of key"):
            ask_to_cosign(SampleLog(1).view, replace(line, key=stranger))


def test_answers_have_the_protocols_status_and_content_type(tmp_path: Path):
    log = SampleLog(5)
    body = AddCheckpoint(old_size=0, proof=(), note=log.note).encode()
    with served(tmp_path / "w.json") as (server, _):
        status, kind, lines = ask(server, "POST", "/add-checkpoint", body)
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert lines.startswith("\u2014 witness.example/w1 ".encode())
        assert ask(server, "POST", "/add-checkpoint", body) == (409, SIZE_TYPE, b"5\n")
        status, _, newest = ask(server, "GET", f"/{digest_of('wattest/test')}/checkpoint")
        assert (status, newest) == (200, log.note + lines)
        assert server.keeper.key.to_text().encode() in ask(server, "GET", "/")[2]


def test_one_connection_carries_many_requests(tmp_path: Path):
    log = SampleLog(5)
    body = AddCheckpoint(old_size=0, proof=(), note=log.note).encode()
    with served(tmp_path / "w.json") as (server, _):
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
        for status in (200, 409, 409):
            connection.request("POST", "/add-checkpoint", body=body)
            response = connection.getresponse()
            response.read()
            assert response.status == status
        connection.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"POST /other HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"404"),
        (b"GET /add-checkpoint HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"501"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", b"400"),
        (b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_a_bad_request_is_answered_and_the_witness_goes_on(
    raw: bytes, status: bytes, tmp_path: Path
):
    with served(tmp_path / "w.json") as (server, _):
        with socket.create_connection(server.server_address[:2], timeout=20) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert status in answer.split(b"\n")[0] + answer[-200:]
        ask_to_cosign(SampleLog(1).view, way_to(server))


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\ncontent-length: 18\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 18\r\n\r\n",
    ],
)
def test_what_a_body_may_hold_is_never_taken_for_a_request(head: bytes, tmp_path: Path):
    with (
        served(tmp_path / "w.json") as (server, told),
        socket.create_connection(server.server_address[:2], timeout=20) as client,
    ):
        client.sendall(head + b"GET / HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert (answer.count(b"HTTP/1.1 "), told) == (1, [])


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(tmp_path: Path):
    log = SampleLog(5)
    body = AddCheckpoint(old_size=0, proof=(), note=log.note).encode()
    head = f"POST /add-checkpoint HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with served(tmp_path / "w.json") as (server, told):
        for part in (b"", head[:20], head, head + body[:-1]):
            with socket.create_connection(server.server_address[:2], timeout=20) as client:
                client.sendall(part)
        ask_to_cosign(log.view, way_to(server))
        assert [each.status for each in told] == [200]


def test_the_largest_body_is_read_and_refused_as_what_it_is(tmp_path: Path):
    with served(tmp_path / "w.json") as (server, _):
        body = b"old 0\n\n" + b"x" * (REQUEST_BYTES_MAX - 7)
        assert ask(server, "POST", "/add-checkpoint", body)[0] == 400


def test_a_port_in_use_is_one_line_with_the_address(tmp_path: Path):
    with (
        served(tmp_path / "w.json") as (server, _),
        Keeper(tmp_path / "v.json", default_name="v") as keeper,
        pytest.raises(ConfigError, match=r"--listen 127.0.0.1:\d+: cannot be listened on"),
    ):
        WitnessServer(keeper, "127.0.0.1", server.server_address[1], tell=lambda _: None)


def test_a_witness_that_is_not_there_or_no_witness_is_a_link_error(tmp_path: Path):
    with served(tmp_path / "w.json") as (server, _):
        line = way_to(server)
    with pytest.raises(LinkError, match="cannot be reached"):
        ask_to_cosign(SampleLog(1).view, line)


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(status=200, content_type="", body=b""), "NoteError", "1 to 64 lines"),
        (Reply(status=200, content_type="", body=b"yes\n"), "NoteError", "em dash"),
        (Reply(status=409, content_type="", body=b"no\n"), "LinkError", "expected a size"),
        (Reply(status=409, content_type="", body=b"1\n"), "LinkError", "names a size"),
        (Reply(status=500, content_type="", body=b"\xffoops\nx"), "LinkError", "refused, 500"),
        (Reply(status=302, content_type="", body=b""), "LinkError", "refused, 302"),
    ],
)
def test_a_witness_that_answers_nonsense_is_one_line(reply: Reply, error: str, message: str):
    line = WitnessLine(
        key=Cosigner("w", bytes(32)).key, where="w", add=lambda _: reply, newest=lambda _: None
    )
    with pytest.raises(WattestError, match=message) as caught:
        ask_to_cosign(SampleLog(2).view, line)
    assert type(caught.value).__name__ == error
    assert "\n" not in caught.value.diagnostics()


@pytest.mark.parametrize(
    "text",
    [
        "http://h:1",
        "#",
        "h:1#{}",
        "ftp://h#{}",
        "http://#{}",
        "http://h:99999#{}",
        "http://h:x#{}",
        "http://u:p@h#{}",
        "http://h?x#{}",
        "http://h:1#abc",
    ],
)
def test_an_address_that_is_none_is_refused(text: str):
    vkey = Cosigner("w", bytes(32)).key.to_text()
    with pytest.raises(ConfigError, match="--witness"):
        WitnessAddress.from_text(text.format(vkey))


def test_an_address_may_have_a_prefix():
    vkey = Cosigner("w", bytes(32)).key.to_text()
    assert WitnessAddress.from_text(f"https://h/w/#{vkey}").url == "https://h/w"
