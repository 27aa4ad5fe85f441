"""The features' benchmark: both peers agree with ours; an unknown feature or a wrong answer ends it."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bench import agreement, bare_talib, groupby, market, obvious, ourside
from tasks.core import features
from tasks.core.panel import Panel
from tasks.core.simulator import simulate

SESSIONS = 150


@pytest.fixture(scope="module")
def small() -> market.Market:
    """A simulated market."""
    return market.Market("a test", [(one.date, one.rows) for one in simulate(SESSIONS, 12, seed=3)])


@pytest.fixture(scope="module")
def panel(small: market.Market) -> Panel:
    """The same, side by side."""
    return ourside.panel_of(small)


def by_hand(closes: list[float]) -> pd.DataFrame:
    """One symbol's rows."""
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(len(closes))]
    prices = dict.fromkeys(("open", "high", "low", "close", "vwap", "ltp"), closes)
    return pd.DataFrame({"symbol": "A", "date": days, **prices, "volume": 5.0, "turnover": 50.0})


def test_every_feature_has_a_formula_or_is_spared() -> None:
    """The feature table of today is known to the obvious way."""
    known = groupby.peers_of(ourside.names())
    spared = [name for name in ourside.names() if name not in known]
    assert spared
    assert all(groupby.APART.fullmatch(name) for name in spared)


def test_every_indicator_stands_beside_a_feature() -> None:
    """The indicators' features are in the table of today; the first set had few."""
    names = ourside.names()
    found = [one.name for one in bare_talib.INDICATORS if any(pd.Series(names).str.fullmatch(one.features))]
    assert {"RSI", "MACD", "SMA", "BBANDS"} <= set(found)
    assert len(found) == len(bare_talib.INDICATORS)


@pytest.mark.parametrize("name", ["ret_5_squared", "no_such_feature"])
def test_a_feature_without_a_formula_ends_the_benchmark(name: str) -> None:
    """And says where to write one."""
    with pytest.raises(SystemExit, match=rf"0 formulas for {name}.*APART"):
        groupby.peers_of(["ret_5", name])


def test_two_formulas_for_a_feature_end_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one of them would be timed for nothing."""
    monkeypatch.setattr(groupby, "PEERS", (*obvious.PEERS, obvious.PEERS[0]))
    with pytest.raises(SystemExit, match="2 formulas for Close_Lag_1"):
        groupby.peers_of(["Close_Lag_1"])


def test_an_indicator_whose_features_are_gone_ends_the_benchmark() -> None:
    """And says which name it looked for."""
    [rsi] = [one for one in bare_talib.INDICATORS if one.name == "RSI"]
    assert bare_talib.features_of(rsi, ["RSI", "macd"]) == {"RSI": 14}
    with pytest.raises(SystemExit, match="no feature matches RSI"):
        bare_talib.features_of(rsi, ["rsi", "macd"])


def test_the_obvious_way_by_hand() -> None:
    """Numbers in the names are the formulas'; windows that are not full are missing."""
    rows = by_hand([10.0, 11.0, 12.0, 10.0])
    found = groupby.compute(rows, ["SMA_2", "ret_2", "Close_Lag_1", "high_3", "mkt_mean"])
    assert list(found) == ["SMA_2", "ret_2", "Close_Lag_1", "high_3"]
    assert found["SMA_2"].tolist()[1:] == [10.5, 11.5, 11.0]
    assert found["ret_2"].iloc[2] == pytest.approx(np.log(1.2))
    assert found["high_3"].iloc[3] == pytest.approx(np.log(10 / 12))
    assert np.isnan(found["Close_Lag_1"].iloc[0])
    assert found.index[3] == ("A", date(2024, 1, 4))


def test_a_sample_is_spread_over_lengths_of_history() -> None:
    """Every second symbol by length, all of its rows."""
    counts = {"A": 4, "B": 3, "C": 2, "D": 1}
    rows = pd.DataFrame({"symbol": [name for name, n in counts.items() for _ in range(n)]})
    assert groupby.sample(rows, 2)["symbol"].tolist() == ["B"] * 3 + ["D"]
    assert len(groupby.sample(rows, 1)) == len(rows)


def test_both_peers_agree_with_ours(small: market.Market, panel: Panel) -> None:
    """On a simulated market every feature that is defined equally comes out equal, and rows were compared."""
    names, rows, run = ourside.names(), small.rows(), agreement.runs(panel)
    ours = features.compute(panel)
    equal = [name for name, (peer, _) in groupby.peers_of(names).items() if peer.equal]
    peer = groupby.compute(rows, names)[equal]
    found = agreement.compare(ours, peer, run, ourside.windows())
    assert [one.feature for one in found] == equal
    assert [one for one in found if one.wrong] == []
    assert max(one.rows for one in found) > SESSIONS


