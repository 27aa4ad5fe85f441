"""Reading prices: daily files, the tidy history table, stored sessions. Bytes in, frames out."""

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import pandas as pd

from tasks.core.layout import (
    REJECTED,
    REQUIRED,
    SOURCE_NAMES,
    TIDY,
    DailyFile,
    NotAPriceFileError,
    bad_symbol,
    bad_values,
    number,
)
from tasks.core.tidy import by_day, rejected, tidy

_EXPECTED = f"expected a daily price file, a CSV whose header names {', '.join(REQUIRED)}"
_EXPECTED_TABLE = "expected a price table with columns date, symbol, open, high, low, close, volume, turnover"
_FILE_DATES = (
    (re.compile(r"(?<!\d)(\d{4}[-_]\d{2}[-_]\d{2})(?!\d)"), "%Y-%m-%d"),
    (re.compile(r"(?<!\d)(\d{2}[-_]\d{2}[-_]\d{4})(?!\d)"), "%m-%d-%Y"),
)
_Row = dict[str, float | str]


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


def read_daily(data: bytes, source: str) -> DailyFile:
    """Read one daily file in any of the exchange's layouts (20 to 24 columns, found by name).

    Args:
        data: The file, UTF-8 with or without a byte order mark.
        source: What to call it in messages.

    Raises:
        NotAPriceFileError: The file as a whole is something else.
    """
    header, lines = _split(data, source)
    places = {SOURCE_NAMES[name]: place for place, name in enumerate(header) if name in SOURCE_NAMES}
    good: dict[str, list[_Row]] = {}
    bad: list[tuple[int, str, str]] = []
    for line, cells in lines:
        row, reason = _read_row(cells, places, len(header))
        symbol = str(row["symbol"])
        if reason:
            bad.append((line, symbol, reason))
        else:
            good.setdefault(symbol, []).append(row | {"line": line})
    return _assemble(source, good, bad)


