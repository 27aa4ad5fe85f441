"""Drift as one decision: what of a training is remembered for it, and what newer sessions are told to be.

Two things can drift away from what a version was made from: the features that it looks at, and what it says
of them. Either is judged week by week, so that the same arithmetic serves both (`drift`): forecasts are one
more feature.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.core.drift import LIMITS, Finding, begins, compare, drifted
from tasks.core.drift_reference import WEEK, Reference, judged
from tasks.core.skill import Vector
from tasks.core.triggering import DRIFT_FEATURES, DRIFT_PREDICTIONS, REMEMBERED

FORECAST = "forecast"
"""Name of the one column of forecasts (log return of the next session)."""
SPAN = REMEMBERED
"""Sessions looked back at, at most, for whether a drift that was complained of is over."""

Matrix = NDArray[np.floating[Any]]


class Sessions(NamedTuple):
    """Rows of several sessions: the session of each, (n,), and what is judged, (n, columns)."""

    days: Sequence[date]
    values: Matrix


class Look(NamedTuple):
    """How many sessions are judged, and whether they come after a complaint of the same term."""

    sessions: int
    complained: bool


class Measured(NamedTuple):
    """What an event tells of a finding."""

    statistic: float | None
    threshold: float
    why: str


def noted(
    days: ArrayLike, values: Matrix, names: Sequence[str], held_days: ArrayLike, forecasts: Vector
) -> dict[str, Any]:
    """Note for the card what a training was made from, by the reason for which it is looked at; plain JSON.

    Args:
        days: the session of each row that was known, (n,).
        values: their features, (n, features).
        names: of the features.
        held_days: the session of each row that was kept from the fit, (m,).
        forecasts: what the model said of those, log returns (m,): of rows that it was fitted on it says more
            than it will of new ones.

    Returns:
        What too few sessions tell nothing of is left out.
    """
    watched = judged(names)
    columns = values[:, [list(names).index(name) for name in watched]]
    found = {
        DRIFT_FEATURES: Reference.of(days, columns, watched),
        DRIFT_PREDICTIONS: Reference.of(held_days, forecasts[:, None], [FORECAST]),
    }
    return {reason: reference.to_dict() for reason, reference in found.items() if reference}


def findings(reference: Reference, rows: Sessions, last: int) -> list[Finding]:
    """Judge the last so many sessions, each with the week that it ends, oldest first.

    Sessions without a whole week are left out.
    """
    found, place = np.unique(np.asarray(rows.days), return_inverse=True)
    ends = range(max(WEEK - 1, len(found) - last), len(found))
    weeks = ((place > end - WEEK) & (place <= end) for end in ends)
    return [drifted(compare(reference, place[week], rows.values[week])) for week in weeks]


def look(days: Sequence[date], asked: date, term: date) -> Look:
    """Tell how many of the newest sessions have to be judged.

    Two, to see a drift begin; and where one was complained of in this term, those since then. After SPAN of
    them the complaint is forgotten: a drift that goes on, and that nothing came of, is told again.

    Args:
        days: sessions, oldest first.
        asked: newest session of the newest complaint.
        term: the last session before the version's term.
    """
    since = sum(day > asked for day in days)
    return Look(since, True) if asked > term and since < SPAN else Look(2, False)


def begun(found: Sequence[Finding], *, complained: bool) -> bool:
    """Tell whether the newest finding is of a drift that nobody was told of.

    After a complaint it has to have been over in between: a session with less than half of the limit. What
    began and ended while nobody could complain was not told, and holds nothing up.

    Args:
        found: of sessions one after the other, the newest last.
        complained: whether the first of them comes after a complaint of the same term.
    """
    shares = [one.share for one in found]
    over = not complained or any(share < LIMITS.share / 2 for share in shares)
    return over and begins(shares[-2:])


def measured(reason: str, finding: Finding) -> Measured:
    """Take from a finding what its event tells: the share of drifted features, or the forecasts' index."""
    if reason == DRIFT_FEATURES:
        return Measured(finding.share, LIMITS.share, finding.why())
    index = finding.drifted[0].psi
    return Measured(index if np.isfinite(index) else None, LIMITS.psi, finding.why())
