"""The folder of a run whose ledger is in a database, maybe with other benches."""

import shutil

import pytest
from kept_run import make_kept_run

from ledger_samples import SampleNode
from postgresql_samples import own_schema
from wattest.cli import main
from wattest.errors import ConfigError, SignatureInvalid
from wattest.ledger import Receipt
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.kept.migrate import migrate
from wattest.operations.live.folder import LiveDir
from wattest.operations.rundir import RunDir
from wattest.operations.virtual.database import empty_store


@pytest.fixture
def url():
    with own_schema() as named:
        yield named


def live(path):
    return LiveDir(path, epoch_ms=1, interval_ms=1000, demo_keys=True)


def bench_at(path, url, key=None):
    """Make the folder of a bench that logs into a database."""
    path.mkdir()
    (path / "ledger.url").write_text(f"{url}\n", encoding="utf-8")
    if key is not None:
        shutil.copy(key, path / "ledger.key")
    return path


def test_two_benches_log_into_one_database(tmp_path, url):
    first = bench_at(tmp_path / "one", url)
    with live(first) as one:
        second = bench_at(tmp_path / "two", url, first / "ledger.key")
        with live(second) as two:
            left, right = one.open_ledger(), two.open_ledger()
            for number in (1, 2, 3):
                expected = Receipt(index=2 * number - 2, size=2 * number - 1)
                assert left.append([SampleNode(number).enrolment()]) == [expected]
                right.append([SampleNode(number + 10).enrolment()])
    for folder in (first, second):
        with open_view(folder) as view:
            assert view.size == 6
        assert not RunDir(folder).ledger.exists()
    with live(first) as again:
        assert again.resumed
        assert again.open_ledger().size == 6


def test_bench_with_a_key_of_its_own_cannot_go_on_with_the_log_of_another(tmp_path, url):
    with live(bench_at(tmp_path / "one", url)) as one:
        one.open_ledger().append([SampleNode().enrolment()])
    with (
        live(bench_at(tmp_path / "two", url)) as two,
        pytest.raises(SignatureInvalid, match="wattest/live"),
    ):
        two.open_ledger()


@pytest.mark.parametrize("text", ["", "ledger.sqlite", "postgresql://a b", "a://b\nc://d"])
def test_file_without_one_url_is_one_line(tmp_path, text):
    folder = RunDir(tmp_path)
    folder.ledger_url.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected one line with the URL") as caught:
        _ = folder.ledger_place
    assert "ledger.url" in caught.value.diagnostics()


def test_kept_run_is_read_from_the_database_it_was_copied_to(tmp_path, url, capsys):
    run = make_kept_run(tmp_path / "OUT")
    outputs = []
    for _ in range(2):
        for command in (["ledger", "show"], ["ledger", "prove", "2"], ["statement"]):
            verb, *rest = command[1:] or [""]
            words = [command[0], *([verb] if verb else []), str(run.path), *rest]
            assert main.main(words) == 0
        outputs.append(capsys.readouterr().out)
        if not run.ledger_url.exists():
            list(migrate(run.path, url))
            run.ledger_url.write_text(url, encoding="utf-8")
            run.ledger.unlink()
    assert outputs[0] == outputs[1]


def test_run_in_virtual_time_begins_a_ledger_of_its_own(tmp_path, url):
    with empty_store(RunDir(bench_at(tmp_path / "one", url))) as store:
        assert store.is_new
    with live(bench_at(tmp_path / "live", url)) as folder:
        folder.open_ledger().append([SampleNode().enrolment()])
    with pytest.raises(ConfigError, match="names a ledger of 1 entries"):
        empty_store(RunDir(tmp_path / "one"))
