"""Features: textbook values, missing history, corporate actions, and that no window or future leaks in."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.catalogue import FEATURE_TABLE
from tasks.core.features import CARRY, FEATURES, WINDOW, Panel, compute, target, to_payload_rows
from tasks.core.layout import TIDY
from tasks.core.panel import FIELDS
from tasks.core.simulator import simulate

Sessions = list[tuple[date, pd.DataFrame]]
DAY = date(2024, 1, 1)


@pytest.fixture(scope="module")
def market() -> Sessions:
    """A simulated market of 300 sessions and 30 symbols, thin ones and bonus issues among them."""
    return [(session.date, session.rows) for session in simulate(300, 30, seed=5)]


def _rows(**prices: dict[str, float]) -> pd.DataFrame:
    """A tidy frame from symbol=dict(close=.., ...)."""
    base = dict.fromkeys(TIDY, np.nan)
    frame = pd.DataFrame(
        [
            {**base, "symbol": symbol, "volume": 10.0, "turnover": 10 * row["close"], **row}
            for symbol, row in prices.items()
        ]
    )
    return frame.astype({"trades": "Int64"})


def _one(closes: list[float | None], **extra: Callable[[int], float]) -> Sessions:
    """Sessions of one symbol `A` (None: untraded) beside one, `Z`, that always trades at 100."""
    out = []
    for number, close in enumerate(closes):
        rows: dict[str, Any] = {"Z": {"close": 100.0}}
        if close is not None:
            rows["A"] = {"close": close, **{name: get(number) for name, get in extra.items()}}
        out.append((DAY + timedelta(days=number), _rows(**rows)))
    return out


def _last(sessions: Sessions, symbol: str = "A") -> pd.Series:
    frame = compute(Panel.from_sessions(sessions), sessions[-1][0])
    return frame[frame["symbol"] == symbol].iloc[0]


def _same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True), check_exact=True)


def test_names_are_unique_and_the_chapter_s_are_there() -> None:
    """The set has the four names of the chapter, every entry once, each window within WINDOW."""
    assert len(set(FEATURES)) == len(FEATURES)
    assert {"Close_Lag_1", "SMA_20", "RSI", "Volume_Z_Score"} <= set(FEATURES)
    assert all(entry.formula and entry.unit for entry in FEATURE_TABLE)
    assert all(entry.group and 1 <= entry.minimum <= entry.window for entry in FEATURE_TABLE)
    assert max(entry.window for entry in FEATURE_TABLE) + CARRY == WINDOW


@pytest.mark.parametrize("number", [5, 269, 270, 271, 285, 299])
def test_incremental_equals_batch(market: Sessions, number: int) -> None:
    """One session computed from a window of WINDOW sessions equals the computation over everything."""
    day = market[number][0]
    batch = compute(Panel.from_sessions(market))
    window = Panel.from_sessions(market[max(0, number - WINDOW + 1) : number + 1])
    _same(compute(window, day), batch[batch["date"] == day])
    assert to_payload_rows(compute(window, day)) == to_payload_rows(batch[batch["date"] == day])


def test_truncation_and_future_change_nothing(market: Sessions) -> None:
    """Features up to a session are the same without, and with other, later sessions."""
    whole, cut = compute(Panel.from_sessions(market)), market[280][0]
    past = whole[whole["date"] <= cut]
    _same(compute(Panel.from_sessions(market[:281])), past)
    wild = [(day, rows.assign(close=rows["close"] * 3, volume=0.0)) for day, rows in market[281:]]
    other = compute(Panel.from_sessions([*market[:281], *wild]))
    _same(other[other["date"] <= cut], past)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(265, 299), st.floats(0.02, 1.0))
def test_incremental_equals_batch_in_any_market(seed: int, number: int, trading: float) -> None:
    """The same for random prices with gaps, missing fields, adjustments and symbols that come and go."""
    panel = _random(np.random.default_rng(seed), trading)
    day = panel.dates[number]
    batch = compute(panel, panel.dates[number - 1])
    window = panel.before(panel.dates[number] + timedelta(days=1)).tail(WINDOW)
    _same(compute(window, day), batch[batch["date"] == day])


def _random(rng: np.random.Generator, trading: float) -> Panel:
    """A panel of 300 sessions and 12 symbols that trade with the given chance."""
    shape = (300, 12)
    close = np.round(np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0)) * 100, 1) + 0.1
    prev = np.where(rng.random(shape) < 0.05, close * 0.8, np.vstack([close[:1], close[:-1]]))
    fields = {
        "close": close,
        "prev_close": np.where(rng.random(shape) < 0.3, np.nan, prev),
        "high": close * rng.choice([1.01, 0.99, np.nan], shape),
        "volume": rng.integers(0, 50, shape).astype(float),
        "turnover": rng.choice([0.0, 500.0, np.nan], shape),
    }
    values = np.stack([fields.get(name, close) for name in FIELDS])
    values[:, rng.random(shape) >= trading] = np.nan
    days = tuple(DAY + timedelta(days=number) for number in range(shape[0]))
    return Panel(days, tuple(f"S{k:02}" for k in range(shape[1])), values)


def test_textbook_values() -> None:
    """On a plain series the indicators are what their formulas say."""
    rng = np.random.default_rng(1)
    closes = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 260))), 1)
    volumes = rng.integers(1, 100, 260).astype(float)
    row = _last(_one(closes.tolist(), volume=lambda k: volumes[k]))
    assert row["Close_Lag_1"] == pytest.approx(closes[-2], rel=1e-12)
    assert row["SMA_20"] == pytest.approx(closes[-20:].mean(), rel=1e-12)
    assert row["RSI"] == pytest.approx(talib.RSI(closes[-150:])[-1], rel=1e-9)
    assert row["macd_histogram"] == pytest.approx(talib.MACD(closes[-150:])[2][-1] / closes[-1], abs=1e-9)
    assert row["Volume_Z_Score"] == pytest.approx(
        (volumes[-1] - volumes[-20:].mean()) / volumes[-20:].std(), rel=1e-9
    )
    assert row["ret_60"] == pytest.approx(np.log(closes[-1] / closes[-61]), rel=1e-9)
    assert row["vol_20"] == pytest.approx(np.diff(np.log(closes))[-20:].std(), rel=1e-9)
    assert row["high_250"] == pytest.approx(np.log(closes[-1] / closes[-250:].max()), abs=1e-12)


def test_missing_history_is_missing() -> None:
    """A first session has no return, no average, no deviation; nothing is made up."""
    row = _last(_one([10.0]))
    session = {"range_1", "vwap_gap", "close_log", "turnover_log"}
    ranks = {"rank_range_1", "rank_vwap_gap", "rank_turnover"}
    kind = {"weekday", "day_of_month", "month", "listing_age", "debenture"}
    assert {name for name in FEATURES if not np.isnan(row[name])} == {*session, *ranks, *kind}
    assert to_payload_rows(row.to_frame().T)[0]["RSI"] is None


def test_a_bonus_issue_is_no_loss() -> None:
    """A previous close lowered by the exchange is the reference; past closes are brought to its rupees."""
    closes: list[float | None] = [*[200.0] * 24, 101.0]
    row = _last(_one(closes, prev_close=lambda k: 100.0 if k == 24 else 200.0))
    assert row["ret_1"] == pytest.approx(np.log(1.01))
    assert row["Close_Lag_1"] == pytest.approx(100.0)
    assert row["SMA_20"] == pytest.approx((19 * 100 + 101) / 20)
    assert row["ret_5"] == pytest.approx(np.log(1.01))


def test_a_move_outside_the_band_is_no_return() -> None:
    """Without the exchange's word a halved price is an unknown action: no return, and the path runs on."""
    row = _last(_one([*[200.0] * 24, 101.0]))
    assert np.isnan(row["ret_1"])
    assert (row["ret_5"], row["SMA_20"]) == (0.0, pytest.approx(101.0))
    assert np.isnan(row["RSI"])


