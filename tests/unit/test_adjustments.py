"""Adjustment factors: announced, jumped, doubtful; what features use, on simulated and real prices."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.adjustments import COLUMNS, factors, session_adjustments
from tasks.core.grid import BAND, CARRY, Grid
from tasks.core.panel import Panel
from tasks.core.simulator import SimulatedSession, history_table, simulate
from tasks.core.tidy import tidy
from tests.realdata import real_sessions

DAY = date(2024, 1, 1)
NAN = float("nan")
Close = tuple[float, float] | None
"""(close, previous close) of a session, None where nothing traded."""


@pytest.fixture(scope="module")
def market() -> list[SimulatedSession]:
    """A simulated market of 300 sessions and 60 symbols."""
    return list(simulate(300, 60, seed=11))


def _frames(closes: Sequence[Close]) -> list[pd.DataFrame]:
    """Tidy sessions of one symbol `A`; days without a trade of it are empty."""
    return [
        tidy(
            pd.DataFrame(
                [{"symbol": "A", "close": one[0], "prev_close": one[1], "volume": 1.0, "turnover": one[0]}]
                if one
                else [],
                columns=["symbol", "close", "prev_close", "volume", "turnover"],
            )
        )
        for one in closes
    ]


def _panel(frames: Sequence[pd.DataFrame]) -> Panel:
    return Panel.from_sessions([(DAY + timedelta(days=n), rows) for n, rows in enumerate(frames)])


def _found(*closes: Close) -> list[tuple[int, float, str]]:
    """(session number, factor, kind) of a symbol's adjustments."""
    found = factors(_panel(_frames(closes)))
    assert tuple(found.columns) == COLUMNS
    return [
        ((row.date - DAY).days, pytest.approx(row.factor, rel=1e-12), row.kind) for row in found.itertuples()
    ]


def test_an_adjusted_previous_close_is_announced() -> None:
    """RADHI 2022-08-28: the exchange lowered 549 to 281.4, and the session traded within the band of that."""
    assert _found((549.0, 540.0), (298.0, 281.4), (300.0, 298.0)) == [(1, 281.4 / 549, "announced")]


def test_a_genuine_rise_of_the_previous_close_is_announced() -> None:
    """AKBSL 2022-07-05: an upward one, over sessions that the source lacks, is a factor like any other."""
    assert _found((960.7, 950.0), None, None, (1334.0, 1217.0)) == [(3, 1217 / 960.7, "announced")]


def test_a_jump_without_a_previous_close_is_a_factor_of_its_own() -> None:
    """NGPL 2022-07-04, known from company-wise history: beyond the band, and nobody says why."""
    assert _found((509.0, NAN), (289.9, NAN), (290.0, NAN)) == [(1, 289.9 / 509, "jump")]


def test_a_bad_tick_is_unknown_and_taken_back() -> None:
    """SAMAJ 2023-08-15: 67.3 -> 750 -> 68.6 while the previous close stays: both factors undo each other."""
    found = _found((67.3, 66.0), (750.0, 67.3), (68.6, 67.3))
    assert found == [(1, 750 / 67.3, "unknown"), (2, 67.3 / 750, "announced")]


def test_an_auction_at_face_value_is_unknown() -> None:
    """PCBLP 2024-02-20: beyond the band, although the exchange adjusted nothing."""
    assert _found((144.0, 140.0), (110.0, 144.0)) == [(1, 110 / 144, "unknown")]


@pytest.mark.parametrize(
    "closes",
    [
        ((100.0, 99.0), (109.9, 100.0)),  # a move within the band
        ((100.0, 99.0), (101.0, 100.3)),  # a previous close that was rounded
        ((100.0, NAN), (91.0, NAN)),
        ((45.0, NAN),),  # a first listing
        ((100.0, 99.0), (101.0, NAN)),  # a rename: previous close 0 is missing
        ((100.0, 99.0), *[None] * CARRY, (50.0, 50.0)),  # a pause after which the last close says nothing
    ],
)
def test_what_is_no_adjustment(closes: tuple[Close, ...]) -> None:
    """Ordinary moves, rounding, listings and long pauses give no factor."""
    assert _found(*closes) == []


def test_evidence_names_the_prices() -> None:
    """Each factor says in words what it rests on."""
    found = factors(_panel(_frames([(549.0, NAN), None, (298.0, 281.4), (900.0, NAN), (500.0, 950.0)])))
    before = "(1 session before)"
    assert found["evidence"].tolist() == [
        "previous close 281.4 differs from the last close, 549 (2 sessions before)",
        f"close 900 is more than 10.5% from the last close, 298 {before}; no previous close was given",
        f"close 500 is more than 10.5% from its reference, 950, beside the last close, 900 {before}",
    ]


