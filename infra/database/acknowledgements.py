"""Which alerts somebody looks after, by the offsets of `alerts`: a slice sees what lies below its start."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.dialects.postgresql import insert

from infra.database.bulk import any_of
from infra.database.connection import transaction
from infra.database.private_tables import acknowledgements as table

Row = tuple[str, int, str, int | None]
"""The alert, since which offset, at which severity, until which offset."""
# The read side may not know an end yet that an earlier slice saw, and kept; what was acknowledged it knows.
_SEVERITIES = text(f"""
    SELECT DISTINCT ON (alert_id) alert_id, severity FROM (
        SELECT alert_id, "offset",
            CASE event_type WHEN 'AlertRaised' THEN payload ->> 'severity' END AS severity
        FROM alerts WHERE event_type IN ('AlertRaised', 'AlertResolved')
        UNION ALL SELECT alert_id, over_at, NULL FROM {table.fullname}
    ) AS said
    WHERE alert_id = ANY (CAST(:ids AS text[])) AND "offset" < :below
    ORDER BY alert_id, "offset" DESC, severity NULLS LAST
""")  # noqa: S608  (our own table)


def standing(where: Connection | Engine, alert_ids: Iterable[str], below: int) -> list[Row]:
    """Name the alerts that are looked after where an offset is reached. Raises TryAgainError: no database."""
    lasts = table.c.over_at.is_(None) | (table.c.over_at >= below)
    mine = (table.c.alert_id == any_of(alert_ids)) & (table.c.offset < below) & lasts
    query = select(table.c.alert_id, table.c.offset, table.c.severity, table.c.over_at).where(mine)
    with transaction(where) as connection:
        return [(str(a), int(o), str(s), e) for a, o, s, e in connection.execute(query)]


def store(where: Connection | Engine, rows: Iterable[Row]) -> None:
    """Store who is looked after; what is there is replaced. Raises TryAgainError: no database."""
    with transaction(where) as connection:
        for alert_id, offset, severity, over_at in rows:
            values = {"alert_id": alert_id, "offset": offset, "severity": severity, "over_at": over_at}
            new = insert(table).values(**values)
            keys = ["alert_id", "offset"]
            connection.execute(new.on_conflict_do_update(index_elements=keys, set_={"over_at": over_at}))


def severities(engine: Engine, alert_ids: Iterable[str], below: int) -> dict[str, str | None]:
    """Tell what alerts were last raised at, as far as the read side knows; None: it is over.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(engine) as connection:
        found = connection.execute(_SEVERITIES, {"ids": list(alert_ids), "below": below})
        return {str(name): severity for name, severity in found}
