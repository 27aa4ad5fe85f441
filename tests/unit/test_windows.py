"""Window kernels against naive loops, and that no bit depends on where the panel begins, ends or is cut."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.settings import Settings
from tasks.core import features
from tasks.core.features import FEATURES, WINDOW, compute
from tasks.core.panel import FIELDS, Panel, Wide
from tasks.core.prices import read_table_parquet
from tasks.core.windows import (
    decayed,
    decayed_twice,
    rolling_distance,
    rolling_extreme,
    rolling_moments,
    rolling_sum,
    rolling_sums,
    weighted_trend,
)

ALPHA = 2 / 13
AGAIN = 2 / 10

Kernel = Callable[[Wide, int, Wide], Wide]
"""From rows, window and factors to a value for every row."""

KERNELS: dict[str, Kernel] = {
    "sum": rolling_sum,
    "mean": lambda x, n, f: rolling_moments(x, (n,), f)[n][0],
    "squares": lambda x, n, f: rolling_moments(x, (n,), f)[n][1],
    "highest": lambda x, n, f: rolling_extreme(x, n, np.maximum, f),
    "lowest": lambda x, n, f: rolling_extreme(x, n, np.minimum, f),
    "distance": lambda x, n, f: rolling_distance(x, n, rolling_sum(x, n, f) / n, f),
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
        assert np.array_equal(total, rolling_sum(rows, window, factor), equal_nan=True)
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
    assert rolling_extreme(rows, 20, np.maximum, factor)[-1, 0] == 100.0
    assert weighted_trend(rows, 20, factor)[-1, 0] == 0.0


def _market(seed: int, trading: float, sessions: int = 320) -> Panel:
    """A random panel with gaps, adjustments told and untold, missing fields, symbols that come and go."""
    rng, shape = np.random.default_rng(seed), (sessions, 60)
    close = np.round(np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0)) * 100, 1) + 0.1
    close *= np.cumprod(np.where(rng.random(shape) < 0.01, 0.8, 1.0), axis=0)
    prev = np.where(rng.random(shape) < 0.05, close * 0.9, np.vstack([close[:1], close[:-1]]))
    fields = {
        "prev_close": np.where(rng.random(shape) < 0.3, np.nan, prev),
        "volume": rng.integers(0, 50, shape).astype(float),
        "turnover": rng.choice([0.0, 543.2, 17.1, np.nan], shape),
    }
    values = np.stack([fields.get(name, close) for name in FIELDS])
    values[:, rng.random(shape) >= trading] = np.nan
    values[:, 70:, ::3] = np.nan
    values[:, :290, 1::10] = np.nan
    days = tuple(date(2024, 1, 1) + timedelta(days=number) for number in range(sessions))
    return Panel(days, tuple(f"S{k:03}" for k in range(shape[1])), values)


def _until(panel: Panel, number: int) -> Panel:
    return panel.before(panel.dates[number] + timedelta(days=1))


def _equal(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Whether two frames hold the same rows, bit for bit."""
    same = left[["symbol", "date"]].to_numpy().tolist() == right[["symbol", "date"]].to_numpy().tolist()
    numbers = ["last_close", *FEATURES]
    return same and np.array_equal(left[numbers].to_numpy(), right[numbers].to_numpy(), equal_nan=True)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 319), st.sampled_from([0.05, 0.5, 1.0]))
def test_history_and_a_window_give_the_same_bits(seed: int, number: int, trading: float) -> None:
    """A session from its window alone, whoever else is in the panel and whatever is adjusted later."""
    panel = _market(seed, trading)
    whole, day = compute(panel), panel.dates[number]
    assert _equal(compute(_until(panel, number).tail(WINDOW), day), whole[whole["date"] == day])


@pytest.mark.parametrize("block", [50, 319, 320])
def test_blocks_give_the_same_bits(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many sessions are computed at a time, and since when, changes nothing."""
    panel = _market(3, 0.5)
    whole = compute(panel)
    monkeypatch.setattr(features, "BLOCK", block)
    since = panel.dates[150]
    assert _equal(compute(panel), whole)
    assert _equal(compute(panel, since), whole[whole["date"] >= since])


def test_a_later_adjustment_changes_no_bit() -> None:
    """Rows are in rupees of their own day: what the exchange adjusts afterwards is not in them."""
    panel = _market(4, 0.9)
    before, cut = compute(panel), panel.dates[160]
    panel["prev_close"][160] = panel["close"][159] / 3
    panel["close"][160:] /= 3
    after = compute(panel)
    assert _equal(after[after["date"] < cut], before[before["date"] < cut])
    assert not _equal(after, before)


def test_sessions_without_any_trade(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that is still for longer than a window, or never was one, has no rows and no error."""
    panel = _market(5, 0.9)
    for name in FIELDS:
        panel[name][20:310] = np.nan
    whole = compute(panel)
    monkeypatch.setattr(features, "BLOCK", 20)
    assert _equal(compute(panel), whole)
    assert set(whole["date"]) == {*panel.dates[:20], *panel.dates[310:]}
    assert compute(Panel(panel.dates, (), np.empty((len(FIELDS), len(panel), 0)))).empty


@pytest.fixture(scope="module")
def history() -> Panel:
    """The exchange's real history, where the setting points to one."""
    where = Settings().data
    if where is None or not (Path(where) / "history.parquet").is_file():
        pytest.skip("no real history: NEPSE_DATA names no folder with a history.parquet")
    days = read_table_parquet((Path(where) / "history.parquet").read_bytes(), "history.parquet")
    return Panel.from_sessions([(day, file.rows) for day, file in days])


def test_real_history_and_windows_give_the_same_bits(history: Panel) -> None:
    """Sessions from all of the real history, each from its window alone."""
    whole = compute(history)
    by_day = dict(list(whole.groupby("date")))
    numbers = [number for number in range(0, len(history), 61) if history.dates[number] in by_day]
    assert len(numbers) > 40
    for number in numbers:
        day = history.dates[number]
        assert _equal(compute(_until(history, number).tail(WINDOW), day), by_day[day]), day
