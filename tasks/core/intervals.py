"""Prediction intervals by split-conformal calibration, scaled by how restless each row is, group by group."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.core.cards import POOLED
from tasks.core.skill import Vector

LEVELS = (0.80, 0.95)
"""Nominal coverage of the two intervals of a prediction."""
MIN_SCALE = 0.004
"""Log return; a scale below it is a price that hardly trades, not a price that is certain."""
GROUPS: Mapping[str, Sequence[float]] = {"debenture": (0.5,)}
"""By feature the bounds between groups. Debentures seldom trade, in steps of a rupee: they err more than
their volatility says, which counts the sessions in which nothing happened."""
FEWEST = 30
"""Calibration rows of a group with widths of its own: from 19 on there is one that 95 % lie below."""

Labels = NDArray[np.str_]
"""The group of each row."""


def row_scale(volatility: NDArray[np.floating] | None, rows: int, typical: float) -> Vector:
    """Return the size of error to expect a row, shape (rows,), as a log return.

    Rows without volatility (or all rows, when the feature set has none) get the training's `typical` one.
    """
    if volatility is None:
        return np.full(rows, max(typical, MIN_SCALE))
    known = volatility.astype(np.float64)
    return np.maximum(np.where(np.isfinite(known), known, typical), MIN_SCALE)


def labelled(
    values: NDArray[np.floating], names: Sequence[str], groups: Mapping[str, Sequence[float]]
) -> Labels:
    """Put rows into groups: one for each combination of what lies between the bounds of the features.

    Args:
        values: (n, features).
        names: of the features, those of `groups` among them.
        groups: by feature its bounds, rising; a value on a bound lies above it.

    Returns:
        A label a row, (n,), such as `debenture 1`, with commas between several features; `POOLED` where one
        is missing.
    """
    if not groups:
        return np.full(len(values), POOLED)
    columns = values[:, [list(names).index(feature) for feature in groups]]
    places = [np.digitize(column, bounds) for column, bounds in zip(columns.T, groups.values(), strict=True)]
    found, cell = np.unique(np.stack(places, axis=1), axis=0, return_inverse=True)
    told = [", ".join(f"{feature} {k}" for feature, k in zip(groups, one, strict=True)) for one in found]
    labels: Labels = np.where(np.isfinite(columns).all(axis=1), np.array(told)[cell.ravel()], POOLED)
    return labels


def calibrate(residuals: Vector, scale: Vector, labels: Labels) -> dict[str, dict[str, float]]:
    """Find the widths, in scales, that covered each level's share of the calibration rows, by group.

    All of shape (n,), n > 0. The finite-sample quantile ceil((n + 1) level) / n of |residual| / scale is
    that of Lei et al. (2018), "Distribution-free predictive inference for regression", sections 2.2 and 5.2;
    by groups that of Vovk et al. (2005), "Algorithmic learning in a random world", section 4.5 (Mondrian).

    Returns:
        By group and level; `POOLED`, of all rows, is always there, a group of fewer than `FEWEST` is not.
    """
    scores = np.abs(residuals) / scale
    sizes = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    own = [str(label) for label, rows in sizes.items() if label != POOLED and rows >= FEWEST]
    return {POOLED: _quantiles(scores)} | {label: _quantiles(scores[labels == label]) for label in own}


def _quantiles(scores: Vector) -> dict[str, float]:
    ordered, n = np.sort(scores), len(scores)
    return {key(level): float(ordered[min(int(np.ceil((n + 1) * level)), n) - 1]) for level in LEVELS}


def half_widths(
    quantiles: Mapping[str, Mapping[str, float]], level: float, scale: Vector, labels: Labels
) -> Vector:
    """Half of each row's interval in log returns, (n,): of its group, or of all rows where that has none."""
    known, place = np.unique(labels, return_inverse=True)
    widths = [quantiles.get(str(label), quantiles[POOLED])[key(level)] for label in known]
    return np.array(widths)[place] * scale


def key(level: float) -> str:
    """Name a level as cards do: `80`."""
    return f"{level * 100:.0f}"
