"""A run whose folder names a database keeps the same ledger there as a run with a file."""

import pytest

from postgresql_samples import own_schema
from wattest.cli.main import main
from wattest.operations.kept.ledger_view import open_view

LOAD = "time,power\n2026-01-01T00:00:00Z,1200\n2026-01-01T00:02:00Z,800\n"


@pytest.mark.emulated
def test_run_in_a_database_is_the_run_in_a_file(tmp_path, capsys):
    load = tmp_path / "load.csv"
    load.write_text(LOAD, encoding="utf-8")
    file, database = tmp_path / "file", tmp_path / "database"
    database.mkdir()
    with own_schema() as url:
        (database / "ledger.url").write_text(url, encoding="utf-8")
        roots, bodies = [], []
        for folder in (file, database):
            words = ["replay", str(load), "--interval", "60s", "--for", "2min", "--headless"]
            assert main([*words, "--out", str(folder)]) == 0
            assert main(["verify", str(folder)]) == 0
            with open_view(folder) as view:
                roots.append((view.size, view.root(), view.checkpoint().note))
                bodies.append([entry.body for entry in view.entries()])
        assert roots[0] == roots[1]
        assert bodies[0] == bodies[1]
        assert not (database / "ledger.sqlite").exists()
        capsys.readouterr()
        assert main(["replay", str(load), "--headless", "--out", str(database)]) == 2
        assert "already holds a run" in capsys.readouterr().err
