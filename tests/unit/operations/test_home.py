"""Where a bench keeps what outlives a command."""

from pathlib import Path

import pytest

from wattest.errors import ConfigError, StoreError
from wattest.operations.commission.home import Home


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """An environment that says nothing but where the person's home is."""
    for name in ("WATTEST_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_option_goes_before_the_environment(monkeypatch, tmp_path):
    assert Home.find().path == tmp_path / ".local" / "share" / "wattest"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Home.find().path == tmp_path / "data" / "wattest"
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "mine"))
    assert Home.find().path == tmp_path / "mine"
    assert Home.find(tmp_path / "chosen").path == tmp_path / "chosen"


def test_a_relative_data_folder_is_not_one(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert Home.find().path == tmp_path / ".local" / "share" / "wattest"


def test_a_relative_choice_is_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Home.find(Path("bench")).path == tmp_path / "bench"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home(_cls):
        raise RuntimeError

    monkeypatch.setattr(Path, "home", classmethod(no_home))
    with pytest.raises(ConfigError, match="no home folder found") as caught:
        Home.find()
    assert "WATTEST_HOME" in caught.value.hint


def test_everything_is_below_it_and_its_owners_alone(tmp_path):
    home = Home(tmp_path / "a" / "bench")
    places = (home.passport, home.ports, home.micropython, home.rescue, home.keys, home.collected)
    assert len({*places}) == 6
    assert all(place.parent == home.path for place in places)
    assert not home.path.exists()
    for folder in (home.make(), home.make(home.rescue)):
        assert folder.stat().st_mode & 0o077 == 0
    assert home.make(home.rescue) == home.rescue


def test_a_home_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file: cannot be made: file exists"):
        Home(tmp_path / "file").make()
