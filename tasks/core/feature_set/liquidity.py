"""How much, how often and how easily a symbol trades."""

import numpy as np

from tasks.core.feature_set.entry import feature, grouped, lagged, over
from tasks.core.indicators import quotient
from tasks.core.panel import Wide
from tasks.core.view import View


def positive_log(top: Wide, bottom: Wide | float = 1.0) -> Wide:
    """Log of a quotient of positive numbers; missing where either is not positive."""
    out: Wide = np.log(np.where(top > 0, top, np.nan) / np.where(np.asarray(bottom) > 0, bottom, np.nan))
    return out


def volume_z(view: View, window: int) -> Wide:
    """Volume in deviations from its mean; NaN while it never varies."""
    mean, deviation = view.volumes[window]
    return quotient(view.lag(view.volume) - mean, deviation)


def turnover_ratio(view: View, window: int) -> Wide:
    """Log of turnover over its mean."""
    return positive_log(view.lag(view.turnover), view.turnovers[window] / window)


def illiquidity(view: View, window: int) -> Wide:
    """Log of the absolute return that a million rupees of turnover came with."""
    return positive_log(view.absolute_returns[window], view.turnovers[window] / 1e6)


def unchanged(view: View, window: int) -> Wide:
    """Share of sessions that left the path where it was."""
    still = np.where(np.isfinite(view.steps), view.steps == 0, np.nan)
    return view.sums(still, (window,))[window] / window


def trading(view: View, window: int) -> Wide:
    """Share of sessions in which the symbol traded, of those since its price is known."""
    known = np.where(np.isfinite(view.carried), view.traded, np.nan)
    return view.sums(known, (window,))[window] / window


def missed(view: View) -> Wide:
    """Market sessions without a trade before this one; NaN after more than CARRY."""
    age = view.lag(view.references[2])
    return np.where(age > 0, age - 1.0, np.nan)


def with_volume(view: View, window: int) -> Wide:
    """Correlation of session returns and volume."""
    mean, deviation = view.volumes[window]
    together = view.sums(view.steps * view.volume, (window,))[window] / window
    means = view.returns[window] / window * mean
    return quotient(view.snapped(together - means, means), view.deviations[window] * deviation)


LIQUIDITY = grouped(
    "liquidity",
    feature(
        "Volume_Z_Score",
        "(volume - mean) / standard deviation, 20 sessions, untraded ones count as 0",
        20,
        "1",
        lambda v: volume_z(v, 20),
    ),
    feature(
        "volume_z_60", "(volume - mean) / standard deviation, 60 sessions", 60, "1", lambda v: volume_z(v, 60)
    ),
    lagged(
        (0, 1),
        "turnover_log",
        "log(turnover)",
        "log rupees",
        lambda v, b: positive_log(v.lag(v.turnover, b)),
    ),
    over(
        (5, 20, 60),
        "turnover_ratio_{k}",
        "log(turnover / mean turnover of {k} sessions)",
        "log",
        turnover_ratio,
    ),
    over(
        (20, 60),
        "turnover_mean_{k}",
        "log(mean turnover of {k} sessions)",
        "log rupees",
        lambda v, k: positive_log(v.turnovers[k] / k),
    ),
    feature(
        "turnover_5_60",
        "log(mean turnover of 5 sessions / of 60)",
        60,
        "log",
        lambda v: positive_log(v.turnovers[5] / 5, v.turnovers[60] / 60),
    ),
    over(
        (20, 60),
        "volume_spread_{k}",
        "standard deviation of volume / its mean, {k} sessions",
        "1",
        lambda v, k: quotient(v.volumes[k][1], v.volumes[k][0]),
    ),
    over(
        (5, 20, 60),
        "illiquidity_{k}",
        "log(sum of |path return| / turnover in million rupees), {k} sessions (after Amihud 2002)",
        "log",
        illiquidity,
        1,
    ),
    over(
        (20, 60),
        "volume_corr_{k}",
        "correlation of path return and volume, {k} sessions",
        "1",
        with_volume,
        1,
    ),
    over(
        (5, 20, 60, 120),
        "zero_share_{k}",
        "share of {k} sessions untraded or unchanged",
        "1",
        unchanged,
        1,
    ),
    over((20, 60), "traded_share_{k}", "share of {k} sessions in which the symbol traded", "1", trading),
    feature("gap_sessions", "market sessions missed since the last trade", 2, "sessions", missed),
)
