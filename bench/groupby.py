"""The obvious way: `groupby("symbol").apply`, each feature of a symbol with pandas' shift, rolling and ewm.

Windows count the symbol's own rows, nothing is adjusted, and what needs the other symbols is left out. Which
features are computed is read from the feature table: a feature that is neither here nor in `APART` ends the
benchmark, so that a new one is not forgotten.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

Column = Callable[[pd.DataFrame, int], pd.Series]
"""From one symbol's rows, oldest first, and the number in the feature's name to its values."""

LIMIT = 0.097
"""A move from here on is *at the limit* of 10 %."""
APART = re.compile(r"mkt_\w+|beta_\d+|rel_\w+|rank_\w+|weekday|gap_sessions")
"""Features of several symbols together or of the calendar: the obvious way is spared them."""


class Peer(NamedTuple):
    """How a data scientist writes the features whose whole name matches; a group in it is the number."""

    names: str
    column: Column
    equal: bool = True
    """Whether it means the same on a symbol that traded in every session of the window."""


def _log(values: pd.Series) -> pd.Series:
    return pd.Series(np.log(values.where(values > 0)), index=values.index)


def _changes(f: pd.DataFrame) -> pd.Series:
    return _log(f.close / f.close.shift())


def _rsi(f: pd.DataFrame, window: int) -> pd.Series:
    change = f.close.diff()
    up, down = change.clip(lower=0).rolling(window).mean(), (-change).clip(lower=0).rolling(window).mean()
    return 100 * up / (up + down)


def _macd(f: pd.DataFrame) -> pd.Series:
    return f.close.ewm(span=12, adjust=False).mean() - f.close.ewm(span=26, adjust=False).mean()


def _true_range(f: pd.DataFrame) -> pd.Series:
    before = f.close.shift()
    return _log(np.maximum(f.high, before) / np.minimum(f.low, before))


def _vwap(f: pd.DataFrame) -> pd.Series:
    return f.vwap.where(f.vwap.notna(), f.turnover / f.volume)


def _z(values: pd.Series, window: int) -> pd.Series:
    rolled = values.rolling(window)
    return (values - rolled.mean()) / rolled.std(ddof=0)


PEERS: tuple[Peer, ...] = (
    Peer(r"Close_Lag_(\d+)", lambda f, k: f.close.shift(k)),
    Peer(r"SMA_(\d+)", lambda f, k: f.close.rolling(k).mean()),
    Peer(r"RSI", lambda f, _: _rsi(f, 14)),
    Peer(r"ret_(\d+)", lambda f, k: _log(f.close / f.close.shift(k))),
    Peer(r"vol_(\d+)", lambda f, k: _changes(f).rolling(k).std(ddof=0)),
    Peer(r"sma_gap_(\d+)", lambda f, k: _log(f.close / f.close.rolling(k).mean())),
    Peer(r"macd", lambda f, _: _macd(f) / f.close, equal=False),
    Peer(
        r"macd_histogram",
        lambda f, _: (_macd(f) - _macd(f).ewm(span=9, adjust=False).mean()) / f.close,
        equal=False,
    ),
    Peer(r"bollinger_(\d+)", lambda f, k: _z(f.close, k) / 2),
    Peer(r"high_(\d+)", lambda f, k: _log(f.close / f.close.rolling(k).max())),
    Peer(r"low_(\d+)", lambda f, k: _log(f.close / f.close.rolling(k).min())),
    Peer(r"range_1", lambda f, _: _log(f.high / f.low)),
    Peer(r"atr_(\d+)", lambda f, k: _true_range(f).rolling(k).mean()),
    Peer(r"open_gap", lambda f, _: _log(f.open / f.close.shift()), equal=False),
    Peer(r"vwap_gap", lambda f, _: _log(_vwap(f) / f.close), equal=False),
    Peer(r"vwap_gap_lag(\d+)", lambda f, k: _log(_vwap(f) / f.close).shift(k), equal=False),
    Peer(r"ltp_gap", lambda f, _: _log(f.ltp / f.close), equal=False),
    Peer(r"at_upper", lambda f, _: (f.close / f.close.shift() >= 1 + LIMIT).astype("float64"), equal=False),
    Peer(r"at_lower", lambda f, _: (f.close / f.close.shift() <= 1 - LIMIT).astype("float64"), equal=False),
    Peer(r"Volume_Z_Score", lambda f, _: _z(f.volume, 20)),
    Peer(r"turnover_log", lambda f, _: _log(f.turnover)),
    Peer(r"turnover_ratio_(\d+)", lambda f, k: _log(f.turnover / f.turnover.rolling(k).mean())),
    Peer(
        r"zero_share_(\d+)",
        lambda f, k: (f.close.diff() == 0).astype("float64").where(f.close.shift().notna()).rolling(k).mean(),
    ),
)


def peers_of(names: list[str]) -> dict[str, tuple[Peer, int]]:
    """Find the peer, and its number, of every feature that one symbol's rows suffice for.

    Raises:
        SystemExit: a feature has none, or a peer has no feature.
    """
    found: dict[str, tuple[Peer, int]] = {}
    for name in names:
        hits = [(one, hit) for one in PEERS if (hit := re.fullmatch(one.names, name))]
        if len(hits) > 1 or (not hits and not APART.fullmatch(name)):
            message = f"bench/groupby.py has {len(hits)} peers for the feature {name}: it needs one, or APART"
            raise SystemExit(message)
        for one, hit in hits:
            found[name] = one, int(hit[1]) if hit.groups() else 0
    unused = [one.names for one in PEERS if all(one is not peer for peer, _ in found.values())]
    if unused:
        message = f"bench/groupby.py has peers of no feature: {', '.join(unused)}"
        raise SystemExit(message)
    return found


def compute(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Compute features of each symbol in turn.

    Args:
        rows: A price table, by symbol and date.
        names: Features; those of `APART` are left out.

    Returns:
        One row a symbol and session, indexed by both, one column a feature.
    """
    wanted = peers_of(names)

    def of_one_symbol(f: pd.DataFrame) -> pd.DataFrame:
        columns = {name: peer.column(f, number) for name, (peer, number) in wanted.items()}
        return pd.DataFrame({"date": f.date, **columns})

    found = rows.groupby("symbol").apply(of_one_symbol, include_groups=False)
    return found.set_index("date", append=True).droplevel(1)


def sample(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    """Keep every so manieth symbol, by length of history, so that rows and symbols shrink alike."""
    lengths = rows["symbol"].value_counts()
    ordered = sorted(lengths.index, key=lambda symbol: (-lengths[symbol], symbol))
    return rows[rows["symbol"].isin(ordered[step // 2 :: step])].reset_index(drop=True)
