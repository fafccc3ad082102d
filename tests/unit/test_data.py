"""The data of the project: found in a checkout, and missed in one line."""

import pytest

import wattest.data
from wattest.data import data_root
from wattest.errors import ConfigError


def test_a_checkout_is_its_own_data_root():
    assert (data_root() / "boards" / "emulated-esp32.toml").is_file()
    assert (data_root() / "bench" / "scenarios" / "wind_farm.toml").is_file()


def test_a_wheel_carries_its_data_beside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "wattest"
    for folder in ("firmware", "boards", "bench"):
        (package / "_data" / folder).mkdir(parents=True)
    monkeypatch.setattr(wattest.data, "__file__", str(package / "data.py"))
    assert data_root() == package / "_data"


def test_a_broken_installation_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(wattest.data, "__file__", str(tmp_path / "a" / "b" / "data.py"))
    with pytest.raises(ConfigError, match="data folders expected firmware, boards, bench"):
        data_root()
