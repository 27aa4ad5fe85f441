"""Vectors of past sessions, from the windows that they have as of an offset of raw-data."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from events.payloads import DataIngested, FeaturesComputed
from infra.bootstrap import Loop
from infra.errors import ReplanError
from infra.kafka.records import Received, of_kind
from tasks.core.features import compute
from tasks.core.grid import WINDOW
from tasks.core.panel import Panel
from tasks.core.sessions import Held
from tasks.features import payloads
from tasks.panels import panels
from tasks.sessions import Sessions, sessions

Rows = dict[date, pd.DataFrame]
"""Rows of `features.compute` by session."""


def panel_of(loop: Loop, offset: int, days: Sequence[date]) -> Panel:
    """Give the panel of what sessions may look at as of an offset; raises like `Store.get`.

    A window is the newest WINDOW sessions up to its own: those of other sessions beside it change nothing.
    """
    index = sessions(loop).index
    windows = (index.window(offset, day, WINDOW) for day in days)
    held: dict[date, Held] = {one.day: one for window in windows for one in window}
    return panels(loop).of(held.values())


def by_session(table: pd.DataFrame, days: Sequence[date]) -> Rows:
    """Take the rows of some sessions; one whose object can't be used has none."""
    found: dict[Any, pd.DataFrame] = dict(list(table.groupby("date")))
    return {day: found[day] for day in days if day in found}


def rows_as_of(loop: Loop, offset: int, days: Sequence[date]) -> Rows:
    """Compute sessions as of an offset; raises like `Store.get`."""
    return by_session(compute(panel_of(loop, offset, days), min(days)), days)


def vectors_as_of(known: Sessions, rows: Rows, offset: int) -> dict[date, dict[str, FeaturesComputed]]:
    """Make the vectors of sessions by symbol, under the revisions that they have as of the offset."""
    return {
        day: {vector.symbol: vector for vector in payloads(found, known.index.standing(day, offset))}
        for day, found in rows.items()
    }


def cause_at(loop: Loop, offset: int) -> Received[Any]:
    """Read an event of raw-data.

    Raises:
        ReplanError: there is none at this offset.
    """
    found = loop.live.raw_data.between(offset, offset + 1)
    if not found:
        message = f"raw-data has no event at {offset}"
        raise ReplanError(message)
    return found[0]


def announcement_of(loop: Loop, known: Sessions, offset: int, day: date) -> Received[DataIngested]:
    """Find the event by which a session is held as of an offset.

    Raises:
        ReplanError: it is not held.
    """
    held = known.index.as_of(offset, day)
    if held is None:
        message = f"session {day} is not held as of offset {offset} of raw-data"
        raise ReplanError(message)
    return of_kind([cause_at(loop, held.offset)], DataIngested)[0]
