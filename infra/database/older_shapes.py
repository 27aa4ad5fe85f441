"""Tables of older versions: what can't be altered is dropped, and filled again from what it was made of."""

from sqlalchemy import Connection, Inspector, Table, inspect, text
from sqlalchemy.schema import CreateColumn

from infra.database.alerts_standing import alerts_standing
from infra.database.private_tables import PRIVATE, refused
from infra.database.tables import metadata

_JOIN = "join_"


def widen(connection: Connection) -> None:
    """Add to tables that are there the columns and indexes that came later; call it first of all.

    Such a column has a default or may be empty: it is, in old rows, until the table is rebuilt. How alerts
    stand is read again from them instead: where a column came, others may be computed in another way.
    """
    if _lacking(inspect(connection), alerts_standing):
        connection.execute(text(f"DROP TABLE {alerts_standing.name}"))
    found = inspect(connection)
    for table in metadata.sorted_tables:
        if not found.has_table(table.name, table.schema):
            continue
        there = {column["name"] for column in found.get_columns(table.name, table.schema)}
        may_come = (c for c in table.columns if c.nullable or c.server_default is not None)
        for column in [c for c in may_come if c.name not in there]:
            told = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {table.fullname} ADD COLUMN {told}"))
        indexed = {index["name"] for index in found.get_indexes(table.name, table.schema)}
        for index in [i for i in table.indexes if i.name not in indexed]:
            index.create(connection)


def give_way(connection: Connection) -> None:
    """Drop the join's memory where any table of it has another shape than ours; call it before creating.

    A join whose memory is gone stops, and says how it is filled. Of what was given up the join's part is in
    the topics as well, so that table only has to go where older versions kept too little of it.
    """
    found = inspect(connection)
    there = {name for name in found.get_table_names(PRIVATE) if name.startswith(_JOIN)}
    ours = {name: metadata.tables.get(f"{PRIVATE}.{name}") for name in there}
    doomed = [refused.name] if _lacking(found, refused) else []
    if doomed or any(table is None or not _fits(found, table) for table in ours.values()):
        doomed += sorted(there)
    if doomed:
        connection.execute(text(f"DROP TABLE {', '.join(f'{PRIVATE}.{name}' for name in doomed)}"))


def _lacking(found: Inspector, table: Table) -> bool:
    """Tell whether a table that is there lacks columns of ours."""
    if not found.has_table(table.name, table.schema):
        return False
    return bool({column.name for column in table.columns} - set(_columns(found, table)))


def _columns(found: Inspector, table: Table) -> list[str]:
    return [column["name"] for column in found.get_columns(table.name, table.schema)]


def _fits(found: Inspector, table: Table) -> bool:
    """Tell whether a table has our columns and our key."""
    key = found.get_pk_constraint(table.name, PRIVATE)["constrained_columns"]
    ours = [column.name for column in table.primary_key]
    return key == ours and set(_columns(found, table)) == {column.name for column in table.columns}
