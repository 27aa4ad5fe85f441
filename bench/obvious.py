"""The formulas of features as a data scientist writes them for one symbol's rows, oldest first, with pandas.

`f` has a price table's columns. Windows count the symbol's own rows; nothing is adjusted.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

LIMIT = 0.097
"""A move from here on is *at the limit* of 10 %."""


class Peer(NamedTuple):
    """How the features are written whose whole name matches; its groups are numbers of the formula."""

    names: str
    column: Callable[..., pd.Series]
    equal: bool = True
    """Whether it means the same on a symbol that traded in every session of the window."""


def log(values: pd.Series) -> pd.Series:
    """Log of what is positive."""
    return pd.Series(np.log(values.where(values > 0)), index=values.index)


def returns(f: pd.DataFrame) -> pd.Series:
    """Log return on the row before."""
    return log(f.close / f.close.shift())


def wilder(values: pd.Series, window: int) -> pd.Series:
    """Wilder's running mean."""
    return values.ewm(alpha=1 / window, adjust=False).mean()


def rsi(f: pd.DataFrame) -> pd.Series:
    """Relative strength index over 14 rows."""
    change = f.close.diff()
    up, down = wilder(change.clip(lower=0), 14), wilder((-change).clip(lower=0), 14)
    return 100 * up / (up + down)


def macd(f: pd.DataFrame) -> pd.Series:
    """EMA 12 less EMA 26."""
    return f.close.ewm(span=12, adjust=False).mean() - f.close.ewm(span=26, adjust=False).mean()


def histogram(f: pd.DataFrame) -> pd.Series:
    """MACD less its EMA 9."""
    line = macd(f)
    return line - line.ewm(span=9, adjust=False).mean()


def true_range(f: pd.DataFrame) -> pd.Series:
    """Range widened to the close before."""
    before = f.close.shift()
    ranges = [f.high - f.low, (f.high - before).abs(), (f.low - before).abs()]
    widest: pd.Series = pd.concat(ranges, axis=1).max(axis=1)
    return widest


def obv(f: pd.DataFrame, window: int) -> pd.Series:
    """On-balance volume that a window adds, over its volume."""
    signed = (np.sign(f.close.diff()) * f.volume).rolling(window).sum()
    return signed / f.volume.rolling(window).sum()


def adx(f: pd.DataFrame, window: int) -> pd.Series:
    """Average directional index."""
    up, down = f.high.diff(), -f.low.diff()
    size = wilder(true_range(f), window)
    plus = wilder(up.where((up > down) & (up > 0), 0.0), window) / size
    minus = wilder(down.where((down > up) & (down > 0), 0.0), window) / size
    return wilder(100 * (plus - minus).abs() / (plus + minus), window)


def typical(f: pd.DataFrame) -> pd.Series:
    """Mean of high, low and close."""
    return (f.high + f.low + f.close) / 3


def cci(f: pd.DataFrame, window: int) -> pd.Series:
    """Commodity channel index; the mean deviation has no method of its own in pandas."""
    price = typical(f)
    rolled = price.rolling(window)
    apart = rolled.apply(lambda values: np.abs(values - values.mean()).mean(), raw=True)
    return (price - rolled.mean()) / (0.015 * apart)


def stochastic(f: pd.DataFrame, smoothed: int) -> pd.Series:
    """Slow %K, or, smoothed once more, %D."""
    top, bottom = f.high.rolling(5).max(), f.low.rolling(5).min()
    slow = (100 * (f.close - bottom) / (top - bottom)).rolling(3).mean()
    return slow.rolling(3).mean() if smoothed else slow


def williams(f: pd.DataFrame, window: int) -> pd.Series:
    """Place of the close below the window's high."""
    top, bottom = f.high.rolling(window).max(), f.low.rolling(window).min()
    return -100 * (top - f.close) / (top - bottom)


def money_flow(f: pd.DataFrame, window: int) -> pd.Series:
    """Money flow index."""
    price = typical(f)
    flow, change = price * f.volume, price.diff()
    up = flow.where(change > 0, 0.0).rolling(window).sum()
    down = flow.where(change < 0, 0.0).rolling(window).sum()
    return 100 * up / (up + down)


def vwap(f: pd.DataFrame) -> pd.Series:
    """Volume-weighted mean price."""
    return f.vwap.where(f.vwap.notna(), f.turnover / f.volume)


