"""A simulated market that turns into another one, step by step: its trading, then its prices."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.market_model import cut, market
from tasks.core.simulator import history_table
from tasks.core.tidy import tidy

THINNER, WIDER = 50.0, 0.06
"""How much less is traded, and by what share of the price ranges are wider."""
TIMES, LEAST, WIDEST = 4.0, 0.04, 0.09
"""How much larger each move is, what it is at least, and what the price limits leave of it."""


class Shift(NamedTuple):
    """After how many sessions the market becomes another one."""

    thin: int
    """Little is traded, in wide ranges: closes are what they were, and errors with them; features are not."""
    falling: int
    """All prices fall, further than they ever did: so are forecasts what they never were."""
    restless: int
    """They move as far, and which way has nothing to do with what went before."""


def shifted(table: pd.DataFrame, shift: Shift, seed: int) -> pd.DataFrame:
    """Let a market, as `market` gives it, become another one."""
    rng, days = np.random.default_rng(seed), sorted(table["date"].unique())
    thin = table.where(table["date"] < days[shift.thin], _thin(table))
    calm = thin[thin["date"] < days[shift.falling]]
    last, found = calm.groupby("symbol")["close"].last(), [calm]
    for number in range(shift.falling, len(days)):
        rows = thin[thin["date"] == days[number]]
        signs = rng.choice([-1, 1], len(rows)) if number >= shift.restless else np.full(len(rows), -1)
        found.append(_moved(rows, last, signs))
        last = found[-1].set_index("symbol")["close"].combine_first(last)
    return tidy(pd.concat(found, ignore_index=True))


def _thin(rows: pd.DataFrame) -> pd.DataFrame:
    both = rows[["open", "close"]]
    wide = {"high": both.max(axis=1) * (1 + WIDER), "low": both.min(axis=1) * (1 - WIDER)}
    traded = {name: np.maximum(np.round(rows[name] / THINNER), 1.0) for name in ("volume", "trades")}
    return rows.assign(**wide, **traded, turnover=np.round(traded["volume"] * rows["vwap"], 2))


def _moved(rows: pd.DataFrame, last: "pd.Series[float]", signs: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Lead each symbol of a session from its own last close to another one."""
    reference = rows["symbol"].map(last).fillna(rows["prev_close"]).to_numpy(dtype=float)
    size = TIMES * np.abs(rows["close"] / rows["prev_close"] - 1).to_numpy(dtype=float)
    close = np.maximum(np.round(reference * (1 + signs * np.clip(size, LEAST, WIDEST)), 1), 0.1)
    prices = {"prev_close": reference, "open": reference, "close": close, "vwap": (reference + close) / 2}
    low, high = np.minimum(reference, close) * (1 - WIDER), np.maximum(reference, close) * (1 + WIDER)
    turnover = np.round(rows["volume"] * prices["vwap"], 2)
    return rows.assign(**prices, low=low, high=high, turnover=turnover)


@dataclass
class Feed:
    """The sessions of a market as files, one stretch after the other."""

    table: pd.DataFrame
    folder: Path
    told: int = field(default=0, init=False)
    """Sessions that are in files already."""

    @classmethod
    def of(cls, folder: Path, shift: Shift, *, sessions: int, symbols: int, seed: int) -> "Feed":
        """Begin with the first session of such a market."""
        return cls(shifted(market(sessions, symbols, seed), shift, seed), folder)

    def next(self, sessions: int) -> Path:
        """Write a file of the next sessions."""
        chosen = list(cut(self.table))[self.told : self.told + sessions]
        assert len(chosen) == sessions, "no session is left"
        self.told += sessions
        buffer = io.BytesIO()
        history_table(chosen).to_parquet(buffer, index=False)
        file = self.folder / f"until-{chosen[-1].date}.parquet"
        file.write_bytes(buffer.getvalue())
        return file
