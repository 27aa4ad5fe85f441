"""How well versions forecast, session by session and in all, from sums of their errors."""

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple


class Sums(NamedTuple):
    """Sums over pairs of prediction and close, rupees and rupees squared.

    The first five are of pairs on which persistence was judged too; `judged` pairs had an interval of 95 %,
    and `within` of them lay in it.
    """

    pairs: int
    squared: float
    absolute: float
    baseline_squared: float
    baseline_absolute: float
    judged: int = 0
    within: int = 0


class Measures(NamedTuple):
    """Errors in rupees beside persistence's on the same pairs; None where there is nothing to divide by."""

    pairs: int
    mae: float | None
    rmse: float | None
    baseline_mae: float | None
    baseline_rmse: float | None
    skill: float | None
    """1 - MSE / persistence's MSE: above 0 is better than the last close (Murphy 1988)."""
    coverage_95: float | None
    """Share of closes within the interval of 95 %."""


def measures(sums: Iterable[Sums]) -> Measures:
    """Measure over all of these sums together."""
    every = list(sums)
    total = Sums(*map(sum, zip(*every, strict=True))) if every else Sums(0, 0.0, 0.0, 0.0, 0.0)
    return Measures(
        total.pairs,
        _share(total.absolute, total.pairs),
        _root(_share(total.squared, total.pairs)),
        _share(total.baseline_absolute, total.pairs),
        _root(_share(total.baseline_squared, total.pairs)),
        1 - total.squared / total.baseline_squared if total.baseline_squared else None,
        _share(total.within, total.judged),
    )


def sums_of(errors: Iterable[tuple[float, float]]) -> Sums:
    """Sum up errors of a model beside persistence's."""
    pairs = list(errors)
    return Sums(
        len(pairs),
        sum(error * error for error, _ in pairs),
        sum(abs(error) for error, _ in pairs),
        sum(baseline * baseline for _, baseline in pairs),
        sum(abs(baseline) for _, baseline in pairs),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _root(square: float | None) -> float | None:
    return None if square is None else sqrt(square)