def test_gaps_between_trades() -> None:
    """A price stands for CARRY sessions; what was missed is counted, and later forgotten."""
    short, long = [10.0, *[None] * 4, 10.5], [10.0, *[None] * CARRY, 10.5]
    assert (_last(_one(short))["gap_sessions"], _last(_one(short))["ret_1"]) == (
        4,
        pytest.approx(np.log(1.05)),
    )
    assert np.isnan(_last(_one(long))["gap_sessions"])
    assert np.isnan(_last(_one(long))["ret_1"])


def test_limits_and_market_context() -> None:
    """Flags at the limit, and the market's mean, median, breadth and share at the limit, by hand."""
    moves = {"A": 1.10, "B": 1.01, "C": 1.0, "D": 0.98, "E": 0.90}
    first = _rows(**{symbol: {"close": 100.0} for symbol in moves})
    second = _rows(**{symbol: {"close": 100.0 * move} for symbol, move in moves.items()})
    frame = compute(
        Panel.from_sessions([(DAY, first), (DAY + timedelta(days=1), second)]), DAY + timedelta(days=1)
    )
    logs = np.log(list(moves.values()))
    assert frame["at_upper"].tolist() == [1, 0, 0, 0, 0]
    assert frame["at_lower"].tolist() == [0, 0, 0, 0, 1]
    row = frame.iloc[0]
    assert row["mkt_mean"] == pytest.approx(logs.mean())
    assert row["mkt_median"] == pytest.approx(0.0)
    assert row["mkt_breadth"] == pytest.approx(0.0)
    assert (row["mkt_at_upper"], row["mkt_at_lower"]) == (pytest.approx(0.2), pytest.approx(0.2))
    assert row["mkt_weighted"] == pytest.approx(np.average(logs, weights=list(moves.values())))
    assert row["mkt_dispersion"] == pytest.approx(logs.std())
    assert frame["rank_ret_1"].tolist() == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_a_low_of_zero_is_none() -> None:
    """Where the source has 0 for a missing price the close stands for it, and no range is endless."""
    row = _last(_one([100.0, 101.0], high=lambda _: 103.0, low=lambda _: 0.0))
    assert row["range_1"] == pytest.approx(np.log(103 / 101))
    assert row["close_place"] == 0.0


