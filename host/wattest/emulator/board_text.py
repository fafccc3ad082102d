"""What an ESP32 prints around the interpreter; worded after its boot ROM and ESP-IDF."""

from __future__ import annotations

_LOADER = b"ets Jul 29 2019 12:21:46\r\n\r\n"
_FROM_FLASH = b",boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
ROM_POWERON = _LOADER + b"rst:0x1 (POWERON_RESET)" + _FROM_FLASH
ROM_SOFTWARE = _LOADER + b"rst:0xc (SW_CPU_RESET)" + _FROM_FLASH
ROM_DEEPSLEEP = _LOADER + b"rst:0x5 (DEEPSLEEP_RESET)" + _FROM_FLASH
BROWNOUT = b"\r\nBrownout detector was triggered\r\n\r\n"
VERSION = "MicroPython v1.27.0-preview.225.g3f6d144cb8 on 2026-06-02"


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
