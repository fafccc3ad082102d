"""Loads played to real boards: by an instrument, by a second board, by the node's test input."""
