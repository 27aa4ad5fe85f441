"""How far flows have come and how long it takes them, as the ledger and the events themselves tell."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from infra.database.connection import reading

Spot = tuple[str, str, int]
"""A flow, and a topic-partition that it reads."""
Tables = Mapping[str, Sequence[str]]
"""By topic the tables that hold its events."""

# live slices of a spot follow each other: the one with the highest start is the newest; it may be empty,
# where a pair's other side had all the news
_SLICE = """
    SELECT i.start, i."end", s.timestamp, s.run_id, s.payload -> 'model_versions' AS models
    FROM slice_ranges AS i JOIN slices AS s ON s.partition = i.partition AND s."offset" = i."offset"
    WHERE i.flow = w.flow AND NOT i.made AND i.topic = w.topic AND i.number = w.number {and_full}
    ORDER BY i.start DESC, i."offset" DESC LIMIT 1
"""
_NEWEST = f"""
    SELECT w.flow, w.topic, w.number, n."end", n.timestamp, n.run_id, n.models, f.start, f."end", f.timestamp
    FROM unnest(CAST(:flows AS text[]), CAST(:topics AS text[]), CAST(:numbers AS bigint[]))
        AS w (flow, topic, number)
    CROSS JOIN LATERAL ({_SLICE.format(and_full="")}) AS n
    LEFT JOIN LATERAL ({_SLICE.format(and_full='AND i.start < i."end"')}) AS f ON true
"""  # noqa: S608  (our own words)
_MOMENTS = """
    SELECT at, min(waiting), min(began) FROM (
        WITH w AS (
            SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:numbers AS bigint[]), CAST(:ends AS bigint[]),
                CAST(:begins AS bigint[]), CAST(:stops AS bigint[]))
            WITH ORDINALITY AS w (topic, number, "end", begin, stop, at)
        ) {each}
    ) AS found GROUP BY at
"""
_OF_TABLE = """
    SELECT w.at, (
        SELECT e.timestamp FROM {table} AS e WHERE e.partition = w.number AND e."offset" >= w."end"
        ORDER BY e."offset" LIMIT 1
    ) AS waiting, (
        SELECT e.timestamp FROM {table} AS e
        WHERE e.partition = w.number AND e."offset" >= w.begin AND e."offset" < w.stop
        ORDER BY e."offset" LIMIT 1
    ) AS began
    FROM w WHERE w.topic = '{topic}'
"""
_LAST = """
    SELECT p.topic, (
        SELECT e.timestamp FROM {table} AS e WHERE e.partition = p.partition ORDER BY e."offset" DESC LIMIT 1
    ) AS at
    FROM positions AS p WHERE p.topic = '{topic}'
"""


class Commit(NamedTuple):
    """A flow's newest slice on one partition: up to where, when (UTC), by which run and model versions.

    The last three are of the newest slice that held anything of this partition: its offsets, and when.
    """

    end: int
    at: datetime
    run_id: str
    models: list[str] | None = None
    began: int | None = None
    stopped: int | None = None
    worked_at: datetime | None = None


class Moments(NamedTuple):
    """When the oldest event was made that waits for a flow, and the oldest one of its newest slice."""

    waiting: datetime | None
    began: datetime | None


def newest_slices(engine: Engine, spots: Sequence[Spot]) -> dict[Spot, Commit]:
    """Find each flow's newest slice on each partition that it reads; one without any is left out.

    Raises:
        TryAgainError: the database is away.
    """
    flows, topics, numbers = (list(column) for column in zip(*spots, strict=True))
    rows = _rows(engine, _NEWEST, flows=flows, topics=topics, numbers=numbers)
    return {(flow, topic, int(number)): Commit(*rest) for flow, topic, number, *rest in rows}


def moments(
    engine: Engine, commits: Mapping[Spot, Commit], spots: Sequence[Spot], tables: Tables
) -> list[Moments]:
    """Find for each spot what waits there and what its newest slice began with; raises as `newest_slices`.

    Of features only the newest of each symbol are held: what they say is as near as it can be.
    """
    asked = [commits.get(spot) for spot in spots]
    parts = _union(_OF_TABLE, tables, {topic for _, topic, _ in spots})
    rows = _rows(
        engine,
        _MOMENTS.format(each=parts),
        topics=[topic for _, topic, _ in spots],
        numbers=[number for _, _, number in spots],
        ends=[one.end if one else 0 for one in asked],
        begins=[one.began if one else None for one in asked],
        stops=[one.stopped if one else None for one in asked],
    )
    found = {int(at): Moments(waiting, began) for at, waiting, began in rows}
    return [found.get(number, Moments(None, None)) for number in range(1, len(spots) + 1)]


def last_events(engine: Engine, tables: Tables) -> dict[str, datetime]:
    """Tell when the newest event of each topic was made; raises as `newest_slices` does."""
    found: dict[str, datetime] = {}
    for topic, at in _rows(engine, _union(_LAST, tables, tables)):
        if at is not None:
            found[topic] = max(at, found.get(topic, at))
    return found


def _union(part: str, tables: Tables, topics: Iterable[str]) -> str:
    wanted = ((topic, table) for topic in sorted(topics) for table in tables.get(topic, ()))
    return " UNION ALL ".join(part.format(topic=topic, table=table) for topic, table in wanted)


def _rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(text(query), values))
