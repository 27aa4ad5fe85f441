"""Oddities of what the site writes in a row: zeros for what is missing, prices that contradict each other."""

import numpy as np
import pandas as pd

from tasks.core.oddities import Mask, picked
from tasks.core.oddities_frame import Change, days_of

_OUTSIDE = 1.012
"""A close that is outside of the range is so by 1.2 % in the middle."""


def previous_open(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG001
    """Open at the previous close in the first sessions, inside of the range or not (17)."""
    known = _first(rows, share) & (rows["prev_close"] > 0)
    return rows.assign(open=rows["open"].where(~known, rows["prev_close"]))


def zero_turnover(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG001
    """Write 0 for the turnover of the first sessions (20)."""
    return rows.assign(turnover=rows["turnover"].where(~_first(rows, share), 0.0))


def close_is_ltp(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Let close and last trade's price be one in the last sessions, and in one row of five before (7)."""
    late = ~_first(rows, 1 - share) | (rng.random(len(rows)) < 0.2)  # noqa: PLR2004
    return rows.assign(ltp=rows["ltp"].where(~late, rows["close"]))


def close_outside(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write a high below the close (18)."""
    chosen = picked(rng, _some(rows), share)
    high = (rows["close"] / _OUTSIDE - 0.01).round(2)
    low = np.minimum(rows["low"], high)
    return rows.assign(high=rows["high"].where(~chosen, high), low=rows["low"].where(~chosen, low))


def crossed(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Exchange high and low, so that the range is negative (9, 18)."""
    chosen = picked(rng, (rows["high"] > rows["low"]).to_numpy(), share)
    high, low = rows["high"], rows["low"]
    return rows.assign(high=high.where(~chosen, low), low=low.where(~chosen, high))


def single_trades(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Make rows of one trade at one price, one in twelve with no trade counted (20)."""
    chosen = picked(rng, _some(rows), share)
    out = {name: rows[name].where(~chosen, rows["close"]) for name in ("open", "high", "low", "vwap", "ltp")}
    out["turnover"] = rows["turnover"].where(~chosen, (rows["volume"] * rows["close"]).round(2))
    counted = (rng.random(len(rows)) >= 1 / 12).astype("int64")
    return rows.assign(**out, trades=rows["trades"].where(~chosen, counted))


def vwap_outside(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write a turnover that by volume is above the high, by 1 to 30 % (21)."""
    chosen = picked(rng, _some(rows), share)
    price = rows["high"] * rng.uniform(1.01, 1.3, len(rows))
    return rows.assign(turnover=rows["turnover"].where(~chosen, (rows["volume"] * price).round(2)))


def zero_opens(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write 0 for open and high (19)."""
    chosen = picked(rng, _some(rows), share)
    return rows.assign(open=rows["open"].where(~chosen, 0.0), high=rows["high"].where(~chosen, 0.0))


def zero_rows(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write 0 for all prices of rows with a volume (19): unusable."""
    chosen = picked(rng, _some(rows), share)
    return rows.assign(
        **{name: rows[name].where(~chosen, 0.0) for name in ("open", "high", "low", "close", "ltp")}
    )


def zero_volume(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write 0 for volume and turnover (20)."""
    chosen = picked(rng, _some(rows), share)
    return rows.assign(volume=rows["volume"].where(~chosen, 0.0), turnover=rows["turnover"].where(~chosen, 0))


def zero_previous(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write 0 for the previous close (9, 22)."""
    chosen = picked(rng, _some(rows), share)
    return rows.assign(prev_close=rows["prev_close"].where(~chosen, 0.0))


ROWS: dict[str, Change] = {
    "previous_open": previous_open,
    "zero_turnover": zero_turnover,
    "close_is_ltp": close_is_ltp,
    "close_outside": close_outside,
    "crossed": crossed,
    "single_trades": single_trades,
    "vwap_outside": vwap_outside,
    "zero_opens": zero_opens,
    "zero_rows": zero_rows,
    "zero_volume": zero_volume,
    "zero_previous": zero_previous,
}
"""The changes in the order in which they are made."""


def _first(rows: pd.DataFrame, share: float) -> Mask:
    """Rows of the first sessions."""
    days = days_of(rows)
    last = days[max(1, round(share * len(days))) - 1]
    return (rows["date"] <= last).to_numpy(dtype=bool)


def _some(rows: pd.DataFrame) -> Mask:
    """Rows without a price event: what is written there stays readable as one."""
    return (rows["kind"] == "").to_numpy(dtype=bool)
