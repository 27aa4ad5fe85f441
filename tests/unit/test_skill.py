"""Measures of skill against formulas written out here by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.core import skill


def test_errors_are_the_textbook_ones() -> None:
    """MAE and RMSE of three rows, worked out by hand."""
    actual, predicted = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 1.0])
    assert skill.mae(actual, predicted) == pytest.approx(1.0)
    assert skill.rmse(actual, predicted) == pytest.approx((5 / 3) ** 0.5)


def test_hit_rate_judges_only_rows_with_a_direction() -> None:
    """A row that did not move, or was forecast flat, is neither hit nor miss."""
    actual, predicted = np.array([0.1, -0.1, 0.0, 0.2]), np.array([0.3, 0.1, 0.1, 0.0])
    assert skill.hit_rate(actual, predicted) == 0.5
    assert np.isnan(skill.hit_rate(np.zeros(2), np.ones(2)))


def test_rank_ic_is_spearman_within_sessions() -> None:
    """The mean over sessions of scipy's Spearman correlation, ties included."""
    generator = np.random.default_rng(3)
    sessions = pd.Series(np.repeat(["a", "b", "c"], 20))
    actual, predicted = generator.integers(0, 9, 60).astype(float), generator.normal(size=60)
    predicted[40:] = 7.0  # a session in which the forecast ranks nothing is left out
    expected = np.mean([stats.spearmanr(actual[s], predicted[s])[0] for s in (slice(0, 20), slice(20, 40))])
    assert skill.rank_ic(sessions, actual, predicted) == pytest.approx(expected)


def test_long_run_variance_is_newey_west() -> None:
    """The Bartlett-weighted sum of autocovariances, as a double sum over pairs of sessions."""
    values = np.random.default_rng(1).normal(size=30)
    centred = values - values.mean()
    weights = np.maximum(0, 1 - np.abs(np.subtract.outer(range(30), range(30))) / 6)
    assert skill.long_run_variance(values, 5) == pytest.approx(centred @ weights @ centred / 30)


def test_diebold_mariano_without_lags_is_a_t_test() -> None:
    """With no lags the corrected statistic is Student's paired t, and so is its one-sided p."""
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=25) ** 2, generator.normal(size=25) ** 2 + 0.3
    expected = stats.ttest_rel(second, first, alternative="greater")
    found = skill.diebold_mariano(first, second, lags=0)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert skill.diebold_mariano(second, first, lags=0).p_value == pytest.approx(1 - expected.pvalue)


def test_equal_losses_decide_nothing() -> None:
    """A forecast compared with itself has statistic 0 and p one half."""
    losses = np.arange(20.0)
    found = skill.diebold_mariano(losses, losses)
    assert (found.statistic, found.p_value, found.sessions) == (0.0, 0.5, 20)


def test_too_few_sessions_are_refused() -> None:
    """Six sessions can't carry five lags."""
    with pytest.raises(ValueError, match="needs more than 6 sessions, there are 6"):
        skill.diebold_mariano(np.ones(6), np.zeros(6))
