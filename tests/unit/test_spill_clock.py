"""The clock pass on small modules: what is counted, and that no loop keeps the thread."""

import hashlib

import pytest
import wasmtime

from wattest.emulator.spill import add_clock
from wattest.emulator.spill.clock import ENDLESS, EXPORT

MODULE = """
(module
  (import "host" "pause" (func $pause (result i32)))
  (type $pair (func (result i32 i32)))
  (memory 1)
  (data (i32.const 0) "\\01\\00\\00\\00\\02\\00\\00\\00\\03")
  (global $other (mut i32) (i32.const 5))
  (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $work (param i32) (result i32) (call $leaf (local.get 0)))
  (func (export "other") (result i32) (global.get $other))
  {function})
"""
QUICK = """(func (export "run") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))"""
NESTED = """(func (export "run") (param $n i32) (result i32) (local $m i32) (local $sum i32)
    (loop $outer
      (local.set $m (local.get $n))
      (loop $inner
        (local.set $sum (i32.add (local.get $sum) (local.get $m)))
        (br_if $inner (local.tee $m (i32.sub (local.get $m) (i32.const 1)))))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))"""
CALLING = """(func (export "run") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (call $work (local.get $sum)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))"""
QUICK_IN_CALLING = """(func (export "run") (param $n i32) (result i32)
    (local $m i32) (local $sum i32)
    (loop $outer
      (local.set $m (i32.const 100))
      (loop $inner (br_if $inner (local.tee $m (i32.sub (local.get $m) (i32.const 1)))))
      (local.set $sum (call $work (local.get $sum)))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))"""
RETURN_FROM_INSIDE = """(func (export "run") (param $n i32) (result i32)
    (loop $again
      (block
        (if (i32.eqz (local.get $n)) (then (return (i32.const 7)))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $again))
    (unreachable))"""
BRANCH_OUT = """(func (export "run") (param $n i32) (result i32)
    (loop $again (result i32)
      (br_if 1 (i32.const 9) (i32.eqz (local.get $n)))
      (drop)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $again)))"""
TWO_RESULTS = """(func $two (result i32 i32) (local $n i32)
    (local.set $n (i32.const 4))
    (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (return (i32.const 1) (i32.const 2)))
  (func (export "run") (param $n i32) (result i32) (i32.sub (call $two)))"""
WALKING = """(func (export "run") (param $n i32) (result i32)
    (local $at i32) (local $sum i32)
    (local.set $n (i32.mul (local.get $n) (i32.const 4)))
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
      (br_if $again (i32.lt_u
        (local.tee $at (i32.add (local.get $at) (i32.const 4))) (local.get $n))))
    (local.get $sum))"""
WALKING_WITH_A_WAY_OUT = """(func (export "run") (param $n i32) (result i32)
    (local $at i32) (local $left i32)
    (local.set $left (local.get $n))
    (block $out
      (loop $again
        (br_if $out (i32.eqz (local.get $left)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (drop (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $again (i32.const 1))))
    (local.get $at))"""
ENDLESS_LOOP = """(func (export "run") (param $n i32) (result i32)
    (loop $again (br $again)) (unreachable))"""
SHAPES = {
    "loop without calls": (QUICK, 5050),
    "loops without calls": (NESTED, 171_700),
    "loop that calls": (CALLING, 100),
    "loop without calls in a loop that calls": (QUICK_IN_CALLING, 100),
    "return from inside": (RETURN_FROM_INSIDE, 7),
    "branch out of the function": (BRANCH_OUT, 9),
    "two results": (TWO_RESULTS, -1),
    "walk through memory": (WALKING, 6),
    "walk with a way out": (WALKING_WITH_A_WAY_OUT, 400),
}


def module(function):
    return bytes(wasmtime.wat2wasm(MODULE.replace("{function}", function)))


