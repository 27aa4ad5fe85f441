"""Private tables of older versions: what can't be altered is dropped, and filled again from the topics."""

from sqlalchemy import Connection, Inspector, Table, inspect, text

from infra.database.private_tables import PRIVATE, refused
from infra.database.tables import metadata

_JOIN = "join_"


def give_way(connection: Connection) -> None:
    """Drop the join's memory where any table of it has another shape than ours; call it before creating.

    A join whose memory is gone stops, and says how it is filled. Of what was given up the join's part is in
    the topics as well, so that table only has to go where older versions kept too little of it.
    """
    found = inspect(connection)
    there = {name for name in found.get_table_names(PRIVATE) if name.startswith(_JOIN)}
    ours = {name: metadata.tables.get(f"{PRIVATE}.{name}") for name in there}
    letters = _is_there(found, refused) and _lacking(found, refused)
    doomed = [refused.name] if letters and letters != {"resolved"} else []
    if doomed or any(table is None or not _fits(found, table) for table in ours.values()):
        doomed += sorted(there)
    if doomed:
        connection.execute(text(f"DROP TABLE {', '.join(f'{PRIVATE}.{name}' for name in doomed)}"))
    elif letters:
        connection.execute(text(_RESOLVED))
        for index in refused.indexes:
            index.create(connection, checkfirst=True)


_RESOLVED = f"ALTER TABLE {PRIVATE}.refused ADD COLUMN resolved boolean NOT NULL DEFAULT false"


def _is_there(found: Inspector, table: Table) -> bool:
    return found.has_table(table.name, PRIVATE)


def _lacking(found: Inspector, table: Table) -> set[str]:
    """Name the columns of ours that a table lacks."""
    return {column.name for column in table.columns} - set(_columns(found, table))


def _columns(found: Inspector, table: Table) -> list[str]:
    return [column["name"] for column in found.get_columns(table.name, PRIVATE)]


def _fits(found: Inspector, table: Table) -> bool:
    """Tell whether a table has our columns and our key."""
    key = found.get_pk_constraint(table.name, PRIVATE)["constrained_columns"]
    ours = [column.name for column in table.primary_key]
    return key == ours and set(_columns(found, table)) == {column.name for column in table.columns}
