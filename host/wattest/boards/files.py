"""Board files under ``boards/``, read strictly; docs/boards.md explains every key."""

from __future__ import annotations

import difflib
from pathlib import Path

from wattest.boards.model import (
    Board,
    BootPin,
    ConsoleLink,
    FlashGeometry,
    I2cWiring,
    JournalBudget,
    Memory,
    MeterRating,
    MicroPythonImage,
    Relay,
    SecureElement,
    UsbId,
    measurement_constants,
)
from wattest.boards.sensor_files import check_sensor, read_sensor, read_uart
from wattest.boards.sensors import S0Wiring
from wattest.data import data_root
from wattest.errors import ConfigError
from wattest.tables import Table, read_table

_CHIPS = ("esp32", "esp32s3", "esp32c3", "esp32c6")
ELEMENT_FREQUENCY_HZ_MAX = 100_000
_RESET_CAUSES = (
    "power_on",
    "hard",
    "watchdog",
    "deep_sleep",
    "soft",
    "brownout",
    "panic",
)


def board_names() -> tuple[str, ...]:
    """Return the names of the boards that come with the project, sorted."""
    return tuple(sorted(path.stem for path in (data_root() / "boards").glob("*.toml")))


def load_board(name_or_path: str | Path) -> Board:
    """Read a board by its name, or by the path of a ``.toml`` file.

    Raises:
        ConfigError: no such board, or its file is wrong: path, dotted key, expected, got.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        return _read_board(read_table(Path(text)), Path(text).stem)
    names = board_names()
    if text not in names:
        near = difflib.get_close_matches(text, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "or give the path of a .toml file"
        raise ConfigError(
            f"one of {', '.join(names)} expected, got {text!r}", path="board", hint=hint
        )
    return _read_board(read_table(data_root() / "boards" / f"{text}.toml"), text)


def _read_board(table: Table, name: str) -> Board:
    memory = table.table("memory")
    link = table.table("link")
    board = Board(
        name=name,
        title=table.text("title"),
        emulated=table.flag("emulated", default=False),
        chip=table.choice("chip", _CHIPS),
        micropython=_micropython(table.table("micropython")),
        relay=_relay(table.table("relay")) if "relay" in table else None,
        watchdog_ms=table.integer("watchdog_ms", maximum=600_000),
        journal=_journal(table.table("journal")),
        i2c_target=table.flag("i2c_target"),
        flash=_flash(table.table("flash")),
        i2c=_i2c(table.table("i2c")),
        uart=read_uart(table.table("uart")) if "uart" in table else None,
        sensor=read_sensor(table.table("sensor")),
        meter=_meter(table.table("meter")),
        memory=Memory(
            heap_bytes=memory.integer("heap_bytes", minimum=64 * 1024, maximum=8 << 20),
            p256_table_bytes=_one_of(memory, "p256_table_bytes", (0, 16_384, 32_768)),
            rtc_bytes=memory.integer("rtc_bytes", minimum=64, maximum=8192),
        ),
        usb=tuple(_usb(entry) for entry in table.tables("usb")),
        boot_pins=tuple(_boot_pin(entry) for entry in table.tables("boot_pin")),
        link=ConsoleLink(
            kind=link.choice("kind", ("uart", "usb-serial-jtag", "usb-cdc", "pty")),
            baud=link.integer("baud", minimum=9600, maximum=3_000_000),
        ),
        reset_causes=_reset_causes(table.table("reset_cause")),
        secure_element=_secure_element(table) if "secure_element" in table else None,
        qemu_machine=table.text("qemu_machine", "", pattern=r"[a-z0-9]+", expected="a machine"),
    )
    memory.finish()
    link.finish()
    table.finish()
    _check(board, table)
    return board


def _check(board: Board, table: Table) -> None:
    """Refuse what is well-formed and still wrong: saturation, unsafe pins, odd constants."""
    sensor, meter = board.sensor, board.meter
    if not meter.ist_ma < meter.iref_ma <= meter.imax_ma:
        raise table.error("meter.iref_ma", "ist_ma < iref_ma <= imax_ma expected")
    check_sensor(board, table)
    _check_element(board, table)
    _check_pins(board, table)
    if board.qemu_machine and not board.emulated:
        raise table.error("qemu_machine", "emulated = true beside it expected")
    if board.journal.total_bytes > board.flash.vfs_bytes // 2:
        raise table.error(
            "journal.total_bytes",
            f"at most half of the file system ({board.flash.vfs_bytes // 2} bytes) expected, "
            f"got {board.journal.total_bytes}",
        )
    try:
        measurement_constants(sensor, meter)
    except ConfigError as exc:
        _, _, message = str(exc).partition(": ")
        raise ConfigError(message, path=table.path, key=exc.key, hint=exc.hint) from None


def _check_element(board: Board, table: Table) -> None:
    """Either an element signs or the table does; the element's wake pulse needs a slow bus."""
    element = board.secure_element
    if (element is None) == (board.memory.p256_table_bytes == 0):
        raise table.error(
            "memory.p256_table_bytes",
            f"{'16384 or 32768' if element is None else '0, as the secure element signs'} "
            f"expected, got {board.memory.p256_table_bytes}",
        )
    if element is None:
        return
    if element.i2c.frequency_hz > ELEMENT_FREQUENCY_HZ_MAX:
        raise table.error(
            "secure_element.i2c.frequency_hz" if element.i2c != board.i2c else "i2c.frequency_hz",
            f"at most {ELEMENT_FREQUENCY_HZ_MAX} expected with a secure element, "
            f"got {element.i2c.frequency_hz}",
            hint="it wakes when SDA is low for 60 us: eight bits",
        )
    if element.i2c.id == board.i2c.id and element.i2c != board.i2c:
        raise table.error("secure_element.i2c.id", f"another bus expected, got {element.i2c.id}")


