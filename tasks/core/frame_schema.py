"""The price frame, declared once: its columns, their types and ranges, and what rows may not be.

A row that breaks a rule is rejected with the code of the rule; rules that only `doubt` leave it in and count:
the exchange publishes such rows, and their close is good. Every reader gets its codes from here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.layout import PRICES, TIDY
from tasks.core.symbols import MARKET, MAX_SYMBOL

if TYPE_CHECKING:
    import pandera.pandas as pa

Flags = npt.NDArray[np.bool_]
"""One flag a row."""

NEEDED = ("close", "volume", "turnover")
"""Columns whose cells have to be readable; elsewhere what is unreadable is missing."""

READABLE = tuple(f"{name}_readable" for name in NEEDED)
"""Flags beside the values: a cell held a number, or nothing."""

WHOLE = "whole"
"""Flag beside the values: the row had as many fields as the header."""


@dataclass(frozen=True)
class Rule:
    """What holds for a usable row."""

    code: str
    column: str | None
    """The column it is about; None for one over several."""
    holds: Callable[[Any], "pd.Series[bool]"]
    """From the column (or the frame) to a flag a row; NaN is missing, and allowed unless this says no."""
    doubt: bool = False
    """Broken, it is counted and rejects nothing."""


def _price(rows: pd.DataFrame, name: str) -> "pd.Series[float]":
    """A price where it is known; 0 and below is missing, which has a code of its own."""
    return rows[name].where(rows[name] > 0)


def _within(name: str) -> Callable[[pd.DataFrame], "pd.Series[bool]"]:
    """A price lies between low and high, where all three are known."""

    def holds(rows: pd.DataFrame) -> "pd.Series[bool]":
        price = _price(rows, name)
        return ~((price < _price(rows, "low")) | (price > _price(rows, "high")))

    return holds


RULES = (
    Rule("wrong_number_of_fields", WHOLE, lambda whole: whole),
    *(Rule(f"unreadable_{name}", f"{name}_readable", lambda readable: readable) for name in NEEDED),
    Rule("empty_symbol", "symbol", lambda symbol: symbol != ""),
    Rule(
        "unusable_symbol",
        "symbol",
        lambda symbol: (symbol.str.len() <= MAX_SYMBOL) & symbol.map(str.isprintable).astype(bool),
    ),
    Rule("reserved_symbol", "symbol", lambda symbol: symbol != MARKET),
    Rule("missing_close", "close", lambda close: close.notna()),
    Rule("infinite_close", "close", lambda close: ~np.isinf(close)),
    Rule("close_not_positive", "close", lambda close: ~(close <= 0) | np.isinf(close)),
    # Volume tells a session from a stale repeat; turnover is missing from years of history.
    Rule("bad_volume", "volume", lambda volume: np.isfinite(volume) & (volume >= 0)),
    Rule("bad_turnover", "turnover", lambda turnover: ~((turnover < 0) | np.isinf(turnover))),
    *(
        Rule(f"{name}_not_positive", name, lambda price: ~(price <= 0), doubt=True)
        for name in PRICES
        if name != "close"
    ),
    Rule("trades_no_count", "trades", lambda trades: ~((trades < 0) | (trades % 1 > 0)), doubt=True),
    Rule("high_below_low", None, lambda rows: ~(_price(rows, "high") < _price(rows, "low")), doubt=True),
    Rule("open_outside_range", None, _within("open"), doubt=True),
    Rule("close_outside_range", None, _within("close"), doubt=True),
    Rule(
        "turnover_without_volume",
        None,
        lambda rows: ~((rows["volume"] == 0) & (rows["turnover"] > 0)),
        doubt=True,
    ),
)
"""The rules on a row, in the order in which the reason that decides is taken."""


@cache
def price_schema() -> "pa.DataFrameSchema":
    """Build the pandera schema of rows as read: columns, types and `RULES`.

    Values of TIDY as float64 (symbol as str) beside the flags `WHOLE` and `READABLE`; one line a row.
    """
    import pandera.pandas as pa  # noqa: PLC0415  (slow to import; only ingestion checks frames)

    def check(rule: Rule) -> pa.Check:
        return pa.Check(rule.holds, error=rule.code, ignore_na=False, n_failure_cases=1)

    types = {"symbol": str, **dict.fromkeys(TIDY[1:], "float64"), **dict.fromkeys((WHOLE, *READABLE), bool)}
    columns = {
        name: pa.Column(
            kind, [check(rule) for rule in RULES if rule.column == name], nullable=name != "symbol"
        )
        for name, kind in types.items()
    }
    return pa.DataFrameSchema(
        columns, checks=[check(rule) for rule in RULES if not rule.column], strict=True, name="prices"
    )


def broken_rules(rows: pd.DataFrame) -> dict[str, Flags]:
    """Find the rows that break each rule.

    Args:
        rows: A frame of the columns of `price_schema`, its index 0, 1, 2, ...

    Returns:
        Flags a row by the code of the rule, in the order of `RULES`; rules that hold for all are left out.

    Raises:
        pandera.errors.SchemaErrors: The frame has other columns or types, a fault of the caller's.
    """
    from pandera.config import ValidationDepth, config_context  # noqa: PLC0415  (as above)
    from pandera.errors import SchemaErrors  # noqa: PLC0415

    try:  # whatever PANDERA_VALIDATION_ENABLED says
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
            price_schema().validate(rows, lazy=True)
    except SchemaErrors as broken:
        if any(error.check_output is None for error in broken.schema_errors):
            raise
        found = {str(e.check.error): ~e.check_output.to_numpy("bool") for e in broken.schema_errors}
        return {rule.code: found[rule.code] for rule in RULES if rule.code in found}
    return {}


def tellable(rows: pd.DataFrame) -> Flags:
    """Flag the rows of a tidy frame that have a symbol and a close that events can carry."""
    given = {"symbol": rows["symbol"].fillna(""), "close": rows["close"]}
    held = [rule.holds(given[rule.column]).to_numpy("bool") for rule in RULES if rule.column in given]
    found: Flags = np.logical_and.reduce(held)
    return found
