"""A session as the exchange's daily file, in any of its layouts."""

import csv
import io
import math

import numpy as np
import pandas as pd

from tasks.core.market_model import SimulatedSession

__all__ = ["LAYOUTS", "daily_csv"]

_HEAD = ("S.No", "Symbol", "Conf.", "Open", "High", "Low", "Close")
_MIDDLE = ("VWAP", "Vol", "Prev. Close")
_TAIL = (
    *("Turnover", "Trans.", "Diff", "Range", "Diff %", "Range %", "VWAP %"),
    *("120 Days", "180 Days", "52 Weeks High", "52 Weeks Low"),
)
LAYOUTS: dict[int, tuple[str, ...]] = {
    21: (*_HEAD, *_MIDDLE, *_TAIL),
    22: (*_HEAD, *_MIDDLE, "LTP", *_TAIL),
    24: (*_HEAD, "LTP", "Close - LTP", "Close - LTP %", *_MIDDLE, *_TAIL),
}
"""Column names by number of columns, as they followed one another; without `S.No` each has one less."""


def daily_csv(  # noqa: PLR0913  (one for each way in which files differ)
    session: SimulatedSession,
    layout: int = 24,
    *,
    conf_seed: int = 0,
    numbered: bool = True,
    commas: bool = True,
    zero_averages: bool = False,
) -> bytes:
    """Write a session as the exchange's daily file: commas for thousands, `-` for what is missing.

    Args:
        session: What was traded.
        layout: Number of columns, a key of `LAYOUTS`.
        conf_seed: Seed of the column `Conf.`, which the site recomputes.
        numbered: With the column `S.No`.
        commas: With commas for thousands.
        zero_averages: 0.00 for an average over too short a history, in place of `-`.
    """
    numbers = _numbers(session, conf_seed)
    if zero_averages:
        numbers |= {name: numbers[name].fillna(0.0) for name in ("120 Days", "180 Days")}
    pattern = "{:,.2f}" if commas else "{:.2f}"
    columns = {name: [_written(value, pattern) for value in column] for name, column in numbers.items()}
    columns |= _labels(session.rows, "{:,}" if commas else "{}")
    names = [name for name in LAYOUTS[layout] if numbered or name != "S.No"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(columns[name] for name in names), strict=True))
    return buffer.getvalue().encode("ascii")


def _labels(rows: pd.DataFrame, pattern: str) -> dict[str, list[str]]:
    """The columns that are no prices, as text."""
    return {
        "S.No": [str(line) for line in range(1, len(rows) + 1)],
        "Symbol": rows["symbol"].tolist(),
        "Trans.": [pattern.format(trades) for trades in rows["trades"]],
    }


def _numbers(session: SimulatedSession, conf_seed: int) -> dict[str, pd.Series]:
    """The columns that are prices, volumes and ratios, of any layout."""
    rows, past = session.rows, session.averages()
    conf = np.random.default_rng(conf_seed).uniform(30, 70, len(rows))
    return {
        "Conf.": pd.Series(conf).where(rows["volume"] % 7 == 0),  # six in seven have none
        "Open": rows["open"],
        "High": rows["high"],
        "Low": rows["low"],
        "Close": rows["close"],
        "LTP": rows["ltp"],
        "VWAP": rows["vwap"],
        "Vol": rows["volume"],
        "Prev. Close": rows["prev_close"],
        "Turnover": rows["turnover"],
        **_derived(rows),
        "120 Days": past["mean_120"],
        "180 Days": past["mean_180"],
        "52 Weeks High": past["high_52"],
        "52 Weeks Low": past["low_52"],
    }


def _derived(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Differences and ratios of prices; one to a price that is written as 0 is written as missing."""
    known = {name: rows[name].where(rows[name] > 0) for name in ("close", "low", "ltp", "prev_close")}
    return {
        "Close - LTP": rows["close"] - rows["ltp"],
        "Close - LTP %": 100 * (rows["close"] / known["ltp"] - 1),
        "Diff": rows["close"] - rows["prev_close"],
        "Range": rows["high"] - rows["low"],
        "Diff %": 100 * (rows["close"] / known["prev_close"] - 1),
        "Range %": 100 * (rows["high"] / known["low"] - 1),
        "VWAP %": 100 * (1 - rows["vwap"] / known["close"]),
    }


def _written(value: float, pattern: str) -> str:
    """A number as the exchange writes it."""
    return "-" if math.isnan(value) else pattern.format(value).replace("-0.00", "0.00")
