"""The simulated market: seeded, plausible, in the exchange's layouts, and truthful about its oddities."""

import io
from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.core.calendar import load_rules
from tasks.core.prices import content_hash, read_daily, read_prices
from tasks.core.simulator import (
    LAYOUTS,
    Oddities,
    SimulatedSession,
    daily_csv,
    history_table,
    simulate,
    write_market,
)
from tests.spelling import as_read


@pytest.fixture(scope="module")
def sessions() -> list[SimulatedSession]:
    """A market of 250 sessions and 60 symbols."""
    return list(simulate(250, 60, seed=3))


def test_the_seed_decides() -> None:
    """The same seed gives the same bytes, another seed other ones."""
    small = {"sessions": 12, "symbols": 10, "daily": 4}
    assert dict(write_market(**small, seed=1)) == dict(write_market(**small, seed=1))
    assert dict(write_market(**small, seed=1)) != dict(write_market(**small, seed=2))


def test_the_band_holds_and_days_are_trading_days(sessions: list[SimulatedSession]) -> None:
    """No close leaves the band around its reference, and sessions fall on trading days in order."""
    days = [session.date for session in sessions]
    moves = pd.concat([session.rows["close"] / session.rows["prev_close"] - 1 for session in sessions])
    assert moves.abs().max() <= 0.1 + 1e-9
    assert (moves.abs() > 0.097).any()
    assert days == sorted(set(days))
    assert all(load_rules().trading_day(day) for day in days)
    for session in sessions:
        rows = session.rows
        assert (rows["low"] <= rows["close"]).all()
        assert (rows["close"] <= rows["high"]).all()
        assert rows[["volume", "turnover", "trades"]].gt(0).all(axis=None)


def test_the_oddities_of_a_market_occur(sessions: list[SimulatedSession]) -> None:
    """Slash and space in symbols, thin symbols, later listings, and previous closes lowered by a bonus."""
    table = history_table(sessions)
    count = table.groupby("symbol").size()
    assert any(" " in symbol for symbol in count.index)
    assert any("/" in symbol for symbol in count.index)
    assert count.min() < 150 < count.max() == 250
    assert (table.groupby("symbol")["date"].min() > sessions[20].date).any()
    last = table.groupby("symbol")["close"].shift()
    assert (table["prev_close"] / last < 0.95).any()


def test_the_market_factor_has_momentum() -> None:
    """What makes the market forecastable: its mean return is correlated with the one before."""
    means = [np.log(s.rows["close"] / s.rows["prev_close"]).mean() for s in simulate(600, 60, seed=8)]
    assert np.corrcoef(means[1:], means[:-1])[0, 1] > 0.2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("numbered", [True, False])
def test_every_layout_reads_back(sessions: list[SimulatedSession], layout: int, numbered: bool) -> None:
    """What the reader finds in a file is what was written, LTP only where the layout has it."""
    data = daily_csv(sessions[-1], layout, numbered=numbered)
    rows = read_daily(data, "x").rows
    truth = as_read(sessions[-1].rows.assign(ltp=np.nan) if layout == 21 else sessions[-1].rows)
    assert data.split(b"\n", 1)[0].count(b",") + 1 == layout - (not numbered)
    pd.testing.assert_frame_equal(rows, truth)


def test_files_and_manifest_agree() -> None:
    """The manifest's truth is what the reader finds in every file, repeats and doubles included."""
    odd = Oddities(doubled=0.3, recomputed=0.5, zero_prices=0.02, bad_closes=0.02)
    files = dict(write_market(sessions=80, symbols=30, seed=4, daily=40, oddities=odd))
    truth = pd.read_csv(io.BytesIO(files["manifest.csv"]))
    before, rejected = "", 0
    for line in truth.itertuples():
        found = read_daily(files[f"daily/{line.file}"], line.file)
        assert len(found.rows) + len(found.rejected) + found.doubled == line.rows
        assert (found.doubled > 0) == line.doubled
        assert (content_hash(found.rows) == before) == line.repeats_previous_session
        before, rejected = content_hash(found.rows), rejected + len(found.rejected)
    stale = truth[truth["repeats_previous_session"]]
    assert 0 < stale["byte_identical_to_previous"].sum() < len(stale)
    assert set(truth["columns"]) == set(LAYOUTS)
    assert truth["doubled"].any()
    assert rejected > 0


def test_clean_files_and_history_are_one_market() -> None:
    """Without oddities history and daily files together are the simulated sessions, one file each."""
    files = dict(write_market(sessions=30, symbols=12, seed=6, daily=10, oddities=Oddities.none()))
    market = list(simulate(30, 12, seed=6))
    history = list(read_prices(files["history.parquet"], "h"))
    daily = [read_daily(data, name) for name, data in files.items() if name.startswith("daily/")]
    assert len(daily) == 10
    assert [content_hash(found.rows) for _, found in history] + [
        content_hash(found.rows) for found in daily
    ] == [content_hash(as_read(session.rows)) for session in market]


def test_history_has_the_table_s_layout(sessions: list[SimulatedSession]) -> None:
    """Columns and types are those of the tidy price table."""
    table = history_table(sessions[:2])
    assert list(table.columns)[:4] == ["symbol", "date", "open", "high"]
    assert table["ltp"].isna().all()
    assert isinstance(table["date"].iloc[0], date)