def test_talib_agrees_with_ours(small: market.Market, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The indicators that are defined equally come out equal, and rows were compared."""
    kept = tuple(one for one in bare_talib.INDICATORS if one.name in {"SMA", "BBANDS", "ROCR"})
    monkeypatch.setattr(bare_talib, "INDICATORS", kept)
    peer = bare_talib.compute(small.rows(), ourside.names())
    found = agreement.compare(features.compute(panel), peer, agreement.runs(panel), ourside.windows())
    compared = {one.feature for one in found if one.rows}
    assert {"SMA_20", "sma_gap_60", "bollinger_20", "ret_5"} <= compared
    assert [one for one in found if one.wrong] == []


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [({"close": 11.0}, "ret_1: 2 of "), ({"close": np.nan}, "ret_1: ")],
    ids=["a wrong answer", "a missing one"],
)
def test_a_wrong_answer_is_never_timed(spoiled: dict[str, float], told: str) -> None:
    """The benchmark ends, and names the feature."""
    rows = by_hand([10.0, 10.1, 10.2, 10.1, 10.0])
    sessions = [
        (day, one.drop(columns="date").assign(prev_close=np.nan)) for day, one in rows.groupby("date")
    ]
    panel = Panel.from_sessions(sessions)
    ours, run = features.compute(panel), agreement.runs(panel)
    right = agreement.compare(ours, groupby.compute(rows, ["ret_1"]), run, {"ret_1": 2})
    agreement.require("it", right)
    assert right[0].rows == 4
    rows.loc[2, "close"] = spoiled["close"]
    wrong = agreement.compare(ours, groupby.compute(rows, ["ret_1"]), run, {"ret_1": 2})
    with pytest.raises(SystemExit, match=f"it does not agree with ours: {told}"):
        agreement.require("it", wrong)


def test_nothing_compared_is_no_agreement() -> None:
    """A feature of which no row could be compared ends the benchmark as well."""
    with pytest.raises(SystemExit, match="0 of 0 wrong"):
        agreement.require("it", [agreement.Agreement("ret_1", 0, 0.0, 0)])


def test_a_run_ends_where_a_peer_cannot_follow() -> None:
    """A session without a trade, an adjustment, and a move outside the band begin a new run."""
    closes = [10.0, 10.1, np.nan, 10.2, 10.2, 12.0, 12.0]
    stated = [np.nan, np.nan, np.nan, np.nan, 9.0, np.nan, np.nan]
    rows = by_hand(closes).assign(prev_close=stated).dropna(subset=["close"])
    sessions = [(day, one.drop(columns="date")) for day, one in rows.groupby("date")]
    idle = date(2024, 1, 3)
    other = rows[:1].assign(symbol="B").drop(columns="date")
    sessions.append((idle, other))
    found = agreement.runs(Panel.from_sessions(sessions))
    assert found["A"].tolist() == [1, 2, 1, 1, 1, 2]


def test_repeated_symbols_get_the_same_features(panel: Panel) -> None:
    """Copies have names of their own, sorted, and each the features of its original."""
    wide = market.repeated(panel, 3)
    assert list(wide.symbols) == sorted(wide.symbols)
    assert len(set(wide.symbols)) == 3 * len(panel.symbols)
    once, often = (features.compute(one, panel.dates[-1]) for one in (panel, wide))
    own = [name for name in features.FEATURES if name.startswith(("ret_", "vol_", "SMA_", "sma_gap_"))]
    copies = often.assign(symbol=often["symbol"].str.split("~").str[0]).groupby("symbol")[own]
    expected = once.set_index("symbol")[own].sort_index()
    pd.testing.assert_frame_equal(copies.first().sort_index(), expected, check_index_type=False)
    pd.testing.assert_frame_equal(copies.last().sort_index(), expected, check_index_type=False)


def test_the_whole_is_cut_and_nothing_is_left_out(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the cuts, each row is computed once."""
    rows = int(np.isfinite(panel["close"]).sum())
    monkeypatch.setattr(ourside, "RESULT_BYTES", 100 * len(panel.symbols) * len(features.FEATURES) * 8)
    assert len(list(ourside.blocks(panel, 1))) > 1
    assert ourside.whole(panel) == rows
    assert ourside.whole(panel, 2) == 2 * rows


def test_a_family_alone_is_computed_alone(panel: Panel) -> None:
    """Nothing but what is asked for is computed, and afterwards the set is whole again."""
    everything, wanted = features.FEATURES, ["ret_5", "SMA_20"]
    with ourside.only(wanted):
        part = features.compute(panel)
    whole = features.compute(panel)
    assert set(part.columns) == {"symbol", "date", "last_close", *wanted}
    pd.testing.assert_frame_equal(part, whole[list(part.columns)])
    assert everything == features.FEATURES
    assert ourside.family(panel, wanted) > 0


def test_a_session_is_widened_to_so_many_symbols(small: market.Market) -> None:
    """Every name once; who is too many repeats a real one."""
    _, rows = small.days[-1]
    names = [f"X{n}" for n in range(2 * len(rows) + 1)]
    wide = market.widened(rows, names)
    assert sorted(wide["symbol"]) == sorted(names)
    assert set(wide["close"]) == set(rows["close"])


def test_days_are_the_exchanges() -> None:
    """Sunday to Thursday, in order, up to the last one."""
    days = market.days_until(date(2024, 3, 3), 6)
    assert days == [date(2024, 2, 25) + timedelta(days=n) for n in range(5)] + [date(2024, 3, 3)]
