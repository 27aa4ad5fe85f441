"""How two sessions' rows relate: the same session, the next one, the one before, or one mixed into the other.

The thresholds lie between what the exchange's files show: 2,913 sessions of history (2011 to 2024) and the
266 of the daily files, each beside the next one and the one after it.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

SAME_SHARE = 0.9
"""Of the telling rows. Copies and snapshots of one session agree in all of them but those corrected; two
sessions in at most 1 % where previous closes are known, in 22 % (thin days of 2012) where they are not."""

CHAIN_SHARE = 0.9
"""Of the telling rows. A session continues the one before it in 94 % or more, the one before that in 17 %."""

SAME_LEAST = 2
"""Telling rows below which nothing is said. In 79,600 pairs of neighbours' rows not one looked like a
snapshot, so two rows that do are no accident; a partial file of the exchange's had only two."""

CHAIN_LEAST = 5
"""Telling rows below which no session is said to follow another: one row in six does so by chance."""

STALE_LEAST = 5
"""Rows that must be equal before a file is taken for a mixture: different sessions share at most 2."""

_FACTS = ("open", "high", "low", "close", "volume", "turnover", "prev_close")
_Vector = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]
_Facts = dict[str, _Vector]


class Relation(StrEnum):
    """What `rows` are to the session that is held."""

    SAME = "same"
    """The same session, perhaps at another time of the day."""
    NEXT = "next"
    """The session after it: previous closes are its closes."""
    BEFORE = "before"
    MIXED = "mixed"
    """Rows of the held session, left over among rows of the next one."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Likeness:
    """Counts over the symbols that two sessions share; rows that fit several ways are in `common` only."""

    common: int
    equal: int
    """The same close, volume and turnover."""
    opened: int
    """Another moment of the same session: the same previous close and open."""
    after: int
    """Previous close equal to the held close."""
    before: int
    """Close equal to the held previous close."""
    other: int
    """None of these."""

    @property
    def telling(self) -> int:
        """Rows that fit one way only, or none."""
        return self.equal + self.opened + self.after + self.before + self.other

    @property
    def relation(self) -> Relation:
        """Name what the counts amount to."""
        if self.equal >= STALE_LEAST and self.after > self.opened:
            return Relation.MIXED
        if self.left_over:
            return Relation.BEFORE  # however few of the held mixture's rows are its own
        if self._share(self.equal + self.opened, SAME_LEAST) >= SAME_SHARE:
            return Relation.SAME
        if self._share(self.after, CHAIN_LEAST) >= CHAIN_SHARE:
            return Relation.NEXT
        if self._share(self.before, CHAIN_LEAST) >= CHAIN_SHARE:
            return Relation.BEFORE
        return Relation.UNKNOWN

    @property
    def blended(self) -> bool:
        """Tell whether one side holds early rows of the other and, for the rest, rows of the session before.

        Between neighbouring sessions not one row looks opened and not continued.
        """
        neighbours = max(self.after, self.before)
        explained = self.equal + self.opened + neighbours
        return min(self.opened, neighbours) > 0 and self._share(explained, SAME_LEAST) >= SAME_SHARE

    @property
    def left_over(self) -> bool:
        """Tell whether the held rows are a mixture: some of the other's, left over among later ones."""
        return self.equal >= STALE_LEAST and self.before > self.opened

    def _share(self, rows: int, least: int) -> float:
        return rows / self.telling if self.telling >= least else 0.0


def likeness(held: pd.DataFrame, rows: pd.DataFrame) -> Likeness:
    """Compare two tidy frames, symbol by symbol."""
    one, other = _aligned(held, rows)
    equal = _equal(one, other)
    fits = np.stack(
        [
            _opened(one, other) & ~equal,
            (other["prev_close"] == one["close"]) & ~equal,
            (one["prev_close"] == other["close"]) & ~equal,
        ]
    )
    ways = fits.sum(axis=0)
    opened, after, before = (int((fit & (ways == 1)).sum()) for fit in fits)
    return Likeness(
        len(equal), int(equal.sum()), opened, after, before, other=int(((ways == 0) & ~equal).sum())
    )


def stale(held: pd.DataFrame, rows: pd.DataFrame) -> _Mask:
    """Mark the rows [n_rows] of a mixture that are the held session's."""
    keys = ["symbol", "close", "volume", "turnover"]
    marks: _Mask = rows[keys].merge(held[keys], how="left", indicator="found")["found"].eq("both").to_numpy()
    return marks


def covered(part: pd.DataFrame, whole: pd.DataFrame) -> float:
    """Share of the rows of `part` that `whole` has with at least the same volume, from 0 to 1; 1 of none."""
    if part.empty:
        return 1.0
    one, other = _aligned(part, whole)
    return float((other["volume"] >= one["volume"]).sum()) / len(part)


def fuller(rows: pd.DataFrame, held: pd.DataFrame) -> bool:
    """Tell whether `rows` hold at least as much of a session as what is held.

    Traded volume only grows within a session, so a thinner snapshot is the earlier one. There is no
    threshold: whatever the order of arrival, the fullest stays. A tie is a correction, and the later one
    to arrive holds. The volume of a mixture says nothing, since some of its rows are another session's.
    """
    like = likeness(held, rows)
    if like.left_over:
        return True
    if like.blended:
        return like.after > like.before
    return covered(held, rows) >= covered(rows, held)


def _aligned(one: pd.DataFrame, other: pd.DataFrame) -> tuple[_Facts, _Facts]:
    """Facts of the symbols that both have, in the same order."""
    symbols, others = one["symbol"].to_numpy("object"), other["symbol"].to_numpy("object")
    _, left, right = np.intersect1d(symbols, others, assume_unique=True, return_indices=True)
    return _taken(one, left), _taken(other, right)


def _taken(frame: pd.DataFrame, places: npt.NDArray[np.int64]) -> _Facts:
    return {name: frame[name].to_numpy("float64")[places] for name in _FACTS}


def _equal(one: _Facts, other: _Facts) -> _Mask:
    """Rows with the same close, volume and turnover, a missing turnover equal to a missing one."""
    pairs = [(one[name], other[name]) for name in ("close", "volume", "turnover")]
    masks = [(a == b) | (np.isnan(a) & np.isnan(b)) for a, b in pairs]
    out: _Mask = np.logical_and.reduce(masks)
    return out


def _opened(one: _Facts, other: _Facts) -> _Mask:
    """Rows of one session at two moments: the same previous close and open.

    History has no previous closes for years, and 27 of 27 opens of 2012-01-08 stand again on 2012-01-10:
    there range and trade of one moment must lie within the other's, too.
    """
    previous, opens = (one[name] == other[name] for name in ("prev_close", "open"))
    known = ~np.isnan(one["prev_close"]) & ~np.isnan(other["prev_close"])
    unopened = np.isnan(one["open"]) | np.isnan(other["open"])
    out: _Mask = np.where(
        known, previous & (opens | unopened), opens & (_within(one, other) | _within(other, one))
    )
    return out


def _within(early: _Facts, late: _Facts) -> _Mask:
    """Rows that only grew: volume and turnover, high and low; what is missing says nothing."""
    grown = [early[name] > late[name] for name in ("volume", "turnover", "high")]
    out: _Mask = ~np.logical_or.reduce([*grown, early["low"] < late["low"]])
    return out
