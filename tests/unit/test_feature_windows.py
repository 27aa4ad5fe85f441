"""That no bit of a feature depends on where the panel begins, ends or is cut, or on what came later."""

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
from tasks.core.panel import FIELDS, Panel
from tasks.core.prices import read_prices


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


@pytest.mark.parametrize(("block", "cells"), [(50, 40_000), (319, 700), (320, 10**9)])
def test_blocks_give_the_same_bits(block: int, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many sessions and symbols are computed at a time, and since when, changes nothing."""
    panel = _market(3, 0.5)
    whole = compute(panel)
    monkeypatch.setattr(features, "BLOCK", block)
    monkeypatch.setattr(features, "CELLS", cells)
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
    days = read_prices((Path(where) / "history.parquet").read_bytes(), "history.parquet")
    return Panel.from_sessions([(day, file.rows) for day, file in days if day])


def test_real_history_knows_nothing_of_its_future(history: Panel) -> None:
    """Prices tripled and turnover gone after a session change nothing up to it; nor does cutting it off."""
    cut = history.dates[-300]
    past = _until(history, len(history) - 300)
    expected = compute(past, history.dates[-400])
    values = history.values.copy()  # noqa: PD011  (a panel's)
    values[[FIELDS.index("close"), FIELDS.index("high")], -299:] *= 3
    values[FIELDS.index("turnover"), -299:] = 0.0
    other = compute(Panel(history.dates, history.symbols, values), history.dates[-400])
    assert _equal(other[other["date"] <= cut], expected)


def test_real_history_and_windows_give_the_same_bits(history: Panel) -> None:
    """Sessions from all of the real history, each from its window alone."""
    whole = compute(history)
    by_day = dict(list(whole.groupby("date")))
    numbers = [number for number in range(0, len(history), 61) if history.dates[number] in by_day]
    assert len(numbers) > 40
    for number in numbers:
        day = history.dates[number]
        assert _equal(compute(_until(history, number).tail(WINDOW), day), by_day[day]), day
