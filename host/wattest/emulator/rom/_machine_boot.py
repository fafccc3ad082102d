"""``machine.bootloader``, on the chips whose programs can ask for download mode."""

from micropython import const
from _board import call

_DOWNLOAD = const(15)

if call(_DOWNLOAD, 0):

    def bootloader(timeout=None):
        call(_DOWNLOAD, 1)
