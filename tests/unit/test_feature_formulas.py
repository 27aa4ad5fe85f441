"""Features against their formulas, written down once more for the last session of a plain market."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import talib

from tasks.core.features import FEATURES, compute
from tasks.core.panel import FIELDS, Panel, Wide

SESSIONS, SYMBOLS = 280, 12

Field = Mapping[str, Wide]
"""Fields of a market in which everybody trades: [n_sessions, n_symbols]."""


def _fields() -> dict[str, Wide]:
    rng, shape = np.random.default_rng(11), (SESSIONS, SYMBOLS)
    close = np.round(300 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0)), 1)
    volume = rng.integers(1, 5_000, shape).astype(float)
    return {
        "open": np.round(close * rng.uniform(0.99, 1.01, shape), 1),
        "high": np.round(close * rng.uniform(1.001, 1.02, shape), 1),
        "low": np.round(close * rng.uniform(0.98, 0.999, shape), 1),
        "close": close,
        "volume": volume,
        "turnover": volume * close,
        "prev_close": np.vstack([np.full(SYMBOLS, np.nan), close[:-1]]),
        "vwap": close * rng.uniform(0.99, 1.01, shape),
        "ltp": close * rng.uniform(0.99, 1.01, shape),
    }


@pytest.fixture(scope="module")
def market() -> dict[str, Wide]:
    """Prices, with `log` (close) and `step` (log return) beside them."""
    fields = _fields()
    log = np.log(fields["close"])
    return fields | {"log": log, "step": np.diff(log, axis=0, prepend=np.nan)}


@pytest.fixture(scope="module")
def found(market: dict[str, Wide]) -> pd.DataFrame:
    """Features of the last session."""
    days = tuple(date(2023, 1, 1) + timedelta(days=number) for number in range(SESSIONS))
    names = tuple(f"S{k:02}" for k in range(SYMBOLS))
    return compute(Panel(days, names, np.stack([market[name] for name in FIELDS])), days[-1])


def _ema(closes: Wide, sessions: int) -> Wide:
    return np.array([talib.EMA(np.ascontiguousarray(one), sessions)[-1] for one in closes[-150:].T])


def _moment(m: Field, power: int) -> Wide:
    apart = m["step"][-60:] - m["step"][-60:].mean(0)
    return (apart**power).mean(0) / m["step"][-60:].std(0) ** power


def _correlations(left: Wide, right: Wide) -> Wide:
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(left.T, right.T, strict=True)])


def _with_market(m: Field, what: Callable[[Wide, Wide], float]) -> Wide:
    mean = m["step"].mean(1)[-60:]
    return np.array([what(one, mean) for one in m["step"][-60:].T])


FORMULAS: dict[str, Callable[[Field], Wide]] = {
    "Close_Lag_1": lambda m: m["close"][-2],
    "SMA_20": lambda m: m["close"][-20:].mean(0),
    "Volume_Z_Score": lambda m: (m["volume"][-1] - m["volume"][-20:].mean(0)) / m["volume"][-20:].std(0),
    "ret_1_lag3": lambda m: m["step"][-4],
    "ret_240": lambda m: m["log"][-1] - m["log"][-241],
    "vol_120": lambda m: m["step"][-120:].std(0),
    "skew_60": lambda m: _moment(m, 3),
    "kurtosis_60": lambda m: _moment(m, 4),
    "trend_20": lambda m: np.polyfit(np.arange(20), m["close"][-20:], 1)[0] / m["close"][-20:].mean(0),
    "downside_20": lambda m: np.sqrt((np.minimum(m["step"][-20:], 0) ** 2).mean(0)),
    "ret_max_60": lambda m: m["step"][-60:].max(0),
    "ret_min_5": lambda m: m["step"][-5:].min(0),
    "up_share_20": lambda m: (m["step"][-20:] > 0).mean(0),
    "autocorr_20": lambda m: _correlations(m["step"][-20:], m["step"][-21:-1]),
    "sma_gap_200": lambda m: np.log(m["close"][-1] / m["close"][-200:].mean(0)),
    "sma_20_60": lambda m: np.log(m["close"][-20:].mean(0) / m["close"][-60:].mean(0)),
    "ema_gap_26": lambda m: np.log(m["close"][-1] / _ema(m["close"], 26)),
    "bollinger_60": lambda m: (m["close"][-1] - m["close"][-60:].mean(0)) / (2 * m["close"][-60:].std(0)),
    "band_width_20": lambda m: 4 * m["close"][-20:].std(0) / m["close"][-20:].mean(0),
    "low_60": lambda m: np.log(m["close"][-1] / m["close"][-60:].min(0)),
    "range_place_250": lambda m: (
        (m["close"][-1] - m["close"][-250:].min(0)) / np.ptp(m["close"][-250:], axis=0)
    ),
    "range_1_lag1": lambda m: np.log(m["high"][-2] / m["low"][-2]),
    "range_60": lambda m: np.log(m["high"][-60:] / m["low"][-60:]).mean(0),
    "parkinson_20": lambda m: np.sqrt(
        (np.log(m["high"][-20:] / m["low"][-20:]) ** 2).mean(0) / (4 * np.log(2))
    ),
    "body": lambda m: np.log(m["close"][-1] / m["open"][-1]),
    "close_place": lambda m: (m["close"][-1] - m["low"][-1]) / (m["high"][-1] - m["low"][-1]),
    "open_gap": lambda m: np.log(m["open"][-1] / m["close"][-2]),
    "vwap_gap_lag2": lambda m: np.log(m["vwap"][-3] / m["close"][-3]),
    "ltp_gap": lambda m: np.log(m["ltp"][-1] / m["close"][-1]),
    "to_upper": lambda m: np.log(1.1 * m["close"][-2] / m["close"][-1]),
    "to_lower": lambda m: np.log(0.9 * m["close"][-2] / m["close"][-1]),
    "turnover_log_lag1": lambda m: np.log(m["turnover"][-2]),
    "turnover_ratio_60": lambda m: np.log(m["turnover"][-1] / m["turnover"][-60:].mean(0)),
    "turnover_mean_20": lambda m: np.log(m["turnover"][-20:].mean(0)),
    "volume_spread_60": lambda m: m["volume"][-60:].std(0) / m["volume"][-60:].mean(0),
    "illiquidity_5": lambda m: np.log(np.abs(m["step"][-5:]).sum(0) / (m["turnover"][-5:].sum(0) / 1e6)),
    "volume_corr_60": lambda m: _correlations(m["step"][-60:], m["volume"][-60:]),
    "zero_share_60": lambda m: (m["step"][-60:] == 0).mean(0),
    "mkt_mean_lag4": lambda m: np.full(SYMBOLS, m["step"][-5].mean()),
    "mkt_ret_20": lambda m: np.full(SYMBOLS, m["step"][-20:].mean(1).sum()),
    "mkt_vol_60": lambda m: np.full(SYMBOLS, m["step"][-60:].mean(1).std()),
    "mkt_turnover_5": lambda m: np.full(
        SYMBOLS, np.log(m["turnover"][-1].sum() / m["turnover"][-5:].sum(1).mean())
    ),
    "mkt_unchanged": lambda m: np.full(SYMBOLS, (m["step"][-1] == 0).mean()),
    "mkt_above_sma_20": lambda m: np.full(SYMBOLS, (m["close"][-1] > m["close"][-20:].mean(0)).mean()),
    "rel_ret_20": lambda m: m["log"][-1] - m["log"][-21] - m["step"][-20:].mean(1).sum(),
    "beta_60": lambda m: _with_market(
        m, lambda own, all_: float(np.cov(own, all_, ddof=0)[0, 1] / all_.var())
    ),
    "corr_60": lambda m: _with_market(m, lambda own, all_: float(np.corrcoef(own, all_)[0, 1])),
    "own_vol_60": lambda m: _with_market(
        m, lambda own, all_: float(own.std() * np.sqrt(1 - np.corrcoef(own, all_)[0, 1] ** 2))
    ),
    "listing_age": lambda _: np.full(SYMBOLS, 249.0),
    "days_closed": lambda _: np.ones(SYMBOLS),
    "traded_share_60": lambda _: np.ones(SYMBOLS),
    "gap_sessions": lambda _: np.zeros(SYMBOLS),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_features_are_what_their_formulas_say(
    name: str, market: dict[str, Wide], found: pd.DataFrame
) -> None:
    """To nine digits, of twelve symbols."""
    assert name in FEATURES
    np.testing.assert_allclose(found[name], FORMULAS[name](market), rtol=1e-9, atol=1e-12)


def test_nothing_is_missing_where_everybody_always_traded(found: pd.DataFrame) -> None:
    """Every feature has a number, and none is endless."""
    assert np.isfinite(found[list(FEATURES)].to_numpy()).all()


def test_kinds_of_securities_and_dates() -> None:
    """Debentures are told by their symbol; weekends are not days of trading but of waiting."""
    days = (date(2024, 2, 29), date(2024, 3, 3))
    values = np.full((len(FIELDS), 2, 2), 100.0)
    frame = compute(Panel(days, ("NICAD 85/86", "UPPER"), values), days[-1])
    assert frame["debenture"].tolist() == [1.0, 0.0]
    told = frame[["weekday", "day_of_month", "month", "days_closed", "listing_age"]]
    assert told.to_numpy().tolist() == [[6.0, 3.0, 3.0, 3.0, 1.0]] * 2
