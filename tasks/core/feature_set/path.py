"""The adjusted path of closes: returns, their distribution, averages, bands, extremes."""

import numpy as np

from tasks.core.feature_set.entry import feature, grouped, lagged, over
from tasks.core.indicators import bollinger, quotient
from tasks.core.panel import Wide
from tasks.core.view import View
from tasks.core.windows import rolling_extremes, weighted_trend


def central_moment(view: View, power: int, window: int) -> Wide:
    """Third or fourth moment of the path's returns in units of their deviation."""
    first, second, third, fourth = (view.powers[number][window] / window for number in (1, 2, 3, 4))
    square, deviation = first * first, view.deviations[window]
    if power == 3:  # noqa: PLR2004  (the third moment)
        return quotient(third - 3 * first * second + 2 * first * square, deviation * deviation * deviation)
    moment = fourth - 4 * first * third + 6 * square * second - 3 * square * square
    return quotient(moment, deviation * deviation * deviation * deviation)


def autocorrelation(view: View, window: int) -> Wide:
    """Correlation of the returns of a window with those one session earlier."""
    moments = view.spreads(view.steps, (window,), back=1)[window]
    pairs = view.steps * np.vstack([np.full((1, view.steps.shape[1]), np.nan), view.steps[:-1]])
    together = view.sums(pairs, (window,))[window] / window
    apart = together - view.returns[window] / window * moments[0]
    return quotient(apart, view.deviations[window] * moments[1])


def downside(view: View, window: int) -> Wide:
    """Root of the mean squared return, rises count as 0."""
    return np.sqrt(view.sums(np.minimum(view.steps, 0.0) ** 2, (window,))[window] / window)


def strongest(view: View, window: int, choose: np.ufunc) -> Wide:
    """Highest (np.maximum) or lowest (np.minimum) session return."""
    return view.lag(rolling_extremes(view.recent(view.steps, window), (window,), choose)[window])


def rising(view: View, window: int) -> Wide:
    """Share of sessions in which the path rose."""
    up = np.where(np.isfinite(view.steps), view.steps > 0, np.nan)
    return view.sums(up, (window,))[window] / window


def average_gap(view: View, window: int) -> Wide:
    """Log of the close over its mean."""
    return np.log(view.lag(view.carried) / view.averages[window][0])


def slope(view: View, window: int) -> Wide:
    """Slope of the least-squares line through the path, per session, over its mean."""
    line = weighted_trend(view.recent(view.carried, window), window, view.factors(window))
    return view.lag(line) / view.averages[window][0]


def band_place(view: View, window: int) -> Wide:
    """Distance of the close from the middle of the Bollinger bands in half-widths."""
    middle, half = bollinger(view, window)
    return quotient(view.lag(view.carried) - middle, half)


def from_extreme(view: View, window: int, which: int) -> Wide:
    """Log of the close over its lowest (0) or highest (1) of the window."""
    return np.log(view.lag(view.carried) / view.extremes[window][which])


def range_place(view: View, window: int) -> Wide:
    """Where the close stands between the lowest (0) and highest (1) close of the window."""
    low, high = view.extremes[window]
    return quotient(view.lag(view.carried) - low, view.snapped(high - low, high))


RETURNS = grouped(
    "returns",
    feature(
        "Close_Lag_1",
        "close of the session before, adjusted to today's rupees if the exchange adjusted it today",
        2,
        "rupees",
        lambda v: v.lag(v.before),
    ),
    lagged((0, 1, 2, 3, 4), "ret_1", "log(close / reference price)", "log", lambda v, b: v.lag(v.move, b), 2),
    over(
        (2, 3, 5, 10, 20, 40, 60, 120, 240),
        "ret_{k}",
        "log return of the path over {k} sessions",
        "log",
        lambda v, k: v.returns[k],
        1,
    ),
)

DISTRIBUTION = grouped(
    "distribution of returns",
    over(
        (5, 10, 20, 60, 120),
        "vol_{k}",
        "standard deviation of the path's session returns over {k} sessions",
        "log",
        lambda v, k: v.deviations[k],
        1,
    ),
    over((20, 60), "downside_{k}", "root of the mean squared fall of {k} sessions", "log", downside, 1),
    over(
        (20, 60), "skew_{k}", "skewness of {k} session returns", "1", lambda v, k: central_moment(v, 3, k), 1
    ),
    over(
        (20, 60),
        "kurtosis_{k}",
        "kurtosis of {k} session returns (3 for a normal one)",
        "1",
        lambda v, k: central_moment(v, 4, k),
        1,
    ),
    over(
        (5, 20, 60),
        "ret_max_{k}",
        "highest session return of {k}",
        "log",
        lambda v, k: strongest(v, k, np.maximum),
        1,
    ),
    over(
        (5, 20, 60),
        "ret_min_{k}",
        "lowest session return of {k}",
        "log",
        lambda v, k: strongest(v, k, np.minimum),
        1,
    ),
    over((5, 20, 60), "up_share_{k}", "share of {k} sessions in which the path rose", "1", rising, 1),
    over(
        (20, 60), "autocorr_{k}", "correlation of successive returns, {k} sessions", "1", autocorrelation, 2
    ),
)

AVERAGES = grouped(
    "averages and bands",
    feature(
        "SMA_20", "mean close of 20 sessions, in today's rupees", 20, "rupees", lambda v: v.averages[20][0]
    ),
    over(
        (5, 10, 20, 60, 120, 200),
        "sma_gap_{k}",
        "log(close / mean close of {k} sessions)",
        "log",
        average_gap,
    ),
    feature(
        "sma_5_20",
        "log(mean close of 5 sessions / of 20)",
        20,
        "log",
        lambda v: np.log(v.averages[5][0] / v.averages[20][0]),
    ),
    feature(
        "sma_20_60",
        "log(mean close of 20 sessions / of 60)",
        60,
        "log",
        lambda v: np.log(v.averages[20][0] / v.averages[60][0]),
    ),
    over((20, 60), "trend_{k}", "least-squares slope of {k} closes / their mean", "1 a session", slope),
    over((20, 60), "bollinger_{k}", "(close - mean) / (2 standard deviations), {k} closes", "1", band_place),
    over(
        (20, 60),
        "band_width_{k}",
        "4 standard deviations of {k} closes / their mean",
        "1",
        lambda v, k: 4 * v.averages[k][1] / v.averages[k][0],
    ),
)

EXTREMES = grouped(
    "extremes",
    over(
        (20, 60, 250),
        "high_{k}",
        "log(close / highest close of {k} sessions)",
        "log",
        lambda v, k: from_extreme(v, k, 1),
    ),
    over(
        (20, 60, 250),
        "low_{k}",
        "log(close / lowest close of {k} sessions)",
        "log",
        lambda v, k: from_extreme(v, k, 0),
    ),
    over(
        (20, 60, 250),
        "range_place_{k}",
        "(close - lowest) / (highest - lowest), closes of {k} sessions",
        "1",
        range_place,
    ),
)