def _check_pins(board: Board, table: Table) -> None:
    """A pin has one purpose, and what is wired to it must let the chip boot."""
    used = [("i2c", board.i2c.scl_pin), ("i2c", board.i2c.sda_pin)]
    if board.uart is not None:
        used += [("uart", board.uart.tx_pin), ("uart", board.uart.rx_pin)]
    element = board.secure_element
    if element is not None and element.i2c != board.i2c:
        used += [("secure_element.i2c", pin) for pin in (element.i2c.scl_pin, element.i2c.sda_pin)]
    if isinstance(board.sensor, S0Wiring):
        used.append(("sensor.pin", board.sensor.pin))
    boot_pins = {boot.pin for boot in board.boot_pins}
    for key, pin in used:
        if pin in boot_pins:
            raise table.error(
                key,
                f"pins that are no boot pins expected, got {pin}",
                hint="a sensor that holds it low at reset would stop the board from booting",
            )
    if board.relay is not None:
        used.append(("relay.pin", board.relay.pin))
    pins = [pin for _, pin in used]
    for key, pin in used:
        if pins.count(pin) > 1:
            raise table.error(key, f"a pin that has no other purpose expected, got {pin}")


def _pin(table: Table, key: str) -> int:
    return table.integer(key, maximum=48)


def _one_of(table: Table, key: str, values: tuple[int, ...]) -> int:
    value = table.integer(key)
    if value not in values:
        raise table.error(key, f"{' or '.join(map(str, values))} expected, got {value}")
    return value


def _flash(table: Table) -> FlashGeometry:
    size = _one_of(table, "size_bytes", tuple(1 << bits for bits in range(21, 26)))
    flash = FlashGeometry(
        size_bytes=size,
        firmware_offset=table.integer("firmware_offset", maximum=0x10000),
        nvs_offset=table.integer("nvs_offset", maximum=size),
        nvs_bytes=table.integer("nvs_bytes", minimum=0x3000, maximum=size),
        vfs_offset=table.integer("vfs_offset", maximum=size - 0x10000),
    )
    for key, value in (("nvs_offset", flash.nvs_offset), ("vfs_offset", flash.vfs_offset)):
        if value % 4096:
            raise table.error(key, f"a multiple of 4096 expected, got {value:#x}")
    if flash.nvs_offset + flash.nvs_bytes > flash.vfs_offset:
        raise table.error("vfs_offset", "a file system behind the end of NVS expected")
    table.finish()
    return flash


