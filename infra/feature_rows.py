"""Rows of the feature table: their columns and types, and which of two rows stays."""

import logging
import re
from collections.abc import Container, Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

OWN_COLUMNS = (
    *("symbol", "date", "feature_set", "revision", "last_close", "event_id", "partition", "offset"),
    "retracted",
)
"""What is not a feature."""

MOST_FEATURES = 1_000
MOST_STRETCHES = 8
NEAR = timedelta(days=30)
"""Sessions so near to each other lie in the same files, more often than not."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

_log = logging.getLogger(__name__)


def own_schema() -> "pa.Schema":
    """Tell the types of OWN_COLUMNS; every other column is a float64 feature."""
    import pyarrow as pa  # noqa: PLC0415

    texts, numbers = (pa.string(), pa.date32(), pa.string()), (pa.int64(), pa.float64(), pa.string())
    types = (*texts, *numbers, pa.int32(), pa.int64(), pa.bool_())
    return pa.schema(list(zip(OWN_COLUMNS, types, strict=True)))


def newest_rows(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Keep of each (symbol, date) the newest row: by revision, then offset, then partition."""
    if not frame.duplicated(["symbol", "date"]).any():
        return frame
    ordered = frame.sort_values(["revision", "offset", "partition"], kind="stable")
    return ordered.drop_duplicates(["symbol", "date"], keep="last")


def storable(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Choose the feature names that the table can hold beside its `known` columns.

    Anybody may publish features of any name. Left out, with a warning: what is no identifier (the engine
    breaks on some, and such a column would break every later merge), one of our own columns, another
    spelling of a name that is there (names differ by more than case), and what exceeds MOST_FEATURES.
    """
    spelled = {name.lower(): name for name in (*OWN_COLUMNS, *known)}
    reserved = set(OWN_COLUMNS)
    kept, refused = [], []
    for name in names:
        room = name.lower() in spelled or len(spelled) < MOST_FEATURES
        fits = bool(_NAME.fullmatch(name)) and name not in reserved and room
        if fits and spelled.setdefault(name.lower(), name) == name:
            kept.append(name)
        else:
            refused.append(name[:80])
    if refused:
        _log.warning("the feature table can't hold these features, which are left out: %a", refused[:20])
    return kept


def arrow_rows(frame: "pd.DataFrame", known: Iterable[str]) -> "pa.Table":
    """Make the rows to store, given the columns that the table has."""
    import pyarrow as pa  # noqa: PLC0415

    features = storable([str(name) for name in frame.columns if name not in OWN_COLUMNS], known)
    schema = pa.schema([*own_schema(), *((name, pa.float64()) for name in features)])
    return pa.Table.from_pandas(newest_rows(frame), schema=schema, preserve_index=False)


def with_columns(rows: "pa.Table", known: Iterable[str]) -> "pa.Table":
    """Add the table's other features as nulls: a newer revision replaces the whole row."""
    import pyarrow as pa  # noqa: PLC0415

    for name in known:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.float64()))
    return rows


def last_dates(rows: "pa.Table") -> dict[str, date]:
    """Find each symbol's last session."""
    grouped = rows.group_by("symbol").aggregate([("date", "max")])
    return dict(zip(grouped["symbol"].to_pylist(), grouped["date_max"].to_pylist(), strict=True))


def stretches(days: Iterable[date]) -> list[tuple[date, date]]:
    """Cover days by at most MOST_STRETCHES stretches (first and last day) that leave out the widest gaps.

    A batch may hold the newest session beside those of a backfill: one stretch would be all of history.
    """
    ordered = sorted(set(days))
    gaps = sorted(pairwise(ordered), key=lambda gap: gap[0] - gap[1])[: MOST_STRETCHES - 1]
    wide = sorted((before, after) for before, after in gaps if after - before > NEAR)
    firsts = [*ordered[:1], *(after for _, after in wide)]
    lasts = [*(before for before, _ in wide), *ordered[-1:]]
    return list(zip(firsts, lasts, strict=True))


def last_session(table: Any) -> date:
    """Find the last session of a Delta table from the bounds of its files, which its log holds.

    Returns:
        `date.min` where there is no row, `date.max` where a file of another writer tells no bounds.
    """
    import pyarrow as pa  # noqa: PLC0415

    files = pa.table(table.get_add_actions(flatten=True))
    known = "max.date" in files.column_names
    last = files["max.date"].to_pylist() if known else [None] * files.num_rows
    return max((date.max if day is None else day for day in last), default=date.min)


def scan(  # noqa: PLR0913  (all that bounds a reading)
    table: Any,
    columns: list[str] | None,
    since: date | None,
    until: date | None,
    symbols: Iterable[str] | None = None,
    *,
    single: Container[str] = (),
) -> "pa.Table":
    """Read columns of sessions `since`..`until`, sorted by (date, symbol), from the loaded version.

    Rows that were taken back are left out. Columns in `single` are rounded to single precision as they are
    read: the whole is never there in double.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    condition = pc.scalar(value=True)
    if since is not None:
        condition = condition & (pc.field("date") >= since)
    if until is not None:
        condition = condition & (pc.field("date") <= until)
    if symbols is not None:
        # the cast keeps the files' bounds of it, which are of another text type, from being compared; every
        # file holds a whole market, so that they would leave out none
        plain = pc.field("symbol").cast(pa.string())
        condition = condition & plain.isin(pa.array(list(symbols), pa.string()))
    wanted = columns and list(dict.fromkeys([*columns, "date", "symbol"]))
    stored = table.to_pyarrow_dataset()
    if "retracted" in stored.schema.names:  # tables of older versions have it from the first new row on
        condition = condition & pc.field("retracted").is_null() | condition & ~pc.field("retracted")
    read = wanted and {
        name: pc.field(name).cast(pa.float32()) if name in single else pc.field(name) for name in wanted
    }
    found = stored.to_table(columns=read, filter=condition)
    return found.sort_by([("date", "ascending"), ("symbol", "ascending")]).select(
        columns or found.column_names
    )
