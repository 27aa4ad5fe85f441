"""Dead letters with their story, from the read side."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Select, func, not_, select, text

from infra.database.connection import reading
from infra.database.letters_standing import letters_standing
from infra.database.reads.newest import Found

_TOLD = """
    SELECT l.letter_id, l.flow, l.error_class, l.source_topic, l.source_partition, l.source_offset, l.run_id,
        l.timestamp, l.size, l."offset", coalesce(t.why, l.reason) AS reason,
        greatest(1, coalesce(t.attempts, 1)) AS attempts, s.resolved {more}
    FROM unnest(CAST(:ids AS text[])) AS w (letter_id)
    JOIN letters_standing AS s USING (letter_id)
    JOIN dead_letters AS l USING (letter_id)
    LEFT JOIN LATERAL (
        SELECT max(attempt) AS attempts,
            (array_agg(payload ->> 'reason' ORDER BY partition DESC, "offset" DESC))[1] AS why
        FROM redrives AS e WHERE e.letter_id = l.letter_id AND e.event_type = 'LetterRetried'
    ) AS t ON true
    ORDER BY l."offset" DESC
"""
_LINES = _TOLD.format(more="")
_WHOLE = _TOLD.format(more=", l.headers, l.key, l.value")


def listed(
    engine: Engine, *, before: int, limit: int, resolved: bool | None = None, flow: str | None = None
) -> list[Found]:
    """List letters, newest first, that lie before an offset; `resolved` None takes both.

    Raises:
        TryAgainError: the database is away.
    """
    with reading(engine) as connection:
        ids = connection.execute(_page(before, limit, resolved, flow)).scalars().all()
    return _told(engine, _LINES, ids)


def one(engine: Engine, letter_id: str) -> Found | None:
    """Find a letter by its id, with headers, key and value; raises as `listed` does."""
    return next(iter(_told(engine, _WHOLE, [letter_id])), None)


def still_open(engine: Engine) -> dict[str, int]:
    """Count the open letters of each flow; raises as `listed` does."""
    told = letters_standing.c
    flow = func.coalesce(told.flow, "")
    query = select(flow, func.count()).where(not_(told.resolved)).group_by(flow)
    with reading(engine) as connection:
        return {str(name): int(count) for name, count in connection.execute(query)}


def _page(before: int, limit: int, resolved: bool | None, flow: str | None) -> Select[Any]:
    """Select a page's ids; each condition that is asked for has an index in the order of the offsets."""
    told = letters_standing.c
    query = select(told.letter_id).where(told.offset < before)
    if resolved is not None:
        query = query.where(told.resolved if resolved else not_(told.resolved))
    if flow is not None:
        query = query.where(told.flow == flow)
    return query.order_by(told.offset.desc()).limit(limit)


def _told(engine: Engine, query: str, ids: Sequence[str]) -> list[Found]:
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(query), {"ids": list(ids)}).mappings()]
