"""Building the frames that readers hand out: tidy rows, and their cut into days."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

from tasks.core.layout import PRICES, TIDY


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Bring a frame of good rows into the tidy shape (`TIDY`), sorted by symbol.

    Non-positive or infinite prices other than close become NaN, as does a fractional or negative number of
    trades; absent columns are all missing. A `date` column stays, first, and is then the first sort key.
    """
    columns: dict[str, object] = {}
    for name in TIDY:
        if name == "symbol":
            columns[name] = frame["symbol"].astype("str") if name in frame else pd.Series([], dtype="str")
            continue
        values = (
            frame[name].to_numpy("float64", na_value=np.nan) if name in frame else np.full(len(frame), np.nan)
        )
        if name in PRICES and name != "close":
            values = np.where((values > 0) & np.isfinite(values), values, np.nan)
        columns[name] = _whole(values) if name == "trades" else values
    keys = ["date"] if "date" in frame else []
    out = pd.DataFrame({**{key: frame[key] for key in keys}, **columns}, index=frame.index)
    return out.sort_values([*keys, "symbol"], ignore_index=True, kind="stable")


def _whole(values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Counts as nullable integers; what is no count is missing."""
    known = np.isfinite(values) & (values >= 0) & (values < 2**53) & (values == np.floor(values))
    return pd.arrays.IntegerArray(np.where(known, values, 0).astype("int64"), ~known)


def by_day(frame: pd.DataFrame) -> Iterator[tuple[date, pd.DataFrame]]:
    """Cut a frame sorted by `date` into its days; the column goes, row labels start at 0 again."""
    days = frame["date"].to_numpy()
    rest = frame.drop(columns="date")
    changes = np.flatnonzero(days[1:] != days[:-1]) + 1
    bounds = [0, *changes.tolist(), len(days)] if len(days) else []
    for start, end in pairwise(bounds):
        yield days[start], rest.iloc[start:end].reset_index(drop=True)
