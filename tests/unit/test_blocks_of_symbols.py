"""Features computed by blocks of symbols, stitched together, are those of the whole market, bit for bit."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.core.features import BLOCK, FEATURES, compared, compute, market_inputs
from tasks.core.market import CoupledError, Market
from tasks.core.panel import FIELDS, Panel
from tasks.core.simulator import simulate
from tasks.core.stitching import stitched


@pytest.fixture(scope="module")
def panel() -> Panel:
    """A simulated market, thin symbols and listings among them."""
    return Panel.from_sessions([(session.date, session.rows) for session in simulate(300, 23, seed=11)])


@pytest.mark.parametrize("symbols", [1, 7, 23])
def test_blocks_of_symbols_are_stitched_to_the_whole(panel: Panel, symbols: int) -> None:
    """Market-wide inputs once, then block by block: no bit differs."""
    since = panel.dates[-9]
    market = market_inputs(panel, since)
    parts = [compute(part, since, market) for part in panel.parts(symbols)]
    whole, found = compute(panel, since), compared(stitched(parts), panel, since)
    assert found[["symbol", "date"]].equals(whole[["symbol", "date"]])
    for name in ("last_close", *FEATURES):
        assert np.array_equal(found[name].to_numpy(), whole[name].to_numpy(), equal_nan=True), name


def test_all_of_history_is_stitched_as_well() -> None:
    """More sessions than are computed at a time, some symbols listed late."""
    sessions = [(session.date, session.rows) for session in simulate(BLOCK + 6, 5, seed=4)]
    panel = Panel.from_sessions(sessions)
    parts = [compute(part, None, market_inputs(panel)) for part in panel.parts(2)]
    pd.testing.assert_frame_equal(compared(stitched(parts), panel), compute(panel), check_exact=True)


def test_a_given_market_computes_nothing() -> None:
    """What it was not given would be that of some symbols."""
    with pytest.raises(CoupledError, match="asks for all of its symbols"):
        Market.given({}).share(np.ones((1, 1), dtype=bool))


def test_a_part_without_trades_has_no_rows() -> None:
    """A block of symbols that did not trade is a frame without rows."""
    nothing = Panel((date(2024, 1, 1),), ("A",), np.full((len(FIELDS), 1, 1), np.nan))
    found = compared(stitched([compute(nothing, market=market_inputs(nothing))]), nothing)
    assert isinstance(found, pd.DataFrame)
    assert found.empty
