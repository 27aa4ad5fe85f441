"""The features, one entry each: name, formula, window, unit. Arithmetic only; see `Grid` for the conventions.

`window` is how many sessions an entry looks at, the current one included; it is also the history that it
needs (below it the value is missing). The path beneath may reach CARRY sessions further back.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.core.grid import BAND, LIMIT, Sessions
from tasks.core.panel import Wide
from tasks.core.view import View


class Feature(NamedTuple):
    """One entry of the feature set."""

    name: str
    formula: str
    window: int
    unit: str
    compute: Callable[[View], Wide]


def _ratio(top: Wide, bottom: Wide) -> Wide:
    """Quotient that is missing where the divisor is 0 or missing."""
    out: Wide = top / np.where(bottom == 0, np.nan, bottom)
    return out


def _log_ratio(top: Wide, bottom: Wide | float) -> Wide:
    """Log of a quotient of positive numbers; missing where either is not positive."""
    out: Wide = np.log(np.where(top > 0, top, np.nan) / np.where(np.asarray(bottom) > 0, bottom, np.nan))
    return out


def _ema_weights(span: int, length: int) -> npt.NDArray[np.float64]:
    """Weights of an exponential mean cut off after `length` sessions and scaled to sum to 1."""
    weights = (1 - 2 / (span + 1)) ** np.arange(length)
    out: npt.NDArray[np.float64] = weights / weights.sum()
    return out


_MACD = _ema_weights(12, 60) - _ema_weights(26, 60)
_SIGNAL = np.convolve(_MACD, _ema_weights(9, 20))
_HISTOGRAM = np.pad(_MACD, (0, len(_SIGNAL) - len(_MACD))) - _SIGNAL


def _rsi(view: View) -> Wide:
    up = view.sums(np.maximum(view.changes, 0), (14,))[14]
    down = view.sums(np.maximum(-view.changes, 0), (14,))[14]
    return 100 * _ratio(up, up + down)


def _volume_z(view: View) -> Wide:
    mean, deviation = view.spread(view.volume, 20)
    return _ratio(view.lag(view.volume) - mean, deviation)


def _zero_share(view: View) -> Wide:
    still = np.where(np.isfinite(view.steps), view.steps == 0, np.nan)
    return view.sums(still, (20,))[20] / 20


def _open_gap(view: View) -> Wide:
    gap = view.lag(view.field("open") / view.references[0])
    return np.log(np.where(np.abs(gap - 1) <= BAND, gap, np.nan))


def _beta(view: View) -> Wide:
    market, own = np.broadcast_to(view.market.mean, view.steps.shape), view.steps
    mean_market, deviation = view.spread(view.market.mean, 60)
    together = view.sums(own * market, (60,))[60] / 60
    return _ratio(together - view.sums(own, (60,))[60] / 60 * mean_market, deviation**2)


def _at_limit(view: View, sign: int) -> Wide:
    move = view.lag(view.move)
    return np.where(np.isfinite(move), sign * np.expm1(move) >= LIMIT, np.nan)


def _market_turnover(view: View) -> Wide:
    total = view.market.turnover
    return view.for_all(np.log(view.lag(total) / (view.sums(total, (20,))[20] / 20)))


def _missed(view: View) -> Wide:
    age = view.lag(view.references[2])
    return np.where(age > 0, age - 1.0, np.nan)


def _weekday(view: View) -> Wide:
    days = np.array([day.weekday() for day in view.dates], dtype="float64")[:, None]
    return view.for_all(days)


def _market(
    name: str, formula: str, pick: Callable[[View], Sessions], lags: tuple[int, ...] = (0,)
) -> tuple[Feature, ...]:
    """Entries for a number of the market, now and some sessions ago."""
    return tuple(
        Feature(
            f"{name}_lag{back}" if back else name,
            f"{formula}, {back} sessions ago" if back else formula,
            back + 1,
            "log" if "return" in formula else "1",
            lambda view, back=back: view.market_lag(pick(view), back),  # type: ignore[misc]
        )
        for back in lags
    )


_RUPEES: tuple[Feature, ...] = (
    Feature(
        "Close_Lag_1",
        "close of the session before, adjusted to today's rupees if the exchange adjusted it today",
        2,
        "rupees",
        lambda v: v.in_rupees(v.lag(v.path, 1)),
    ),
    Feature(
        "SMA_20",
        "mean close of 20 sessions, adjusted to today's rupees",
        20,
        "rupees",
        lambda v: v.in_rupees(v.averages[20][0]),
    ),
)

_PATH: tuple[Feature, ...] = (
    Feature("RSI", "100 up / (up + down), rupee changes of 14 sessions (Cutler)", 15, "percent", _rsi),
    Feature("ret_1", "log(close / reference price)", 2, "log", lambda v: v.lag(v.move)),
    *(
        Feature(
            f"ret_{k}",
            f"log return of the path over {k} sessions",
            k,
            "log",
            lambda v, k=k: v.returns[k],  # type: ignore[misc]
        )
        for k in (2, 3, 5, 10, 20, 60)
    ),
    *(
        Feature(
            f"vol_{k}",
            f"standard deviation of the path's session returns over {k} sessions",
            k,
            "log",
            lambda v, k=k: v.spread(v.steps, k)[1],  # type: ignore[misc]
        )
        for k in (5, 20, 60)
    ),
    *(
        Feature(
            f"sma_gap_{k}",
            f"log(close / mean close of {k} sessions)",
            k,
            "log",
            lambda v, k=k: np.log(v.lag(v.path) / v.averages[k][0]),  # type: ignore[misc]
        )
        for k in (5, 20, 60)
    ),
    Feature(
        "macd",
        "(EMA 12 - EMA 26) / close, both cut off after 60 sessions",
        60,
        "1",
        lambda v: v.weighted(v.path, _MACD) / v.lag(v.path),
    ),
    Feature(
        "macd_histogram",
        "macd less its EMA 9, cut off after 20 sessions, / close",
        79,
        "1",
        lambda v: v.weighted(v.path, _HISTOGRAM) / v.lag(v.path),
    ),
    Feature(
        "bollinger_20",
        "(close - mean) / (2 standard deviations), closes of 20 sessions",
        20,
        "1",
        lambda v: _ratio(v.lag(v.path) - v.averages[20][0], 2 * v.averages[20][1]),
    ),
    Feature(
        "high_100",
        "log(close / highest close of 100 sessions)",
        100,
        "log",
        lambda v: np.log(v.lag(v.path) / v.extremes[0]),
    ),
    Feature(
        "low_100",
        "log(close / lowest close of 100 sessions)",
        100,
        "log",
        lambda v: np.log(v.lag(v.path) / v.extremes[1]),
    ),
)

_SESSION: tuple[Feature, ...] = (
    Feature("range_1", "log(high / low)", 1, "log", lambda v: np.log(v.lag(v.high) / v.lag(v.low))),
    Feature(
        "atr_14",
        "mean log true range of 14 sessions (Wilder's range, plain mean)",
        15,
        "log",
        lambda v: v.sums(v.true_range, (14,))[14] / 14,
    ),
    Feature("open_gap", "log(open / reference price)", 2, "log", _open_gap),
    Feature("vwap_gap", "log(volume-weighted mean price / close)", 1, "log", lambda v: v.lag(v.vwap_gap)),
    Feature("vwap_gap_lag1", "vwap_gap, 1 session ago", 2, "log", lambda v: v.lag(v.vwap_gap, 1)),
    Feature("ltp_gap", "log(last traded price / close)", 1, "log", lambda v: v.lag(v.gap(v.field("ltp")))),
    Feature("at_upper", "1 if the close is at the upper limit", 2, "flag", lambda v: _at_limit(v, 1)),
    Feature("at_lower", "1 if the close is at the lower limit", 2, "flag", lambda v: _at_limit(v, -1)),
    Feature("weekday", "Monday is 0", 1, "day", _weekday),
)

_LIQUIDITY: tuple[Feature, ...] = (
    Feature(
        "Volume_Z_Score",
        "(volume - mean) / standard deviation, 20 sessions, untraded ones count as 0",
        20,
        "1",
        _volume_z,
    ),
    Feature("turnover_log", "log(turnover)", 1, "log rupees", lambda v: _log_ratio(v.lag(v.turnover), 1.0)),
    Feature(
        "turnover_ratio_20",
        "log(turnover / mean turnover of 20 sessions)",
        20,
        "log",
        lambda v: _log_ratio(v.lag(v.turnover), v.sums(v.turnover, (20,))[20] / 20),
    ),
    Feature("zero_share_20", "share of 20 sessions untraded or unchanged", 20, "1", _zero_share),
    Feature("gap_sessions", "market sessions missed since the last trade", 2, "sessions", _missed),
)

_CONTEXT: tuple[Feature, ...] = (
    *_market("mkt_mean", "mean return of all symbols", lambda v: v.market.mean, (0, 1, 2, 3)),
    *_market("mkt_median", "median return of all symbols", lambda v: v.market.median),
    *_market("mkt_weighted", "turnover-weighted mean return", lambda v: v.market.weighted, (0, 1, 2, 3)),
    *_market("mkt_breadth", "share of risers less share of fallers", lambda v: v.market.breadth),
    *_market("mkt_dispersion", "deviation of the symbols' returns", lambda v: v.market.dispersion),
    *_market("mkt_at_upper", "share of symbols at the upper limit", lambda v: v.market.at_upper),
    *_market("mkt_at_lower", "share of symbols at the lower limit", lambda v: v.market.at_lower),
    Feature("mkt_turnover_20", "log(turnover of all / its mean of 20 sessions)", 20, "log", _market_turnover),
    Feature(
        "mkt_vol_20",
        "standard deviation of mkt_mean over 20 sessions",
        20,
        "log",
        lambda v: v.for_all(v.spread(v.market.mean, 20)[1]),
    ),
    Feature("beta_60", "cov(path return, mkt_mean) / var(mkt_mean), 60 sessions", 60, "1", _beta),
    Feature("rel_ret_1", "ret_1 - mkt_mean", 2, "log", lambda v: v.lag(v.move) - v.market_lag(v.market.mean)),
    Feature("rank_ret_1", "rank of ret_1 in the session", 2, "1", lambda v: v.rank(v.lag(v.move))),
    Feature("rank_ret_5", "rank of ret_5 in the session", 5, "1", lambda v: v.rank(v.returns[5])),
    Feature("rank_turnover", "rank of turnover in the session", 1, "1", lambda v: v.rank(v.lag(v.turnover))),
)

FEATURE_TABLE: tuple[Feature, ...] = (*_RUPEES, *_PATH, *_SESSION, *_LIQUIDITY, *_CONTEXT)
"""All features, in the order of the columns."""