class Machine:
    """Runs a module; at each yield grants another slice."""

    def __init__(self, data, *, slice_fuel=1 << 40):
        self.store = wasmtime.Store()
        kind = wasmtime.FuncType([], [wasmtime.ValType.i32()])
        pause = wasmtime.Func(self.store, kind, self.pause)
        code = wasmtime.Module(self.store.engine, data)
        exports = wasmtime.Instance(self.store, code, [pause]).exports(self.store)
        self.exports = exports
        self.slice_fuel = slice_fuel
        self.granted = slice_fuel
        self.slices = []
        self.left = exports.get(EXPORT)
        if self.left is not None:
            self.left.set_value(self.store, wasmtime.Val.i64(slice_fuel))

    def pause(self):
        self.slices.append(self.slice_fuel - self.left.value(self.store))
        self.granted += self.slice_fuel - self.left.value(self.store)
        self.left.set_value(self.store, wasmtime.Val.i64(self.slice_fuel))
        return 0

    def run(self, argument=100):
        return self.exports["run"](self.store, argument)

    def used(self):
        return self.granted - self.left.value(self.store)


def clocked(shape, **options):
    return Machine(add_clock(module(SHAPES[shape][0]), yield_import="pause"), **options)


@pytest.mark.parametrize("shape", SHAPES)
def test_result_is_that_of_the_untouched_module(shape):
    original, expected = SHAPES[shape]
    assert Machine(module(original)).run() == expected
    assert clocked(shape).run() == expected


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "two results"])
def test_time_taken_grows_with_the_rounds_of_a_loop(shape):
    some, more = clocked(shape), clocked(shape)
    some.run(100)
    more.run(200)
    ratio = more.used() / some.used()
    assert 3.5 < ratio < 4.1 if shape == "loops without calls" else 1.8 < ratio < 2.1


@pytest.mark.parametrize("shape", SHAPES)
def test_time_taken_is_the_same_in_one_slice_and_in_many(shape):
    whole, sliced = clocked(shape), clocked(shape, slice_fuel=50)
    assert whole.run() == sliced.run()
    assert whole.used() == sliced.used()
    assert not whole.slices


@pytest.mark.parametrize("shape", ["loop that calls", "loop without calls in a loop that calls"])
def test_loop_that_calls_hands_the_thread_back_within_a_round(shape):
    machine = clocked(shape, slice_fuel=50)
    machine.run()
    assert len(machine.slices) >= 10
    round_fuel = 600 if shape != "loop that calls" else 40
    assert all(50 < used <= 50 + round_fuel for used in machine.slices)


def test_loop_charged_behind_its_end_costs_as_much_as_one_that_counts(monkeypatch):
    for function in (QUICK, NESTED, WALKING):
        behind = Machine(add_clock(module(function), yield_import="pause"))
        behind.run()
        with monkeypatch.context() as patch:
            patch.setattr("wattest.emulator.spill.clock._find_walk", lambda *_: None)
            counting = Machine(add_clock(module(function), yield_import="pause"))
        counting.run()
        assert behind.used() == counting.used() > 100


def test_endless_loop_without_calls_ends_in_a_trap(monkeypatch):
    monkeypatch.setattr("wattest.emulator.spill.clock.ENDLESS", 100_000)
    machine = Machine(add_clock(module(ENDLESS_LOOP), yield_import="pause"))
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        machine.run()
    assert ENDLESS > 100_000


def test_short_leaf_function_is_left_as_it_is():
    leaf = (
        """(func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"""
    )
    machine = Machine(add_clock(module(leaf), yield_import="pause"))
    assert machine.run() == 300
    assert machine.used() == 0


def test_other_globals_keep_their_numbers_and_values():
    machine = clocked("loop that calls")
    assert machine.exports["other"](machine.store) == 5


def test_output_is_the_same_every_time():
    data = module(NESTED)
    first, second = (add_clock(data, yield_import="pause") for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_module_without_the_yield_import_is_refused():
    with pytest.raises(ValueError, match="does not import hold"):
        add_clock(module(QUICK), yield_import="hold")
