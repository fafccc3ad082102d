"""A ledger as static files, read back over HTTP by a client written from the specification."""

from __future__ import annotations

import base64
import functools
import http.client
import http.server
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from ledger_samples import plain, signer
from wattest.errors import CheckpointInconsistent, ConfigError, ForkFound, StoreError
from wattest.ledger import Entry, EntryKind, Ledger, NewEntry
from wattest.ledger.cosignature import Cosigner, WitnessPolicy
from wattest.ledger.tiles import number_path, tile_files
from wattest.operations.kept.export_tiles import export_tiles
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import SqliteStore
from wattest.wire.note import parse_note


def kept(path: Path, count: int, *, other: bool = False, seed: int = 1) -> RunDir:
    """Return a kept run whose ledger grows to ``count`` entries."""
    run = RunDir(path)
    if not run.ledger.exists():
        run.make(scenario="")
        run.write_json({CHECKPOINT_KEY: signer(seed).verifier.to_text()})
    with SqliteStore(run.ledger) as store:
        ledger = Ledger(store, signer(seed))
        shift = 1_000_000 if other else 0
        ledger.append([plain(n + shift) for n in range(ledger.size, count)])
    return run


@contextmanager
def file_server(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve a folder like any static file server; yields host and port."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[0], server.server_address[1]  # type: ignore[misc]
        finally:
            server.shutdown()
            thread.join()


class Client:
    """A reader of tiled logs, written from c2sp.org/tlog-tiles with nothing of ours.

    Args:
        address: host and port.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.checkpoint = self.fetch("checkpoint")
        _, size, root = self.checkpoint.decode().split("\n")[:3]
        self.size, self.root = int(size), base64.b64decode(root)
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def fetch(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        try:
            connection.request("GET", f"/{path}")
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, path
            return body
        finally:
            connection.close()

    def place(self, prefix: str, number: int, level: int) -> str:
        """Return a tile's path: digits by three, all but the last with an x; .p/W if partial."""
        digits = str(number).zfill(-(-len(str(number)) // 3) * 3)
        parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        path = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
        have = self.size // 256**level
        width = min(256, have - number * 256)
        return f"tile/{prefix}/{path}" + ("" if width == 256 else f".p/{width}")

    def tile(self, level: int, number: int) -> list[bytes]:
        if (level, number) not in self._tiles:
            data = self.fetch(self.place(str(level), number, level))
            hashes = [data[i : i + 32] for i in range(0, len(data), 32)]
            assert all(len(value) == 32 for value in hashes)
            self._tiles[level, number] = hashes
        return self._tiles[level, number]

    def subtree(self, start: int, width: int) -> bytes:
        """Return the hash of the complete subtree over [start, start + width)."""
        level = 0
        while width >= 256:
            level, start, width = level + 1, start // 256, width // 256
        row = self.tile(level, start // 256)[start % 256 : start % 256 + width]
        assert len(row) == width
        while len(row) > 1:
            row = [sha256(b"\x01" + a + b).digest() for a, b in zip(*[iter(row)] * 2, strict=True)]
        return row[0]

    def tree(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop]) of RFC 6962, from complete subtrees."""
        width = stop - start
        if width & (width - 1) == 0:
            return self.subtree(start, width)
        k = 1 << (width - 1).bit_length() - 1
        left, right = self.tree(start, start + k), self.tree(start + k, stop)
        return sha256(b"\x01" + left + right).digest()

    def entry(self, index: int) -> bytes:
        data = self.fetch(self.place("entries", index // 256, 0))
        entries = []
        while data:
            size = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + size])
            assert len(entries[-1]) == size
            data = data[2 + size :]
        return entries[index % 256]

    def included(self, index: int) -> bool:
        """PATH(m, D[n]) of RFC 6962, walked from the leaf up to the checkpoint's root."""
        value, path = sha256(b"\x00" + self.entry(index)).digest(), []
        start, stop = 0, self.size
        while stop - start > 1:
            k = 1 << (stop - start - 1).bit_length() - 1
            if index < start + k:
                path.append((False, self.tree(start + k, stop)))
                stop = start + k
            else:
                path.append((True, self.tree(start, start + k)))
                start += k
        for on_left, other in reversed(path):
            value = sha256(b"\x01" + (other + value if on_left else value + other)).digest()
        return value == self.root


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
def test_an_independent_client_finds_root_and_entries(size: int, tmp_path: Path):
    done = export_tiles(kept(tmp_path / "OUT", size).path, tmp_path / "tiles")
    assert (done.size, done.files) == (size, done.written)
    with file_server(tmp_path / "tiles") as address:
        client = Client(address)
        assert client.size == size
        assert client.tree(0, size) == client.root
        signer().verifier.open(client.checkpoint)
        for index in {0, size // 2, size - 1}:
            assert client.entry(index) == bytes([EntryKind.TERMS]) + b"terms %d" % index
            assert client.included(index)


def test_a_client_notices_a_changed_file(tmp_path: Path):
    export_tiles(kept(tmp_path / "OUT", 300).path, tmp_path / "tiles")
    for path, index in (
        ("tile/entries/000", 5),
        ("tile/0/001.p/44", 290),
        ("tile/1/000.p/1", 290),
    ):
        file = tmp_path / "tiles" / path
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[9] ^= 1
        file.write_bytes(bytes(changed))
        with file_server(tmp_path / "tiles") as address:
            client = Client(address)
            assert not all(client.included(i) for i in (0, index))
        file.write_bytes(whole)


def test_the_layout_is_that_of_the_specification():
    """Examples of c2sp.org/tlog-tiles: paths, and the tiles of a tree of 70,000 entries."""
    assert number_path(1_234_067) == "x001/x234/067"
    assert [number_path(n) for n in (0, 999, 1000)] == ["000", "999", "x001/000"]
    body = plain(0).body
    leaf = sha256(b"\x00" + bytes([4]) + body).digest()
    entries = (Entry(index=i, kind=4, body=body, leaf=leaf) for i in range(70_000))
    widths: dict[str, list[int]] = {"0": [], "1": [], "2": [], "entries": []}
    for file in tile_files(entries):
        kind, partial = file.path.split("/")[1], file.path.rpartition(".p/")
        if kind == "entries":
            count = len(file.content) // (3 + len(body))
            assert len(file.content) == count * (3 + len(body))
        else:
            count = len(file.content) // 32
        assert count == (int(partial[2]) if partial[1] else 256)
        widths[kind].append(count)
    assert widths["0"] == [256] * 273 + [112]
    assert widths["1"] == [256, 17]
    assert widths["2"] == [1]
    assert widths["entries"] == widths["0"]


def test_an_export_goes_on_and_writes_what_is_new(tmp_path: Path):
    out = tmp_path / "tiles"
    export_tiles(kept(tmp_path / "OUT", 300).path, out)
    assert export_tiles(tmp_path / "OUT", out).written == 0
    done = export_tiles(kept(tmp_path / "OUT", 520).path, out)
    assert done.written == 2 + 2 + 1  # full 001, partial 002 of tiles and bundles; level 1
    assert (out / "tile/0/001.p/44").exists()
    with file_server(out) as address:
        client = Client(address)
        assert client.tree(0, 520) == client.root


def test_cosignatures_are_served_with_the_checkpoint(tmp_path: Path):
    run = kept(tmp_path / "OUT", 3)
    witness = Cosigner("witness.example/w1", bytes(32))
    with SqliteStore(run.ledger) as store:
        newest = store.head().checkpoint
        assert newest is not None
        line = witness.sign(parse_note(newest.note).text, 9).line.strip()
        store.add_cosignatures(3, [line.encode()])
    assert export_tiles(run.path, tmp_path / "tiles").cosignatures == 1
    note = (tmp_path / "tiles" / "checkpoint").read_bytes()
    assert len(WitnessPolicy(1, [witness.key]).verify(note)) == 1


def test_another_history_does_not_go_on_with_an_export(tmp_path: Path):
    out = tmp_path / "tiles"
    export_tiles(kept(tmp_path / "A", 5).path, out)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(ForkFound, match="does not go on from the checkpoint of size 5"):
        export_tiles(kept(tmp_path / "B", 6, other=True).path, out)
    with pytest.raises(ForkFound, match=r"has 4 entries, but .* covers 5"):
        export_tiles(kept(tmp_path / "C", 4).path, out)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path):
    run = kept(tmp_path / "OUT", 3)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(ConfigError, match="holds something else"):
        export_tiles(run.path, tmp_path / "home")
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["letter.txt"]
    with pytest.raises(ConfigError, match="is a file, expected a folder"):
        export_tiles(run.path, tmp_path / "home" / "letter.txt")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "checkpoint").write_text("dear", "utf-8")
    with pytest.raises(ConfigError, match="its checkpoint: note"):
        export_tiles(run.path, tmp_path / "odd")


def test_an_entry_that_was_changed_is_not_published(tmp_path: Path):
    run = kept(tmp_path / "OUT", 3)
    with sqlite3.connect(run.ledger) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entry SET body = x'00' WHERE idx = 1")
    connection.close()
    with pytest.raises(CheckpointInconsistent, match="the entries lead to size 3 root"):
        export_tiles(run.path, tmp_path / "tiles")
    assert not (tmp_path / "tiles").exists()


def test_an_entry_the_layout_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path):
    run = kept(tmp_path / "OUT", 1)
    with SqliteStore(run.ledger) as store:
        Ledger(store, signer()).append([NewEntry(kind=EntryKind.TERMS, body=bytes(65_535))])
    with pytest.raises(StoreError, match="entry 1 has 65536 bytes, tlog-tiles holds at most"):
        export_tiles(run.path, tmp_path / "tiles")
    assert not (tmp_path / "tiles").exists()


def test_an_empty_ledger_has_nothing_to_export(tmp_path: Path):
    run = kept(tmp_path / "OUT", 0)
    with pytest.raises(ConfigError, match="the ledger is empty"):
        export_tiles(run.path, tmp_path / "tiles")