def _micropython(table: Table) -> MicroPythonImage:
    image = MicroPythonImage(
        board=table.text("board", pattern=r"[A-Z0-9_]+", expected="a board name"),
        version=table.text("version", pattern=r"\d+\.\d+\.\d+", expected="a release as 1.28.0"),
        url=table.text("url", pattern=r"https://[!-~]+\.bin", expected="https://....bin"),
        sha256=table.text("sha256", "", pattern=r"[0-9a-f]{64}", expected="64 hex digits"),
    )
    table.finish()
    return image


def _journal(table: Table) -> JournalBudget:
    segment = table.integer("segment_bytes", minimum=2048, maximum=16_384)
    budget = JournalBudget(
        segment_bytes=segment,
        total_bytes=table.integer("total_bytes", minimum=max(16_384, 4 * segment)),
    )
    table.finish()
    return budget


def _relay(table: Table) -> Relay:
    relay = Relay(
        pin=_pin(table, "pin"),
        closed_level=table.integer("closed_level", 1, maximum=1),
        closed_at_boot=table.flag("closed_at_boot", default=True),
    )
    table.finish()
    return relay


def _i2c(table: Table) -> I2cWiring:
    wiring = I2cWiring(
        id=table.integer("id", maximum=1),
        scl_pin=_pin(table, "scl_pin"),
        sda_pin=_pin(table, "sda_pin"),
        frequency_hz=table.integer("frequency_hz", minimum=10_000, maximum=1_000_000),
    )
    if wiring.scl_pin == wiring.sda_pin:
        raise table.error("sda_pin", f"a pin other than SCL expected, got {wiring.sda_pin}")
    table.finish()
    return wiring


def _secure_element(board: Table) -> SecureElement:
    table = board.table("secure_element")
    element = SecureElement(
        chip=table.choice("chip", ("atecc608",)),
        address=table.integer("address", 0x60, minimum=0x08, maximum=0x77),
        slot=table.integer("slot", 0, maximum=15),
        i2c=_i2c((table if "i2c" in table else board).table("i2c")),
    )
    table.finish()
    return element


def _meter(table: Table) -> MeterRating:
    meter = MeterRating(
        un_mv=table.integer("un_mv", minimum=1000, maximum=400_000),
        iref_ma=table.integer("iref_ma", minimum=1, maximum=1_000_000),
        imax_ma=table.integer("imax_ma", minimum=1, maximum=1_000_000),
        ist_ma=table.integer("ist_ma", minimum=1, maximum=1_000_000),
        accuracy_class=table.choice("accuracy_class", ("0.5", "1", "2", "A", "B", "C")),
        sample_period_ms=table.integer("sample_period_ms", minimum=100, maximum=10_000),
        current_kind=table.choice("current_kind", ("ac", "dc")),
    )
    table.finish()
    return meter


def _usb(table: Table) -> UsbId:
    usb = UsbId(
        vid=table.integer("vid", maximum=0xFFFF),
        pid=table.integer("pid", maximum=0xFFFF),
        what=table.text("what"),
    )
    table.finish()
    return usb


def _boot_pin(table: Table) -> BootPin:
    boot = BootPin(pin=_pin(table, "pin"), rule=table.text("rule"))
    table.finish()
    return boot


def _reset_causes(table: Table) -> tuple[tuple[str, int], ...]:
    causes = tuple((name, table.integer(name, maximum=5)) for name in _RESET_CAUSES)
    table.finish()
    return causes