def test_nothing_asked_nothing_found() -> None:
    """An empty panel, or a start after its end, gives an empty frame of the same columns."""
    assert tuple(factors(Panel.empty()).columns) == COLUMNS
    assert factors(_panel(_frames([(1.0, NAN), (9.0, NAN)])), DAY + timedelta(days=2)).empty


def test_the_simulator_s_bonus_issues_are_found_and_nothing_else(market: list[SimulatedSession]) -> None:
    """Every previous close that a bonus lowered is announced, with the factor by which it was lowered."""
    table = history_table(market).sort_values(["symbol", "date"])
    truth = (table["prev_close"] / table.groupby("symbol")["close"].shift()).rename("truth")
    truth = table[["symbol", "date"]].assign(truth=truth)[truth < 0.995].sort_values(["date", "symbol"])
    found = factors(_panel_of(market))
    assert len(truth) > 5
    assert set(found["kind"]) == {"announced"}
    assert found[["symbol", "date"]].to_numpy().tolist() == truth[["symbol", "date"]].to_numpy().tolist()
    np.testing.assert_allclose(found["factor"], truth["truth"], rtol=1e-12)


def test_a_session_alone_gives_what_the_history_gives(market: list[SimulatedSession]) -> None:
    """With the sessions before it each session's rows are those of the whole panel, evidence and all."""
    found = factors(_panel_of(market))
    frames = [session.rows for session in market]
    days = set(found["date"])
    some = [n for n, one in enumerate(market) if one.date in days or n % 60 == 0]
    each = (session_adjustments(frames[:n], frames[n], market[n].date) for n in some)
    parts = [one for one in each if not one.empty]
    expected = found[found["date"].isin([market[n].date for n in some])].reset_index(drop=True)
    assert len(expected) > 1
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), expected)


def test_closes_too_far_apart_for_a_number_are_no_adjustment() -> None:
    """What another client may tell: the factor would be infinite, or 0."""
    assert _found((1e-300, NAN), (1e300, NAN)) == []
    assert _found((1e300, NAN), (1e-300, NAN)) == []


prices = st.floats(10, 1000).map(lambda price: round(price, 2))
sessions = st.lists(st.none() | st.tuples(prices, prices | st.just(NAN)), min_size=1, max_size=CARRY + 8)


@given(sessions)
@settings(deadline=None)
def test_factors_are_those_of_the_features(closes: list[Close]) -> None:
    """In any history the factors are the grid's, and their kind follows from the previous close alone."""
    frames = _frames(closes)
    panel = _panel(frames)
    grid = Grid(panel, 0)
    wide = grid.lag(np.broadcast_to(grid.factor, grid.traded.shape))
    found = factors(panel)
    assert [(row.date - DAY).days for row in found.itertuples()] == np.argwhere(wide != 1)[:, 0].tolist()
    assert found["factor"].tolist() == wide[wide != 1].tolist()
    for row in found.itertuples():
        close, given_close = closes[(row.date - DAY).days] or (NAN, NAN)
        last = next(one[0] for one in closes[: (row.date - DAY).days][::-1] if one)
        assert row.factor == (given_close if row.kind == "announced" else close) / last
        assert row.kind != "announced" or abs(close / given_close - 1) <= BAND
        assert (row.kind == "jump") == np.isnan(given_close)


def test_real_prices_hold_adjustments_of_every_kind() -> None:
    """Over history and daily files: how many of each kind, and the known examples among them."""
    found = factors(_panel_of_real())
    assert found["kind"].value_counts().to_dict() == {"jump": 666, "announced": 592, "unknown": 14}
    known = found.set_index(["symbol", found["date"].astype(str)])
    expected = {
        ("RADHI", "2022-08-28"): (281.4 / 549, "announced"),
        ("CORBL", "2022-01-10"): (454.8 / 987, "announced"),
        ("LICN", "2024-10-27"): (1101.85 / 1988, "announced"),
        ("NABBC", "2021-12-12"): (478 / 856, "announced"),
        ("JBLBP", "2025-04-21"): (100 / 530, "announced"),
        ("SAMAJ", "2023-12-19"): (823.67 / 142.2, "unknown"),
        ("NGPL", "2022-07-04"): (289.9 / 509, "jump"),
    }
    for key, (factor, kind) in expected.items():
        row = known.loc[key]
        assert (row["factor"], row["kind"]) == (pytest.approx(factor), kind)


def _panel_of(market: list[SimulatedSession]) -> Panel:
    return Panel.from_sessions([(session.date, session.rows) for session in market])


def _panel_of_real() -> Panel:
    return Panel.from_sessions(list(real_sessions().items()))
