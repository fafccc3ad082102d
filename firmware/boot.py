"""First file the node runs: what must be in place before anything can go wrong."""

import micropython

micropython.alloc_emergency_exception_buf(100)
