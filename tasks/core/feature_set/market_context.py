"""What the market did, and each symbol beside it: the group that raises forecast skill the most."""

import numpy as np

from tasks.core.feature_set.entry import feature, grouped, of_market, over
from tasks.core.grid import Sessions
from tasks.core.indicators import quotient
from tasks.core.panel import Wide
from tasks.core.view import View

LAGS = (0, 1, 2, 3, 4)


def _totals(view: View, window: int) -> Sessions:
    return view.sums(view.market.mean, (window,))[window]


def _spread(view: View, window: int) -> Sessions:
    return view.spreads(view.market.mean, (window,))[window][1]


def _turnover(view: View, window: int) -> Sessions:
    total = view.market.turnover
    return np.log(view.lag(total) / (view.sums(total, (window,))[window] / window))


def covariance(view: View) -> Wide:
    """Of the path's returns and the market's over 60 sessions."""
    together = view.sums(view.steps * view.market.mean, (60,))[60] / 60
    means = view.returns[60] / 60
    out: Wide = together - means * (view.once(_totals, 60) / 60)
    return out


def beta(view: View) -> Wide:
    """Slope of the path's returns on the market's."""
    return quotient(view.once(covariance), view.for_all(view.once(_spread, 60) ** 2))


def correlation(view: View) -> Wide:
    """Of the path's returns with the market's, -1 .. 1."""
    return quotient(view.once(covariance), view.deviations[60] * view.once(_spread, 60))


def own_deviation(view: View) -> Wide:
    """Deviation of the path's returns that the market's do not explain."""
    explained = view.once(correlation) ** 2
    return view.deviations[60] * np.sqrt(np.maximum(1 - explained, 0.0))


def relative(view: View, window: int) -> Wide:
    """Return less the market's."""
    return view.returns[window] - view.once(_totals, window)


def relative_session(view: View, back: int) -> Wide:
    """Return of one session less the market's."""
    out: Wide = view.lag(view.move, back) - view.lag(view.market.mean, back)
    return out


MARKET = grouped(
    "market",
    of_market("mkt_mean", "mean return of all symbols", "log", lambda v: v.market.mean, LAGS),
    of_market("mkt_median", "median return of all symbols", "log", lambda v: v.market.median, LAGS),
    of_market("mkt_weighted", "turnover-weighted mean return", "log", lambda v: v.market.weighted, LAGS),
    of_market(
        "mkt_breadth", "share of risers less share of fallers", "1", lambda v: v.market.breadth, (0, 1, 2)
    ),
    of_market(
        "mkt_at_upper", "share of symbols at the upper limit", "1", lambda v: v.market.at_upper, (0, 1, 2)
    ),
    of_market(
        "mkt_at_lower", "share of symbols at the lower limit", "1", lambda v: v.market.at_lower, (0, 1, 2)
    ),
    of_market(
        "mkt_unchanged", "share of symbols with the close unchanged", "1", lambda v: v.market.unchanged
    ),
    of_market(
        "mkt_dispersion", "deviation of the symbols' returns", "log", lambda v: v.market.dispersion, (0, 1)
    ),
    (
        entry._replace(minimum=1)
        for entry in (
            *over(
                (5, 20, 60),
                "mkt_ret_{k}",
                "sum of mkt_mean over {k} sessions",
                "log",
                lambda v, k: v.for_all(v.once(_totals, k)),
                1,
            ),
            *over(
                (5, 20, 60),
                "mkt_vol_{k}",
                "standard deviation of mkt_mean over {k} sessions",
                "log",
                lambda v, k: v.for_all(v.once(_spread, k)),
                1,
            ),
            *over(
                (5, 20, 60),
                "mkt_turnover_{k}",
                "log(turnover of all symbols / its mean of {k} sessions)",
                "log",
                lambda v, k: v.for_all(_turnover(v, k)),
            ),
        )
    ),
)

RELATIVE = grouped(
    "beside the market",
    feature("rel_ret_1", "ret_1 - mkt_mean", 2, "log", lambda v: relative_session(v, 0)),
    feature("rel_ret_1_lag1", "ret_1 - mkt_mean, 1 session ago", 3, "log", lambda v: relative_session(v, 1)),
    over((5, 20, 60), "rel_ret_{k}", "ret_{k} - mkt_ret_{k}", "log", relative, 1),
    feature(
        "beta_60", "cov(path return, mkt_mean) / var(mkt_mean), 60 sessions", 61, "1", lambda v: v.once(beta)
    ),
    feature(
        "corr_60",
        "correlation of path return and mkt_mean, 60 sessions",
        61,
        "1",
        lambda v: v.once(correlation),
    ),
    feature(
        "own_vol_60",
        "deviation of the path's returns that mkt_mean does not explain: vol_60 sqrt(1 - corr_60^2)",
        61,
        "log",
        own_deviation,
    ),
    feature(
        "surprise_1",
        "ret_1 - beta_60 mkt_mean",
        61,
        "log",
        lambda v: v.lag(v.move) - v.once(beta) * v.lag(v.market.mean),
    ),
)
