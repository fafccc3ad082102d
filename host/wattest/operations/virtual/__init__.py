"""Runs in virtual time: the rig, its links, the faults."""
