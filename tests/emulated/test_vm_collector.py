"""The guest's garbage collector frees nothing that is still needed.

Method: the programs that break the shipped build, and a collection at every allocation
(``gc.threshold(1)``) under code that keeps its objects in every place a compiler may put them.
"""

import hashlib

import ecdsa
import pytest
import wasmtime
from vm_harness import MemoryFiles, new_guest, run, run_until_idle

from wattest.data import data_root
from wattest.emulator import artifact
from wattest.emulator.engine import Engine, new_wasmtime_engine
from wattest.emulator.spill import add_clock
from wattest.flashing.p256_table import p256_table

pytestmark = pytest.mark.emulated

MEMORY_ERROR = """
try:
    bytearray(10**7)
except MemoryError as e:
    print(repr(e))
"""
MANY_LOCALS = """
import gc
def f():
    a=[1];b=[2];c=[3];d=[4];e=[5];f=[6];g=[7];h=[8];i=[9];j=[10];k=[11];l=[12];m=[13]
    gc.collect()
    n=[[x, x] for x in range(200)]
    return a,b,c,d,e,f,g,h,i,j,k,l,m
for _ in range(20):
    r = f()
print(r)
"""
COMPILE = """
import gc
gc.threshold(256)
for n in range(30):
    d = {}
    exec(compile("def f(a,b=%d):\\n return [a,b,{'k':(a,b)},'x'*b]\\n" % n, "c", "exec"), d)
    r = d["f"](n)
print(r)
"""
TORTURE = """
import gc, json, re, struct, hashlib, binascii
gc.threshold(1)
def bigints():
    a, m = 3, (1 << 255) - 19
    for i in range(40):
        a = a * a % m
    return a
def texts():
    t = {"n": [1, 2.5, None, True], "s": "h\\u00e9llo", "d": {str(i): [i] * i for i in range(8)}}
    for _ in range(5):
        t = json.loads(json.dumps(t))
    return json.dumps(sorted(t["d"])), t["s"], t["n"]
def patterns():
    return [
        re.match("h(.)l", "hello").group(1),
        re.sub("[aeiou]", "_", "a quick brown fox"),
        re.compile("(\\\\d+)-(\\\\d+)").match("12-345").group(2), "a,b,,c".split(",")]
def errors(n):
    try:
        if n:
            return errors(n - 1) + [n]
        raise ValueError([n, "deep"])
    except ValueError as e:
        return [repr(e)]
    finally:
        bytes(n)
def closures():
    fs = [lambda x, i=i: [x + i, str(i)] for i in range(10)]
    return [f(1) for f in fs]
def generators():
    def g(n):
        for i in range(n):
            yield [i, (i, str(i))]
    return [x for x in g(12)], {k: [v] for k, v in enumerate("abc")}
def digests():
    h = hashlib.sha256()
    for i in range(5):
        h.update(struct.pack("<IQ", i, i << 40))
    return binascii.hexlify(h.digest())
def formats():
    return ["%s|%5d|%r" % (i, i, [i]) for i in range(5)], "{:>8}{!r}".format("x", {"y": 1.5})
for f in (bigints, texts, patterns, lambda: errors(8), closures, generators, digests, formats):
    print(f())
"""


def test_memory_error_at_module_level_is_an_exception():
    text, outcome, _ = run(MEMORY_ERROR)
    assert outcome.exit_code == 0
    assert text == "MemoryError('memory allocation failed, allocating 10000000 bytes',)\n"


def test_lists_in_thirteen_locals_survive_a_collection():
    text, outcome, _ = run(MANY_LOCALS, heap="64k")
    assert outcome.exit_code == 0
    assert text == f"{tuple([n] for n in range(1, 14))}\n"


def test_compiler_survives_collections_while_it_compiles():
    text, outcome, _ = run(COMPILE)
    assert outcome.exit_code == 0
    assert text == f"{[29, 29, {'k': (29, 29)}, 'x' * 29]}\n"


def test_collecting_at_every_allocation_changes_no_result():
    calm, calm_outcome, _ = run(TORTURE.replace("gc.threshold(1)", ""), heap="1m")
    text, outcome, _ = run(TORTURE, heap="1m")
    assert calm_outcome.exit_code == outcome.exit_code == 0
    assert text == calm
    assert len(text.splitlines()) == 8


def test_objects_survive_collections_in_a_small_heap_for_long():
    source = """
import gc
keep = {}
for n in range(3000):
    keep[n % 37] = [n, str(n), (n, [n * 3])]
    if n > 40:
        for k in range(0, 37, 5):
            v = keep[k]
            assert v[1] == str(v[0]) and v[2][1][0] == v[0] * 3, (k, v)
print("kept", len(keep), gc.mem_alloc() < 60000)
"""
    assert run(source, heap="64k")[0] == "kept 37 True\n"


SIGNING = """
import gc, sys
sys.path.append("/")
from node.p256 import Signer, load_table
signer = Signer(load_table("/p256.tbl"))
gc.threshold(1)
for n in range(2):
    print(signer.sign(bytes(range(1, 33)), bytes([n] * 32)).hex())
"""


def test_signatures_are_right_while_every_allocation_collects():
    """Large numbers keep their digits in every place at once."""
    firmware = data_root() / "firmware" / "node"
    files = {f"/node/{name}": (firmware / name).read_bytes() for name in ("p256.py", "mac.py")}
    disk = MemoryFiles({**files, "/p256.tbl": p256_table(16_384)})
    disk.directories.add("/node")
    key = ecdsa.SigningKey.from_string(bytes(range(1, 33)), curve=ecdsa.NIST256p)
    expected = [
        key.sign_digest_deterministic(bytes([n] * 32), hashfunc=hashlib.sha256).hex()
        for n in range(2)
    ]
    assert run(SIGNING, filesystem=disk)[0].split() == expected


@pytest.mark.long
@pytest.mark.parametrize(
    "source", [MANY_LOCALS, COMPILE, TORTURE], ids=["locals", "compile", "torture"]
)
def test_shipped_build_without_the_pass_loses_objects(source):
    """The reason for the pass; if this ever fails, the programs above no longer prove anything."""
    machine = new_wasmtime_engine()
    # Without its clock no guest can be run at all.
    clocked = add_clock(artifact.read_artifact(), yield_import=artifact.YIELD_IMPORT)
    shipped = Engine(machine, wasmtime.Module(machine, clocked))
    vm, console = new_guest(source, heap="128k", engine=shipped)
    run_until_idle(vm)
    sound = run(source)[0]
    assert vm.outcome.kind == "trap" or console.text != sound
    vm.close()
