"""Oddities of the price history, of the company-wise files it was made from, and of a vendor's calendar."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd

from tasks.core.calendar import by_rules
from tasks.core.oddities import Mask, Oddities, generator, picked

_THIN = 12
"""Rows up to which two equal sessions of a history may both be real."""
_BARE = ("prev_close", "vwap", "trades")
"""What a company-wise history does not have."""


def phantom_days(days: Sequence[date], full: Mask, odd: Oddities, seed: int) -> dict[date, date]:
    """Choose closed days on which the history has the rows of a session beside it (16), of a `full` one.

    Returns:
        The phantom day by session: a weekend day before it, or a holiday after it.
    """
    found: dict[date, date] = {}
    for before, day in pairwise(days):
        if not by_rules().trading_day(eve := day - timedelta(days=1)) and eve > before:
            found[day] = eve
        if by_rules().trading_day(before) and (holiday := by_rules().next_session(before)) < day:
            found.setdefault(before, holiday)
    able = full & np.array([day in found for day in days], dtype=bool)
    chosen = picked(generator(seed, "phantom"), able, odd["phantom"])
    return {day: found[day] for day, pick in zip(days, chosen, strict=True) if pick}


def spoiled_history(
    table: pd.DataFrame, missing: pd.DataFrame, odd: Oddities, seed: int
) -> tuple[pd.DataFrame, dict[date, date]]:
    """Write the history's oddities into it.

    Args:
        table: The history, see `history_table`; sorted by date and symbol.
        missing: Sessions after it that no daily file has.
        odd: What is switched on.
        seed: Seed of the market.

    Returns:
        The history with them, and the session that is repeated by each phantom day.
    """
    sizes = table["date"].value_counts(sort=False)
    days = list(sizes.index)
    if odd["bare_history"] and days:
        table = _bare(table, table["date"] <= days[max(1, round(odd["bare_history"] * len(days))) - 1])
    phantoms = phantom_days(days, sizes.to_numpy() > _THIN, odd, seed) if days else {}
    copies = [table[table["date"] == day].assign(date=at) for day, at in phantoms.items()]
    known = ~missing["symbol"].str.endswith("PO").to_numpy(dtype=bool)  # those have no company-wise history
    filled = _bare(missing[known], np.ones(int(known.sum()), dtype=bool))
    parts = [part for part in (table, *copies, filled) if len(part)]
    if len(parts) > 1:
        table = pd.concat(parts).sort_values(["date", "symbol"], kind="stable", ignore_index=True)
    return table, {at: day for day, at in phantoms.items()}


def _bare(table: pd.DataFrame, where: pd.Series | np.ndarray) -> pd.DataFrame:
    """Take away what a company-wise history does not have."""
    return table.assign(**{name: table[name].mask(where) for name in _BARE})


def company_files(
    table: pd.DataFrame, share: float, rng: np.random.Generator
) -> Iterator[tuple[dict[str, object], bytes]]:
    """Write one file a symbol, in two vendors' layouts, a share of them doubled or out of order (26).

    Yields:
        The truth about the file (file, symbol, rows, order, doubled, conflicting: rows beyond the first of
        their day, with the same values and with others), and its bytes.
    """
    counts = table["symbol"].value_counts().sort_index()
    odd = picked(rng, np.ones(len(counts), dtype=bool), share)
    for number, (symbol, own) in enumerate(table.groupby("symbol", sort=True)):
        frame = _numbered_columns(own) if number % 2 else _dated_columns(own)
        truth: dict[str, object] = {"file": f"{str(symbol).replace('/', '_')}.csv", "symbol": symbol}
        order = str(rng.choice(["ascending", "descending", "mixed"])) if odd[number] else "ascending"
        frame, doubled, conflicting = _doubled(frame, rng) if odd[number] else (frame, 0, 0)
        frame = _ordered(frame, order, rng)
        text = frame.to_csv(index=False, lineterminator="\r\n" if number == 1 else "\n", na_rep="nan")
        yield (
            truth | {"rows": len(frame), "order": order, "doubled": doubled, "conflicting": conflicting},
            text.encode(),
        )


def _dated_columns(own: pd.DataFrame) -> pd.DataFrame:
    change = 100 * (own["close"] / own["close"].shift() - 1)
    return pd.DataFrame(
        {
            "published_date": own["date"],
            **{name: own[name] for name in ("open", "high", "low", "close")},
            "per_change": change.round(2),  # unknown in the first row, which is written as nan
            "traded_quantity": own["volume"],
            "traded_amount": own["turnover"],
            "status": np.sign(change.fillna(0)).astype("int64"),
        }
    )


def _numbered_columns(own: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "S.N.": np.arange(1, len(own) + 1),
            "Date": own["date"],
            "Open": own["open"],
            "High": own["high"],
            "Low": own["low"],
            "Ltp": own["close"],  # labelled so, though it is the close
            "% Change": (100 * (own["close"] / own["close"].shift() - 1)).round(2).fillna(0.0),
            "Qty": own["volume"],
            "Turnover": own["turnover"],
        }
    )


def _doubled(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, int, int]:
    """Append a tenth of the rows once more, one of them with another low."""
    again = frame[picked(rng, np.ones(len(frame), dtype=bool), 0.1)]
    low = "low" if "low" in frame else "Low"
    conflicting = int(rng.random() < 0.5)  # noqa: PLR2004
    if conflicting:
        first = np.arange(len(again)) == 0
        again = again.assign(**{low: again[low] - 0.01 * first})
    return pd.concat([frame, again]), len(again) - conflicting, conflicting


def _ordered(frame: pd.DataFrame, order: str, rng: np.random.Generator) -> pd.DataFrame:
    """Bring rows into an order of dates, or two runs of them one after the other."""
    if order == "mixed":
        return frame.iloc[np.roll(np.arange(len(frame)), int(rng.integers(1, max(2, len(frame)))))]
    return frame.iloc[::-1] if order == "descending" else frame


def vendor_calendar(days: Sequence[date], share: float, rng: np.random.Generator) -> pd.DataFrame:
    """List all days from the first session to the last: date, trading (as a vendor has it), truth (14)."""
    held = set(days)
    span = [days[0] + timedelta(days=ahead) for ahead in range((days[-1] - days[0]).days + 1)]
    truth = np.array([day in held for day in span])
    wrong = picked(rng, np.ones(len(span), dtype=bool), share)
    return pd.DataFrame({"date": span, "trading": truth ^ wrong, "truth": truth})
