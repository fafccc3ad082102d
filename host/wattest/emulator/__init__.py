"""The emulated board: the real MicroPython machine, its flash, its buses, its console."""
