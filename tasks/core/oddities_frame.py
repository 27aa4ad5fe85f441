"""A simulated market's rows with what is true of them, and the ways in which oddities change them."""

from collections.abc import Callable
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.oddities import Mask, Oddities, generator, picked

Change = Callable[[pd.DataFrame, float, np.random.Generator], pd.DataFrame]
"""The market's rows (`labelled`), an oddity's share and its random numbers to new rows."""

TRUTH = ("symbol", "date", "factor", "kind", "was")
"""Columns of the true price events; `was` is the name that a renamed symbol had."""


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Add to a market's table what is true of each row: `kind`, `factor`, `was` (its symbol's name before).

    `factor` brings earlier prices to the row's: 1.25 to 1 is 0.8. Bonus issues of the market are known by a
    previous close that is not the last close.
    """
    ratio = table["prev_close"] / table.groupby("symbol")["close"].shift()
    announced = ratio.notna() & (ratio != 1)
    return table.assign(
        kind=np.where(announced, "announced", ""), factor=np.where(announced, ratio, 1.0), was=""
    )


def adjustments(rows: pd.DataFrame) -> pd.DataFrame:
    """List the true price events of a market (`TRUTH`): a factor of 1 is an event that adjusts nothing."""
    return rows.loc[rows["kind"] != "", list(TRUTH)].sort_values(["date", "symbol"], ignore_index=True)


def changed(rows: pd.DataFrame, odd: Oddities, seed: int, changes: dict[str, Change]) -> pd.DataFrame:
    """Make those changes that are switched on, one after the other."""
    for name, change in changes.items():
        if odd[name]:
            rows = change(rows, odd[name], generator(seed, name)).reset_index(drop=True)
    return rows


def days_of(rows: pd.DataFrame) -> list[date]:
    """The sessions' days, oldest first."""
    return list(rows["date"].unique())


def some_symbols(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> list[str]:
    """A share of the symbols with some history, one at least."""
    counts = rows["symbol"].value_counts().sort_index()
    able = (counts >= 8).to_numpy()  # noqa: PLR2004  (fewer sessions have no middle)
    return list(counts.index[picked(rng, able, share)])


def equities(rows: pd.DataFrame) -> Mask:
    """Rows of anything but debentures and promoter shares."""
    return ~(rows["symbol"].str.contains("/") | rows["symbol"].str.endswith("PO")).to_numpy(dtype=bool)


def quiet(rows: pd.DataFrame) -> Mask:
    """Rows without an event of their own that have a row of their symbol before them."""
    seen = rows.groupby("symbol").cumcount().to_numpy() > 0
    out: Mask = seen & (rows["kind"] == "").to_numpy()
    return out


def noted(rows: pd.DataFrame, where: Mask, kind: str, factor: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Say in rows what happened there."""
    factors = rows["factor"] if factor is None else np.where(where, factor, rows["factor"])
    return rows.assign(kind=np.where(where, kind, rows["kind"]), factor=factors)


def without(rows: pd.DataFrame, kept: Mask) -> pd.DataFrame:
    """Leave rows out; the next previous close of a symbol follows the last close that is left."""
    last = rows.groupby("symbol")["close"].shift()[kept]
    out = rows[kept]
    return _relinked(out, last)


def linked(rows: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Let previous closes follow closes that are not those of `before` any more."""
    return _relinked(rows, before.groupby("symbol")["close"].shift())


def _relinked(rows: pd.DataFrame, last: pd.Series) -> pd.DataFrame:
    """Bring previous closes from the last closes as they were to those of `rows`, adjustments kept."""
    now = rows.groupby("symbol")["close"].shift()
    moved = (now != last) & now.notna() & last.notna()
    return rows.assign(
        prev_close=rows["prev_close"].where(~moved, (rows["prev_close"] * now / last).round(2))
    )
