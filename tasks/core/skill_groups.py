"""How well intervals hold in groups of rows: by liquidity, by instrument class."""

import pandas as pd

from tasks.core.skill import Vector


def coverage_by(groups: pd.Series, actual: Vector, low: Vector, high: Vector) -> pd.DataFrame:
    """Tell of each group how many of its rows lay inside their interval, and how wide that was.

    Args:
        groups: one label a row; rows whose label is missing are in no group.
        actual: what came, (n,).
        low: lower ends of the intervals, (n,), in the same unit; an end belongs to its interval.
        high: upper ends.

    Returns:
        A row a group, in order of the labels: rows, coverage (a share), width (mean, unit of the ends).
    """
    inside = (actual >= low) & (actual <= high)
    found = pd.DataFrame({"coverage": inside.astype(float), "width": high - low})
    grouped = found.groupby(groups.to_numpy())
    return grouped.mean().assign(rows=grouped.size())[["rows", "coverage", "width"]]
