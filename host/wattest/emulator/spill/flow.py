"""Control flow of one function: where instructions continue, which locals live, what repeats.

WebAssembly control is structured, so no graph has to be rebuilt: a label names an enclosing
block, and its target is the block's end (or, for a loop, its start). A call inside a
``try_table`` may also continue at any of its catch labels; leaving those edges out would let the
collector free objects that only an exception handler still needs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wattest.emulator.spill import wasm
from wattest.emulator.spill.wasm import Instruction

_MAY_THROW = frozenset((wasm.CALL, wasm.CALL_INDIRECT, wasm.THROW, wasm.THROW_REF))
_LEAVES = frozenset((wasm.BR, wasm.BR_TABLE, wasm.RETURN, wasm.UNREACHABLE, wasm.THROW))
_ONCE = 1 << 20
_STOPS = frozenset((wasm.UNREACHABLE, wasm.THROW, wasm.THROW_REF))


class Flow:
    """Successors and liveness of the instructions of one function.

    Attributes:
        enclosing: for each instruction, the indices of the blocks around it, outermost first; a
            block's own instruction counts as inside, its ``end`` as outside.
    """

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = instructions
        self._exit = len(instructions)
        self._end_of: dict[int, int] = {}
        self._else_of: dict[int, int] = {}
        self._tries: list[tuple[int, ...]] = []
        self.enclosing: list[tuple[int, ...]] = []
        self._match_blocks()
        self._handlers = {
            index: tuple(
                self._target(label, self.enclosing[index][:-1])
                for label in instruction.immediate[1]
            )
            for index, instruction in enumerate(instructions)
            if instruction.op == wasm.TRY_TABLE
        }
        self._next = [self._all_successors(index) for index in range(self._exit)]
        self._live: list[int] | None = None

    def live_after(self, index: int) -> int:
        """Return the bit set of locals whose value may be read after instruction ``index``."""
        if self._live is None:
            reads, writes = {}, {}
            for place, (op, local, *_) in enumerate(self._instructions):
                if op == wasm.LOCAL_GET:
                    reads[place] = 1 << local
                elif op in (wasm.LOCAL_SET, wasm.LOCAL_TEE):
                    writes[place] = 1 << local
            self._live = self.backward(reads, writes)
        return self.after(index, self._live)

    def after(self, index: int, before: Sequence[int]) -> int:
        """Return the facts that hold after ``index`` on some way, from those before each."""
        facts = 0
        for successor in self._next[index]:
            facts |= before[successor]
        return facts

    def end_of(self, block: int) -> int:
        """Return the index of the ``end`` of the block that begins at index ``block``."""
        return self._end_of[block]

    def frequencies(self) -> list[int]:
        """Return how often each instruction is likely done; only their ratios mean anything.

        A loop goes round eight times, and a conditional branch is taken every other time.
        """
        often, found = _ONCE, []
        outer: list[int] = []  # of each open block: how often the code behind its end is done
        for op, immediate, *_ in self._instructions:
            found.append(max(often, 1))
            if op in wasm.BLOCKS:
                outer.append(often)
                often = often * 8 if op == wasm.LOOP else often >> (op == wasm.IF)
            elif op == wasm.ELSE:
                often = outer[-1] >> 1
            elif op == wasm.END and outer:
                often = outer.pop()
            elif op == wasm.BR_IF:
                often >>= 1
                for place in range(len(outer) - immediate, len(outer)):
                    outer[place] >>= 1  # blocks that the branch leaves, but for its target
            elif op in _LEAVES:
                often = 0
        return found

    def rounds(self, loop: int) -> set[int]:
        """Return the instructions that a round of the loop at index ``loop`` may pass.

        What only leads out of the loop is not among them, wherever it stands.
        """
        inside = range(loop + 1, self._end_of[loop])
        before: dict[int, list[int]] = {}
        for index in inside:
            for successor in self._next[index]:
                before.setdefault(successor, []).append(index)
        work = list(before.get(loop + 1, ()))
        found = set(work)
        while work:
            fresh = [index for index in before.get(work.pop(), ()) if index not in found]
            found.update(fresh)
            work += fresh
        return found

    def _match_blocks(self) -> None:
        open_blocks: list[int] = []
        open_tries: list[int] = []
        for index, (op, *_) in enumerate(self._instructions):
            self._tries.append(tuple(open_tries))
            if op in wasm.BLOCKS:
                open_blocks.append(index)
                if op == wasm.TRY_TABLE:
                    open_tries.append(index)
            elif op == wasm.ELSE:
                self._else_of[open_blocks[-1]] = index
            elif op == wasm.END and open_blocks:
                block = open_blocks.pop()
                self._end_of[block] = index
                if self._instructions[block].op == wasm.TRY_TABLE:
                    open_tries.pop()
            self.enclosing.append(tuple(open_blocks))

    def _target(self, label: int, blocks: Sequence[int]) -> int:
        if label >= len(blocks):
            return self._exit
        block = blocks[-1 - label]
        if self._instructions[block].op == wasm.LOOP:
            return block + 1
        return self._end_of[block] + 1

    def _successors(self, index: int) -> list[int]:
        op, immediate, *_ = self._instructions[index]
        blocks = self.enclosing[index]
        if op == wasm.BR:
            return [self._target(immediate, blocks)]
        if op == wasm.BR_IF:
            return [index + 1, self._target(immediate, blocks)]
        if op == wasm.BR_TABLE:
            return [self._target(label, blocks) for label in set(immediate)]
        if op == wasm.RETURN:
            return [self._exit]
        if op in _STOPS:
            return []
        if op == wasm.IF:
            return [index + 1, self._else_of.get(index, self._end_of[index]) + 1]
        if op == wasm.ELSE:
            return [self._end_of[blocks[-1]] + 1]
        return [index + 1]

    def _all_successors(self, index: int) -> tuple[int, ...]:
        successors = set(self._successors(index))
        if self._instructions[index].op in _MAY_THROW:
            for block in self._tries[index]:
                successors.update(self._handlers[block])
        return tuple(sorted(successors))

    def backward(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> list[int]:
        """Return, for each instruction, the facts that hold before it because of what follows.

        Args:
            begins: instruction -> bit set of facts that hold before it.
            ends: instruction -> bit set of facts that what follows does not make true before it.
        """
        before = [0] * (self._exit + 1)
        changed = True
        while changed:  # to the least solution; loops need more than one round
            changed = False
            for index in range(self._exit - 1, -1, -1):
                facts = 0
                for successor in self._next[index]:
                    facts |= before[successor]
                facts = facts & ~ends.get(index, 0) | begins.get(index, 0)
                if facts != before[index]:
                    before[index] = facts
                    changed = True
        return before

    def forward(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> list[int]:
        """Return, for each instruction, the facts that hold before it on every way to it.

        Args:
            begins: instruction -> bit set of facts that hold after it.
            ends: instruction -> bit set of facts that do not hold after it, if not begun.
        """
        every = 0
        for facts in begins.values():
            every |= facts
        before = [every] * (self._exit + 1)
        before[0] = 0
        changed = True
        while changed:  # to the greatest solution
            changed = False
            for index in range(self._exit):
                after = before[index] & ~ends.get(index, 0) | begins.get(index, 0)
                for successor in self._next[index]:
                    if before[successor] & ~after:
                        before[successor] &= after
                        changed = True
        return before

    def avoids(self, places: Collection[int]) -> bool:
        """Tell whether there is a way through the function that passes none of ``places``."""
        reached = {0}
        work = [0]
        while work:
            index = work.pop()
            if index == self._exit:
                return True
            if index not in places:
                fresh = [step for step in self._next[index] if step not in reached]
                reached.update(fresh)
                work += fresh
        return False
