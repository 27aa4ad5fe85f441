"""What features were like in the sessions of a training, week by week: newer ones are held against it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tasks.core.skill import Vector

WEEK = 5
"""Sessions that are judged together, and the length of the reference's blocks."""
KEPT = 250
"""Newest sessions of a training that are its reference: a year."""
MIN_WEEKS = 12
"""Fewer tell nothing about what a usual week is; the smallest training has as many."""
INNER = np.linspace(0.1, 0.9, 9)
"""The inner deciles, between which rows are counted."""
ROUNDING = 1e-9
"""A spread within a session that is smaller, relative to its mean, is a feature with one value a session."""
STATISTICS = ("mean", "spread", "missing")
"""What a session tells of a feature: mean and deviation over symbols, share of symbols without it."""
CALENDAR = frozenset({"weekday", "day_of_month", "month", "days_closed", "listing_age"})
RUPEES = frozenset({"Close_Lag_1", "SMA_20", "atr_14", "close_log"})


def judged(names: Sequence[str]) -> list[str]:
    """Leave out features that differ from week to week by nature, or can't differ, in the order given.

    The calendar and levels in rupees go where they go; a rank within the session is the same distribution in
    every session; a lag is its feature again, some sessions later.
    """
    left_out = CALENDAR | RUPEES
    return [n for n in names if n not in left_out and not n.startswith("rank_") and "_lag" not in n]


@dataclass(frozen=True)
class Reference:
    """What features were like in the sessions of a training; plain JSON, null where nothing is known."""

    names: list[str]
    sessions: int
    edges: list[list[float]]
    """Of each feature: its inner deciles, each once."""
    shares: list[list[float]]
    """Of each feature: share of the rows up to each edge, beyond the last, and without a value."""
    centres: list[list[float | None]]
    """Of each feature and of `STATISTICS`: the mean of the weeks, a week being the mean of its sessions."""
    spreads: list[list[float | None]]
    """Their standard deviation."""
    weeks: list[list[int]]
    """How many weeks tell it."""

    @classmethod
    def of(cls, days: ArrayLike, values: NDArray[np.floating[Any]], names: Sequence[str]) -> Self | None:
        """Describe the newest `KEPT` sessions; None where they have fewer than `MIN_WEEKS` weeks.

        Args:
            days: the session of each row, shape (n,), in any order.
            values: shape (n, features), what is not finite is missing.
            names: of the columns.
        """
        newest = newest_of(days, KEPT)
        rows, kept = finite(values[newest.place >= 0]), newest.place[newest.place >= 0]
        whole = newest.count // WEEK * WEEK
        if whole < MIN_WEEKS * WEEK:
            return None
        levels = levels_of(kept, rows)[-whole:]
        weeks = pd.DataFrame(levels.reshape(-1, WEEK, 3 * len(names)).mean(axis=1))
        edges = [_edges(column) for column in rows.T]
        shares = [shares_of(column, edge) for column, edge in zip(rows.T, edges, strict=True)]
        told = (_table(one, len(names)) for one in (weeks.mean(), weeks.std(), weeks.count().astype(int)))
        return cls(list(names), newest.count, edges, shares, *told)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read it back."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Newest:
    """Rows of the newest sessions."""

    place: NDArray[np.int64]
    """Of each row's session among the kept ones, the oldest is 0; negative for older ones."""
    count: int


def newest_of(days: ArrayLike, sessions: int) -> Newest:
    """Find the newest so many sessions of rows, given the session of each, shape (n,)."""
    found, place = np.unique(np.asarray(days), return_inverse=True)
    count = min(sessions, len(found))
    return Newest(place - (len(found) - count), count)


def finite(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Widen values; what is not a finite number is missing (NaN)."""
    wide = values.astype(np.float64)
    return np.where(np.isfinite(wide), wide, np.nan)


def levels_of(place: NDArray[np.int64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell `STATISTICS` of each session and feature, shape (sessions, features, 3)."""
    by_session = pd.DataFrame(rows).groupby(place)
    mean, spread = by_session.mean().to_numpy(), by_session.std(ddof=0).to_numpy()
    spread = np.where(spread <= ROUNDING * np.abs(mean), 0.0, spread)
    missing = pd.DataFrame(np.isnan(rows)).groupby(place).mean().to_numpy()
    return np.stack([mean, spread, missing], axis=2)


def _edges(column: Vector) -> list[float]:
    known = column[np.isfinite(column)]
    return [float(edge) for edge in np.unique(np.quantile(known, INNER))] if len(known) else []


def shares_of(column: Vector, edges: Sequence[float]) -> list[float]:
    """Give the share of rows, (n,), up to each edge, beyond the last, and without a value."""
    known = column[np.isfinite(column)]
    bins = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    return [*(float(share) for share in bins / len(column)), float(1 - len(known) / len(column))]


def _table(values: "pd.Series[Any]", features: int) -> list[list[Any]]:
    """Lay out one number a feature and statistic, None where it is not known."""
    wide = values.astype(object).where(values.notna(), None).to_numpy().reshape(features, len(STATISTICS))
    return [list(row) for row in wide]
