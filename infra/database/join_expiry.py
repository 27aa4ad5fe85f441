"""Which remembered predictions nothing met, by the sessions that appeared since."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from infra.database.connection import driver
from infra.database.join_memory import PREDICTION_COLUMNS, LeftOut, Row, Span, appeared, counting

_COLUMNS = ", ".join(f'i."{column}"' for column in PREDICTION_COLUMNS)
_HORIZON = f"""
    SELECT DISTINCT s.date FROM private.join_sessions AS s
    WHERE s.partition = %(partition)s AND s.first_offset < %(below)s
        AND {appeared("s")}
    ORDER BY s.date DESC OFFSET %(newer)s LIMIT 1
"""  # noqa: S608
_SESSIONS = f"""
    SELECT s.date, min(s.first_offset) FROM private.join_sessions AS s
    WHERE s.partition = %(partition)s AND s.date > %(day)s AND {appeared("s")}
    GROUP BY s.date ORDER BY s.date
"""  # noqa: S608
# OFFSET 0 keeps the planner from reading all actuals at once: it is a probe of an index for each prediction
_UNMET = f"""
    SELECT p.*
    FROM unnest(%(since)s::date[], %(until)s::date[], %(points)s::bigint[]) AS e (since, until, point)
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM private.join_predictions AS i
        WHERE i.partition = %(partition)s AND i.date >= e.since AND i.date < e.until
            AND i."offset" < %(before)s AND {counting("i", "predictions")} OFFSET 0
    ) AS p
    WHERE NOT EXISTS (
        SELECT FROM private.join_actuals AS a
        WHERE a.partition = p.partition AND a.date = p.date AND a.symbol = p.symbol
            AND a."offset" <= e.point AND {counting("a", "actuals")} OFFSET 0
    ) AND NOT EXISTS (
        SELECT FROM private.join_actuals AS a
        WHERE a.partition = p.partition AND a.previous_date = p.as_of AND a.symbol = p.symbol
            AND a.date > p.date AND a."offset" <= e.point AND {counting("a", "actuals")} OFFSET 0
    )
    ORDER BY p."offset"
"""  # noqa: S608  (our own column names)

Step = tuple[date, date, int]
"""From a session on, before a session, and the offset at which predictions of sessions between expire."""


def horizons(
    connection: Connection, span: Span, sessions: int, left_out: LeftOut
) -> tuple[date | None, date | None]:
    """Give the sessions before which predictions have expired: at the slice's start, and at its end.

    That is the `sessions`-th newest that had appeared by then; None where fewer had.
    """
    with driver(connection).cursor() as cursor:
        found = []
        for below in span.actuals:
            values = {"partition": span.partition, "below": below, "newer": sessions - 1}
            row = cursor.execute(
                _HORIZON.encode(), values | {"unseen": list(left_out.ever_actuals)}
            ).fetchone()
            found.append(row[0] if row else None)
    return found[0], found[1]


def sessions_after(
    connection: Connection, span: Span, day: date, left_out: LeftOut
) -> list[tuple[date, int]]:
    """List the sessions after a day, oldest first, and where they appeared.

    Those that a failed attempt noted beyond the slice's end are there too: they can't be among the first.
    """
    values = {"partition": span.partition, "day": day, "unseen": list(left_out.ever_actuals)}
    with driver(connection).cursor() as cursor:
        return cursor.execute(_SESSIONS.encode(), values).fetchall()


def unmet(connection: Connection, span: Span, steps: Sequence[Step], left_out: LeftOut) -> list[Row]:
    """List predictions from before the slice that no actual met up to where they expire."""
    values = {
        "since": [since for since, _, _ in steps],
        "until": [until for _, until, _ in steps],
        "points": [point for _, _, point in steps],
        "partition": span.partition,
        "before": span.predictions[0],
        **left_out.values(),
    }
    with driver(connection).cursor(binary=True) as cursor:
        return cursor.execute(_UNMET.encode(), values).fetchall()
