"""Three passes over the machine's WebAssembly; the spill pass is the one it cannot do without.

MicroPython's garbage collector scans the stack in linear memory for anything that looks like a
pointer. In WebAssembly most pointers never are in linear memory: they live in wasm locals and on
the operand stack, which the module itself cannot read. A build that does not copy them to memory
before each call frees live objects. The artifact on the package index is such a build, so this
pass rewrites it: before every call that may collect, each 32-bit value still needed after the
call is stored in a private frame on the shadow stack, where the collector looks.
"""

from wattest.emulator.spill.clock import CLOCK_VERSION, add_clock
from wattest.emulator.spill.inline import INLINE_VERSION, inline_calls
from wattest.emulator.spill.rewrite import PASS_VERSION, SpillCounts, spill_pointers

__all__ = [
    "CLOCK_VERSION",
    "INLINE_VERSION",
    "PASS_VERSION",
    "SpillCounts",
    "add_clock",
    "inline_calls",
    "spill_pointers",
]
