"""Marks: how sure a value is, in a sign, a word and a tone; never in a tone alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wattest.twin import TwinState
from wattest.verify import Severity, Verdict


class Tone(Enum):
    """What a colour would say; a screen without colours loses nothing by it."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A sign of one column, the word that says the same, and its tone."""

    sign: str
    word: str
    tone: Tone

    def __str__(self) -> str:
        """Return sign and word."""
        return f"{self.sign} {self.word}"


VERIFIED = Mark(sign="✓", word="verified", tone=Tone.GOOD)
STALE = Mark(sign="~", word="stale", tone=Tone.WARN)
DOUBTED = Mark(sign="!", word="in doubt", tone=Tone.BAD)
NOTHING = Mark(sign="·", word="no reading", tone=Tone.DIM)


def twin_mark(twin: TwinState | None, now_ms: int) -> Mark:
    """Say how sure the values of a twin are at an instant."""
    if twin is None or twin.energies is None:
        return NOTHING
    if not twin.verified:
        return DOUBTED
    return STALE if twin.stale(now_ms) else VERIFIED


def verdict_mark(verdict: Verdict, *, logged: bool) -> Mark:
    """Say what verification made of a record, in the codes of its findings.

    Not counted is what a node did sign, but which repeats or contradicts an earlier record.
    """
    worst = verdict.worst
    codes = ", ".join(dict.fromkeys(finding.code.value for finding in verdict.findings))
    if not logged:
        word = "not counted" if verdict.accepted else "refused"
        return Mark(sign="✗", word=f"{word}: {codes}", tone=Tone.BAD)
    if worst is None:
        return VERIFIED
    if worst is Severity.ERROR:
        return Mark(sign="!", word=f"in doubt: {codes}", tone=Tone.BAD)
    tone = Tone.WARN if worst is Severity.WARNING else Tone.GOOD
    return Mark(sign="✓", word=f"verified, {codes}", tone=tone)


def lost_mark(rule: str) -> Mark:
    """Say why a frame was dropped before anybody could verify it."""
    return Mark(sign="✗", word=f"frame lost: {rule}", tone=Tone.BAD)


def fault_mark(*, passed: bool) -> Mark:
    """Say whether a fault was answered as it must be."""
    if passed:
        return Mark(sign="✓", word="AS EXPECTED", tone=Tone.GOOD)
    return Mark(sign="✗", word="NOT AS EXPECTED", tone=Tone.BAD)
