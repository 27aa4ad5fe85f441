"""The features, one entry each: name, formula, window, unit. Arithmetic only; see `Grid` for the conventions.

`window` is how many sessions an entry looks at, the current one included; it is also the history that it
needs (below it the value is missing). The path beneath may reach CARRY sessions further back.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tasks.core.formulas import (
    at_limit,
    beta,
    log_ratio,
    macd,
    macd_histogram,
    market_turnover,
    missed,
    open_gap,
    ratio,
    rsi,
    volume_z,
    weekday,
    zero_share,
)
from tasks.core.grid import Sessions
from tasks.core.panel import Wide
from tasks.core.view import View


class Feature(NamedTuple):
    """One entry of the feature set."""

    name: str
    formula: str
    window: int
    unit: str
    compute: Callable[[View], Wide]


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
        lambda v: v.lag(v.before),
    ),
    Feature(
        "SMA_20",
        "mean close of 20 sessions, adjusted to today's rupees",
        20,
        "rupees",
        lambda v: v.averages[20][0],
    ),
)

_PATH: tuple[Feature, ...] = (
    Feature("RSI", "100 up / (up + down), rupee changes of 14 sessions (Cutler)", 15, "percent", rsi),
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
            lambda v, k=k: v.deviations[k],  # type: ignore[misc]
        )
        for k in (5, 20, 60)
    ),
    *(
        Feature(
            f"sma_gap_{k}",
            f"log(close / mean close of {k} sessions)",
            k,
            "log",
            lambda v, k=k: np.log(v.lag(v.carried) / v.averages[k][0]),  # type: ignore[misc]
        )
        for k in (5, 20, 60)
    ),
    Feature(
        "macd",
        "(EMA 12 - EMA 26) / close, both cut off after 60 sessions",
        60,
        "1",
        macd,
    ),
    Feature(
        "macd_histogram",
        "macd less its EMA 9, cut off after 20 sessions, / close",
        79,
        "1",
        macd_histogram,
    ),
    Feature(
        "bollinger_20",
        "(close - mean) / (2 standard deviations), closes of 20 sessions",
        20,
        "1",
        lambda v: ratio(v.lag(v.carried) - v.averages[20][0], 2 * v.averages[20][1]),
    ),
    Feature(
        "high_100",
        "log(close / highest close of 100 sessions)",
        100,
        "log",
        lambda v: np.log(v.lag(v.carried) / v.extremes[0]),
    ),
    Feature(
        "low_100",
        "log(close / lowest close of 100 sessions)",
        100,
        "log",
        lambda v: np.log(v.lag(v.carried) / v.extremes[1]),
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
    Feature("open_gap", "log(open / reference price)", 2, "log", open_gap),
    Feature("vwap_gap", "log(volume-weighted mean price / close)", 1, "log", lambda v: v.lag(v.vwap_gap)),
    Feature("vwap_gap_lag1", "vwap_gap, 1 session ago", 2, "log", lambda v: v.lag(v.vwap_gap, 1)),
    Feature("ltp_gap", "log(last traded price / close)", 1, "log", lambda v: v.lag(v.gap(v.field("ltp")))),
    Feature("at_upper", "1 if the close is at the upper limit", 2, "flag", lambda v: at_limit(v, 1)),
    Feature("at_lower", "1 if the close is at the lower limit", 2, "flag", lambda v: at_limit(v, -1)),
    Feature("weekday", "Monday is 0", 1, "day", weekday),
)

_LIQUIDITY: tuple[Feature, ...] = (
    Feature(
        "Volume_Z_Score",
        "(volume - mean) / standard deviation, 20 sessions, untraded ones count as 0",
        20,
        "1",
        volume_z,
    ),
    Feature("turnover_log", "log(turnover)", 1, "log rupees", lambda v: log_ratio(v.lag(v.turnover), 1.0)),
    Feature(
        "turnover_ratio_20",
        "log(turnover / mean turnover of 20 sessions)",
        20,
        "log",
        lambda v: log_ratio(v.lag(v.turnover), v.sums(v.turnover, (20,))[20] / 20),
    ),
    Feature("zero_share_20", "share of 20 sessions untraded or unchanged", 20, "1", zero_share),
    Feature("gap_sessions", "market sessions missed since the last trade", 2, "sessions", missed),
)

_CONTEXT: tuple[Feature, ...] = (
    *_market("mkt_mean", "mean return of all symbols", lambda v: v.market.mean, (0, 1, 2, 3)),
    *_market("mkt_median", "median return of all symbols", lambda v: v.market.median),
    *_market("mkt_weighted", "turnover-weighted mean return", lambda v: v.market.weighted, (0, 1, 2, 3)),
    *_market("mkt_breadth", "share of risers less share of fallers", lambda v: v.market.breadth),
    *_market("mkt_dispersion", "deviation of the symbols' returns", lambda v: v.market.dispersion),
    *_market("mkt_at_upper", "share of symbols at the upper limit", lambda v: v.market.at_upper),
    *_market("mkt_at_lower", "share of symbols at the lower limit", lambda v: v.market.at_lower),
    Feature("mkt_turnover_20", "log(turnover of all / its mean of 20 sessions)", 20, "log", market_turnover),
    Feature(
        "mkt_vol_20",
        "standard deviation of mkt_mean over 20 sessions",
        20,
        "log",
        lambda v: v.for_all(v.spreads(v.market.mean, (20,))[20][1]),
    ),
    Feature("beta_60", "cov(path return, mkt_mean) / var(mkt_mean), 60 sessions", 60, "1", beta),
    Feature("rel_ret_1", "ret_1 - mkt_mean", 2, "log", lambda v: v.lag(v.move) - v.market_lag(v.market.mean)),
    Feature("rank_ret_1", "rank of ret_1 in the session", 2, "1", lambda v: v.rank(v.lag(v.move))),
    Feature("rank_ret_5", "rank of ret_5 in the session", 5, "1", lambda v: v.rank(v.returns[5])),
    Feature("rank_turnover", "rank of turnover in the session", 1, "1", lambda v: v.rank(v.lag(v.turnover))),
)

FEATURE_TABLE: tuple[Feature, ...] = (*_RUPEES, *_PATH, *_SESSION, *_LIQUIDITY, *_CONTEXT)
"""All features, in the order of the columns."""
