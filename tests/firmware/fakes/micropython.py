"""`micropython` for the node's pure modules under CPython."""


def const(value):
    return value
