"""What a guest's files, directories and device files do."""

import pytest
from vm_harness import MemoryFiles, new_guest, run, run_until_idle

from wattest.emulator.entropy import EntropyStream

pytestmark = pytest.mark.emulated


def test_files_are_written_read_appended_sought_and_truncated():
    source = """
with open("/a", "w") as f: print(f.write("hello "))
with open("/a", "a") as f: f.write("world")
with open("/a") as f: print(f.read())
with open("/a", "rb") as f:
    print(f.seek(-5, 2), f.read(2), f.tell())
    b = bytearray(8)
    print(f.readinto(b), b)
with open("/a", "r+b") as f:
    f.seek(0); f.write(b"J"); f.flush()
with open("/a", "w"): pass
"""
    files = MemoryFiles()
    text, _, _ = run(source, filesystem=files)
    expected = "6\nhello world\n6 b'wo' 8\n3 bytearray(b'rld\\x00\\x00\\x00\\x00\\x00')\n"
    assert text == expected
    assert files.files == {"/a": bytearray()}


def test_directories_are_made_listed_renamed_and_removed():
    source = """
import os
os.mkdir("/d"); os.mkdir("/d/e")
open("/d/f", "w").write("1234")
print(sorted((n, t) for n, t, *_ in os.ilistdir("/d")), os.stat("/d/f")[6])
os.rename("/d/f", "/d/e/g"); os.chdir("/d")
print(os.getcwd(), os.listdir("e"), open("e/../e/g").read())
os.remove("e/g"); os.rmdir("e")
print(os.listdir("/d"), os.listdir("/"))
"""
    expected = "[('e', 16384), ('f', 32768)] 4\n/d ['g'] 1234\n[] ['d']\n"
    assert run(source, filesystem=MemoryFiles())[0] == expected


def test_long_listing_arrives_whole_and_once():
    names = [f"file-{n:03}-{'x' * (n % 40)}" for n in range(200)]
    files = MemoryFiles({f"/{name}": b"" for name in names})
    text, _, _ = run("import os\nfor n in os.listdir('/'): print(n)", filesystem=files)
    assert sorted(text.split()) == sorted(names)


def test_errors_reach_the_guest_under_their_names():
    source = """
import errno, os
def name(f, *a):
    try: f(*a)
    except OSError as e: print(errno.errorcode.get(e.errno, e.errno))
name(open, "/no"); name(os.mkdir, "/d"); name(os.remove, "/no"); name(open, "/d", "w")
name(os.rmdir, "/d"); name(os.listdir, "/no"); name(open, b"\\xff\\xfe", "w")
name(open, "/" + "n" * 2000)
"""
    files = MemoryFiles({"/d/file": b""})
    files.directories.add("/d")
    expected = "ENOENT\nEEXIST\nENOENT\nEISDIR\n55\nENOENT\n25\n37\n"
    assert run(source, filesystem=files)[0] == expected


def test_guest_without_a_file_system_sees_an_empty_read_only_root():
    source = """
import os
print(os.listdir("/"))
for f in (lambda: open("/a", "w"), lambda: os.mkdir("/d"), lambda: open("/a")):
    try: f()
    except OSError as e: print(e.errno)
"""
    assert run(source)[0] == "[]\n69\n69\n44\n"


def test_too_many_open_files_is_an_error_of_the_guest_alone():
    source = """
files = []
try:
    while True: files.append(open("/a", "w"))
except OSError as e: print(len(files), e.errno)
for f in files: f.close()
print(open("/a", "w").write("ok"))
"""
    assert run(source, filesystem=MemoryFiles())[0] == "60 33\n2\n"


def test_import_reads_modules_from_the_file_system():
    files = MemoryFiles({"/lib/part.py": b"value = 42"})
    files.directories.add("/lib")
    source = "import sys\nsys.path.append('/lib')\nimport part\nprint(part.value)"
    assert run(source, filesystem=files)[0] == "42\n"


def test_randomness_is_decided_by_the_seed():
    source = "import os, random\nprint(os.urandom(8), random.random(), random.getrandbits(30))"
    first, again, other = (run(source, seed=seed)[0] for seed in (b"1", b"1", b"2"))
    assert first == again
    assert first != other


def test_entropy_stream_does_not_depend_on_how_it_is_cut():
    whole = EntropyStream(b"seed").read(100)
    pieces = EntropyStream(b"seed")
    assert b"".join(pieces.read(size) for size in (1, 31, 0, 33, 35)) == whole
    assert EntropyStream(b"other").read(100) != whole


def test_device_file_serves_its_reader_in_place_without_allocation():
    source = """
import micropython
f = open("/dev/adder", "rb")
b = bytearray(b"\\x02\\x03\\x00")
def transfer():
    micropython.heap_lock()
    try:
        return f.readinto(b)
    finally:
        micropython.heap_unlock()
print(transfer(), b)
"""

    def add(vm, address, size):
        buffer = vm.view(address, size)
        buffer[2] = buffer[0] + buffer[1]
        return size

    assert run(source, devices={"adder": add})[0] == "3 bytearray(b'\\x02\\x03\\x05')\n"


def test_device_error_is_an_os_error_of_the_guest():
    def absent(*_):
        raise OSError(19, "no device")

    source = """
try: open("/dev/gone", "rb").readinto(bytearray(1))
except OSError as e: print(e.errno)
"""
    assert run(source, devices={"gone": absent})[0] == "43\n"


def test_memory_grown_before_the_start_is_the_bench_s_own():
    source = """
import uctypes, gc
image = uctypes.bytearray_at({address}, 65536)
keep = [bytearray(1000) for _ in range(60)]
gc.collect()
print(bytes(image[:5]), image[65535])
"""
    vm, _ = new_guest("")
    address = vm.grow(1)
    vm.close()
    vm, console = new_guest(source.replace("{address}", str(address)))
    assert vm.grow(1) == address
    vm.write(address, b"image")
    vm.write(address + 65535, b"\7")
    run_until_idle(vm)
    assert console.text == "b'image' 7\n"
    vm.close()


def test_memory_is_read_and_written_within_its_bounds_only():
    vm, _ = new_guest("import time\ntime.sleep(1)")
    vm.poll()
    size = vm.memory_bytes
    assert vm.read(size - 4, 4) == bytes(4)
    vm.write(size - 4, b"abcd")
    assert bytes(vm.view(size - 4, 4)) == b"abcd"
    for address, count in ((size - 3, 4), (1 << 32, 1), (-1, 1), (0, -1), (0, size + 1)):
        with pytest.raises(ValueError, match="guest memory has"):
            vm.read(address, count)
    vm.close()
    with pytest.raises(ValueError, match="guest memory has 0 bytes"):
        vm.read(0, 1)
