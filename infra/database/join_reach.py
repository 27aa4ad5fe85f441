"""Up to where the join's memory is complete, and a row of each topic that has to be there then."""

from collections.abc import Mapping
from itertools import count

from sqlalchemy import Connection

from infra.database.connection import driver
from infra.database.join_memory import FLOW, LeftOut, Span
from infra.database.refused import within
from infra.errors import StopError

TOPICS = ("predictions", "actuals")
_REACHED = """
    SELECT r.topic, r.reached,
        r.witness IS NULL OR EXISTS (
            SELECT FROM private.join_predictions AS i
            WHERE r.topic = 'predictions' AND i.partition = r.partition AND i.event_id = r.witness
        ) OR EXISTS (
            SELECT FROM private.join_actuals AS i JOIN private.join_sessions AS s USING (partition, date)
            WHERE r.topic = 'actuals' AND i.partition = r.partition AND i.event_id = r.witness
        )
    FROM private.join_reach AS r WHERE r.partition = %s
"""
_REACH = """
    INSERT INTO private.join_reach AS old (topic, partition, reached, witness) VALUES (%s, %s, %s, %s)
    ON CONFLICT (topic, partition) DO UPDATE
    SET reached = EXCLUDED.reached, witness = COALESCE(EXCLUDED.witness, old.witness)
    WHERE old.reached < EXCLUDED.reached
"""


def reached(connection: Connection, partition: int) -> dict[str, int]:
    """Tell up to which offset of each topic the memory is complete; 0 where what it should hold is gone."""
    with driver(connection).cursor() as cursor:
        rows = cursor.execute(_REACHED, (partition,)).fetchall()
    found = {topic: int(end) if there else 0 for topic, end, there in rows}
    return {topic: found.get(topic, 0) for topic in TOPICS}


def require(connection: Connection, span: Span, left_out: LeftOut) -> None:
    """Refuse to join on a memory that does not reach up to the slice; what was given up is not missed.

    Raises:
        StopError: rows are missing, so pairs would be missed.
    """
    found = reached(connection, span.partition)
    for topic, start, given_up in (
        ("predictions", span.predictions[0], set(left_out.ever_predictions)),
        ("actuals", span.actuals[0], set(left_out.ever_actuals)),
    ):
        if found[topic] < start:
            given_up.update(within(connection, FLOW, (topic, span.partition), found[topic], start))
        end = next(offset for offset in count(found[topic]) if offset not in given_up)
        if end < start:
            message = (
                f"the join's memory of {topic}-{span.partition} reaches to offset {end}, but the"
                f" join stands at {start}: pairs would be missed. Fill it again from the topics with"
                f" 'nepse rebuild --join', then start the sensor again"
            )
            raise StopError(message)


def reach(connection: Connection, span: Span, witnesses: Mapping[str, str | None]) -> None:
    """Note that everything below the slice's ends is remembered; never less than was noted before."""
    with driver(connection).cursor() as cursor:
        for topic, end in (("predictions", span.predictions[1]), ("actuals", span.actuals[1])):
            cursor.execute(_REACH, (topic, span.partition, end, witnesses.get(topic)))


def forget_reach(connection: Connection, partition: int) -> None:
    """Note that nothing is certain to be remembered."""
    with driver(connection).cursor() as cursor:
        cursor.execute("DELETE FROM private.join_reach WHERE partition = %s", (partition,))
