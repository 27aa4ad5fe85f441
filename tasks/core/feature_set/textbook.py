"""The indicators of TA-Lib, as features: rupees are put beside the close, so that symbols compare."""

import numpy as np

from tasks.core import indicators
from tasks.core.feature_set.entry import Feature, feature, grouped, over
from tasks.core.indicators import SPAN
from tasks.core.panel import Wide
from tasks.core.view import View


def beside_close(view: View, rupees: Wide) -> Wide:
    """Rupees as a fraction of the close."""
    return rupees / view.lag(view.carried)


def average_gap(view: View, sessions: int) -> Wide:
    """Log of the close over its exponential mean."""
    return np.log(view.lag(view.carried) / view.once(indicators.exponential_mean, sessions))


def histogram(view: View) -> Wide:
    """MACD less its signal."""
    return view.once(indicators.macd) - indicators.macd_signal(view)


def _averages() -> tuple[Feature, ...]:
    entries = over(
        (12, 26), "ema_gap_{k}", f"log(close / talib.EMA {{k}} of {SPAN} closes)", "log", average_gap
    )
    return tuple(entry._replace(window=SPAN, minimum=SPAN) for entry in entries)


INDICATORS = grouped(
    "indicators",
    feature("RSI", f"talib.RSI 14 of {SPAN} closes", SPAN, "percent", indicators.rsi),
    feature(
        "macd",
        f"talib.MACD 12, 26 of {SPAN} closes / close",
        SPAN,
        "1",
        lambda v: beside_close(v, v.once(indicators.macd)),
    ),
    feature(
        "macd_histogram",
        f"talib.MACD less its signal 9, of {SPAN} closes, / close",
        SPAN,
        "1",
        lambda v: beside_close(v, histogram(v)),
    ),
    _averages(),
    feature("atr_14", f"talib.ATR 14 of {SPAN} sessions", SPAN, "rupees", lambda v: v.once(indicators.atr)),
    feature("natr_14", f"talib.NATR 14 of {SPAN} sessions", SPAN, "percent", indicators.natr),
    feature(
        f"obv_{SPAN}",
        f"(talib.OBV of {SPAN} sessions less the first one's volume) / volume of {SPAN} sessions",
        SPAN,
        "1",
        indicators.obv,
    ),
    feature("adx_14", "talib.ADX 14 of 28 sessions", 28, "percent", indicators.adx),
    feature("cci_14", "talib.CCI 14", 14, "1", indicators.cci),
    feature(
        "stochastic_k",
        "slow %K of talib.STOCH 5, 3, 3",
        7,
        "percent",
        lambda v: v.once(indicators.stochastic)[0],
    ),
    feature(
        "stochastic_d",
        "slow %D of talib.STOCH 5, 3, 3",
        9,
        "percent",
        lambda v: v.once(indicators.stochastic)[1],
    ),
    feature("williams_14", "talib.WILLR 14", 14, "percent", indicators.williams),
    feature("mfi_14", "talib.MFI 14", 15, "percent", indicators.money_flow),
    feature("roc_10", "talib.ROC 10", 11, "percent", indicators.rate_of_change),
)
