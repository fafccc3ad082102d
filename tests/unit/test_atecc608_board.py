"""A board with a secure element: what its file says, and what in it is refused."""

from pathlib import Path

import pytest

from wattest.boards import load_board, node_config
from wattest.data import data_root
from wattest.errors import ConfigError

BOARD = (data_root() / "boards" / "emulated-esp32-atecc608.toml").read_text()
OWN_BUS = """[secure_element.i2c]
id = 1
scl_pin = 26
sda_pin = 27
frequency_hz = 100_000
[meter]"""


def load(folder: Path, *changes: tuple[str, str]):
    text = BOARD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "board.toml"
    path.write_text(text)
    return load_board(path)


def test_the_element_is_on_the_bus_of_the_sensor_unless_the_file_says_otherwise():
    board = load_board("emulated-esp32-atecc608")
    element = board.secure_element
    assert element is not None
    assert (element.chip, element.address, element.slot) == ("atecc608", 0x60, 0)
    assert element.i2c == board.i2c
    assert load_board("emulated-esp32").secure_element is None


def test_the_node_is_told_where_its_element_is():
    config = node_config(load_board("emulated-esp32-atecc608"), serial="N1", interval_ms=60_000)
    assert config["element_address"] == 0x60
    assert (config["element_i2c_scl"], config["element_i2c_freq_hz"]) == (22, 100_000)
    plain = node_config(load_board("emulated-esp32"), serial="N1", interval_ms=60_000)
    assert not [key for key in plain if "element" in key]


def test_an_element_may_have_a_bus_of_its_own_and_the_sensor_a_fast_one(tmp_path):
    board = load(tmp_path, ("[meter]", OWN_BUS), ("= 100_000 #", "= 400_000 #"))
    assert board.secure_element is not None
    assert board.secure_element.i2c.scl_pin == 26
    assert board.i2c.frequency_hz == 400_000


WRONG = {
    "another chip": (('"atecc608"\na', '"atecc508"\na'), r"secure_element.chip: one of atecc608"),
    "slot": (("slot = 0", "slot = 16"), r"secure_element.slot: 0 to 15 expected, got 16"),
    "table of a signer": (
        ("p256_table_bytes = 0 #", "p256_table_bytes = 16_384 #"),
        r"memory.p256_table_bytes: 0, as the secure element signs expected, got 16384",
    ),
    "no signer at all": (
        ('[secure_element]\nchip = "atecc608"\naddress = 0x60\nslot = 0\n', ""),
        r"memory.p256_table_bytes: 16384 or 32768 expected, got 0",
    ),
    "too fast to be woken": (
        ("= 100_000 #", "= 400_000 #"),
        r"i2c.frequency_hz: at most 100000 expected with a secure element, got 400000",
    ),
    "one controller, other pins": (
        ("[meter]", OWN_BUS.replace("id = 1", "id = 0")),
        r"secure_element.i2c.id: another bus expected, got 0",
    ),
    "on a boot pin": (
        ("[meter]", OWN_BUS.replace("26", "12")),
        r"secure_element.i2c: pins that are no boot pins expected, got 12",
    ),
    "on the relay's pin": (
        ("[meter]", OWN_BUS.replace("26", "25")),
        r"secure_element.i2c: a pin that has no other purpose expected, got 25",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_element_is_refused(change, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, change)
