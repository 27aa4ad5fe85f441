"""Writing the read side: rows and positions together or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from infra.database import alerts_standing, letters_standing, tables
from infra.database.bulk import Keep, copy_rows
from infra.database.connection import transaction
from infra.errors import ReplanError

Positions = Mapping[tuple[str, int], int]
"""Next offset by (topic, partition)."""
Rows = Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]
"""By table the names of its columns, and rows."""

_FIRST_EVENT = Keep("event_id", ("partition", "offset"))
_KEEP = {
    "dead_letters": Keep("letter_id", ("partition", "offset")),
    "slice_ranges": Keep("range_id", ("partition", "offset")),
    "latest_features": Keep("symbol", ("date", "revision", "offset", "partition"), smallest=False),
}


def positions(
    engine: Engine, projector: str, partitions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Look up a projector's next offset of each topic-partition; those never stored are left out."""
    table = tables.positions.c
    wanted = tuple_(table.topic, table.partition).in_(list(partitions))
    query = select(table.topic, table.partition, table.next_offset).where(
        table.projector == projector, wanted
    )
    with transaction(engine) as connection:
        return {(topic, partition): offset for topic, partition, offset in connection.execute(query)}


def store(
    engine: Engine,
    projector: str,
    rows: Rows,
    starts: Positions,
    ends: Positions,
) -> int:
    """Store rows and the positions after them in one transaction.

    Returns:
        How many rows were inserted or replaced; an event delivered twice counts once.

    Raises:
        ReplanError: the stored positions are not `starts`: another process projects as well.
        TryAgainError: the database is away; whether it stored anything, its positions will tell.
    """
    with transaction(engine) as connection:
        _advance(connection, projector, starts, ends)
        stored = sum(
            copy_rows(
                connection, tables.metadata.tables[name], columns, values, _KEEP.get(name, _FIRST_EVENT)
            )
            for name, (columns, values) in rows.items()
            if values
        )
        if told := _values(rows, "alerts", "offset"):
            alerts_standing.add(connection, told)
        if about := {*_values(rows, "dead_letters", "letter_id"), *_values(rows, "redrives", "letter_id")}:
            letters_standing.add(connection, about)
        return stored


def _values(rows: Rows, table: str, column: str) -> list[Any]:
    """List what a table's new rows have in a column."""
    columns, values = rows.get(table, ((), ()))
    at = columns.index(column) if values else 0
    return [row[at] for row in values]


def _advance(connection: Connection, projector: str, starts: Positions, ends: Positions) -> None:
    """Move the positions, if they are where this batch began; the rows stay locked until the commit."""
    for place, end in ends.items():
        start = starts.get(place, 0)
        move = _begin if start == 0 else _move
        if not move(connection, projector, place, start, end):
            message = (
                f"{projector} is no longer at {start} of {place[0]}-{place[1]}: another process moved it"
            )
            raise ReplanError(message)


def _begin(connection: Connection, projector: str, place: tuple[str, int], start: int, end: int) -> bool:
    """Insert a position; one that is there has to be at the start, as for a partition that was empty."""
    statement = insert(tables.positions).values(
        projector=projector, topic=place[0], partition=place[1], next_offset=end
    )
    begun = statement.on_conflict_do_update(
        index_elements=["projector", "topic", "partition"],
        set_={"next_offset": end, "updated_at": func.now()},
        where=tables.positions.c.next_offset == start,
    ).returning(tables.positions.c.next_offset)
    return connection.execute(begun).one_or_none() is not None


def _move(connection: Connection, projector: str, place: tuple[str, int], start: int, end: int) -> bool:
    """Move a position that is there: where it is missing, somebody dropped the projection meanwhile."""
    table = tables.positions
    where = (
        table.c.projector == projector,
        table.c.topic == place[0],
        table.c.partition == place[1],
        table.c.next_offset == start,
    )
    moved = update(table).where(*where).values(next_offset=end, updated_at=func.now())
    return connection.execute(moved.returning(table.c.next_offset)).one_or_none() is not None
