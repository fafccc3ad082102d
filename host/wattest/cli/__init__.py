"""The command line: one file a command, which parses, calls an operation and renders."""
