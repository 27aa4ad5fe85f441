"""Indicators as TA-Lib computes them on the last so many sessions of the carried, adjusted path.

Each equals the last value that TA-Lib gives for a series of exactly its window, to 1e-9. Recursive ones
(Wilder's and exponential means, the on-balance volume) have no window of their own and get SPAN sessions.
Idle sessions count: price unchanged, range and volume 0. Where nothing moved in the whole window an
oscillator is 0/0; TA-Lib then says 0, here it is missing. Values are on output rows, in the row's rupees.
"""

import numpy as np

from tasks.core.grid import ROUNDING
from tasks.core.panel import Wide
from tasks.core.view import View
from tasks.core.windows import decayed_twice, rolling_distance

SPAN = 150
"""Sessions of the path that a recursive indicator looks at, the current one included."""

FAST, SLOW, SIGNAL = 12, 26, 9
"""Sessions of the two exponential means of the MACD, and of its signal."""

WILDER = 14
"""Sessions of Wilder's smoothing, in which a session's weight is 1 in 14."""


def quotient(top: Wide, bottom: Wide) -> Wide:
    """Quotient that is missing where the divisor is 0 or missing."""
    out: Wide = top / np.where(bottom == 0, np.nan, bottom)
    return out


def exponential_mean(view: View, sessions: int) -> Wide:
    """Exponential mean of the close (talib.EMA); rupees."""
    return view.decayed(view.carried, 2 / (sessions + 1), SPAN, seed=sessions)


def macd(view: View) -> Wide:
    """Fast less slow exponential mean (talib.MACD, first output); rupees.

    TA-Lib starts both means at the same session: the fast one leaves the oldest SLOW - FAST closes out.
    """
    fast = view.decayed(view.carried, 2 / (FAST + 1), SPAN - SLOW + FAST, seed=FAST)
    return fast - view.once(exponential_mean, SLOW)


def macd_signal(view: View) -> Wide:
    """Exponential mean of the MACD (talib.MACD, second output); rupees."""
    means = [
        decayed_twice(
            view.recent(view.carried, window),
            2 / (sessions + 1),
            window,
            sessions,
            2 / (SIGNAL + 1),
            SIGNAL,
            view.factors(window),
        )
        for sessions, window in ((FAST, SPAN - SLOW + FAST), (SLOW, SPAN))
    ]
    return view.lag(means[0]) - view.lag(means[1])


def rsi(view: View) -> Wide:
    """Wilder's relative strength index (talib.RSI); percent."""
    up, down = (
        view.decayed(np.maximum(sign * view.changes, 0), 1 / WILDER, SPAN - 1, seed=WILDER)
        for sign in (1, -1)
    )
    return 100 * quotient(up, up + down)


def atr(view: View) -> Wide:
    """Wilder's average true range (talib.ATR); rupees."""
    return view.decayed(view.true_range, 1 / WILDER, SPAN - 1, seed=WILDER)


def natr(view: View) -> Wide:
    """Average true range beside the close (talib.NATR); percent."""
    return 100 * view.once(atr) / view.lag(view.carried)


def adx(view: View) -> Wide:
    """Wilder's average directional index of 2 x 14 sessions, the fewest that define it (talib.ADX); percent.

    The index of a session is a quotient, so that no stretch of sessions can be merged from shorter ones; with
    twice WILDER sessions it is the plain mean of WILDER quotients. A session without direction counts as 0.
    """
    ups, downs = (view.recent(moved, 2 * WILDER - 1) for moved in view.directions)
    factor = view.factors(2 * WILDER - 1)
    up, down = (view.smoothed(moved, factor, WILDER) for moved in (ups, downs))
    shares = [
        np.where(
            (plus + minus) == 0, 0.0, np.abs(plus - minus) / np.where(plus + minus == 0, 1.0, plus + minus)
        )
        for plus, minus in zip(up, down, strict=True)
    ]
    return 100 * sum(shares, np.zeros_like(shares[0])) / WILDER


def obv(view: View) -> Wide:
    """On-balance volume over the window's volume, -1 .. 1 (talib.OBV less its first volume)."""
    signed = view.sums(np.sign(view.changes) * view.volume, (SPAN - 1,))[SPAN - 1]
    return quotient(signed, view.sums(view.volume, (SPAN,))[SPAN])


def cci(view: View) -> Wide:
    """Commodity channel index of 14 sessions (talib.CCI)."""
    typical = view.recent(view.typical, WILDER)
    mean = view.sums(view.typical, (WILDER,), rupees=True)[WILDER] / WILDER
    center = np.vstack([np.full((WILDER - 1, mean.shape[1]), np.nan), mean])
    apart = view.lag(rolling_distance(typical, WILDER, center, view.factors(WILDER)))
    apart = np.where(apart <= ROUNDING * mean, 0.0, apart)
    return quotient(view.lag(view.typical) - mean, 0.015 * apart)


def stochastic_fast(view: View) -> Wide:
    """Place of the close in the range of 5 sessions, all rows that `stochastic` needs; percent."""
    return 100 * view.place(5, 5)


def stochastic(view: View) -> tuple[Wide, Wide]:
    """Slow stochastic oscillator 5, 3, 3: %K and %D (talib.STOCH); percent."""
    fast = stochastic_fast(view)
    slow = (fast[:-2] + fast[1:-1] + fast[2:]) / 3
    return slow[2:], (slow[:-2] + slow[1:-1] + slow[2:]) / 3


def williams(view: View) -> Wide:
    """Williams' %R of 14 sessions (talib.WILLR); percent, -100 .. 0."""
    return 100 * (view.place(WILDER, 1) - 1)


def money_flow(view: View) -> Wide:
    """Money flow index of 14 sessions (talib.MFI); percent."""
    flow = view.typical * view.volume
    rises = view.snapped(view.typical - view.earlier(view.typical), view.typical)
    up, down = (
        view.sums(np.where(sign * rises > 0, flow, 0.0 * flow + 0.0 * rises), (WILDER,), rupees=True)[WILDER]
        for sign in (1, -1)
    )
    return 100 * quotient(up, up + down)


def rate_of_change(view: View) -> Wide:
    """Change of the close over 10 sessions (talib.ROC); percent."""
    return 100 * np.expm1(view.returns[10])


def bollinger(view: View, sessions: int = 20) -> tuple[Wide, Wide]:
    """Middle and half-width of the bands, two deviations wide (talib.BBANDS); rupees."""
    middle, deviation = view.averages[sessions]
    return middle, 2 * deviation
