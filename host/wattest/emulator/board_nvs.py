"""Serves the guest's NVS requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wattest.emulator.board_hardware import Request, Serve, Words
from wattest.emulator.guest import GuestVm
from wattest.emulator.guest_memory import WildPointer
from wattest.emulator.nvs import BLOB_MAX_BYTES, Nvs, NvsFull, NvsStore

NOT_FOUND, NO_SPACE, BAD_NAME, BAD_LENGTH = 0x1102, 0x1105, 0x1106, 0x110C
"""ESP_ERR_NVS_*, what the guest raises with a minus sign."""


class NvsRequests:
    """The namespaces one guest has opened.

    Args:
        store: makes the store, at the first use.
    """

    def __init__(self, store: Callable[[], NvsStore]) -> None:
        self._make_store = store
        self._store: NvsStore | None = None
        self._namespaces: list[Nvs] = []

    def table(self) -> dict[int, Serve]:
        """Return what serves each request."""
        return {
            Request.NVS_OPEN: self._guarded(self._open),
            Request.NVS_SET_I32: self._guarded(self._set_i32),
            Request.NVS_GET_I32: self._guarded(self._get_i32),
            Request.NVS_SET_BLOB: self._guarded(self._set_blob),
            Request.NVS_GET_BLOB: self._guarded(self._get_blob),
            Request.NVS_ERASE: self._guarded(self._erase),
            Request.NVS_COMMIT: self._guarded(self._commit),
        }

    @staticmethod
    def _guarded(serve: Serve) -> Serve:
        def guarded(vm: GuestVm, words: Words) -> Sequence[int]:
            try:
                return serve(vm, words)
            except KeyError:
                return (NOT_FOUND,)
            except NvsFull:
                return (NO_SPACE,)
            except WildPointer:
                raise
            except ValueError:
                return (BAD_NAME,)

        return guarded

    def _open(self, vm: GuestVm, words: Words) -> Sequence[int]:
        if self._store is None:
            self._store = self._make_store()
        self._namespaces.append(self._store.namespace(_text(vm, words)))
        return 0, len(self._namespaces) - 1

    def _set_i32(self, vm: GuestVm, words: Words) -> Sequence[int]:
        value = words[4]
        self._space(words).set_i32(_text(vm, words), value - (value >> 31 << 32))
        return (0,)

    def _get_i32(self, vm: GuestVm, words: Words) -> Sequence[int]:
        return 0, self._space(words).get_i32(_text(vm, words)) & 0xFFFFFFFF

    def _set_blob(self, vm: GuestVm, words: Words) -> Sequence[int]:
        if words[5] > BLOB_MAX_BYTES:
            return (BAD_LENGTH,)
        self._space(words).set_blob(_text(vm, words), vm.read(words[4], words[5]))
        return (0,)

    def _get_blob(self, vm: GuestVm, words: Words) -> Sequence[int]:
        blob = self._space(words).get_blob(_text(vm, words))
        if len(blob) > words[5]:
            return (BAD_LENGTH,)
        vm.write(words[4], blob)
        return 0, len(blob)

    def _erase(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._space(words).erase_key(_text(vm, words))
        return (0,)

    def _commit(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._space(words).commit()
        return (0,)

    def _space(self, words: Words) -> Nvs:
        return self._namespaces[words[1]]


def _text(vm: GuestVm, words: Words) -> str:
    return vm.read(words[2], words[3]).decode()
