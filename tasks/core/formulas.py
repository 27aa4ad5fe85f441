"""Formulas of single features, on the output rows of a view; see `feature_table` for what each is called."""

import numpy as np
import numpy.typing as npt

from tasks.core.grid import BAND, LIMIT
from tasks.core.panel import Wide
from tasks.core.view import View


def ratio(top: Wide, bottom: Wide) -> Wide:
    """Quotient that is missing where the divisor is 0 or missing."""
    out: Wide = top / np.where(bottom == 0, np.nan, bottom)
    return out


def log_ratio(top: Wide, bottom: Wide | float) -> Wide:
    """Log of a quotient of positive numbers; missing where either is not positive."""
    out: Wide = np.log(np.where(top > 0, top, np.nan) / np.where(np.asarray(bottom) > 0, bottom, np.nan))
    return out


def _ema_weights(span: int, length: int) -> npt.NDArray[np.float64]:
    """Weights of an exponential mean cut off after `length` sessions and scaled to sum to 1."""
    weights = (1 - 2 / (span + 1)) ** np.arange(length)
    out: npt.NDArray[np.float64] = weights / weights.sum()
    return out


MACD = _ema_weights(12, 60) - _ema_weights(26, 60)
_SIGNAL = np.convolve(MACD, _ema_weights(9, 20))
HISTOGRAM = np.pad(MACD, (0, len(_SIGNAL) - len(MACD))) - _SIGNAL


def rsi(view: View) -> Wide:
    """Cutler's relative strength index: plain sums of ups and downs, so the window is finite."""
    up = view.sums(np.maximum(view.changes, 0), (14,))[14]
    down = view.sums(np.maximum(-view.changes, 0), (14,))[14]
    return 100 * ratio(up, up + down)


def volume_z(view: View) -> Wide:
    """Volume in deviations from its mean; NaN while it never varies."""
    mean, deviation = view.spread(view.volume, 20)
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
    market, own = np.broadcast_to(view.market.mean, view.steps.shape), view.steps
    mean_market, deviation = view.spread(view.market.mean, 60)
    together = view.sums(own * market, (60,))[60] / 60
    return ratio(together - view.sums(own, (60,))[60] / 60 * mean_market, deviation**2)


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
