"""Starts the node. Ctrl-C stops it and leaves the REPL."""

import gc
import sys

from node.p256 import load_table

table = load_table("/p256.tbl")  # one block of 32 KB can only be had before anything else
gc.collect()

from node import startup
from node.config import ConfigError


def main() -> None:
    """Run until Ctrl-C, or until the configuration turns out to be wrong."""
    try:
        node = startup.start(table)
    except ConfigError as error:
        print("wattest: %s; correct the file and reset" % error)
        return
    for name in ("node.startup", "node.config"):
        del sys.modules[name]
    gc.collect()
    try:
        node.run()
    except KeyboardInterrupt:
        print("wattest: stopped by Ctrl-C; soft reset (Ctrl-D) starts it again")


main()
