"""The inline pass on small modules: fewer calls, the same results."""

import pytest
import wasmtime

from wattest.emulator.spill.inline import inline_calls
from wattest.emulator.spill.wasm import CALL, Module

MODULE = """
(module
  (import "host" "note" (func $note (param i32) (result i32)))
  (global $seen (mut i32) (i32.const 0))
  (memory 1)
  {functions})
"""
SHAPES = {
    "arguments in order": (
        """(func $difference (param i32 i32) (result i32)
             (i32.sub (local.get 0) (local.get 1)))
           (func (export "run") (param i32) (result i32)
             (call $difference (i32.const 100) (local.get 0)))""",
        93,
    ),
    "early return": (
        """(func $limit (param i32) (result i32)
             (block (block (if (i32.lt_s (local.get 0) (i32.const 5))
               (then (return (i32.const 5))))))
             (local.get 0))
           (func (export "run") (param i32) (result i32)
             (i32.add (call $limit (local.get 0))
               (i32.mul (call $limit (i32.const 3)) (i32.const 10))))""",
        57,
    ),
    "branch to the function's end": (
        """(func $limit (param i32) (result i32)
             (br_if 0 (i32.const 9) (i32.gt_s (local.get 0) (i32.const 5)))
             (drop) (i32.const 1))
           (func (export "run") (param i32) (result i32) (call $limit (local.get 0)))""",
        9,
    ),
    "locals are zero at each call": (
        """(func $count (param i32) (result i32) (local i32) (local i64) (local f32) (local f64)
             (if (i64.ne (local.get 2) (i64.const 0)) (then (unreachable)))
             (if (f32.ne (local.get 3) (f32.const 0)) (then (unreachable)))
             (if (f64.ne (local.get 4) (f64.const 0)) (then (unreachable)))
             (local.set 1 (i32.add (local.get 1) (local.get 0)))
             (local.set 2 (i64.const 7))
             (local.set 3 (f32.const 7))
             (local.set 4 (f64.const 7))
             (local.get 1))
           (func (export "run") (param i32) (result i32)
             (drop (call $count (local.get 0)))
             (call $count (local.get 0)))""",
        7,
    ),
    "no result, within a loop and another call's arguments": (
        """(func $store (param i32 i32) (i32.store (local.get 0) (local.get 1)))
           (func $load (param i32) (result i32) (i32.load (local.get 0)))
           (func (export "run") (param $n i32) (result i32)
             (loop $again
               (call $store (i32.const 8)
                 (i32.add (call $load (i32.const 8)) (call $load (i32.const 12))))
               (call $store (i32.const 12) (i32.const 2))
               (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (call $load (i32.const 8)))""",
        12,
    ),
    "calls inside": (
        """(func $twice (param i32) (result i32)
             (i32.add (call $note (local.get 0)) (call $note (local.get 0))))
           (func (export "run") (param i32) (result i32) (call $twice (local.get 0)))""",
        16,
    ),
}
KEPT = {
    "recursion": """(func $down (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 3))))
      (func (export "run") (param i32) (result i32) (call $down (local.get 0)))""",
    "loop": """(func $spin (param i32) (result i32)
        (loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.const 4))
      (func (export "run") (param i32) (result i32) (call $spin (local.get 0)))""",
    "global that is set": """(func $set (param i32) (result i32)
        (global.set $seen (local.get 0)) (global.get $seen))
      (func (export "run") (param i32) (result i32) (call $set (local.get 0)))""",
}


def module(functions):
    return bytes(wasmtime.wat2wasm(MODULE.replace("{functions}", functions)))


def run(data, argument=7):
    store = wasmtime.Store()
    kind = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    note = wasmtime.Func(store, kind, lambda value: value + 1)
    code = wasmtime.Module(store.engine, data)
    return wasmtime.Instance(store, code, [note]).exports(store)["run"](store, argument)


def calls(data):
    """Count the calls of defined functions in the last function."""
    parsed = Module(data)
    instructions = parsed.functions[-1].instructions
    return sum(i.op == CALL and i.immediate >= parsed.imported_functions for i in instructions)


@pytest.mark.parametrize("shape", SHAPES)
def test_result_is_that_of_the_call(shape):
    functions, expected = SHAPES[shape]
    data = module(functions)
    assert run(data) == run(inline_calls(data)) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_call_of_a_short_function_is_gone(shape):
    data = module(SHAPES[shape][0])
    assert calls(data) > 0
    assert calls(inline_calls(data)) == 0


@pytest.mark.parametrize("shape", KEPT)
def test_call_of_another_function_stays(shape):
    data = module(KEPT[shape])
    assert inline_calls(data) == data


def test_output_is_the_same_every_time():
    data = module(SHAPES["early return"][0])
    assert inline_calls(data) == inline_calls(data)
