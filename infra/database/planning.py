"""What the planner is to know of the tables, and what it must not guess from."""

from sqlalchemy import Connection, text

from infra.database.private_tables import PRIVATE, SIDES

_KEPT = """
    SELECT c.relname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY(:names) AND a.attname = 'partition'
        AND a.attstattarget IS DISTINCT FROM 0
"""


def keep_no_statistics(connection: Connection) -> None:
    """Let the planner know nothing of the partitions of the join's sides, which are old or new tables.

    Statistics from before a partition had rows say that it has none. Then an index looked best that finds a
    partition's rows and no more, and every id of a slice read all of them.
    """
    names = [table.name for table in SIDES]
    for name in connection.execute(text(_KEPT), {"schema": PRIVATE, "names": names}).scalars().all():
        connection.execute(text(f"ALTER TABLE {PRIVATE}.{name} ALTER COLUMN partition SET STATISTICS 0"))
