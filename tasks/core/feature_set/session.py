"""The session itself and those right before: range, gaps, limits, how the close came about."""

import numpy as np

from tasks.core.feature_set.entry import feature, grouped, lagged, over
from tasks.core.grid import BAND, LIMIT
from tasks.core.indicators import quotient
from tasks.core.panel import Wide
from tasks.core.view import View

CIRCUIT = 0.10
"""Largest move that the exchange lets happen in a session, as a fraction of the reference price."""


def open_gap(view: View) -> Wide:
    """Log of the open over the reference price; NaN outside the band, where the open is an error."""
    gap = view.lag(view.field("open") / view.references[0])
    return np.log(np.where(np.abs(gap - 1) <= BAND, gap, np.nan))


def body(view: View) -> Wide:
    """Log of the close over the open; NaN outside the band, where the open is an error."""
    ratio = view.lag(view.carried / view.field("open"))
    return np.log(np.where(np.abs(ratio - 1) <= 2 * BAND, ratio, np.nan))


def close_place(view: View) -> Wide:
    """Where the close stands between low (0) and high (1)."""
    high, low = view.lag(view.high), view.lag(view.low)
    return quotient(view.lag(view.carried) - low, high - low)


def at_limit(view: View, sign: int, back: int = 0) -> Wide:
    """Flag: the close is at the upper (sign 1) or lower (sign -1) limit."""
    move = view.lag(view.move, back)
    out: Wide = np.where(np.isfinite(move), sign * np.expm1(move) >= LIMIT, np.nan)
    return out


def times_at_limit(view: View, sign: int, window: int) -> Wide:
    """Number of sessions that closed at a limit."""
    at = np.where(np.isfinite(view.steps), sign * np.expm1(view.steps) >= LIMIT, np.nan)
    return view.sums(at, (window,))[window]


def to_limit(view: View, sign: int) -> Wide:
    """Log distance from the close to the session's upper (sign 1) or lower (sign -1) limit."""
    out: Wide = np.log1p(sign * CIRCUIT) - view.lag(view.move)
    return out


def mean_range(view: View, window: int) -> Wide:
    """Mean log range of the session; untraded sessions have none."""
    return view.sums(view.log_range, (window,))[window] / window


def parkinson(view: View, window: int) -> Wide:
    """Volatility from ranges as in Parkinson, *The extreme value method* (1980)."""
    squares = view.sums(view.log_range * view.log_range, (window,))[window]
    out: Wide = np.sqrt(squares / (window * 4 * np.log(2)))
    return out


SESSION = grouped(
    "session",
    lagged((0, 1, 2), "range_1", "log(high / low)", "log", lambda v, b: v.traded_only(v.log_range, b)),
    over(
        (5, 20, 60),
        "range_{k}",
        "mean of log(high / low) over {k} sessions, 0 if untraded",
        "log",
        mean_range,
    ),
    over(
        (5, 20, 60),
        "parkinson_{k}",
        "sqrt(mean of log(high / low)^2 / (4 log 2)), {k} sessions (Parkinson 1980)",
        "log",
        parkinson,
    ),
    feature("open_gap", "log(open / reference price)", 2, "log", open_gap),
    feature("body", "log(close / open)", 1, "log", body),
    feature("close_place", "(close - low) / (high - low)", 1, "1", close_place),
    lagged(
        (0, 1, 2, 3),
        "vwap_gap",
        "log(volume-weighted mean price / close)",
        "log",
        lambda v, b: v.lag(v.vwap_gap, b),
    ),
    lagged((0, 1), "ltp_gap", "log(last traded price / close)", "log", lambda v, b: v.lag(v.ltp_gap, b)),
    lagged(
        (0, 1), "at_upper", "1 if the close is at the upper limit", "flag", lambda v, b: at_limit(v, 1, b), 2
    ),
    lagged(
        (0, 1), "at_lower", "1 if the close is at the lower limit", "flag", lambda v, b: at_limit(v, -1, b), 2
    ),
    feature("to_upper", "log(1.1 reference price / close)", 2, "log", lambda v: to_limit(v, 1)),
    feature("to_lower", "log(0.9 reference price / close)", 2, "log", lambda v: to_limit(v, -1)),
    over(
        (20,),
        "upper_count_{k}",
        "sessions of {k} that closed at the upper limit",
        "sessions",
        lambda v, k: times_at_limit(v, 1, k),
        1,
    ),
    over(
        (20,),
        "lower_count_{k}",
        "sessions of {k} that closed at the lower limit",
        "sessions",
        lambda v, k: times_at_limit(v, -1, k),
        1,
    ),
    feature("close_log", "log(close)", 1, "log rupees", lambda v: np.log(v.lag(v.carried))),
)
