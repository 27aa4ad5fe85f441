"""Whether the newest week is unlike the sessions that a model was made from, feature by feature.

Two questions are asked of each feature, and both must be answered with yes. Is it another distribution, row
by row (population stability index)? And is the week an unusual one among the weeks of the reference (a
two-sample t-test, false discoveries controlled over all features)? The index alone sees that five sessions of
a market that moves together are never like a year of it; a test of rows takes the rows of a session for
independent and finds a difference every day. So a session is one observation here, and a week is compared
with weeks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tasks.core.drift_reference import STATISTICS, WEEK, Reference, finite, levels_of, newest_of, shares_of
from tasks.core.skill import Vector

FLOOR = 0.001
"""Least share of a bin: an empty one has no logarithm."""
MEAN, SPREAD, _ = range(len(STATISTICS))


class Drift(NamedTuple):
    """How unlike its reference a feature is."""

    name: str
    psi: float
    """Population stability index of the week's rows; NaN for a feature with one value a session."""
    p_value: float
    """Adjusted: the share of false discoveries among features with as small a value."""
    statistic: str
    """Which of `STATISTICS` differs most clearly."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a difference is one."""

    psi: float = 0.25
    """The rule of thumb of credit scoring: from .25 on a population has shifted."""
    false_discoveries: float = 0.01
    share: float = 0.05
    """Of the features that are judged: fewer that differ are a curiosity.

    A shift of ten features by one of their standard deviations is clear in a third of them: the others move
    with the market, by so much from one week to the next.
    """


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a week is told to be."""

    share: float
    """Share of the judged features that drifted."""
    drifted: tuple[Drift, ...]
    """Those, the least probable first."""
    judged: int

    def why(self, most: int = 3) -> str:
        """Say it in a sentence, naming the clearest ones."""
        named = ", ".join(f"{d.name} ({d.statistic}, p {d.p_value:.0e})" for d in self.drifted[:most])
        return f"{len(self.drifted)} of {self.judged} drifted over {WEEK} sessions: {named}"


def compare(reference: Reference, days: ArrayLike, values: NDArray[np.floating[Any]]) -> list[Drift]:
    """Hold the newest `WEEK` sessions against the reference.

    Args:
        reference: of the model that is judged.
        days: the session of each row, shape (n,); sessions before the week are ignored.
        values: shape (n, features), columns in the order of `reference.names`.

    Returns:
        One a feature, in that order; nothing where there are fewer than `WEEK` sessions.
    """
    newest = newest_of(days, WEEK)
    if newest.count < WEEK:
        return []
    rows = finite(values[newest.place >= 0])
    adjusted = _adjusted(reference, levels_of(newest.place[newest.place >= 0], rows).mean(axis=0))
    least = adjusted.argmin(axis=1)
    return [
        Drift(name, _psi_of(reference, f, rows[:, f]), float(adjusted[f, least[f]]), STATISTICS[least[f]])
        for f, name in enumerate(reference.names)
    ]


def psi(expected: Vector, found: Vector) -> float:
    """Population stability index of two distributions over the same bins, each of shape (bins,), sum 1.

    sum((found - expected) log(found / expected)), the symmetric Kullback-Leibler divergence, 0 for equals.
    """
    p, q = np.maximum(expected, FLOOR), np.maximum(found, FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def drifted(drifts: Sequence[Drift], limits: Limits = LIMITS) -> Finding:
    """Collect the features that both questions are answered with yes for."""
    both = (d for d in drifts if d.p_value <= limits.false_discoveries and not d.psi < limits.psi)
    found = tuple(sorted(both, key=lambda d: (d.p_value, d.name)))
    return Finding(len(found) / max(1, len(drifts)), found, len(drifts))


def begins(shares: Sequence[float], limits: Limits = LIMITS, *, alarmed: bool = False) -> bool:
    """Tell whether the newest session begins an alarm: a state that is entered and left at different levels.

    It is entered after two sessions in a row with at least `limits.share`, and left once a session has less
    than half of it: what stays as it is, or trembles about the limit, is told once.

    Args:
        shares: `Finding.share` of sessions one after the other, the newest last.
        limits: of the alarm.
        alarmed: whether an alarm was on before the first of them.
    """
    began, before = False, 0.0
    for share in shares:
        began = not alarmed and min(before, share) >= limits.share
        alarmed = (alarmed or began) and share >= limits.share / 2
        before = share
    return began


def _psi_of(reference: Reference, feature: int, column: Vector) -> float:
    if reference.spreads[feature][MEAN] is not None and reference.centres[feature][SPREAD] == 0:
        return float("nan")
    edges, shares = reference.edges[feature], reference.shares[feature]
    return psi(np.array(shares), np.array(shares_of(column, edges)))


def _adjusted(reference: Reference, week: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust what each statistic's chance is, shape (features, 3), by Benjamini and Hochberg (1995)."""
    chances = _chances(reference, week)
    found: NDArray[np.float64] = stats.false_discovery_control(chances, axis=None)
    return found.reshape(chances.shape)


def _chances(reference: Reference, week: NDArray[np.float64]) -> NDArray[np.float64]:
    """Test whether a week is one of the reference's: Student's t with pooled variance, two-sided.

    One week has no variance of its own, so that the pooled one is that of the weeks: the test is whether the
    week lies in the prediction interval of one more. What never varied, and does now, has no chance; what is
    not known on either side, or has one value a session that never varied, tells nothing.
    """
    centre, spread = (np.array(one, dtype=float) for one in (reference.centres, reference.spreads))
    weeks = np.array(reference.weeks)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = stats.ttest_ind_from_stats(week, 0.0, 1, centre, spread, weeks)
    chance = np.where(np.isfinite(found.pvalue), found.pvalue, 1.0)
    constant = (centre[:, SPREAD] == 0) & (spread[:, MEAN] == 0)
    chance[constant, MEAN] = 1.0
    return chance
