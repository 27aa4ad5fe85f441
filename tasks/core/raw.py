"""Price files as they stand: CSV or parquet, told apart by content, before any cell is believed."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from tasks.core.layout import LAYOUTS, REQUIRED, Layout, NotAPriceFileError, number

EXPECTED = f"expected a daily price file, a CSV whose header names {', '.join(REQUIRED)}"
EXPECTED_TABLE = "expected a price table with columns date, symbol, open, high, low, close, volume, turnover"
PARQUET = b"PAR1"
"""What a parquet file begins with."""
UNREADABLE = (ValueError, OSError, KeyError, TypeError, NotImplementedError, pa.ArrowException)
"""What reading parquet raises where the file is damaged, or of a kind that its library does not know."""
SURPLUS = "(surplus)"
"""Name given to what a row has beyond the header, commas between."""

Names = dict[str, str]
"""Our name of a column -> the file's."""


@dataclass(frozen=True)
class Raw:
    """Rows of a price file, cells untouched."""

    source: str
    table: pd.DataFrame
    """Columns as the file names them, of any type; its index is the line, from 1."""
    whole: npt.NDArray[np.bool_]
    """Whether a row had as many fields as the header; [n_rows]."""

    @property
    def header(self) -> list[str]:
        """Names of the columns, in order."""
        return [str(name) for name in self.table.columns]

    def named(self, layout: Layout) -> Names:
        """Where a layout's columns are; of two optional ones with one name neither is taken."""
        header = self.header
        return {ours: name for name, ours in layout.names.items() if header.count(name) == 1}

    def layout(self) -> Layout | None:
        """The layout that the header fulfils, if there is one."""
        return next((layout for layout in LAYOUTS if not layout.missing(self.header)), None)

    def cells(self, places: npt.NDArray[np.intp]) -> list[str]:
        """Some rows as JSON objects by column name; a field that the row does not have is null."""
        rows = self.table.iloc[places].astype(object).to_numpy().tolist()
        header = self.header
        return [json.dumps({n: _plain(c) for n, c in zip(header, row, strict=True)}) for row in rows]


def _plain(cell: Any) -> Any:
    """A cell as a JSON type."""
    if cell is None or (isinstance(cell, float) and not np.isfinite(cell)) or cell is pd.NA or cell is pd.NaT:
        return None
    return cell if isinstance(cell, str | int | float) else str(cell)


def read_raw(data: bytes, source: str, expected: str = f"{EXPECTED}; or {EXPECTED_TABLE}") -> Raw:
    """Read a price file, CSV or parquet as its first bytes say; `expected` goes into the message.

    Raises:
        NotAPriceFileError: It is neither.
    """
    return from_parquet(data, source, expected) if data[:4] == PARQUET else from_csv(data, source, expected)


def from_parquet(data: bytes, source: str, expected: str) -> Raw:
    """Read parquet; see `read_raw`."""
    try:
        frame = whole_text(pd.read_parquet(io.BytesIO(data)))
    except UNREADABLE as error:
        message = f"{source}: {expected}; this is not parquet ({error})"
        raise NotAPriceFileError(message) from error
    return from_frame(frame.reset_index() if any(frame.index.names) else frame, source)


def whole_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the frame if its texts are UTF-8; reading parquet leaves that to whoever looks at one, much later.

    Raises:
        pyarrow.ArrowInvalid: A text is broken.
    """
    texts = frame.loc[:, [isinstance(kind, pd.StringDtype) for kind in frame.dtypes]]
    for place in range(texts.shape[1]):
        pa.array(texts.iloc[:, place]).validate(full=True)
    return frame


def from_frame(frame: pd.DataFrame, source: str) -> Raw:
    """Take a frame for a file's rows, whatever its index."""
    table = frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis=0)
    return Raw(source, table, np.ones(len(frame), dtype=np.bool_))


def from_csv(data: bytes, source: str, expected: str = EXPECTED) -> Raw:
    """Read CSV, UTF-8 with or without a byte order mark, any line ends; see `read_raw`."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        table = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{source}: {expected}; this is not readable text of that kind ({error})"
        raise NotAPriceFileError(message) from error
    header = [name.strip() for name in table[0][1]] if table else []
    lines, rows = [line for line, _ in table[1:]], [cells for _, cells in table[1:]]
    if any(len(cells) > len(header) for cells in rows):
        rows, header = [_cut(cells, len(header)) for cells in rows], [*header, SURPLUS]
    whole = np.array([len(cells) == len(table[0][1]) for _, cells in table[1:]], dtype=np.bool_)
    width = len(header)
    square = [cells + [None] * (width - len(cells)) for cells in rows]
    frame = pd.DataFrame(square, index=pd.Index(lines, dtype="int64"), columns=header, dtype=object)
    return Raw(source, frame, whole)


def _cut(cells: list[str], width: int) -> list[str]:
    """Put what a row has beyond the header into one cell."""
    return [*cells[:width], ",".join(cells[width:])] if len(cells) > width else cells


def numbers(column: "pd.Series[Any]") -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Read a column's numbers, whether it holds numbers or the exchange's text.

    Returns:
        Values, NaN where missing or unreadable; and whether a cell was readable. Both [n_rows].
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy("float64", na_value=np.nan)
        return values, np.ones(len(values), dtype=np.bool_)
    cells: Sequence[Any] = column.astype(object).where(column.notna(), "").tolist()
    found = [number(cell if isinstance(cell, str) else str(cell)) for cell in cells]
    readable = np.array([value is not None for value in found], dtype=np.bool_)
    return np.array([np.nan if value is None else value for value in found], dtype="float64"), readable


def dates(column: "pd.Series[Any]", source: str) -> "pd.Series[Any]":
    """Read a column's dates (ISO text, dates or timestamps).

    Raises:
        NotAPriceFileError: One of them is none; its row belongs to no session.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        found: pd.Series[Any] = column.dt.date
    else:
        found = column.astype(object).map(_date)
    if len(bad := column[found.isna()]):
        message = f"{source}: {EXPECTED_TABLE}; row {bad.index[0]} has no date ({bad.iloc[0]!r})"
        raise NotAPriceFileError(message)
    return found


def _date(cell: Any) -> date | None:
    """One date, None where it is none."""
    if isinstance(cell, datetime):
        return None if pd.isna(cell) else cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return date.fromisoformat(str(cell).strip()[:10])
    except ValueError:
        return None
