"""Dead letters with their story, from the read side."""

from typing import Any

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.reads.newest import Found

_STORY = """
    SELECT l.letter_id, l.flow, l.error_class, l.source_topic, l.source_partition, l.source_offset, l.run_id,
        l.timestamp, l.size, l."offset", coalesce(s.why, l.reason) AS reason,
        greatest(1, coalesce(s.attempts, 1)) AS attempts, coalesce(s.resolved, false) AS resolved
    FROM dead_letters AS l
    LEFT JOIN LATERAL (
        SELECT max(attempt) FILTER (WHERE event_type = 'LetterRetried') AS attempts,
            bool_or(event_type = 'LetterResolved') AS resolved,
            (array_agg(payload ->> 'reason' ORDER BY partition DESC, "offset" DESC)
                FILTER (WHERE event_type = 'LetterRetried'))[1] AS why
        FROM redrives AS e WHERE e.letter_id = l.letter_id
    ) AS s ON true
    WHERE l.partition = 0
"""
# The topic has one partition: said so, the primary key gives the newest without sorting them all.
_LISTED = f"""
    SELECT * FROM ({_STORY}) AS s
    WHERE (CAST(:resolved AS boolean) IS NULL OR s.resolved = :resolved)
        AND (CAST(:flow AS text) IS NULL OR s.flow = :flow) AND s."offset" < :before
    ORDER BY s."offset" DESC LIMIT :most
"""  # noqa: S608  (our own column names)
_ONE = f"""
    SELECT s.*, d.headers, d.key, d.value FROM ({_STORY}) AS s JOIN dead_letters AS d USING (letter_id)
    WHERE s.letter_id = :letter_id
"""  # noqa: S608
_OPEN = """
    SELECT coalesce(l.flow, ''), count(*) FROM dead_letters AS l
    WHERE NOT EXISTS (
        SELECT FROM redrives AS e WHERE e.letter_id = l.letter_id AND e.event_type = 'LetterResolved'
    ) GROUP BY 1
"""


def listed(
    engine: Engine, *, before: int, limit: int, resolved: bool | None = None, flow: str | None = None
) -> list[Found]:
    """List letters, newest first, that lie before an offset; `resolved` None takes both.

    Raises:
        TryAgainError: the database is away.
    """
    return [
        dict(row) for row in _rows(engine, _LISTED, before=before, most=limit, resolved=resolved, flow=flow)
    ]


def one(engine: Engine, letter_id: str) -> Found | None:
    """Find a letter by its id, with headers, key and value; raises as `listed` does."""
    return next((dict(row) for row in _rows(engine, _ONE, letter_id=letter_id)), None)


def still_open(engine: Engine) -> dict[str, int]:
    """Count the open letters of each flow; raises as `listed` does."""
    with reading(engine) as connection:
        return {flow: count for flow, count in connection.execute(text(_OPEN))}  # noqa: C416


def _rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(text(query), values).mappings())
