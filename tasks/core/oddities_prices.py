"""Oddities of what was traded: jumps, bad ticks, prices that stand still.

Previous closes are kept in step; where there is a price event, the row says so in `kind` and `factor`.
"""

import numpy as np
import pandas as pd

from tasks.core.layout import PRICES
from tasks.core.oddities import picked
from tasks.core.oddities_frame import Change, equities, linked, noted, quiet, some_symbols

_TRADE = ("open", "high", "low", "close", "volume", "turnover", "vwap", "trades", "ltp")
_TRADED = ("open", "high", "low", "close", "vwap", "ltp")
"""Prices of the session itself."""


def dear(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Quote some shares at about 40,000 rupees, and trade as much less of them (23)."""
    out = rows.copy()
    for symbol in some_symbols(rows[equities(rows)], share, rng):
        own = rows["symbol"] == symbol
        factor = float(np.round(40_000 / rows.loc[own, "close"].median()))
        out.loc[own, list(PRICES)] = (rows.loc[own, list(PRICES)] * factor).round(2)
        out.loc[own, "volume"] = np.maximum((rows.loc[own, "volume"] / factor).round(), 1.0)
        out.loc[own, "turnover"] = (out.loc[own, "volume"] * out.loc[own, "vwap"]).round(2)
    return out


def unannounced(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Lower prices from some row on by a bonus of 25 to 100 % that the previous close does not tell (22)."""
    able = equities(rows) & quiet(rows) & (rows["close"] > 50).to_numpy()  # noqa: PLR2004  (rupees)
    chosen = picked(rng, able, share)
    factor = np.where(chosen, 1 / (1 + rng.choice([0.25, 0.5, 1.0], len(rows))), 1.0)
    level = pd.Series(factor).groupby(rows["symbol"].to_numpy()).cumprod()
    before: pd.Series = level / factor
    out = rows.assign(volume=np.maximum((rows["volume"] / level).round(), 1.0))
    for name in PRICES:
        out[name] = (rows[name] * (before if name == "prev_close" else level)).round(2)
    out["turnover"] = (out["volume"] * out["vwap"]).round(2).where(level != 1, rows["turnover"])
    return noted(out, chosen, "unannounced", factor)


def same_twice(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Let debentures trade as they did in the session before, in all figures (27)."""
    debentures = rows["symbol"].str.contains("/").to_numpy(dtype=bool)
    chosen = picked(rng, debentures & quiet(rows), share)
    chosen &= ~pd.Series(chosen).groupby(rows["symbol"].to_numpy()).shift(fill_value=False).to_numpy()
    last = rows.groupby("symbol")[list(_TRADE)].shift()
    last["prev_close"] = last["close"]
    out = rows.copy()
    for name in last:
        out[name] = rows[name].where(~chosen, last[name])
    return linked(out, rows)


def face_value(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Trade a few promoter shares at their face value of 100 rupees (22); later previous closes follow."""
    promoters = rows["symbol"].str.endswith("PO").to_numpy(dtype=bool)
    chosen = picked(rng, promoters & quiet(rows), share)
    out = rows.copy()
    for name in _TRADED:
        out[name] = rows[name].where(~chosen, 100.0)
    out["turnover"] = rows["turnover"].where(~chosen, 100.0 * rows["volume"])
    return noted(linked(out, rows), chosen, "face value")


def bad_ticks(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Print prices that are 4 to 11 times too high in one session, of which no previous close knows (22)."""
    chosen = picked(rng, equities(rows) & quiet(rows), share)
    factor = np.where(chosen, rng.uniform(4, 11, len(rows)), 1.0)
    out = rows.assign(volume=rows["volume"].where(~chosen, rng.integers(100, 400, len(rows)).astype(float)))
    for name in _TRADED:
        out[name] = (rows[name] * factor).round(2)
    out["turnover"] = rows["turnover"].where(~chosen, (out["volume"] * out["vwap"]).round(2))
    return noted(out, chosen, "bad tick")


TRADES: dict[str, Change] = {
    "dear": dear,
    "unannounced": unannounced,
    "same_twice": same_twice,
    "face_value": face_value,
    "bad_ticks": bad_ticks,
}
"""The changes in the order in which they are made."""
