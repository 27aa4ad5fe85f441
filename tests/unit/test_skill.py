"""Measures of skill against formulas written out here by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.core import skill
from tasks.core.skill_groups import coverage_by

RETURN = st.sampled_from([-0.1, -0.02, 0.0, 0.001, 0.02, 0.1])
ROWS = st.lists(st.tuples(st.integers(0, 3), RETURN, RETURN), min_size=2, max_size=40)
"""Session, actual and predicted return of each row."""


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


def test_the_t_of_rank_ics_is_their_mean_over_its_newey_west_error() -> None:
    """Worked out by hand from scipy's correlation of each session."""
    generator = np.random.default_rng(4)
    sessions = pd.Series(np.repeat(range(12), 15))
    actual = generator.normal(size=180)
    predicted = actual + 2 * generator.normal(size=180)
    ics = np.array([stats.spearmanr(actual[k : k + 15], predicted[k : k + 15])[0] for k in range(0, 180, 15)])
    expected = ics.mean() / np.sqrt(skill.long_run_variance(ics, 2) / 12)
    assert skill.ic_t(sessions, actual, predicted, lags=2) == pytest.approx((ics.mean(), expected))


def test_few_or_equal_sessions_have_a_mean_and_no_t() -> None:
    """Six sessions can't carry five lags; sessions that are all ranked rightly vary by nothing."""
    values = np.tile([1.0, 2.0, 3.0], 8)
    few, many = (
        skill.ic_t(pd.Series(np.repeat(range(n), 3)), values[: 3 * n], values[: 3 * n]) for n in (6, 8)
    )
    assert few[0] == many[0] == pytest.approx(1.0)
    assert np.isnan([few[1], many[1]]).all()
    assert np.isnan(skill.ic_t(pd.Series([0, 0]), np.ones(2), np.array([1.0, 2.0]))).all()


def test_balanced_accuracy_is_blind_to_how_often_prices_rise() -> None:
    """Two of three rises and one of two falls; who always says up gets one half; one direction has none."""
    actual = np.array([1.0, 1.0, 1.0, -1.0, -1.0, 0.0, 1.0])
    predicted = np.array([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 0.0])
    assert skill.balanced_accuracy(actual, predicted) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert skill.balanced_accuracy(actual, np.ones(7)) == 0.5
    assert np.isnan(skill.balanced_accuracy(np.ones(3), np.ones(3)))
    assert np.isnan(skill.balanced_accuracy(np.zeros(3), np.ones(3)))


def test_skill_is_the_share_of_error_saved() -> None:
    """Half the error is a skill of one half, twice the error of minus one."""
    assert skill.skill_score(1.0, 2.0) == 0.5
    assert skill.skill_score(4.0, 2.0) == -1.0
    assert np.isnan(skill.skill_score(1.0, 0.0))


@given(rows=ROWS, seed=st.integers(0, 99))
@settings(deadline=None)
def test_the_order_of_rows_within_sessions_changes_nothing(
    rows: list[tuple[int, float, float]], seed: int
) -> None:
    """Each measure sees sessions as sets of rows."""
    frame = pd.DataFrame(rows, columns=["session", "actual", "predicted"])
    mixed = frame.sample(frac=1, random_state=seed)

    def told(one: pd.DataFrame) -> list[float]:
        actual, predicted = (one[name].to_numpy(dtype=float) for name in ("actual", "predicted"))
        covered = coverage_by(one["session"], actual, predicted - 0.01, predicted + 0.03)
        ranked = skill.ic_t(one["session"], actual, predicted, lags=1)
        return [*ranked, skill.balanced_accuracy(actual, predicted), *covered.to_numpy().ravel()]

    assert told(mixed) == pytest.approx(told(frame), nan_ok=True)


@given(rows=ROWS)
@settings(deadline=None)
def test_turning_every_direction_keeps_the_balance(rows: list[tuple[int, float, float]]) -> None:
    """A forecast of the opposite is as good on the opposite; against the same outcomes it adds up to one."""
    actual, predicted = (np.array(side) for side in list(zip(*rows, strict=True))[1:])
    found = skill.balanced_accuracy(actual, predicted)
    assert skill.balanced_accuracy(-actual, -predicted) == pytest.approx(found, nan_ok=True)
    assert skill.balanced_accuracy(actual, -predicted) == pytest.approx(1 - found, nan_ok=True)


def test_bootstrapped_bounds_are_those_of_the_mean_where_sessions_are_independent() -> None:
    """About 1.96 standard errors on either side."""
    values = np.random.default_rng(5).normal(0.3, 1.0, 400)
    low, high = skill.block_bootstrap(values)
    error = values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.03
    )
    assert skill.block_bootstrap(values) == (low, high)
    assert skill.block_bootstrap(values, seed=1) != (low, high)


def test_bounds_are_wider_where_neighbours_move_together() -> None:
    """Sessions that come in runs of ten tell less than as many independent ones: about root ten."""
    runs = np.repeat(np.random.default_rng(6).normal(size=60), 10)
    width, mixed = (
        np.diff(skill.block_bootstrap(one))[0] for one in (runs, np.random.default_rng(7).permutation(runs))
    )
    assert 2.0 < width / mixed < 4.0


def test_a_statistic_of_several_columns_is_bounded() -> None:
    """The skill in RMSE from sums of squares; a constant ratio has no spread, whatever sessions are drawn."""
    persistence = np.random.default_rng(8).uniform(1, 9, 50)
    losses = np.column_stack([0.81 * persistence, persistence])
    bounds = skill.block_bootstrap(losses, lambda means: 1 - np.sqrt(means[:, 0] / means[:, 1]), draws=200)
    assert bounds == pytest.approx((0.1, 0.1))


def test_blocks_go_around_the_end() -> None:
    """Every session is drawn equally often: the draws' mean is the sessions' mean, at the ends too."""
    values = np.zeros(25)
    values[0] = values[-1] = 1.0
    seen: list[np.ndarray] = []

    def keep(means: np.ndarray) -> np.ndarray:
        seen.append(means[:, 0])
        return means[:, 0]

    skill.block_bootstrap(values, keep, draws=20_000)
    assert seen[0].mean() == pytest.approx(values.mean(), abs=0.002)


def test_one_block_is_no_bootstrap() -> None:
    """Nineteen sessions are not two blocks of ten."""
    with pytest.raises(ValueError, match="needs 20 of them, there are 19"):
        skill.block_bootstrap(np.ones(19))


def test_coverage_is_counted_by_group() -> None:
    """Ends belong to the interval; rows of no group are not counted."""
    groups = pd.Series(["thin", "thin", "liquid", None])
    actual, low, high = np.array([1.0, 3.0, 2.0, 0.0]), np.zeros(4), np.array([1.0, 2.0, 4.0, 9.0])
    found = coverage_by(groups, actual, low, high)
    assert found.index.tolist() == ["liquid", "thin"]
    assert found.to_numpy().tolist() == [[1, 1.0, 4.0], [2, 0.5, 1.5]]
