"""Reading prices: daily files, the tidy history table, stored sessions. Bytes in, frames out."""

import io
import re
from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.assembling import assemble
from tasks.core.fingerprint import content_hash
from tasks.core.frame_schema import tellable
from tasks.core.layout import (
    EXCHANGE,
    TIDY,
    DailyFile,
    Layout,
    NotAPriceFileError,
    NoUsableRowError,
    counts,
)
from tasks.core.raw import (
    EXPECTED,
    EXPECTED_TABLE,
    UNREADABLE,
    Raw,
    dates,
    from_csv,
    read_raw,
    whole_text,
)
from tasks.core.tidy import tidy

__all__ = [
    "content_hash",
    "file_date",
    "read_daily",
    "read_prices",
    "session_from_parquet",
    "session_to_parquet",
]

_FILE_DATES = (
    (re.compile(r"(?<!\d)(\d{4}[-_]\d{2}[-_]\d{2})(?!\d)"), "%Y-%m-%d"),
    (re.compile(r"(?<!\d)(\d{2}[-_]\d{2}[-_]\d{4})(?!\d)"), "%m-%d-%Y"),
)


SPAN_ROWS = 250_000
"""Rows that are checked at a time: a table of any length takes the memory of one such span beside itself."""


def file_date(name: str) -> date | None:
    """Date that a file is named for (`2024_03_04.csv`, `2024-03-04.csv`, `03_04_2024.csv`: month first).

    It is the day of the download, not the session's date: more than a third of the files repeat an earlier
    session. None where the name holds no valid date.
    """
    stem = name.rsplit("/", 1)[-1]
    for pattern, layout in _FILE_DATES:
        if found := pattern.search(stem):
            try:
                return datetime.strptime(found[1].replace("_", "-"), layout).date()  # noqa: DTZ007  (a date)
            except ValueError:
                continue
    return None


def read_prices(
    data: bytes, source: str, since: date = date.min, until: date = date.max
) -> Iterator[tuple[date | None, DailyFile]]:
    """Read whatever price file this is: CSV or parquet, a daily file or a history, by its content.

    Args:
        data: The file.
        source: What to call it in messages; of one company's history its name is the symbol.
        since: First session wanted of a history.
        until: Last one.

    Yields:
        (date that the rows carry, session), oldest first; for a daily file (None, session), whose date has to
        be told otherwise.

    Raises:
        NotAPriceFileError: The file as a whole is something else, or (`NoUsableRowError`) a daily file
            without a usable row.
    """
    raw = read_raw(data, source)
    layout = raw.layout()
    if layout is None:
        message = f"{source}: {EXPECTED}; or {EXPECTED_TABLE}; its header names {', '.join(raw.header)}"
        raise NotAPriceFileError(message)
    if "date" in raw.named(layout):
        yield from _dated(raw, layout, since, until)
    else:
        yield None, _daily(raw, layout)


def read_daily(data: bytes, source: str) -> DailyFile:
    """Read one daily CSV file in any of the exchange's layouts (20 to 24 columns, found by name).

    Args:
        data: The file, UTF-8 with or without a byte order mark.
        source: What to call it in messages.

    Raises:
        NotAPriceFileError: The file as a whole is something else, or (`NoUsableRowError`) has no usable row.
    """
    raw = from_csv(data, source)
    if missing := EXCHANGE.missing(raw.header):
        message = f"{source}: {EXPECTED}; not there exactly once: {', '.join(missing)}"
        raise NotAPriceFileError(message)
    return _daily(raw, EXCHANGE)


def _daily(raw: Raw, layout: Layout) -> DailyFile:
    """Take all rows for one session's."""
    if raw.table.empty:
        message = f"{raw.source}: {EXPECTED}; this one has a header and no rows"
        raise NotAPriceFileError(message)
    [(_, content)] = assemble(raw, layout, np.full(len(raw.table), date.min))
    if content.rows.empty:
        why = ", ".join(f"{count} {reason}" for reason, count in counts(content).items())
        message = f"{raw.source}: none of its {len(raw.table)} rows can be used ({why})"
        raise NoUsableRowError(message, content)
    return content


def _dated(raw: Raw, layout: Layout, since: date, until: date) -> Iterator[tuple[date, DailyFile]]:
    """Cut rows that carry their date into sessions."""
    days = dates(raw.table[raw.named(layout)["date"]], raw.source).to_numpy()
    for places in spans(days, np.flatnonzero((days >= since) & (days <= until))):
        rows = Raw(raw.source, raw.table.iloc[places], raw.whole[places])
        yield from assemble(rows, layout, days[places])


def spans(
    days: npt.NDArray[np.object_], places: npt.NDArray[np.intp], most: int = SPAN_ROWS
) -> Iterator[npt.NDArray[np.intp]]:
    """Cut rows into spans of whole days, oldest first, each of about so many rows, in the file's order.

    Args:
        days: The date of each row of the file; [n_rows].
        places: The rows that are wanted, ascending.
        most: Rows of a span, beyond which no further day is begun.
    """
    codes, found = pd.factorize(days[places], sort=True)
    counts = np.bincount(codes, minlength=len(found))
    span = ((np.cumsum(counts) - counts) // most)[codes]
    for number in np.unique(span):
        yield places[span == number]


def session_to_parquet(rows: pd.DataFrame) -> bytes:
    """Write a session's tidy frame as the parquet object that DataIngested points to."""
    buffer = io.BytesIO()
    rows[list(TIDY)].to_parquet(buffer, index=False)
    return buffer.getvalue()


def session_from_parquet(data: bytes, source: str) -> pd.DataFrame:
    """Read a stored session back into its tidy frame, one row a symbol.

    Other clients name objects that no reader checked: rows of which no event could tell are left out.

    Raises:
        NotAPriceFileError: The object is not parquet, lacks the tidy columns, or has no usable row.
    """
    try:
        rows = tidy(whole_text(pd.read_parquet(io.BytesIO(data), columns=list(TIDY))))
    except UNREADABLE as error:
        message = f"{source}: expected a stored session in parquet with columns {', '.join(TIDY)} ({error})"
        raise NotAPriceFileError(message) from error
    usable = tellable(rows) & ~rows.duplicated("symbol", keep="last").to_numpy()
    if not usable.any():
        message = f"{source}: none of its {len(rows)} rows can be used"
        raise NotAPriceFileError(message)
    return rows if usable.all() else rows[usable].reset_index(drop=True)
