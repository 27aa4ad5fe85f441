"""Window kernels against naive loops, and that no bit depends on where the rows begin, end or are cut."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.panel import Wide
from tasks.core.windows import (
    decayed,
    decayed_twice,
    rolling_distance,
    rolling_extremes,
    rolling_moments,
    rolling_sums,
    weighted_trend,
)

ALPHA = 2 / 13
AGAIN = 2 / 10

Kernel = Callable[[Wide, int, Wide], Wide]
"""From rows, window and factors to a value for every row."""

KERNELS: dict[str, Kernel] = {
    "sum": lambda x, n, f: rolling_sums(x, (n,), f)[n],
    "mean": lambda x, n, f: rolling_moments(x, (n,), f)[n][0],
    "squares": lambda x, n, f: rolling_moments(x, (n,), f)[n][1],
    "highest": lambda x, n, f: rolling_extremes(x, (n,), np.maximum, f)[n],
    "lowest": lambda x, n, f: rolling_extremes(x, (n,), np.minimum, f)[n],
    "distance": lambda x, n, f: rolling_distance(x, n, rolling_sums(x, (n,), f)[n] / n, f),
    "decayed": lambda x, n, f: decayed(x, ALPHA, n, factor=f),
    "seeded": lambda x, n, f: decayed(x, ALPHA, n, seed=n // 2, factor=f),
    "twice": lambda x, n, f: decayed_twice(x, ALPHA, n, n // 3, AGAIN, 2, f),
    "trend": weighted_trend,
}


def _exponential(values: Wide, seed: int) -> float:
    """Mean of a series, oldest first, as a recursion from its seed or as weights that sum to 1."""
    if not seed:
        weights = (1 - ALPHA) ** np.arange(len(values))[::-1]
        return float((weights * values).sum() / weights.sum())
    mean = values[:seed].mean()
    for value in values[seed:]:
        mean = ALPHA * value + (1 - ALPHA) * mean
    return float(mean)


def _again(values: Wide) -> float:
    """The recursion on top of the recursion, from the mean of its first two values."""
    seed = len(values) // 3
    means = np.array([_exponential(values[: seed + more], seed) for more in range(len(values) - seed + 1)])
    mean = means[:2].mean()
    for value in means[2:]:
        mean = AGAIN * value + (1 - AGAIN) * mean
    return float(mean)


NAIVE: dict[str, Callable[[Wide], float]] = {
    "sum": np.sum,
    "mean": np.mean,
    "squares": lambda v: ((v - v.mean()) ** 2).sum(),
    "highest": np.max,
    "lowest": np.min,
    "distance": lambda v: np.abs(v - v.mean()).mean(),
    "decayed": lambda v: _exponential(v, 0),
    "seeded": lambda v: _exponential(v, len(v) // 2),
    "twice": _again,
    "trend": lambda v: np.polyfit(np.arange(len(v)), v, 1)[0],
}


def _naive(rows: Wide, window: int, factor: Wide, of: Callable[[Wide], float]) -> Wide:
    """Bring every row of every window to rupees of its last row, then compute from scratch."""
    out = np.full(rows.shape, np.nan)
    for end in range(window - 1, len(rows)):
        for symbol in range(rows.shape[1]):
            values = [
                rows[k, symbol] * factor[k + 1 : end + 1, symbol].prod()
                for k in range(end - window + 1, end + 1)
            ]
            if np.isfinite(values).all():
                out[end, symbol] = of(np.array(values))
    return out


@st.composite
def markets(draw: st.DrawFn) -> tuple[Wide, Wide]:
    """Rows with unknown ones among them, and factors that are mostly 1."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 60)), draw(st.integers(1, 4)))
    rows = np.round(rng.uniform(50, 200, shape), 1) * draw(st.sampled_from([1.0, -1.0, 1e-4]))
    rows[rng.random(shape) < draw(st.sampled_from([0.0, 0.05]))] = np.nan
    return rows, np.where(rng.random(shape) < draw(st.sampled_from([0.0, 0.1])), 0.8, 1.0)


windows = st.integers(3, 40)


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=40, deadline=None)
@given(markets(), windows)
def test_kernels_equal_naive_loops(name: str, market: tuple[Wide, Wide], window: int) -> None:
    """Same numbers, and unknown exactly where the window holds an unknown row or begins too early."""
    rows, factor = market
    size = np.nanmax(np.abs(rows), initial=0)
    np.testing.assert_allclose(
        KERNELS[name](rows, window, factor),
        _naive(rows, window, factor, NAIVE[name]),
        rtol=1e-10,
        atol=1e-12 * window * max(size, size**2),
    )


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=40, deadline=None)
@given(markets(), windows, st.data())
def test_no_bit_depends_on_the_rest_of_the_panel(
    name: str, market: tuple[Wide, Wide], window: int, data: st.DataObject
) -> None:
    """Rows left out before the window or after it, and columns left out beside it, change no bit."""
    rows, factor = market
    whole = KERNELS[name](rows, window, factor)
    begin = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(begin + 1, len(rows)))
    symbols = slice(data.draw(st.integers(0, rows.shape[1] - 1)), None)
    part = KERNELS[name](rows[begin:end, symbols].copy(), window, factor[begin:end, symbols].copy())
    assert np.isnan(part[: window - 1]).all()
    assert np.array_equal(part[window - 1 :], whole[begin:end, symbols][window - 1 :], equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(markets(), st.lists(windows, min_size=1, max_size=4))
def test_windows_computed_together_are_the_same(market: tuple[Wide, Wide], several: list[int]) -> None:
    """Sharing stretches changes no bit, and without factors the result is that of factors of 1."""
    rows, factor = market
    for window, total in rolling_sums(rows, several, factor).items():
        assert np.array_equal(total, rolling_sums(rows, (window,), factor)[window], equal_nan=True)
    for window, (mean, squares) in rolling_moments(rows, several).items():
        alone = rolling_moments(rows, (window,), np.ones_like(rows))[window]
        assert np.array_equal(np.stack([mean, squares]), np.stack(alone), equal_nan=True)


def test_moments_do_not_cancel() -> None:
    """A level of 1e6 hides no deviation of 1e-3, as squared sums would; a constant has none."""
    level = 1e6 + np.random.default_rng(1).normal(0, 1e-3, (200, 1))
    squares = rolling_moments(level, (60,))[60][1][-1, 0]
    above = level[-60:, 0] - 1e6
    assert squares == pytest.approx(((above - above.mean()) ** 2).sum(), rel=1e-5)
    assert rolling_moments(np.full((70, 1), 0.1), (64,))[64][1][-1, 0] == 0


def test_an_adjustment_joins_two_levels() -> None:
    """A halved price with the factor that says so is a constant in today's rupees."""
    rows, factor = np.array([[200.0]] * 30 + [[100.0]] * 10), np.ones((40, 1))
    factor[30] = 0.5
    mean, squares = rolling_moments(rows, (20,), factor)[20]
    assert (mean[-1, 0], squares[-1, 0], mean[29, 0]) == (100.0, 0.0, 200.0)
    assert rolling_extremes(rows, (20,), np.maximum, factor)[20][-1, 0] == 100.0
    assert weighted_trend(rows, 20, factor)[-1, 0] == 0.0