def z_score(values: pd.Series, window: int) -> pd.Series:
    """Deviations from the mean."""
    rolled = values.rolling(window)
    return (values - rolled.mean()) / rolled.std(ddof=0)


def trend(values: pd.Series, window: int) -> pd.Series:
    """Slope of the least-squares line over the mean."""
    rows = pd.Series(np.arange(len(values), dtype="float64"), index=values.index)
    slope = values.rolling(window).cov(rows) / rows.rolling(window).var()
    return slope / values.rolling(window).mean()


def place(f: pd.DataFrame, window: int) -> pd.Series:
    """Place of the close between the window's extremes."""
    rolled = f.close.rolling(window)
    return (f.close - rolled.min()) / (rolled.max() - rolled.min())


def share(flags: pd.Series, known: pd.Series, window: int) -> pd.Series:
    """Share of rows with a flag."""
    return flags.astype("float64").where(known.notna()).rolling(window).mean()


def at(f: pd.DataFrame, sign: int) -> pd.Series:
    """Flag: the close is at the upper (1) or lower (-1) limit."""
    move = sign * f.close.pct_change(fill_method=None)
    return (move >= LIMIT).astype("float64").where(move.notna())


def illiquidity(f: pd.DataFrame, window: int) -> pd.Series:
    """Log of the absolute return that a million rupees of turnover came with."""
    return log(returns(f).abs().rolling(window).sum() / (f.turnover.rolling(window).sum() / 1e6))


def parkinson(f: pd.DataFrame, window: int) -> pd.Series:
    """Parkinson's deviation."""
    mean: pd.Series = (log(f.high / f.low) ** 2).rolling(window).mean()
    return (mean / (4 * np.log(2))) ** 0.5


