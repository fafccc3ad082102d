"""The spill pass on small modules: is every pointer in memory while a call may collect?"""

import hashlib

import pytest
import wasmtime

from wattest.emulator import artifact
from wattest.emulator.spill import spill_pointers
from wattest.emulator.spill.flow import Flow
from wattest.emulator.spill.wasm import (
    I32_CONST,
    I32_STORE,
    Module,
    read_signed,
    read_unsigned,
    signed,
    unsigned,
)
from wattest.emulator.spill.wasm import LOOP as WASM_LOOP

MODULE = """
(module
  (import "host" "collect" (func $collect (param i32) (result i32)))
  (type $collector (func (param i32) (result i32)))
  (global $stack (mut i32) (i32.const 4096))
  (table 1 funcref)
  (elem (i32.const 0) $collect)
  (memory (export "memory") 1)
  (tag $failure)
  (func $may_collect (result i32)
    (call_indirect (type $collector) (i32.const 7) (i32.const 0)))
  (func $may_throw (result i32)
    (drop (call $may_collect)) (throw $failure))
  (func (export "stack") (result i32) (global.get $stack))
  {function})
"""

LOCAL = """(func (export "run") (param $pointer i32) (result i32)
    (drop (call $may_collect))
    (local.get $pointer))"""
TEMPORARY = """(func (export "run") (param $pointer i32) (result i32)
    (i32.add (i32.load (i32.const 16)) (call $may_collect)))"""
DERIVED = """(func (export "run") (param $pointer i32) (result i32) (local $inside i32)
    (local.set $inside (i32.add (local.get $pointer) (i32.const 12)))
    (local.set $pointer (i32.const 0))
    (drop (call $may_collect))
    (i32.sub (local.get $inside) (i32.const 12)))"""
ONLY_IN_HANDLER = """(func (export "run") (param $pointer i32) (result i32)
    (block $caught
      (try_table (catch_all $caught)
        (drop (call $may_throw)))
      (return (i32.const 0)))
    (local.get $pointer))"""
LOOP = """(func (export "run") (param $pointer i32) (result i32) (local $left i32)
    (local.set $left (i32.const 3))
    (loop $again
      (drop (call $may_collect))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (local.get $pointer))"""
EARLY_RETURN = """(func (export "run") (param $pointer i32) (result i32)
    (block (loop
      (drop (call $may_collect))
      (if (local.get $pointer) (then (return (local.get $pointer))))))
    (i32.const 0))"""
FAST_PATH = """(func (export "run") (param $pointer i32) (result i32)
    (if (i32.eqz (i32.load (i32.const 16))) (then (return (i32.const 1))))
    (drop (call $may_collect))
    (drop (call $may_collect))
    (local.get $pointer))"""
DERIVED_BEFORE_LOOP = """(func (export "run") (param $pointer i32) (result i32)
    (local $inside i32) (local $left i32)
    (local.set $inside (i32.add (local.get $pointer) (i32.const 4)))
    (local.set $pointer (i32.const 0))
    (local.set $left (i32.const 3))
    (loop $again
      (drop (call $may_collect))
      (local.set $inside (i32.add (local.get $inside) (i32.const 4)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (i32.sub (local.get $inside) (i32.const 16)))"""
JOIN_BENEATH_CALL = """(func (export "run") (param $pointer i32) (result i32)
    (i32.add
      (block $joined (result i32)
        (br_if $joined (local.get $pointer) (i32.load (i32.const 16)))
        (drop)
        (drop (call $may_collect))
        (local.get $pointer))
      (call $may_collect)))"""
CHANGED_IN_LOOP = """(func (export "run") (param $pointer i32) (result i32)
    (local $kept i32) (local $left i32)
    (local.set $left (i32.const 3))
    (loop $again
      (local.set $kept (i32.load (i32.const 16)))
      (drop (call $may_collect))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (local.get $kept))"""
SHAPES = {
    "local": LOCAL,
    "operand temporary": TEMPORARY,
    "base of a derived pointer": DERIVED,
    "needed by an exception handler only": ONLY_IN_HANDLER,
    "needed after a loop": LOOP,
    "early return": EARLY_RETURN,
    "path without a call": FAST_PATH,
    "base of a pointer that moves in a loop": DERIVED_BEFORE_LOOP,
    "temporary made on two ways": JOIN_BENEATH_CALL,
    "written in every round": CHANGED_IN_LOOP,
}
POINTER = 0x5A5A10


class Collector:
    """Runs a module; at each collection notes whether POINTER is on the shadow stack."""

    def __init__(self, data):
        config = wasmtime.Config()
        config.wasm_exceptions = True
        self.store = wasmtime.Store(wasmtime.Engine(config))
        module = wasmtime.Module(self.store.engine, data)
        kind = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
        collect = wasmtime.Func(self.store, kind, self.collect)
        exports = wasmtime.Instance(self.store, module, [collect]).exports(self.store)
        self.memory, self.stack, self.function = (
            exports["memory"],
            exports["stack"],
            exports["run"],
        )
        self.memory.write(self.store, POINTER.to_bytes(4, "little"), 16)
        self.seen = []

    def collect(self, _argument):
        stack = self.memory.read(self.store, 32, 4096)
        self.seen.append(POINTER.to_bytes(4, "little") in bytes(stack))
        return 0

    def run(self):
        return self.function(self.store, POINTER)


