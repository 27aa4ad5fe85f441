"""Widths of intervals by groups of rows: what each covers later, and what too few rows may not say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.cards import POOLED
from tasks.core.intervals import FEWEST, Labels, calibrate, half_widths, key, labelled
from tasks.core.skill import Vector

LEVELS = (0.8, 0.95)
BY = {"debenture": (0.5,), "trades": (1.0, 10.0)}


def market(rows: int, seed: int, odd: float = 0.1) -> tuple[Vector, Labels]:
    """Errors in scales, of which those of some odd rows are three times as large, and who is odd."""
    generator = np.random.default_rng(seed)
    labels = np.where(generator.random(rows) < odd, "odd", "usual")
    return generator.normal(size=rows) * np.where(labels == "odd", 3.0, 1.0), labels


def covered(errors: Vector, labels: Labels, quantiles: dict[str, dict[str, float]]) -> dict[str, float]:
    """Share of rows within the 80 % interval, by group."""
    inside = np.abs(errors) <= half_widths(quantiles, 0.8, np.ones(len(errors)), labels)
    return {str(label): float(inside[labels == label].mean()) for label in np.unique(labels)}


def test_each_group_is_covered_in_later_sessions() -> None:
    """Within two points together and four by group; one width for all would leave a group far behind."""
    quantiles = calibrate(*_ones(*market(6_000, seed=1)))
    errors, labels = market(20_000, seed=2)
    found = covered(errors, labels, quantiles)
    assert found == {"odd": pytest.approx(0.8, abs=0.04), "usual": pytest.approx(0.8, abs=0.04)}
    inside = np.abs(errors) <= half_widths(quantiles, 0.95, np.ones(len(errors)), labels)
    assert inside.mean() == pytest.approx(0.95, abs=0.02)
    assert covered(errors, labels, {POOLED: quantiles[POOLED]})["odd"] < 0.5


def _ones(errors: Vector, labels: Labels) -> tuple[Vector, Vector, Labels]:
    return errors, np.ones(len(errors)), labels


@given(st.integers(0, 10_000))
def test_the_smallest_group_covers_on_average(seed: int) -> None:
    """A quantile of FEWEST rows is at least what it says, on average: of fifty draws within four points."""
    generator = np.random.default_rng(seed)
    labels = np.full(FEWEST, "odd")
    widths = [calibrate(generator.normal(size=FEWEST), np.ones(FEWEST), labels)["odd"] for _ in range(50)]
    later = np.abs(generator.normal(size=4_000))
    shares = [np.mean([np.mean(later <= one[key(level)]) for one in widths]) for level in LEVELS]
    assert shares[0] > 0.76
    assert shares[1] > 0.92


def test_a_group_of_fewer_rows_has_the_width_of_all() -> None:
    """It has none of its own; one row more, and it has."""
    for rows in (FEWEST - 1, FEWEST):
        labels = np.array(["odd"] * rows + ["usual"] * 200)
        quantiles = calibrate(np.arange(len(labels), dtype=float), np.ones(len(labels)), labels)
        assert set(quantiles) == {POOLED, "usual"} | ({"odd"} if rows == FEWEST else set())
        half = half_widths(quantiles, 0.8, np.ones(1), np.array(["odd"]))
        assert half == [quantiles["odd" if rows == FEWEST else POOLED]["80"]]


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ((0.0, 0.9), "debenture 0, trades 0"),
        ((1.0, 1.0), "debenture 1, trades 1"),
        ((1.0, 99.0), "debenture 1, trades 2"),
        ((np.nan, 5.0), POOLED),
        ((1.0, np.inf), POOLED),
    ],
)
def test_a_row_is_put_between_the_bounds(row: tuple[float, float], label: str) -> None:
    """On a bound it lies above it; what is missing puts it into no group."""
    values = np.array([[7.0, *row], [7.0, 0.0, 0.0]], dtype=np.float32)
    found = labelled(values, ["other", *BY], BY)
    assert found.tolist() == [label, "debenture 0, trades 0"]


def test_without_groups_all_rows_are_one() -> None:
    """As by the cards of earlier versions; no rows are none."""
    assert labelled(np.zeros((2, 1)), ["a"], {}).tolist() == [POOLED, POOLED]
    assert labelled(np.zeros((0, 3)), ["other", *BY], BY).tolist() == []
