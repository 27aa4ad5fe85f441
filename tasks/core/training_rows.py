"""Rows that models learn from: who, when and what came, beside one matrix of features that is not copied."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.skill import Vector

Values = NDArray[np.float32]
"""Features of n rows, (n, features), NaN where missing; column after column in memory.

Single precision holds the seven digits that a vector has on the wire, in half of the memory.
"""

DAYS = ("date", "target_date")


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """n rows in order of date and symbol."""

    keys: pd.DataFrame
    """symbol, date, target_date (the session that `target` is about), last_close (rupees), target (log
    return, NaN when unknown), and whatever else is known of a row; labelled 0 to n - 1."""
    features: Values
    names: tuple[str, ...]
    """Of the columns of `features`."""

    @classmethod
    def gathered(
        cls, keys: pd.DataFrame, names: Sequence[str], column: Callable[[str], NDArray[Any]]
    ) -> Self:
        """Bring rows into their order and fill the matrix one feature at a time.

        Args:
            keys: As above, in any order; the label of a row is its place in the columns.
            names: Features to fill.
            column: Gives the numbers of a feature, of whatever length.
        """
        ordered = keys.sort_values(["date", "symbol"], kind="stable")
        places = ordered.index.to_numpy()
        columns = np.empty((len(names), len(places)), dtype=np.float32)
        for row, name in zip(columns, names, strict=True):
            row[:] = single(np.asarray(column(name))[places])
        return cls(ordered.reset_index(drop=True), columns.T, tuple(names))

    @classmethod
    def of(cls, frame: pd.DataFrame, names: Sequence[str]) -> Self:
        """Take rows from a frame that holds keys and features; dates may be dates or timestamps."""
        days = {name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in DAYS}
        features = set(names)
        keys = frame[[name for name in frame.columns if name not in features]].assign(**days)
        return cls.gathered(keys.reset_index(drop=True), names, lambda name: _numbers(frame[name]))

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.keys)

    @property
    def target(self) -> Vector:
        """Log returns that came, (n,), NaN where unknown."""
        return self.keys["target"].to_numpy(dtype=np.float64)

    def where(self, wanted: NDArray[np.bool_]) -> Self:
        """Keep some rows; those that lie together are a view, not a copy."""
        places = np.flatnonzero(wanted)
        if len(places) == len(self):
            return self
        together = len(places) and places[-1] - places[0] + 1 == len(places)
        stretch = slice(places[0], places[-1] + 1) if together else places
        keys = self.keys.iloc[stretch].reset_index(drop=True)
        return type(self)(keys, self.features.T[:, stretch].T, self.names)

    def matrix(self, names: Sequence[str]) -> Values:
        """Features in the order of `names`, (n, names); no copy where that is the order of all.

        Raises:
            KeyError: some are not there.
        """
        if tuple(names) == self.names:
            return self.features
        require(names, self.names)
        return self.features.T[[self.names.index(name) for name in names]].T


def matrix(frame: pd.DataFrame, names: Sequence[str]) -> Values:
    """Features of a frame's rows as `TrainingRows` holds them; what is not a finite number is missing.

    Raises:
        KeyError: the frame lacks some.
    """
    require(names, list(frame.columns))
    return single(frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan))


def require(names: Sequence[str], available: Sequence[str]) -> None:
    """Raise a KeyError that names the features that are needed and not there."""
    there = set(available)
    if missing := [name for name in names if name not in there]:
        message = f"the model needs features that are not there: {', '.join(missing)}"
        raise KeyError(message)


def single(numbers: NDArray[Any]) -> Values:
    """Round to single precision; what is not finite then is missing (NaN)."""
    with np.errstate(over="ignore"):
        rounded = numbers.astype(np.float32)
    rounded[~np.isfinite(rounded)] = np.nan
    return rounded


def _numbers(column: "pd.Series[Any]") -> Vector:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
