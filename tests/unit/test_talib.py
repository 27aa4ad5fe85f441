"""Indicators equal TA-Lib on the window of the carried, adjusted path that each of them states."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest
import talib

from tasks.core import indicators
from tasks.core.indicators import SPAN
from tasks.core.panel import FIELDS, Panel, Wide
from tasks.core.view import View

SESSIONS = 220
Series = Mapping[str, Any]
"""open, high, low, close (rupees of the last session) and volume of a window, oldest first."""


class Case(NamedTuple):
    """An indicator, the sessions that it looks at, and what TA-Lib says of them."""

    ours: Callable[[View], Wide]
    window: int
    theirs: Callable[[Series], Any]


def _obv(series: Series) -> Any:
    return (talib.OBV(series["close"], series["volume"]) - series["volume"][0]) / series["volume"].sum()


def _bar(function: Any, **options: int) -> Callable[[Series], Any]:
    return lambda series: function(series["high"], series["low"], series["close"], **options)


CASES = {
    "ema": Case(lambda v: indicators.exponential_mean(v, 26), SPAN, lambda s: talib.EMA(s["close"], 26)),
    "macd": Case(indicators.macd, SPAN, lambda s: talib.MACD(s["close"])[0]),
    "signal": Case(indicators.macd_signal, SPAN, lambda s: talib.MACD(s["close"])[1]),
    "rsi": Case(indicators.rsi, SPAN, lambda s: talib.RSI(s["close"])),
    "atr": Case(indicators.atr, SPAN, _bar(talib.ATR)),
    "natr": Case(indicators.natr, SPAN, _bar(talib.NATR)),
    "adx": Case(indicators.adx, 28, _bar(talib.ADX)),
    "obv": Case(indicators.obv, SPAN, _obv),
    "cci": Case(indicators.cci, 14, _bar(talib.CCI)),
    "stochastic_k": Case(lambda v: indicators.stochastic(v)[0], 7, lambda s: _bar(talib.STOCHF)(s)[1]),
    "stochastic_d": Case(lambda v: indicators.stochastic(v)[1], 9, lambda s: _bar(talib.STOCH)(s)[1]),
    "williams": Case(indicators.williams, 14, _bar(talib.WILLR)),
    "money_flow": Case(
        indicators.money_flow, 15, lambda s: talib.MFI(s["high"], s["low"], s["close"], s["volume"])
    ),
    "roc": Case(indicators.rate_of_change, 11, lambda s: talib.ROC(s["close"])),
    "band_middle": Case(lambda v: indicators.bollinger(v)[0], 20, lambda s: talib.BBANDS(s["close"], 20)[1]),
    "band_upper": Case(lambda v: sum(indicators.bollinger(v)), 20, lambda s: talib.BBANDS(s["close"], 20)[0]),
}


def _market(seed: int, *, gaps: float = 0.0, adjusted: int | None = None) -> Panel:
    """One symbol's prices in rupees of the day; a bonus issue of 1 to 4 at session `adjusted`."""
    rng, rows = np.random.default_rng(seed), SESSIONS
    close = np.round(300 * np.exp(np.cumsum(rng.normal(0, 0.02, rows))), 1)
    fields = {
        "close": close,
        "high": np.round(close * (1 + rng.uniform(0, 0.03, rows)), 1),
        "low": np.round(close * (1 - rng.uniform(0, 0.03, rows)), 1),
        "volume": rng.integers(1, 5_000, rows).astype(float),
        "prev_close": np.concatenate([[np.nan], close[:-1]]),
    }
    if adjusted is not None:
        for name in ("close", "high", "low"):
            fields[name][adjusted:] *= 0.8
        fields["prev_close"][adjusted:] *= 0.8
    values = np.stack([fields.get(name, close) for name in FIELDS])[:, :, None]
    traded = rng.random(rows) >= gaps
    traded[[0, -1, *([adjusted] if adjusted is not None else [])]] = True
    values[:, ~traded] = np.nan
    if gaps:  # the exchange's previous close is that of the last trade
        known = values[FIELDS.index("close"), traded, 0]
        factors = np.ones(rows)
        factors[adjusted if adjusted is not None else 0] = 1.0 if adjusted is None else 0.8
        values[FIELDS.index("prev_close"), traded, 0] = [np.nan, *known[:-1]] * factors[traded]
    days = tuple(date(2024, 1, 1) + timedelta(days=number) for number in range(rows))
    return Panel(days, ("A",), values)


def _series(panel: Panel, window: int, adjusted: int | None = None) -> Series:
    """Carry each price over idle sessions and bring it to rupees of the last session, one by one."""
    out: dict[str, list[float]] = {name: [] for name in ("high", "low", "close", "volume")}
    for row in range(len(panel)):
        if np.isfinite(panel["close"][row, 0]):
            for name, values in out.items():
                values.append(panel[name][row, 0])
        else:
            for name, values in out.items():
                values.append(0.0 if name == "volume" else out["close"][row - 1])
    series = {name: np.array(values) for name, values in out.items()}
    for name in ("high", "low", "close") if adjusted is not None else ():
        series[name][:adjusted] *= 0.8
    return {name: values[-window:] for name, values in series.items()}


MARKETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with gaps": {"gaps": 0.3},
    "an adjustment inside": {"adjusted": SESSIONS - 6},
    "an adjustment early in the window, and gaps": {"adjusted": SESSIONS - 120, "gaps": 0.2},
}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("name", CASES)
def test_indicators_equal_ta_lib(name: str, market: str) -> None:
    """The last value of TA-Lib on the window alone, whatever came before it."""
    ours, window, theirs = CASES[name]
    for seed in range(3):
        panel = _market(seed, **MARKETS[market])
        expected = theirs(_series(panel, window, MARKETS[market].get("adjusted")))[-1]
        found = ours(View(panel, len(panel) - 1))
        assert np.isfinite(expected)
        assert found.shape == (1, 1)
        assert found[0, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_short_history_is_missing(name: str) -> None:
    """One session fewer than the window gives nothing, exactly the window gives a number."""
    ours, window, _ = CASES[name]
    for sessions, known in ((window - 1, False), (window, True)):
        panel = _market(4).tail(sessions)
        panel["prev_close"][0] = np.nan
        assert np.isfinite(ours(View(panel, sessions - 1))[0, 0]) == known


@pytest.mark.parametrize("name", CASES)
def test_a_hole_in_the_window_is_missing(name: str) -> None:
    """A price stands for 20 sessions only: a longer gap inside the window leaves nothing to compute from."""
    ours, window, _ = CASES[name]
    panel = _market(5)
    panel.values[:, -window - 21 : -window + 1] = np.nan
    panel["prev_close"][-window + 1] = np.nan
    assert np.isnan(ours(View(panel, len(panel) - 1))[0, 0])


def test_nothing_moved_is_missing() -> None:
    """Where TA-Lib says 0 of 0/0, nothing is made up; averages and a directionless market are known."""
    panel = _market(6)
    panel.values[:, :, 0] = 100.0
    view = View(panel, len(panel) - 1)
    for name in ("rsi", "cci", "stochastic_k", "stochastic_d", "williams", "money_flow"):
        assert np.isnan(CASES[name].ours(view)[0, 0]), name
    for name, value in (("ema", 100), ("macd", 0), ("signal", 0), ("atr", 0), ("adx", 0), ("obv", 0)):
        assert CASES[name].ours(view)[0, 0] == pytest.approx(value, abs=1e-9), name
