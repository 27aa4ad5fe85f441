"""What is said about the date of some rows, what is held, and what a claim turned out to be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

import pandas as pd

from tasks.core.calendar import Calendar
from tasks.core.layout import DailyFile


@dataclass(frozen=True, eq=False, slots=True)
class Claim:
    """Rows, and what is said about their date."""

    source: str
    named: date | None
    """Day that the file is named for, or the date that its rows carry; None where nothing tells."""
    digest: str
    """`content_hash` of the rows."""
    rows: Callable[[], pd.DataFrame]
    """Gives the tidy frame; what is stored is read only where it is looked at."""
    dated: bool = False
    """The rows carry their date, as those of a price history do."""
    file: DailyFile | None = None
    """All that was read along with the rows, also what was rejected; None of what is stored."""


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """A session that is held, and the claim that it rests on."""

    day: date
    claim: Claim
    location: str = ""
    """Where its rows are stored; empty for one that is not stored yet."""
    absorbed: tuple[str, ...] = ()
    """Locations of what was taken for sessions and turned out to be this one."""


class Kind(StrEnum):
    """What a claim turned out to be."""

    SESSION = "session"
    """A new one: to be stored under `day`."""
    REVISION = "revision"
    """The session `of`, as full or fuller: to be stored in its place."""
    REPEAT = "repeat"
    """The rows of `of` again."""
    PARTIAL = "partial"
    """Less of the session `of` than is held."""
    MOVED = "moved"
    """The session `of` has an earlier date than was thought: to be retracted and stored under `day`."""
    UNPLACED = "unplaced"
    """Its date can't be told: to be put aside, never stored."""
    EMPTY = "empty"
    """There is no usable row."""


class Push(NamedTuple):
    """A held session that has to make room, and where it goes."""

    known: Known
    day: date


@dataclass(frozen=True, eq=False, slots=True)
class Verdict:
    """What became of a claim."""

    kind: Kind
    claim: Claim
    """What holds for the session from now on: its rows may be the held ones, or without stale rows."""
    day: date | None
    of: Known | None = None
    push: Push | None = None

    @property
    def why(self) -> str:
        """Say it in words, for the line about the file."""
        of = self.of.day if self.of else None
        return {
            Kind.SESSION: "",
            Kind.REVISION: f"revision of {of}",
            Kind.REPEAT: f"repeat of {of}, skipped",
            Kind.PARTIAL: f"less of {of} than is held, skipped",
            Kind.MOVED: f"{of} turned out to be {self.day}",
            Kind.UNPLACED: "its session can't be told: put aside",
            Kind.EMPTY: "no usable row: put aside",
        }[self.kind]


def natural_day(claim: Claim, calendar: Calendar) -> date | None:
    """Session that a claim's own date points to: the date of its rows, else the last session by its name."""
    if claim.named is None or claim.dated:
        return claim.named
    return calendar.on_or_before(claim.named)
