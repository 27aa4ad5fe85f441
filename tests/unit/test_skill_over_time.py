"""Skill from sums: over sessions together as over all pairs at once, and nothing where nothing is known."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.skill_over_time import Sums, measures, sums_of

ERRORS = st.floats(-1e4, 1e4, allow_nan=False)
PAIRS = st.lists(st.tuples(ERRORS, ERRORS), min_size=1, max_size=30)


def test_measures_are_those_of_the_textbook() -> None:
    """Two pairs: MAE, RMSE, and one minus the ratio of the mean squared errors."""
    found = measures([sums_of([(3.0, -4.0), (-1.0, 2.0)])])
    assert (found.pairs, found.mae, found.baseline_mae) == (2, 2.0, 3.0)
    assert (found.rmse, found.baseline_rmse) == (pytest.approx(sqrt(5)), pytest.approx(sqrt(10)))
    assert found.skill == pytest.approx(0.5)


def test_coverage_counts_only_what_had_an_interval() -> None:
    """Of three pairs two had one, and one of them held its close."""
    assert measures([Sums(3, 1.0, 1.0, 1.0, 1.0, judged=2, within=1)]).coverage_95 == 0.5


@pytest.mark.parametrize("sums", [[], [Sums(0, 0.0, 0.0, 0.0, 0.0)]])
def test_nothing_is_known_of_nothing(sums: list[Sums]) -> None:
    """No pair gives no figure, and not a zero that looks like a perfect forecast."""
    assert measures(sums)[1:] == (None,) * 6


def test_persistence_without_any_error_has_no_skill_to_compare_with() -> None:
    """A market that stood still divides by nothing."""
    assert measures([sums_of([(1.0, 0.0)])]).skill is None


@given(PAIRS, st.integers(0, 30))
def test_sums_of_parts_measure_like_the_whole(pairs: list[tuple[float, float]], at: int) -> None:
    """However the pairs are spread over sessions."""
    parts = measures([sums_of(pairs[:at]), sums_of(pairs[at:])])
    assert parts == pytest.approx(measures([sums_of(pairs)]))