PATH: tuple[Peer, ...] = (
    Peer(r"Close_Lag_(\d+)", lambda f, k: f.close.shift(k)),
    Peer(r"close_log", lambda f: log(f.close)),
    Peer(r"ret_(\d+)", lambda f, k: log(f.close / f.close.shift(k))),
    Peer(r"ret_1_lag(\d+)", lambda f, k: returns(f).shift(k)),
    Peer(r"vol_(\d+)", lambda f, k: returns(f).rolling(k).std(ddof=0)),
    Peer(r"downside_(\d+)", lambda f, k: np.sqrt((returns(f).clip(upper=0) ** 2).rolling(k).mean())),
    Peer(r"skew_(\d+)", lambda f, k: returns(f).rolling(k).skew(), equal=False),
    Peer(r"kurtosis_(\d+)", lambda f, k: returns(f).rolling(k).kurt() + 3, equal=False),
    Peer(r"ret_max_(\d+)", lambda f, k: returns(f).rolling(k).max()),
    Peer(r"ret_min_(\d+)", lambda f, k: returns(f).rolling(k).min()),
    Peer(r"up_share_(\d+)", lambda f, k: share(returns(f) > 0, returns(f), k)),
    Peer(r"autocorr_(\d+)", lambda f, k: returns(f).rolling(k).corr(returns(f).shift()), equal=False),
    Peer(r"SMA_(\d+)", lambda f, k: f.close.rolling(k).mean()),
    Peer(r"sma_gap_(\d+)", lambda f, k: log(f.close / f.close.rolling(k).mean())),
    Peer(r"sma_(\d+)_(\d+)", lambda f, k, n: log(f.close.rolling(k).mean() / f.close.rolling(n).mean())),
    Peer(r"trend_(\d+)", lambda f, k: trend(f.close, k)),
    Peer(r"bollinger_(\d+)", lambda f, k: z_score(f.close, k) / 2),
    Peer(r"band_width_(\d+)", lambda f, k: 4 * f.close.rolling(k).std(ddof=0) / f.close.rolling(k).mean()),
    Peer(r"high_(\d+)", lambda f, k: log(f.close / f.close.rolling(k).max())),
    Peer(r"low_(\d+)", lambda f, k: log(f.close / f.close.rolling(k).min())),
    Peer(r"range_place_(\d+)", place),
)
INDICATORS: tuple[Peer, ...] = (
    Peer(r"RSI", rsi, equal=False),
    Peer(r"macd", lambda f: macd(f) / f.close, equal=False),
    Peer(r"macd_histogram", lambda f: histogram(f) / f.close, equal=False),
    Peer(r"ema_gap_(\d+)", lambda f, k: log(f.close / f.close.ewm(span=k, adjust=False).mean()), equal=False),
    Peer(r"atr_(\d+)", lambda f, k: wilder(true_range(f), k), equal=False),
    Peer(r"natr_(\d+)", lambda f, k: 100 * wilder(true_range(f), k) / f.close, equal=False),
    Peer(r"obv_(\d+)", obv, equal=False),
    Peer(r"adx_(\d+)", adx, equal=False),
    Peer(r"cci_(\d+)", cci),
    Peer(r"stochastic_k", lambda f: stochastic(f, 0)),
    Peer(r"stochastic_d", lambda f: stochastic(f, 1)),
    Peer(r"williams_(\d+)", williams),
    Peer(r"mfi_(\d+)", money_flow, equal=False),  # what rounding leaves of an unchanged price counts here
    Peer(r"roc_(\d+)", lambda f, k: 100 * f.close.pct_change(k, fill_method=None)),
)
LIQUIDITY: tuple[Peer, ...] = (
    Peer(r"Volume_Z_Score", lambda f: z_score(f.volume, 20)),
    Peer(r"volume_z_(\d+)", lambda f, k: z_score(f.volume, k)),
    Peer(r"turnover_log", lambda f: log(f.turnover)),
    Peer(r"turnover_log_lag(\d+)", lambda f, k: log(f.turnover).shift(k)),
    Peer(r"turnover_ratio_(\d+)", lambda f, k: log(f.turnover / f.turnover.rolling(k).mean())),
    Peer(r"turnover_mean_(\d+)", lambda f, k: log(f.turnover.rolling(k).mean())),
    Peer(
        r"turnover_(\d+)_(\d+)",
        lambda f, k, n: log(f.turnover.rolling(k).mean() / f.turnover.rolling(n).mean()),
    ),
    Peer(r"volume_spread_(\d+)", lambda f, k: f.volume.rolling(k).std(ddof=0) / f.volume.rolling(k).mean()),
    Peer(r"illiquidity_(\d+)", illiquidity),
    Peer(r"volume_corr_(\d+)", lambda f, k: returns(f).rolling(k).corr(f.volume), equal=False),
    Peer(r"zero_share_(\d+)", lambda f, k: share(f.close.diff() == 0, f.close.shift(), k)),
)
SESSION: tuple[Peer, ...] = (
    Peer(r"range_1", lambda f: log(f.high / f.low)),
    Peer(r"range_1_lag(\d+)", lambda f, k: log(f.high / f.low).shift(k)),
    Peer(r"range_(?!1$)(\d+)", lambda f, k: log(f.high / f.low).rolling(k).mean()),
    Peer(r"parkinson_(\d+)", parkinson),
    Peer(r"open_gap", lambda f: log(f.open / f.close.shift()), equal=False),
    Peer(r"body", lambda f: log(f.close / f.open), equal=False),
    Peer(r"close_place", lambda f: (f.close - f.low) / (f.high - f.low)),
    Peer(r"vwap_gap", lambda f: log(vwap(f) / f.close), equal=False),
    Peer(r"vwap_gap_lag(\d+)", lambda f, k: log(vwap(f) / f.close).shift(k), equal=False),
    Peer(r"ltp_gap", lambda f: log(f.ltp / f.close), equal=False),
    Peer(r"ltp_gap_lag(\d+)", lambda f, k: log(f.ltp / f.close).shift(k), equal=False),
    Peer(r"at_upper", lambda f: at(f, 1)),
    Peer(r"at_upper_lag(\d+)", lambda f, k: at(f, 1).shift(k)),
    Peer(r"at_lower", lambda f: at(f, -1)),
    Peer(r"at_lower_lag(\d+)", lambda f, k: at(f, -1).shift(k)),
    Peer(r"to_upper", lambda f: log(1.1 * f.close.shift() / f.close)),
    Peer(r"to_lower", lambda f: log(0.9 * f.close.shift() / f.close)),
    Peer(r"upper_count_(\d+)", lambda f, k: at(f, 1).rolling(k).sum()),
    Peer(r"lower_count_(\d+)", lambda f, k: at(f, -1).rolling(k).sum()),
)
PEERS: tuple[Peer, ...] = (*PATH, *INDICATORS, *LIQUIDITY, *SESSION)