def module(function):
    return bytes(wasmtime.wat2wasm(MODULE.replace("{function}", function)))


@pytest.mark.parametrize("shape", SHAPES)
def test_pointer_is_in_memory_whenever_a_call_may_collect(shape):
    rewritten = Collector(spill_pointers(module(SHAPES[shape]))[0])
    assert rewritten.run() == POINTER
    assert rewritten.seen
    assert all(rewritten.seen)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_the_pass_the_pointer_is_nowhere_in_memory(shape):
    original = Collector(module(SHAPES[shape]))
    assert original.run() == POINTER
    assert not any(original.seen)


@pytest.mark.parametrize("shape", SHAPES)
def test_stack_pointer_is_restored(shape):
    rewritten = Collector(spill_pointers(module(SHAPES[shape]))[0])
    before = rewritten.stack(rewritten.store)
    rewritten.run()
    after = rewritten.stack(rewritten.store)
    # Also past a caught exception: the handler's function computes it from its own frame.
    assert after == before


def test_function_that_cannot_collect_is_left_alone():
    data = module('(func (export "run") (param i32) (result i32) (local.get 0))')
    rewritten, counts = spill_pointers(data)
    assert counts.framed == 0
    assert rewritten == data


def test_path_without_a_call_leaves_the_stack_alone():
    collector = Collector(spill_pointers(module(FAST_PATH))[0])
    before = collector.stack(collector.store)
    collector.memory.write(collector.store, bytes(4), 16)
    assert collector.run() == 1
    assert collector.stack(collector.store) == before
    assert not any(collector.memory.read(collector.store, 32, 4096))


def test_number_is_not_stored():
    number = """(func (export "run") (param $pointer i32) (result i32) (local $number i32)
        (local.set $number (i32.mul (local.get $pointer) (i32.const 3)))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (drop (call $may_collect))
        (local.get $number))"""
    assert spill_pointers(module(number))[1].spilled_locals == 0


def test_local_that_does_not_change_in_a_loop_is_stored_before_it():
    rewritten = Module(spill_pointers(module(LOOP))[0])
    ops = [instruction.op for instruction in rewritten.functions[-1].instructions]
    assert ops.count(I32_STORE) == 1
    assert ops.index(I32_STORE) < ops.index(WASM_LOOP)


def test_code_of_a_loop_is_done_often_and_code_behind_a_branch_less():
    data = wasmtime.wat2wasm("""(module (func (param i32) (result i32)
      (loop $again
        (block $skip
          (br_if $skip (local.get 0))
          (if (local.get 0) (then (drop (i32.const 1))) (else (drop (i32.const 2))))
          (drop (i32.const 3)))
        (drop (i32.const 4))
        (br_if $again (local.get 0)))
      (drop (i32.const 5))
      (return (i32.const 6))
      (i32.const 7)))""")
    instructions = Module(bytes(data)).functions[0].instructions
    often = dict(zip(instructions, Flow(instructions).frequencies(), strict=True))
    constants = {i.immediate: times for i, times in often.items() if i.op == I32_CONST}
    once = constants[5]
    assert [constants[number] / once for number in (1, 2, 3, 4)] == [2, 2, 4, 8]
    assert constants[7] < once


def test_dead_local_is_not_stored():
    dead = """(func (export "run") (param $pointer i32) (result i32)
        (i32.add (call $may_collect) (i32.const 1)))"""
    assert spill_pointers(module(dead))[1].spilled_locals == 0


def test_output_for_the_pinned_artifact_is_the_one_that_was_proved():
    data, counts = spill_pointers(artifact.read_artifact())
    digest = hashlib.sha256(data).hexdigest()
    assert digest == "8b12480f945472a5c686a46f8211aa6cf278a3ba4fe8e6d695be1a599ecef94d"
    assert (counts.framed, counts.spilled_locals, counts.spilled_temporaries) == (633, 4050, 205)


def test_module_with_an_instruction_the_pass_does_not_know_is_refused():
    simd = """(func (export "run") (param i32) (result i32)
        (drop (i32x4.splat (i32.const 1))) (i32.const 0))"""
    with pytest.raises(ValueError, match="is not supported"):
        spill_pointers(module(simd))


def test_something_that_is_not_a_module_is_refused():
    with pytest.raises(ValueError, match="not a WebAssembly"):
        spill_pointers(b"#!/bin/sh\n")


@pytest.mark.parametrize("value", [0, 1, 63, 64, 127, 128, 300, 2**31, 2**32 - 1])
def test_leb128_numbers_survive_a_round_trip(value):
    assert read_unsigned(unsigned(value), 0) == (value, len(unsigned(value)))
    for signed_value in (value, -value, -value - 1):
        data = signed(signed_value)
        assert read_signed(data, 0) == (signed_value, len(data))
