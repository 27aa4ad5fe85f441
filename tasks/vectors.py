"""From windows of sessions to their vectors: the one way that live sessions and past ones take."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import pandas as pd

from events.payloads import DataIngested, FeaturesComputed
from infra.bootstrap import Loop
from infra.errors import ReplanError
from infra.kafka.records import Received, of_kind
from tasks.core.features import FEATURE_SET, compute, to_payload_rows
from tasks.core.grid import WINDOW
from tasks.core.panel import Panel
from tasks.core.sessions import Held
from tasks.panels import panels
from tasks.sessions import Sessions, sessions

Rows = dict[date, pd.DataFrame]
"""Rows of `features.compute` by session; one whose object can't be used has none."""

Features = dict[str, float | None]


def panel_of(loop: Loop, windows: Iterable[Sequence[Held]]) -> Panel:
    """Give the panel of several windows, of which no two hold one day otherwise; raises like `Store.get`.

    A window is the newest WINDOW sessions up to its own: those of other sessions beside it change nothing.
    """
    held: dict[date, Held] = {one.day: one for window in windows for one in window}
    return panels(loop).of(held.values())


def panel_as_of(loop: Loop, offset: int, days: Sequence[date]) -> Panel:
    """Give the panel of what sessions may look at as of an offset; raises like `Store.get`."""
    index = sessions(loop).index
    return panel_of(loop, (index.window(offset, day, WINDOW) for day in days))


def by_session(table: pd.DataFrame, days: Sequence[date]) -> Rows:
    """Take the rows of some sessions."""
    found: dict[Any, pd.DataFrame] = dict(list(table.groupby("date")))
    return {day: found[day] for day in days if day in found}


def rows_of(panel: Panel, days: Sequence[date]) -> Rows:
    """Compute sessions of a panel that holds their windows."""
    return by_session(compute(panel, min(days)), days)


def rows_as_of(loop: Loop, offset: int, days: Sequence[date]) -> Rows:
    """Compute sessions as of an offset; raises like `Store.get`."""
    return rows_of(panel_as_of(loop, offset, days), days)


def vectors_of(known: Sessions, rows: Rows, day: date, offset: int) -> list[FeaturesComputed]:
    """Make a session's vectors, under the revision that it has as of the offset; none without rows."""
    return payloads(rows[day], known.index.standing(day, offset)) if day in rows else []


def vectors_as_of(known: Sessions, rows: Rows, offset: int) -> dict[date, dict[str, FeaturesComputed]]:
    """Make the vectors of all sessions of some rows, by session and symbol."""
    return {day: {one.symbol: one for one in vectors_of(known, rows, day, offset)} for day in rows}


def payloads(rows: pd.DataFrame, revision: int) -> list[FeaturesComputed]:
    """Build the vectors of one session's rows, as `compute` gives them."""
    vectors = zip(rows["symbol"], rows["date"], rows["last_close"], to_payload_rows(rows), strict=True)
    return [_payload(*vector, revision) for vector in vectors]


def _payload(symbol: str, day: date, close: float, features: Features, revision: int) -> FeaturesComputed:
    """Check everything but the features: they are our own numbers, and most of the work."""
    made = FeaturesComputed(
        symbol=symbol,
        date=day,
        features={},
        feature_set=FEATURE_SET,
        last_close=close,
        revision=revision,
    )
    return FeaturesComputed.known(made.__dict__ | {"features": features})


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
