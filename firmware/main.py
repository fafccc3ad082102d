"""Starts the node. Ctrl-C stops it and leaves the REPL."""

import gc
import os
import sys

TABLE = "/p256.tbl"
table = None
if TABLE[1:] in os.listdir("/"):  # a board with a secure element has none
    from node.p256 import load_table

    table = load_table(TABLE)  # 32 KB in one block can only be had before anything else
    gc.collect()

# Dependencies first. With a collection after each, what stays is packed: garbage of one import
# between the objects of the next would leave a heap of small holes, and slow every allocation.
MODULES = (
    "cbor",
    "cose",
    "frame",
    "registers",
    "clock",
    "journal",
    "keystore",
    "files",
    "chain",
    "record",
    "recorder",
    "meter",
    "commands",
    "actions",
    "legal_log",
    "session",
    "app",
    "wiring",
)


def forget(name: str) -> None:
    """Give back the memory of a module that is not needed any more."""
    del sys.modules["node." + name]
    delattr(sys.modules["node"], name)
    gc.collect()


def build():
    """The node, or None if its configuration is wrong."""
    from node import config

    try:
        settings = config.load("/node.json")
    except config.ConfigError as error:
        print("wattest: %s; correct the file and reset" % error)
        return None
    del config
    forget("config")
    has_element = "element_address" in settings
    signer = ("drivers.atecc608", "element") if has_element else ("software_key",)
    if table is None and not has_element:
        print("wattest: %s: missing; nothing could be signed" % TABLE)
        return None
    for name in MODULES + ("drivers." + settings["sensor"],) + signer:
        __import__("node." + name)
        gc.collect()
    from node import startup

    node = startup.start(table, settings)
    del startup
    forget("startup")
    return node


def main() -> None:
    """Run until Ctrl-C."""
    try:
        node = build()
        if node is not None:
            gc.collect()  # start-up code can only be given back once its callers are gone
            print("heap free: %d bytes" % gc.mem_free())
            node.run()
    except KeyboardInterrupt:
        print("wattest: stopped by Ctrl-C; soft reset (Ctrl-D) starts it again")


main()
