"""When the session was, and what kind of security it is."""

import re
from collections.abc import Callable
from datetime import date

import numpy as np

from tasks.core.feature_set.entry import feature, grouped
from tasks.core.panel import Wide
from tasks.core.view import View

DEBENTURE = re.compile(r"\d\d/\d\d")
"""Symbols of debentures and bonds end in the years in which they are repaid."""

LONGEST = 15
"""Days between sessions beyond which a closure is as long as any other."""


def dated(view: View, number: Callable[[date], float]) -> Wide:
    """A number of each session's date, given to every symbol."""
    return view.for_all(np.array([number(day) for day in view.dates], dtype="float64")[:, None])


def days_closed(view: View) -> Wide:
    """Days since the market's session before, at most LONGEST; NaN for the first session of all."""
    days = np.array([*([np.nan] if view.previous is None else [view.previous.toordinal()])])
    ordinals = np.concatenate([days, [day.toordinal() for day in view.dates]])
    return view.for_all(np.minimum(np.diff(ordinals), LONGEST)[:, None])


def debenture(view: View) -> Wide:
    """Flag: the symbol is that of a debenture or bond."""
    flags = [bool(DEBENTURE.search(symbol)) for symbol in view.symbols]
    shape = view.lag(view.carried).shape
    return np.broadcast_to(np.array(flags, dtype="float64"), shape)


def listing_age(view: View) -> Wide:
    """Sessions since the first trade of the last 250 sessions; 249 is also any longer."""
    rows = np.arange(len(view.traded))[:, None]
    following = np.minimum.accumulate(np.where(view.traded, rows, len(rows))[::-1], axis=0)[::-1]
    age: Wide = (view.lag(np.broadcast_to(rows, following.shape)) - view.lag(following, 249)).astype(
        "float64"
    )
    return age


CALENDAR = grouped(
    "calendar and kind",
    feature("weekday", "Monday is 0", 1, "day", lambda v: dated(v, date.weekday)),
    feature("day_of_month", "1 to 31", 1, "day", lambda v: dated(v, lambda day: day.day)),
    feature("month", "January is 1", 1, "month", lambda v: dated(v, lambda day: day.month)),
    feature(
        "days_closed", f"days since the session before, at most {LONGEST}", 2, "days", days_closed, minimum=1
    ),
    feature(
        "listing_age",
        "sessions since the symbol's first trade of the last 250, 249 is also any longer",
        250,
        "sessions",
        listing_age,
        minimum=1,
    ),
    feature("debenture", "1 if the symbol ends in the years of its repayment", 1, "flag", debenture),
)