def test_targets() -> None:
    """The target is the next session's return on its reference; unknown if untraded or unbelievable."""
    sessions = _one(
        [100.0, 105.0, None, 110.0, 50.0], prev_close=lambda k: [90, 100, 0, 100, 110][k] or np.nan
    )
    frame = target(Panel.from_sessions(sessions))
    mine = frame[frame["symbol"] == "A"]
    assert mine["date"].tolist() == [DAY + timedelta(days=k) for k in (0, 1, 3)]
    assert mine["target_date"].tolist() == [DAY + timedelta(days=k) for k in (1, 2, 4)]
    assert mine["target"].tolist() == pytest.approx([np.log(1.05), np.nan, np.nan], nan_ok=True)
    assert target(Panel.from_sessions(sessions[:1])).empty


def test_payload_rows_are_short_and_finite() -> None:
    """Seven digits, null for missing, no minus zero; the order of rows is kept."""
    frame = pd.DataFrame(0.0, index=range(2), columns=list(FEATURES))
    frame[FEATURES[0]] = [1234.56789, np.nan]
    frame[FEATURES[1]] = [-1e-15, np.inf]
    frame[FEATURES[2]] = [0.000123456789, 123456789.4]
    first, second = to_payload_rows(frame)
    assert [first[name] for name in FEATURES[:3]] == [1234.568, 0.0, 0.0001234568]
    assert str(first[FEATURES[1]]) == "0.0"
    assert [second[name] for name in FEATURES[:3]] == [None, None, 123456789.0]


def test_panels_are_checked(market: Sessions) -> None:
    """Sessions come once, in any order; what is cut off at either end leaves the others as they are."""
    panel = Panel.from_sessions(market[:30])
    with pytest.raises(ValueError, match="each session once"):
        Panel.from_sessions([market[0], market[0]])
    again = Panel.from_sessions(market[29::-1])
    assert (again.dates, again.symbols) == (panel.dates, panel.symbols)
    np.testing.assert_array_equal(again.values, panel.values)
    cut, expected = panel.before(market[20][0]).tail(5), Panel.from_sessions(market[15:20])
    assert (cut.dates, cut.symbols) == (expected.dates, expected.symbols)
    np.testing.assert_array_equal(cut.values, expected.values)


def test_nothing_asked_for_is_nothing(market: Sessions) -> None:
    """A date after the last session gives an empty frame with all columns."""
    frame = compute(Panel.from_sessions(market[:3]), date(2100, 1, 1))
    assert frame.empty
    assert list(frame.columns) == ["symbol", "date", "last_close", *FEATURES]
