"""The feature set: what each feature needs, how far a change reaches, ranks and peers."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.across import PEER_SESSIONS, Across
from tasks.core.catalogue import ACROSS, FEATURE_TABLE
from tasks.core.features import CARRY, FEATURES, WINDOW, compute
from tasks.core.grid import Grid
from tasks.core.panel import FIELDS, Panel, Wide

DAY = date(2023, 1, 1)
LISTED = 40
"""Session in which the newest symbol of the market below trades first."""

MARKET_REACH = 60
"""Sessions that what all symbols did together may look back; the path beneath reaches CARRY further."""

NUMBERS = ["last_close", *FEATURES]


def _market(sessions: int, symbols: int, seed: int = 1, trading: float = 1.0) -> Panel:
    """A market in which every field is known of whoever trades; the last symbol is listed later."""
    rng, shape = np.random.default_rng(seed), (sessions, symbols)
    close = np.round(300 * np.exp(np.cumsum(rng.normal(0, 0.015, shape), axis=0)), 1)
    volume = rng.integers(1, 5_000, shape).astype(float)
    fields = {
        "open": close * rng.uniform(0.99, 1.01, shape),
        "high": close * rng.uniform(1.001, 1.02, shape),
        "low": close * rng.uniform(0.98, 0.999, shape),
        "close": close,
        "volume": volume,
        "turnover": volume * close,
        "prev_close": np.full(shape, np.nan),
        "vwap": close * rng.uniform(0.99, 1.01, shape),
        "ltp": close * rng.uniform(0.99, 1.01, shape),
    }
    values = np.stack([fields[name] for name in FIELDS])
    values[:, rng.random(shape) >= trading] = np.nan
    values[:, :LISTED, -1] = np.nan
    days = tuple(DAY + timedelta(days=number) for number in range(sessions))
    return Panel(days, tuple(f"S{k:02}" for k in range(symbols)), values)


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Rows of `after`, with whether they differ from the same ones of `before` in any bit."""
    keys, after = ["symbol", "date"], after.reset_index(drop=True)
    joined = after[keys].merge(before, on=keys, how="left")
    same = (joined[NUMBERS] == after[NUMBERS]) | (joined[NUMBERS].isna() & after[NUMBERS].isna())
    return after[keys].assign(changed=~same.all(axis=1))


@pytest.mark.parametrize("start", [LISTED, LISTED + 260])
def test_each_feature_begins_with_its_minimum_history(start: int) -> None:
    """Of a symbol just listed a feature is missing before `minimum` sessions, and known from then on."""
    panel = _market(LISTED + 320, 9)
    for name in FIELDS:
        panel[name][LISTED:start, -1] = np.nan
    frame = compute(panel)
    mine = frame[frame["symbol"] == panel.symbols[-1]]
    assert mine["date"].iloc[0] == panel.dates[start]
    for entry in FEATURE_TABLE:
        found = mine[entry.name].isna().to_numpy()
        late = 0 if start > WINDOW else max(0, entry.window + 1 - start)  # the market itself is young
        assert found[: entry.minimum - 1].all(), entry.name
        assert not found[max(entry.minimum - 1, late) :].any(), entry.name


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 180), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_revision_reaches_as_far_as_its_window(seed: int, number: int, trading: float) -> None:
    """A corrected session changes nothing before it, of its own symbol nothing after WINDOW sessions.

    Of other symbols nothing after MARKET_REACH and CARRY sessions; and what a window gives afterwards is what
    a computation over everything gives.
    """
    panel = _market(number + WINDOW + 10, 8, seed, trading)
    before, day = compute(panel), panel.dates[number]
    panel["close"][number, 2] = 290.0
    panel["turnover"][number, 2] = 1e6
    panel["volume"][number, 2] = 4_000
    after = compute(panel)
    told = _changed(before, after)
    since = (pd.to_datetime(told["date"]) - pd.Timestamp(day)).dt.days
    assert not told["changed"][since < 0].any()
    assert told["changed"][since == 0].any()
    assert not told["changed"][since >= WINDOW].any()
    others = told["symbol"] != panel.symbols[2]
    assert not told["changed"][others & (since >= MARKET_REACH + CARRY)].any()
    last = panel.dates[number + 90]
    window = panel.before(last + timedelta(days=1)).tail(WINDOW)
    assert not _changed(after, compute(window, last))["changed"].any()


def test_a_symbol_that_is_listed_later_changes_nothing_before() -> None:
    """Peers, ranks and market are of those in the window, not of all that ever were."""
    panel = _market(LISTED + 100, 9)
    without = panel.of(np.arange(8))
    whole, alone = compute(panel), compute(without)
    listed = panel.dates[LISTED]
    assert not _changed(alone[alone["date"] < listed], whole[whole["date"] < listed])["changed"].any()
    assert _changed(alone, whole[whole["symbol"] != panel.symbols[-1]])["changed"].any()


def _across(values: Wide, panel: Panel) -> Across:
    grid = Grid(panel, len(panel) - len(values))
    return Across(grid, {"x": values[np.isfinite(panel["close"][-len(values) :])]})


@given(st.integers(0, 2**32 - 1))
def test_ranks_are_those_of_pandas_and_noise_flips_none(seed: int) -> None:
    """Equals share their mean, what is missing has no rank, and 1e-13 more makes nobody the higher."""
    rng, panel = np.random.default_rng(seed), _market(62, 12)
    values = rng.integers(0, 6, (5, 12)) / 100
    values[rng.random(values.shape) < 0.2] = np.nan
    noisy = values + rng.uniform(-1e-13, 1e-13, values.shape)
    expected = pd.DataFrame(values).rank(axis=1, pct=True).to_numpy().ravel()
    np.testing.assert_allclose(_across(values, panel).rank("x"), expected, rtol=1e-12)
    assert np.array_equal(_across(noisy, panel).rank("x"), _across(values, panel).rank("x"), equal_nan=True)


def test_peers_are_weighted_by_correlation() -> None:
    """The mean over the others of correlation times return, from the matrix that is never made."""
    panel = _market(70, 12)
    frame = compute(panel, panel.dates[-1])
    steps = np.diff(np.log(panel["close"][:, :11]), axis=0)[-PEER_SESSIONS:]
    weights = np.corrcoef(steps.T) - np.eye(11)
    for name, latest in (("peer_ret_1", steps[-1]), ("peer_ret_1_lag1", steps[-2])):
        assert frame[name].to_numpy()[:11] == pytest.approx(weights @ latest / 10, rel=1e-9)
        assert np.isnan(frame[name].to_numpy()[11])


def test_features_across_symbols_come_last() -> None:
    """They are computed from the others, which are there by then."""
    assert FEATURE_TABLE[-len(ACROSS) :] == ACROSS
    assert FEATURE_TABLE[0].group == "market"
