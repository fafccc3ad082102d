"""Flags: what a reader of a statement must know about the evidence of a line."""

from __future__ import annotations

from enum import StrEnum


class Flag(StrEnum):
    """What a reader of a statement must know about the evidence of a line."""

    INTERP = "INTERP"
    """A value between two readings that are close enough, pro rata to time."""
    EST = "EST"
    """A part is estimated by a rule of the terms."""
    UNMETERED = "UNMETERED"
    """Time that no reading covers."""
    DERIVED_TIME = "DERIVED_TIME"
    """The host derived a time from a later signed event."""
    MISSING = "MISSING"
    """Numbers are missing between fiscal readings; cumulative registers lose no energy by it."""
    REGISTER_FAULT = "REGISTER_FAULT"
    """A register ran backwards or faster than the asset can; not billed until resolved."""
    CONFLICT = "CONFLICT"
    """A node signed two different records of one identity; neither is used."""
    CLOCK_BACKWARDS = "CLOCK_BACKWARDS"
    """Times and numbers disagree: a clock was set back, or two boards sign with one key."""
    UNTIMED = "UNTIMED"
    """Readings without any time; their energy shows in the next one that has it."""
    STATUS = "STATUS"
    """A reading whose sensor path was not good."""
    INPUT = "INPUT"
    """Energy that did not come from the sensor was left out."""
    OVERLAP = "OVERLAP"
    """Two keys metered one asset at the same time; the time is counted once."""
    MINIMUM = "MINIMUM"
    """The least amount of the terms applied."""
    MAXIMUM = "MAXIMUM"
    """The largest amount of the terms applied."""
    CREDIT_CAP = "CREDIT_CAP"
    """A reduction for poor performance stopped at the largest one of the terms."""
    UNKNOWN = "UNKNOWN"
    """Availability: some time is covered by no reading."""
    UNKNOWN_DOWN = "UNKNOWN_DOWN"
    """Availability: more time than the terms allow is covered by no reading; the rest is down."""
