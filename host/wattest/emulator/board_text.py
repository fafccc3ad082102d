"""What an ESP32 prints around the interpreter; worded after its boot ROM and ESP-IDF."""

from __future__ import annotations

from enum import Enum, auto


class RomReset(Enum):
    """Why the boot ROM runs."""

    POWERON = auto()
    SOFTWARE = auto()  # the chip's own processor asked for it
    DEEPSLEEP = auto()
    BOOTLOADER = auto()  # the bootloader found nothing to start
    ROM_WATCHDOG = auto()  # the ROM found no bootloader
    RTC_WATCHDOG = auto()  # a flashing tool armed the watchdog


_ROM = {  # first lines, strapping of a start from flash, of download mode
    "esp32": (
        b"ets Jul 29 2019 12:21:46\r\n\r\n",
        b"0x13 (SPI_FAST_FLASH_BOOT)",
        b"0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))",
    ),
    "esp32s3": (
        b"ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n",
        b"0x8 (SPI_FAST_FLASH_BOOT)",
        b"0x0 (DOWNLOAD(USB/UART0))",
    ),
    "esp32c3": (
        b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
        b"0xc (SPI_FAST_FLASH_BOOT)",
        b"0x4 (DOWNLOAD(USB/UART0/1))",
    ),
}
_CAUSES_ESP32 = {
    RomReset.POWERON: b"0x1 (POWERON_RESET)",
    RomReset.SOFTWARE: b"0xc (SW_CPU_RESET)",
    RomReset.DEEPSLEEP: b"0x5 (DEEPSLEEP_RESET)",
    RomReset.BOOTLOADER: b"0x3 (SW_RESET)",
    RomReset.ROM_WATCHDOG: b"0x10 (RTCWDT_RTC_RESET)",
    RomReset.RTC_WATCHDOG: b"0x10 (RTCWDT_RTC_RESET)",
}
_CAUSES_NEWER = {
    RomReset.POWERON: b"0x1 (POWERON)",
    RomReset.SOFTWARE: b"0xc (RTC_SW_CPU_RST)",
    RomReset.DEEPSLEEP: b"0x5 (DSLEEP)",
    RomReset.BOOTLOADER: b"0x3 (RTC_SW_SYS_RST)",
    RomReset.ROM_WATCHDOG: b"0x7 (TG0WDT_SYS_RST)",
    RomReset.RTC_WATCHDOG: b"0x10 (RTCWDT_RTC_RST)",
}
_SAVED_PC = {"esp32s3": b"0x40048836", "esp32c3": b"0x4004d1f8"}  # where the ROM spins
BROWNOUT = b"\r\nBrownout detector was triggered\r\n\r\n"
VERSION = "MicroPython v1.27.0-preview.225.g3f6d144cb8 on 2026-06-02"


def rom(chip: str, cause: RomReset, *, download: bool = False) -> bytes:
    """Return what the boot ROM prints first after a reset."""
    first, flash, serial = _ROM[chip]
    causes = _CAUSES_ESP32 if chip == "esp32" else _CAUSES_NEWER
    if chip in _SAVED_PC and cause is RomReset.ROM_WATCHDOG:
        flash += b"\r\nSaved PC:" + _SAVED_PC[chip]
    line = b"rst:" + causes[cause] + b",boot:" + (serial if download else flash) + b"\r\n"
    return first + line + (b"waiting for download\r\n" if download else b"")


def banner(machine: str) -> bytes:
    """Return what the friendly REPL says first."""
    return f'{VERSION}; {machine}\r\nType "help()" for more information.\r\n'.encode()


def watchdog(uptime_ns: int) -> bytes:
    """Return what the task watchdog prints before it restarts the chip."""
    stamp = uptime_ns // 1_000_000
    return (
        f"E ({stamp}) task_wdt: Task watchdog got triggered. The following tasks/users "
        f"did not reset the watchdog in time:\r\nE ({stamp}) task_wdt:  - mp_task (CPU 1)\r\n"
        f"E ({stamp}) task_wdt: Aborting.\r\n\r\nRebooting...\r\n"
    ).encode()


def panic(detail: str) -> bytes:
    """Return what a crash of the interpreter prints; ``detail`` is the machine's own words."""
    return (
        "\r\nGuru Meditation Error: Core  1 panic'ed (LoadProhibited). "
        "Exception was unhandled.\r\n"
        f"emulator: {detail}\r\n\r\nRebooting...\r\n"
    ).encode()
