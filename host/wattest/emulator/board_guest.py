"""One interpreter on a board: the guest, its files, and the supervisor's end of the console."""

from __future__ import annotations

from dataclasses import dataclass, field

from wattest.emulator.board_download import SerialOptions
from wattest.emulator.board_files import BoardFiles
from wattest.emulator.board_hardware import Hardware
from wattest.emulator.board_requests import BoardRequests
from wattest.emulator.console import STREAM_PATH, Console, Job
from wattest.emulator.engine import Engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.guest import GuestVm, Wait
from wattest.emulator.nvs import NvsStore
from wattest.emulator.rom_image import rom_image
from wattest.emulator.serial_rom import chip_model
from wattest.errors import EmulatorError

BOOT_DELAY_NS = 250_000_000
_JOB_BYTES = 256
_PAGE_BYTES = 65536
_PLATFORM_AT = 3735  # the five letters of sys.platform in this build of the interpreter
_BOOTSTRAP = (
    "import host,uctypes,vfs,sys\n"
    "a,n=map(int,host.call('rom','').split())\n"
    "vfs.mount(vfs.VfsRom(uctypes.bytearray_at(a,n)),'/rom')\n"
    "sys.path[:]=['/rom']\n"
    "from _supervisor import _supervisor as s\n"
    "s(globals())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardWiring:
    """What kind of board it is; plain values of a board file.

    Args:
        machine: what the console's banner and ``os.uname`` call it.
        layout: where things are in its flash.
        heap_bytes: heap of the interpreter.
        cpu_hz: what ``machine.freq`` says.
        i2c_pins: default ``(scl, sda)`` of each hardware controller.
        boot_delay_ns: from reset to the first byte code: boot loaders and start-up.
        baud: speed of the console's UART, 10 bits a byte; 0 for a line without delay.
        chip: which boot ROM it has: ``esp32``, ``esp32s3`` or ``esp32c3``.
        needs_application: it starts only from a bootloader, a partition table and an application
            that are valid for its chip; else whatever its flash holds.
        serial: how its serial port leads into download mode.

    Raises:
        ValueError: there is no model of the chip.
    """

    machine: str = "Generic ESP32 module (emulated) with ESP32"
    layout: FlashLayout = field(default_factory=FlashLayout)
    heap_bytes: int = 128 * 1024
    cpu_hz: int = 160_000_000
    i2c_pins: tuple[tuple[int, int], ...] = ((18, 19), (25, 26))
    boot_delay_ns: int = BOOT_DELAY_NS
    baud: int = 115_200
    chip: str = "esp32"
    needs_application: bool = False
    serial: SerialOptions = field(default_factory=SerialOptions)

    def __post_init__(self) -> None:
        chip_model(self.chip)

    def line_ns(self, size_bytes: int) -> int:
        """Return how long ``size_bytes`` take on the console's line."""
        return size_bytes * 10_000_000_000 // self.baud if self.baud else 0


class GuestSession:
    """What lies between two resets of a board's interpreter.

    Args:
        engine: the compiled machine.
        wiring: what kind of board it is.
        hardware: what the guest's requests reach.
        flash: its file system is mounted, and formatted if it is blank.
        console: takes the guest's output, gives it jobs.
        seed: of this guest's entropy.
        now_ns: when it starts.
        cold: not a soft reset: ``main.py`` runs whatever the console's mode.
        crystal_ppm: how much too fast its clock runs.

    Attributes:
        vm: the guest.

    Raises:
        StopGuest: power failed while the file system was mounted.
        EmulatorError: there is no memory for another guest.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        wiring: BoardWiring,
        hardware: Hardware,
        flash: NorFlash,
        console: Console,
        seed: bytes,
        now_ns: int,
        cold: bool,
        crystal_ppm: int = 0,
    ) -> None:
        self._crystal_ppm = crystal_ppm
        self._hardware = hardware
        self._drift_ns = 0
        self._start_ns = now_ns
        self._wiring = wiring
        self._flash = flash
        self._console = console
        disk = LittleFs.mount(wiring.layout.vfs(flash), format_if_needed=True)
        self._files = BoardFiles(disk)
        requests = BoardRequests(
            hardware,
            disk=disk,
            nvs=lambda: NvsStore(wiring.layout.nvs(flash)),
            set_interrupt_char=self._set_interrupt_char,
        )
        self.vm = GuestVm(
            engine,
            arguments=[
                "micropython",
                "-X",
                f"heapsize={wiring.heap_bytes}",
                "-c",
                _BOOTSTRAP,
            ],
            filesystem=self._files,
            handlers={
                b"rom": _place_rom,
                b"console": self._serve_console,
                b"machine": lambda _vm, _payload: wiring.machine.encode()[:_JOB_BYTES],
            },
            devices={"board": requests},
            on_output=self._write,
            seed=seed,
            start_ns=now_ns,
            unix_offset_ns=hardware.rtc.offset_ns,
            result_capacity_bytes=_JOB_BYTES,
        )
        flash.on_busy = self._wait_for_flash
        scripts = ["/boot.py", "/main.py"] if cold or not console.raw else ["/boot.py"]
        console.boot([path for path in scripts if disk.exists(path)], cold=cold)

    def run(self, now_ns: int, until_ns: int) -> None:
        """Run the guest to its next wait, or until it has computed up to ``until_ns``.

        Its crystal's error moves its clocks before it can look at them; how long it waits is
        not touched, since a node measures its waits by its ticks.
        """
        if self._crystal_ppm:
            drift_ns = (now_ns - self._start_ns) * self._crystal_ppm // 1_000_000
            step_ns, self._drift_ns = drift_ns - self._drift_ns, drift_ns
            self._hardware.rtc.offset_ns += step_ns
            self.vm.unix_offset_ns += step_ns
            self.vm.ticks_origin_ns -= step_ns
        self.vm.poll(until_ns)

    def close(self, detail: str) -> None:
        """End the guest where it is; what it had not committed to flash is lost."""
        self._flash.on_busy = None
        self.vm.kill(detail)
        self.vm.close()

    def _wait_for_flash(self, duration_ns: int) -> None:
        """Let time pass, and what happened meanwhile happen before the guest computes on."""
        self.vm.advance(duration_ns)
        self.vm.shorten(self.vm.now_ns())

    def _write(self, data: bytes, _t_ns: int) -> None:
        """A program that prints waits for the line, as with the UART's small buffer."""
        self.vm.advance(self._wiring.line_ns(len(data)))
        self._console.output(data)

    def _set_interrupt_char(self, char: int) -> None:
        self._console.interrupt_char = char

    def _serve_console(self, vm: GuestVm, payload: bytes) -> bytes | Wait | None:
        """``host.call("console", what)``: the supervisor reports, or asks for a job."""
        console = self._console
        if payload == b"over":
            console.interrupt_char = -1
        elif payload == b"error":
            console.error_begins()
        elif payload == b"error-end":
            console.error_ends()
        elif payload == b"exit":
            console.soft_reset_wanted = True
            return Wait(ready=lambda: None)
        else:
            console.job_done()
            return self._next_job(vm) or Wait(ready=lambda: self._next_job(vm))
        return None

    def _next_job(self, vm: GuestVm) -> bytes | None:
        job = self._console.next_job(vm.stdin)
        return None if job is None else self._encode(job)

    def _encode(self, job: Job) -> bytes:
        if job.kind == "file":
            return b"F" + job.text
        if job.kind == "line" and len(job.text) < _JOB_BYTES:
            return b"S" + job.text
        self._files.stream = job.text
        return b"X" + STREAM_PATH.encode()


def _place_rom(vm: GuestVm, _payload: bytes) -> bytes:
    """Put the shims behind the guest's memory and name the platform; answers address and size."""
    image = rom_image()
    address = vm.grow(-(-len(image) // _PAGE_BYTES))
    vm.write(address, image)
    if vm.read(_PLATFORM_AT, 5) != b"linux":
        raise EmulatorError("the interpreter is not the one this emulator knows")
    vm.write(_PLATFORM_AT, b"esp32")
    return f"{address} {len(image)}".encode()
