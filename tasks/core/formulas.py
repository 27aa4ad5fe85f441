"""Formulas of single features, on the output rows of a view; see `feature_table` for what each is called."""

import numpy as np

from tasks.core.grid import BAND, LIMIT
from tasks.core.panel import Wide
from tasks.core.view import View
from tasks.core.windows import decayed


def ratio(top: Wide, bottom: Wide) -> Wide:
    """Quotient that is missing where the divisor is 0 or missing."""
    out: Wide = top / np.where(bottom == 0, np.nan, bottom)
    return out


def log_ratio(top: Wide, bottom: Wide | float) -> Wide:
    """Log of a quotient of positive numbers; missing where either is not positive."""
    out: Wide = np.log(np.where(top > 0, top, np.nan) / np.where(np.asarray(bottom) > 0, bottom, np.nan))
    return out


def macd(view: View) -> Wide:
    """EMA 12 less EMA 26 of the path over its close, both cut off after 60 sessions."""
    return view.lag(view.macd) / view.lag(view.carried)


def macd_histogram(view: View) -> Wide:
    """MACD less its EMA 9, cut off after 20 sessions, over the close."""
    signal = decayed(view.macd, 2 / 10, 20, factor=view.recent(view.factor, 79))
    return view.lag(view.macd - signal) / view.lag(view.carried)


def rsi(view: View) -> Wide:
    """Cutler's relative strength index: plain sums of ups and downs, so the window is finite."""
    up = view.sums(np.maximum(view.changes, 0), (14,), rupees=True)[14]
    down = view.sums(np.maximum(-view.changes, 0), (14,), rupees=True)[14]
    return 100 * ratio(up, up + down)


def volume_z(view: View) -> Wide:
    """Volume in deviations from its mean; NaN while it never varies."""
    mean, deviation = view.spreads(view.volume, (20,))[20]
    return ratio(view.lag(view.volume) - mean, deviation)


def zero_share(view: View) -> Wide:
    """Share of sessions that left the path where it was."""
    still = np.where(np.isfinite(view.steps), view.steps == 0, np.nan)
    return view.sums(still, (20,))[20] / 20


def open_gap(view: View) -> Wide:
    """Log of the open over the reference price; NaN outside the band, where the open is an error."""
    gap = view.lag(view.field("open") / view.references[0])
    return np.log(np.where(np.abs(gap - 1) <= BAND, gap, np.nan))


def beta(view: View) -> Wide:
    """Slope of the path's returns on the market's."""
    mean_market, deviation = view.spreads(view.market.mean, (60,))[60]
    together = view.sums(view.steps * view.market.mean, (60,))[60] / 60
    return ratio(together - view.returns[60] / 60 * mean_market, deviation**2)


def at_limit(view: View, sign: int) -> Wide:
    """Flag: the close is at the upper (sign 1) or lower (sign -1) limit."""
    move = view.lag(view.move)
    return np.where(np.isfinite(move), sign * np.expm1(move) >= LIMIT, np.nan)


def market_turnover(view: View) -> Wide:
    """Log of the market's turnover over its mean."""
    total = view.market.turnover
    return view.for_all(np.log(view.lag(total) / (view.sums(total, (20,))[20] / 20)))


def missed(view: View) -> Wide:
    """Market sessions without a trade before this one; NaN after more than CARRY."""
    age = view.lag(view.references[2])
    return np.where(age > 0, age - 1.0, np.nan)


def weekday(view: View) -> Wide:
    """Day of the week, Monday is 0."""
    days = np.array([day.weekday() for day in view.dates], dtype="float64")[:, None]
    return view.for_all(days)
