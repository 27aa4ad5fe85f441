"""What holds in the end: of each prediction, close or error the newest revision, unless it was taken back.

A prediction is one of a symbol for a session from a session before (`as_of`), and so is its error; a close is
one of a symbol and a session. Pages are cut by the key of their last row, so that rows that arrive meanwhile
neither repeat nor hide others.
"""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Engine,
    Select,
    Table,
    bindparam,
    func,
    literal_column,
    not_,
    select,
    text,
    tuple_,
)

from infra.database.connection import reading
from infra.database.revisions import NEWEST_FIRST

Found = dict[str, Any]
"""A row by column name."""

_EARLIEST = literal_column("DATE '0001-01-01'", Date)
"""Stands for an `as_of` that a foreign event does not tell."""
RECENT = 5
"""Sessions among which the newest that still holds is looked for."""
KEY = "key_"


class Cut(NamedTuple):
    """Which part of a list: after which key (None: from its beginning), and at most how many rows."""

    after: tuple[Any, date] | None
    limit: int


class Page(NamedTuple):
    """Rows, and the key after which the next page begins; None at the end."""

    rows: list[Found]
    next: tuple[Any, date] | None


def of_symbol(
    where: Connection | Engine, table: Table, symbol: str, span: tuple[date, date], cut: Cut
) -> Page:
    """List a symbol's rows of the sessions of a span, both ends included, newest session first.

    Raises:
        TryAgainError: the database is away.
    """
    since, until = span
    query = _of_symbol(table, goes_on=cut.after is not None)
    return _page(where, query, cut, symbol=symbol, since=since, until=until)


def of_session(engine: Engine, table: Table, day: date, cut: Cut) -> Page:
    """List the rows of all symbols about one session, by symbol; raises as `of_symbol` does."""
    return _page(engine, _of_session(table, goes_on=cut.after is not None), cut, day=day)


def newest_session(engine: Engine, table: Table, until: date) -> date | None:
    """Name the newest session up to a day of which a table holds anything valid; raises as `of_symbol`."""
    recent, held = _newest_session(table)
    with reading(engine) as connection:
        days = list(connection.execute(recent, {"until": until}).scalars())
        return connection.execute(held, {"days": days}).scalar()


# Queries are built once: that takes longer than the database needs for most of them.


@cache
def _of_symbol(table: Table, *, goes_on: bool) -> Select[Any]:
    told = table.c
    of = (told.symbol == bindparam("symbol"), told.date.between(bindparam("since"), bindparam("until")))
    newest = _newest(table, (told.date, _from(table)), of, backwards=True)
    return _part(newest, goes_on=goes_on, backwards=True)


@cache
def _of_session(table: Table, *, goes_on: bool) -> Select[Any]:
    told = table.c
    newest = _newest(table, (told.symbol, _from(table)), (told.date == bindparam("day"),), backwards=False)
    return _part(newest, goes_on=goes_on, backwards=False)


@cache
def _newest_session(table: Table) -> tuple[Select[Any], Select[Any]]:
    """Select the recent sessions, and of those the newest one that still holds."""
    told = table.c
    known = told.date <= bindparam("until")
    recent = select(told.date).distinct().where(known).order_by(told.date.desc()).limit(RECENT)
    of = (told.date.in_(bindparam("days", expanding=True)),)
    rows = _newest(table, (told.date, told.symbol, _from(table)), of, backwards=False).subquery()
    return recent, select(func.max(rows.c.date)).where(not_(rows.c.retracted))


def _from(table: Table) -> ColumnElement[Any]:
    """Name the session that a row was made from; a close is its own."""
    return func.coalesce(table.c.as_of, _EARLIEST) if "as_of" in table.c else table.c.date


def _newest(
    table: Table, key: Sequence[ColumnElement[Any]], where: Sequence[ColumnElement[bool]], *, backwards: bool
) -> Select[Any]:
    """Select the newest revision of each key, in the order of the keys, with the keys' parts named."""
    named = (part.label(f"{KEY}{number}") for number, part in enumerate(key))
    ordered = [part.desc() if backwards else part for part in key]
    return select(table, *named).where(*where).distinct(*key).order_by(*ordered, text(NEWEST_FIRST))


def _part(newest: Select[Any], *, goes_on: bool, backwards: bool) -> Select[Any]:
    """Select at most so many rows that hold, from the beginning or behind a key."""
    rows = newest.subquery()
    key = (rows.c[f"{KEY}0"], rows.c[f"{KEY}1"])
    query = select(rows).where(not_(rows.c.retracted))
    if goes_on:
        place = tuple_(*key)
        after = tuple_(*(bindparam(f"after_{number}", type_=part.type) for number, part in enumerate(key)))
        query = query.where(place < after if backwards else place > after)
    return query.order_by(*(part.desc() if backwards else part for part in key)).limit(bindparam("most"))


def _page(where: Connection | Engine, query: Select[Any], cut: Cut, **of: Any) -> Page:
    after = {f"after_{number}": part for number, part in enumerate(cut.after or ())}
    with reading(where) as connection:
        found = connection.execute(query, {**of, **after, "most": cut.limit + 1})
        names = tuple(found.keys())
        return _cut([dict(zip(names, row, strict=True)) for row in found], cut.limit)


def _cut(found: list[Found], limit: int) -> Page:
    """Take one row more than wanted for the sign that there is a next page."""
    keys = [(row.pop(f"{KEY}0"), row.pop(f"{KEY}1")) for row in found]
    return Page(found[:limit], keys[limit - 1] if len(found) > limit else None)
