"""The simulated market as the exchange would publish it: daily files with their oddities, history, truth."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from tasks.core.daily_files import File, Published, published
from tasks.core.daily_layout import LAYOUTS, daily_csv
from tasks.core.market_model import START, SimulatedSession, cut, market, simulate
from tasks.core.oddities import Oddities, generator
from tasks.core.oddities_files import respoiled
from tasks.core.oddities_frame import adjustments, changed, labelled
from tasks.core.oddities_history import company_files, spoiled_history, vendor_calendar
from tasks.core.oddities_market import LISTINGS, NAMES
from tasks.core.oddities_prices import TRADES
from tasks.core.oddities_rows import ROWS

__all__ = [
    "LAYOUTS",
    "Oddities",
    "SimulatedSession",
    "daily_csv",
    "history_table",
    "odd_market",
    "simulate",
    "write_market",
]

MANIFEST = (
    *("file", "file_date", "data_date", "repeats_previous_session", "byte_identical_to_previous"),
    *("rows", "columns", "bytes", "sha256", "doubled", "kind", "complete"),
)
"""Columns of manifest.csv."""

Truth = dict[str, Any]
Table = Literal["parquet", "csv"]


def history_table(sessions: Sequence[SimulatedSession]) -> pd.DataFrame:
    """Lay sessions out as the tidy history: one row a symbol and session, LTP unknown as in history."""
    frame = pd.concat([session.rows.assign(date=session.date) for session in sessions], ignore_index=True)
    head = ["symbol", "date", "open", "high", "low", "close", "volume", "turnover", "prev_close"]
    return frame.assign(ltp=np.nan, source="simulator")[[*head, "trades", "vwap", "ltp", "source"]]


def odd_market(
    sessions: int, symbols: int, seed: int, start: date = START, oddities: Oddities | None = None
) -> pd.DataFrame:
    """Run a market as `simulate` does, with the oddities of days, symbols, prices and rows.

    Returns:
        `date`, the tidy columns (0 where the site writes 0), and the truth: `kind`, `factor`, `was`.
    """
    odd, rows = oddities or Oddities(), labelled(market(sessions, symbols, seed, start))
    for changes in (LISTINGS, TRADES, ROWS, NAMES):
        rows = changed(rows, odd, seed, changes)
    return rows


def write_market(  # noqa: PLR0913  (plain figures, all with a default)
    *,
    sessions: int = 760,
    symbols: int = 300,
    seed: int = 0,
    start: date = START,
    daily: int = 30,
    oddities: Oddities | None = None,
    table: Table = "parquet",
) -> Iterator[tuple[str, bytes]]:
    """Write a whole market: `history.parquet`, daily files of the last sessions, and the truth about both.

    `manifest.csv` is the truth about each daily file: file (its name below daily/), file_date, data_date (the
    session it really holds), repeats_previous_session, byte_identical_to_previous, rows (lines in the file),
    columns, bytes, sha256, doubled, kind, complete (all rows of the session). The history has a line for
    each of its days that is odd: of kind phantom (repeats data_date) or missing (no daily file has it).
    `adjustments.csv` is the truth about prices: symbol, date, factor (brings earlier prices to that day's),
    kind, was (a renamed symbol's name before). Company-wise files have theirs in `companies.csv`.

    Args:
        sessions: Sessions in all.
        symbols: Instruments, see `simulate`.
        seed: Seed of the market and of the oddities.
        start: First day.
        daily: Sessions that come as daily files, fewer than `sessions`; the earlier ones are history.
        oddities: What to write besides; the usual ones of `Oddities` without it.
        table: Format of the history.

    Yields:
        (name relative to the market's folder, content).
    """
    odd = oddities or Oddities()
    rows = odd_market(sessions, symbols, seed, start, odd)
    held = list(cut(rows[[name for name in rows if name not in {"kind", "factor", "was"}]]))
    past, live = held[: len(held) - daily], held[len(held) - daily :]
    files = respoiled(list(published(live, odd, np.random.default_rng([seed, 1]))), odd, seed)
    truth = [line for one in files for line in _truth(one)]
    if past:
        name = f"history.{table}"
        history, lines = _history(past, [one.session for one in files if not one.files], odd, seed)
        truth = [{**line, "file": name} for line in lines] + truth
        yield name, _encoded(history, table)
    yield from ((f"daily/{file.name}", file.data) for one in files for file in one.files)
    yield from _beside(held, odd, seed)
    yield "adjustments.csv", _encoded(adjustments(rows), "csv")
    yield "manifest.csv", _encoded(pd.DataFrame(truth, columns=list(MANIFEST)), "csv")


def _history(
    past: Sequence[SimulatedSession], missing: Sequence[SimulatedSession], odd: Oddities, seed: int
) -> tuple[pd.DataFrame, list[Truth]]:
    """The history with its oddities, and the manifest's lines about them."""
    table = history_table(past)
    late = history_table(missing) if missing else table[:0]
    table, phantoms = spoiled_history(table, late, odd, seed)
    days = {**phantoms, **{session.date: session.date for session in missing}}
    counts = table["date"].value_counts()
    lines: list[Truth] = [
        {
            "file_date": at,
            "data_date": day,
            "repeats_previous_session": at in phantoms,
            "rows": int(counts.get(at, 0)),
            "kind": "phantom" if at in phantoms else "missing",
            "complete": at in phantoms,
        }
        for at, day in sorted(days.items())
    ]
    return table, lines


def _beside(held: Sequence[SimulatedSession], odd: Oddities, seed: int) -> Iterator[tuple[str, bytes]]:
    """Files that other vendors have of the same market."""
    if odd["company_files"]:
        rng, truth = generator(seed, "company_files"), []
        for line, data in company_files(history_table(held), odd["company_files"], rng):
            truth.append(line)
            yield f"company-wise/{line['file']}", data
        yield "companies.csv", _encoded(pd.DataFrame(truth), "csv")
    if odd["calendar_errors"]:
        days = [session.date for session in held]
        calendar = vendor_calendar(days, odd["calendar_errors"], generator(seed, "calendar_errors"))
        yield "trading_calendar.csv", _encoded(calendar, "csv")


def _encoded(table: pd.DataFrame, layout: Table) -> bytes:
    if layout == "csv":
        return table.to_csv(index=False, lineterminator="\n").encode()
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _truth(one: Published) -> Iterator[Truth]:
    """The manifest's lines about a session's files."""
    before = b""
    for file in one.files:
        yield _line(one.session.date, file, before)
        before = file.data


def _line(day: date, file: File, before: bytes) -> Truth:
    """One line of the manifest."""
    repeats = file.kind == "repeat"
    return {
        "file": file.name,
        "file_date": file.named,
        "data_date": day,
        "repeats_previous_session": repeats,
        "byte_identical_to_previous": repeats and file.data == before,
        "rows": file.data.count(b"\n") - 1,
        "columns": file.data.split(b"\n", 1)[0].count(b",") + 1,
        "bytes": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "doubled": file.doubled,
        "kind": file.kind,
        "complete": file.complete,
    }
