"""A bench, a witness of the other party, and a ledger that somebody puts back: four programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from test_cli_live import PROGRAM, boards_up, collect
from test_cli_witness import witness

pytestmark = [pytest.mark.emulated, pytest.mark.long]


def key_of(folder: Path) -> str:
    argv = [*PROGRAM, "ledger", "show", str(folder), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["key"])


@pytest.mark.parametrize("guard", ["witness", "copy"])
def test_a_live_ledger_put_back_from_a_backup_is_not_gone_on_with(
    guard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("WATTEST_HOME", str(home))
    if guard == "copy":
        home.mkdir()
    out, backup = tmp_path / "PLANT", tmp_path / "backup"
    with boards_up(tmp_path, "--for", "60s"):
        begun = collect(tmp_path, "--for", "2s", "--out", "PLANT")
        assert begun.returncode == 0, begun.stderr
        shutil.copytree(out, backup)
        with witness(tmp_path / "w.json", "--log", key_of(out)) as process:
            asked = ("--witness", process.address) if guard == "witness" else ()
            done = collect(tmp_path, "--for", "3s", "--out", "PLANT", *asked)
            assert done.returncode == 0, done.stderr
            assert ("cosigned size" in done.stderr) == (guard == "witness")
            whole = subprocess.run([*PROGRAM, "verify", str(out)], check=False)
            assert whole.returncode == 0
            shutil.rmtree(out)
            shutil.copytree(backup, out)
            refused = collect(tmp_path, "--for", "2s", "--out", "PLANT", *asked)
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]
    says = "fork of wattest/live" if guard == "witness" else "older copy was put in its place"
    assert says in last
    assert "Traceback" not in refused.stderr
    assert (out / "ledger.sqlite").read_bytes() == (backup / "ledger.sqlite").read_bytes()