def _split(data: bytes, source: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Split a file into its header and its numbered rows, or say that it is no price file."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        table = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{source}: {_EXPECTED}; this is not readable text of that kind ({error})"
        raise NotAPriceFileError(message) from error
    header = [name.strip() for name in table[0][1]] if table else []
    missing = [name for name in REQUIRED if header.count(name) != 1]
    if missing:
        message = f"{source}: {_EXPECTED}; not there exactly once: {', '.join(missing)}"
        raise NotAPriceFileError(message)
    if len(table) == 1:
        message = f"{source}: {_EXPECTED}; this one has a header and no rows"
        raise NotAPriceFileError(message)
    return header, table[1:]


def _read_row(cells: list[str], places: dict[str, int], width: int) -> tuple[_Row, str | None]:
    """Turn a row's cells into values, with the reason code if it has to be rejected."""
    symbol = cells[places["symbol"]].strip() if places["symbol"] < len(cells) else ""
    if len(cells) != width:
        return {"symbol": symbol}, "wrong_number_of_fields"
    values = {name: number(cells[place]) for name, place in places.items() if name != "symbol"}
    for name in ("close", "volume", "turnover"):
        if values[name] is None:
            return {"symbol": symbol}, f"unreadable_{name}"
    # What is unreadable elsewhere is missing: the close, which is what matters, is good.
    row = {name: math.nan if value is None else value for name, value in values.items()}
    reason = bad_symbol(symbol) or bad_values(row["close"], row["volume"], row["turnover"])
    return {"symbol": symbol, **row}, reason


def _assemble(source: str, good: dict[str, list[_Row]], bad: list[tuple[int, str, str]]) -> DailyFile:
    """Drop doubled rows; where rows of one symbol contradict each other none of them can be believed."""
    kept: list[_Row] = []
    doubled = 0
    for symbol, rows in good.items():
        if len(rows) > 1 and len({repr([row.get(name) for name in TIDY]) for row in rows}) > 1:
            bad.extend((int(row["line"]), symbol, "conflicting_rows") for row in rows)
            continue
        doubled += len(rows) - 1
        kept.append(rows[0])
    return DailyFile(source, tidy(pd.DataFrame(kept, columns=list(TIDY))), rejected(bad), doubled)


def read_table(frame: pd.DataFrame, source: str = "table") -> Iterator[tuple[date, DailyFile]]:
    """Split a price history (one row a symbol and session) into its sessions, oldest first.

    Rows are checked as those of daily files are; `line` in `rejected` counts rows of the table from 1.

    Raises:
        NotAPriceFileError: A needed column is absent.
    """
    needed = {"date", *(SOURCE_NAMES[name] for name in REQUIRED)}
    if missing := sorted(needed - set(frame.columns)):
        message = f"{source}: {_EXPECTED_TABLE}; not there: {', '.join(missing)}"
        raise NotAPriceFileError(message)
    days = pd.to_datetime(frame["date"]).dt.date
    table = frame.assign(date=days, line=np.arange(1, len(frame) + 1), reason=_reasons(frame))
    good = table[table["reason"] == ""]
    repeats = good.duplicated(["date", *(name for name in TIDY if name in good.columns)])
    doubled = good.loc[repeats, "date"].value_counts().to_dict()
    good = good[~repeats]
    conflicts = good.duplicated(["date", "symbol"], keep=False)
    bad = pd.concat([table[table["reason"] != ""], good[conflicts].assign(reason="conflicting_rows")])
    rows = dict(by_day(tidy(good[~conflicts])))
    left_out = dict(by_day(bad[["date", *REJECTED]].sort_values(["date", "line"])))
    nothing = tidy(good[:0].drop(columns="date"))
    for day in sorted(set(days)):
        yield (
            day,
            DailyFile(source, rows.get(day, nothing), left_out.get(day, rejected([])), doubled.get(day, 0)),
        )


def _reasons(frame: pd.DataFrame) -> list[str]:
    """Reason code per row of a table, empty for good rows."""
    columns = [frame[name].astype("float64") for name in ("close", "volume", "turnover")]
    rows = zip(frame["symbol"].fillna("").astype(str), *columns, strict=True)
    return [bad_symbol(symbol) or bad_values(*values) or "" for symbol, *values in rows]


def read_table_parquet(
    data: bytes, source: str, since: date = date.min, until: date = date.max
) -> Iterator[tuple[date, DailyFile]]:
    """Read the sessions `since` to `until` of a price history from parquet bytes; see `read_table`."""
    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except (ValueError, OSError) as error:  # pyarrow's ArrowInvalid is a ValueError
        message = f"{source}: {_EXPECTED_TABLE}; this is not parquet ({error})"
        raise NotAPriceFileError(message) from error
    if "date" in frame.columns:
        days = pd.to_datetime(frame["date"]).dt.date
        frame = frame[(days >= since) & (days <= until)]
    return read_table(frame, source)


def session_to_parquet(rows: pd.DataFrame) -> bytes:
    """Write a session's tidy frame as the parquet object that DataIngested points to."""
    buffer = io.BytesIO()
    rows[list(TIDY)].to_parquet(buffer, index=False)
    return buffer.getvalue()


def session_from_parquet(data: bytes, source: str) -> pd.DataFrame:
    """Read a stored session back into its tidy frame.

    Raises:
        NotAPriceFileError: The object is not parquet or lacks the tidy columns.
    """
    try:
        return tidy(pd.read_parquet(io.BytesIO(data), columns=list(TIDY)))
    except (ValueError, OSError, KeyError) as error:
        message = f"{source}: expected a stored session in parquet with columns {', '.join(TIDY)} ({error})"
        raise NotAPriceFileError(message) from error


def content_hash(rows: pd.DataFrame) -> str:
    """Fingerprint of a session: sha256 over its sorted (symbol, close, volume, turnover).

    Insensitive to row order and to what the site recomputes for an old session (Conf., averages), so that
    a stale repeat is recognised although its bytes differ.
    """
    columns = [rows[name].tolist() for name in ("symbol", "close", "volume", "turnover")]
    lines = sorted(f"{s}\t{c!r}\t{v!r}\t{t!r}\n" for s, c, v, t in zip(*columns, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
