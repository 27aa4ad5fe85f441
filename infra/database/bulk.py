"""Many rows at once: COPY into a passing table, then one INSERT that knows what to do with repeats."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.errors import UniqueViolation
from sqlalchemy import ARRAY, Connection, Table, Text, cast, func

from infra.database.connection import driver


@dataclass(frozen=True, slots=True)
class Keep:
    """Of rows with the same `identity`, keep the one whose `order` is the smallest (or the largest)."""

    identity: str
    order: tuple[str, ...]
    smallest: bool = True


def any_of(ids: Iterable[str]) -> Any:
    """Match one of many ids, in one parameter: a statement may have no more than 65,535."""
    return func.any(cast(list(ids), ARRAY(Text)))


def copy_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    keep: Keep | None = None,
) -> int:
    """Insert rows within the connection's transaction; rows that are there already are left alone.

    Args:
        connection: where the transaction is open.
        table: the target.
        columns: names of the rows' values.
        rows: values; JSON as text. With `keep`, no identity may occur twice among them.
        keep: what to do when an identity is there already; without it the older row stays.

    Returns:
        How many rows were inserted or replaced.
    """
    names, target = _names(columns), _target(table)
    passing = sql.Identifier(f"incoming_{table.name}")
    with driver(connection).cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} (LIKE {}) ON COMMIT DELETE ROWS").format(
                passing, target
            )
        )
        cursor.execute(sql.SQL("DELETE FROM {}").format(passing))  # a second batch of one transaction
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(passing, names)) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            sql.SQL("INSERT INTO {} AS old ({}) SELECT {} FROM {} ON CONFLICT {}").format(
                target, names, names, passing, _on_conflict(columns, keep)
            )
        )
        return int(cursor.rowcount)


def append_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    meanwhile: Callable[[], object] = tuple,
) -> int:
    """Insert rows that are hardly ever there already, in half of `copy_rows`'s time; returns how many.

    They go straight into the table, in Postgres' binary form: as text a date alone would be dumped in Python.
    Where one of them is there already all take the longer way. `meanwhile` runs when the rows are sent, while
    the server is busy with them; not if there are none.
    """
    if not rows:
        return 0
    types = [table.c[name].type.compile(connection.dialect).lower() for name in columns]
    into = sql.SQL("{} ({})").format(_target(table), _names(columns))
    form = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(into)
    try:
        with connection.begin_nested(), driver(connection).cursor() as cursor, cursor.copy(form) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
            meanwhile()
    except UniqueViolation:
        return copy_rows(connection, table, columns, rows)
    return len(rows)


def _target(table: Table) -> sql.Identifier:
    return sql.Identifier(*([table.schema] if table.schema else []), table.name)


def _on_conflict(columns: Sequence[str], keep: Keep | None) -> sql.Composable:
    if keep is None:
        return sql.SQL("DO NOTHING")
    news = sql.SQL(", ").join(
        sql.SQL("{} = EXCLUDED.{}").format(sql.Identifier(name), sql.Identifier(name)) for name in columns
    )
    return sql.SQL("({}) DO UPDATE SET {} WHERE ({}) {} ({})").format(
        sql.Identifier(keep.identity),
        news,
        _names(keep.order, "excluded"),
        sql.SQL("<") if keep.smallest else sql.SQL(">"),
        _names(keep.order, "old"),
    )


def _names(columns: Sequence[str], table: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*([table] if table else []), name) for name in columns)
