"""The other peer: TA-Lib called in a bare loop over the symbols, for the indicators that it has.

It gets ready-made arrays of each symbol's own rows, nothing adjusted or carried. An indicator whose features
are no longer in the feature table ends the benchmark.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib

Values = npt.NDArray[np.float64]


class Bars(NamedTuple):
    """One symbol's rows, oldest first."""

    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values


class Indicator(NamedTuple):
    """A function of TA-Lib, and the features of ours whose whole names match; a group in it is the period."""

    name: str
    features: str
    call: Callable[[Bars, int], Any]
    period: int = 14
    told: Callable[[str, int, Bars, Any], Values] | None = None
    """What it gives, in the feature's unit; None where the two are not defined equally."""


def _log(values: Values) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log(values), dtype="float64")


def _as_given(_: str, _period: int, _bars: Bars, given: Values) -> Values:
    return given


def _gap(name: str, _: int, bars: Bars, level: Values) -> Values:
    return level if name.startswith("SMA") else _log(bars.close / level)


def _band(name: str, _: int, bars: Bars, bands: tuple[Values, Values, Values]) -> Values:
    upper, middle, lower = bands
    with np.errstate(invalid="ignore", divide="ignore"):
        place, width = 2 * (bars.close - middle) / (upper - lower), (upper - lower) / middle
    return np.asarray(width if name.startswith("band_width") else place, dtype="float64")


def _slope(_: str, period: int, bars: Bars, given: Values) -> Values:
    return np.asarray(given / talib.SMA(bars.close, period), dtype="float64")


def _stochastic(name: str, _: int, _bars: Bars, lines: tuple[Values, Values]) -> Values:
    return lines[0] if name.endswith("_k") else lines[1]


INDICATORS: tuple[Indicator, ...] = (
    Indicator("RSI", r"RSI", lambda b, k: talib.RSI(b.close, k)),
    Indicator("MACD", r"macd(?:_histogram)?", lambda b, _: talib.MACD(b.close, 12, 26, 9)),
    Indicator("EMA", r"ema_gap_(\d+)", lambda b, k: talib.EMA(b.close, k)),
    Indicator("ATR", r"atr_(\d+)", lambda b, k: talib.ATR(b.high, b.low, b.close, k)),
    Indicator("NATR", r"natr_(\d+)", lambda b, k: talib.NATR(b.high, b.low, b.close, k)),
    Indicator("OBV", r"obv_(\d+)", lambda b, _: talib.OBV(b.close, b.volume)),
    Indicator("ADX", r"adx_(\d+)", lambda b, k: talib.ADX(b.high, b.low, b.close, k)),
    Indicator("CCI", r"cci_(\d+)", lambda b, k: talib.CCI(b.high, b.low, b.close, k), told=_as_given),
    Indicator(
        "STOCH",
        r"stochastic_[kd]",
        lambda b, _: talib.STOCH(b.high, b.low, b.close, 5, 3, 0, 3, 0),
        told=_stochastic,
    ),
    Indicator(
        "WILLR", r"williams_(\d+)", lambda b, k: talib.WILLR(b.high, b.low, b.close, k), told=_as_given
    ),
    Indicator(
        "MFI", r"mfi_(\d+)", lambda b, k: talib.MFI(b.high, b.low, b.close, b.volume, k), told=_as_given
    ),
    Indicator("ROC", r"roc_(\d+)", lambda b, k: talib.ROC(b.close, k), told=_as_given),
    Indicator(
        "ROCR", r"ret_(\d+)", lambda b, k: talib.ROCR(b.close, k), told=lambda _, __, ___, given: _log(given)
    ),
    Indicator("SMA", r"(?:SMA|sma_gap)_(\d+)", lambda b, k: talib.SMA(b.close, k), told=_gap),
    Indicator(
        "BBANDS",
        r"(?:bollinger|band_width)_(\d+)",
        lambda b, k: talib.BBANDS(b.close, k, 2, 2),
        told=_band,
    ),
    Indicator("LINEARREG_SLOPE", r"trend_(\d+)", lambda b, k: talib.LINEARREG_SLOPE(b.close, k), told=_slope),
    Indicator("MAX", r"high_(\d+)", lambda b, k: talib.MAX(b.close, k), told=_gap),
    Indicator("MIN", r"low_(\d+)", lambda b, k: talib.MIN(b.close, k), told=_gap),
)


def features_of(indicator: Indicator, names: list[str]) -> dict[str, int]:
    """Find the features that an indicator stands beside, each with its period.

    Raises:
        SystemExit: there is none any more.
    """
    hits = {name: hit for name in names if (hit := re.fullmatch(indicator.features, name))}
    if not hits:
        message = (
            f"bench/bare_talib.py: no feature matches {indicator.features}, of TA-Lib's {indicator.name}"
        )
        raise SystemExit(message)
    return {name: int(hit[1]) if hit.groups() else indicator.period for name, hit in hits.items()}


def bars_of(rows: pd.DataFrame) -> dict[str, Bars]:
    """Cut a price table, by symbol and date, into the arrays of each symbol; what is missing is the close."""
    filled = {name: rows[name].fillna(rows["close"]) for name in ("open", "high", "low")}
    return {
        str(symbol): Bars(*(f[name].to_numpy("float64", na_value=np.nan) for name in Bars._fields))
        for symbol, f in rows.assign(**filled).groupby("symbol")
    }


def loop(indicator: Indicator, names: list[str], bars: dict[str, Bars]) -> int:
    """Call an indicator for each symbol and each period that is asked for; returns how often."""
    periods = sorted(set(features_of(indicator, names).values()))
    for one in bars.values():
        for period in periods:
            indicator.call(one, period)
    return len(periods) * len(bars)


def compute(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Compute the features that TA-Lib defines as we do, as `groupby.compute` lays them out."""
    bars, columns = bars_of(rows), dict[str, Values]()
    for indicator in INDICATORS:
        if indicator.told is not None:
            for name, period in features_of(indicator, names).items():
                told = indicator.told
                given = (told(name, period, one, indicator.call(one, period)) for one in bars.values())
                columns[name] = np.concatenate(list(given))
    return pd.DataFrame(columns, index=pd.MultiIndex.from_frame(rows[["symbol", "date"]]))
