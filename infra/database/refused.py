"""Which records a flow gave up as dead letters, so that what they left in its private state does not count.

A letter is committed by Kafka and noted here, one after the other. So it is noted as intended first, then
committed, then confirmed. Who finds an intended one of a record that the flow has passed looks whether the
letter is there: either it is, or the record went through after all. Nothing that a process does too late can
change that.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from infra.database.connection import driver, transaction
from infra.kafka.records import Place


class Refused(NamedTuple):
    """A record that was given up; or is to be, where `letters_from` says where its letter would lie."""

    place: Place
    letter_id: str
    letters_from: int | None


_ROWS = "SELECT %s, * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::text[])"
_INTEND = f"""
    INSERT INTO private.refused (flow, topic, partition, "offset", letter_id, letters_from)
    SELECT r.*, %s FROM ({_ROWS}) AS r ON CONFLICT DO NOTHING
"""  # noqa: S608
_CONFIRM = f"""
    INSERT INTO private.refused (flow, topic, partition, "offset", letter_id) {_ROWS}
    ON CONFLICT (flow, topic, partition, "offset") DO UPDATE SET letters_from = NULL
"""
_WITHDRAW = """
    DELETE FROM private.refused AS r
    USING unnest(%s::text[], %s::int[], %s::bigint[]) AS k (topic, number, at)
    WHERE r.flow = %s AND r.topic = k.topic AND r.partition = k.number AND r."offset" = k.at
        AND r.letters_from IS NOT NULL
"""
_LISTED = """
    SELECT r.topic, r.partition, r."offset", r.letter_id, r.letters_from FROM private.refused AS r
    JOIN unnest(%s::text[], %s::int[]) AS k (topic, number) ON r.topic = k.topic AND r.partition = k.number
    WHERE r.flow = %s
"""


def intend(where: Connection | Engine, flow: str, letters: Mapping[Place, str], letters_from: int) -> None:
    """Note letters (ids by place) that are about to be committed. Raises TryAgainError: no database."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_INTEND.encode(), (letters_from, flow, *_columns(letters)))


def confirm(where: Connection | Engine, flow: str, letters: Mapping[Place, str]) -> None:
    """Note letters that are committed. Raises TryAgainError: no database."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_CONFIRM.encode(), (flow, *_columns(letters)))


def withdraw(where: Connection | Engine, flow: str, places: Iterable[Place]) -> None:
    """Forget letters that were intended and never committed. Raises TryAgainError: no database."""
    columns = _columns(dict.fromkeys(places, ""))[:3]
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_WITHDRAW, (*columns, flow))


def listed(where: Connection | Engine, flow: str, partitions: Iterable[tuple[str, int]]) -> list[Refused]:
    """List what a flow gave up, or meant to, of some partitions. Raises TryAgainError: no database."""
    topics, numbers = zip(*partitions, strict=True)
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        rows = cursor.execute(_LISTED, (list(topics), list(numbers), flow)).fetchall()
    return [Refused(Place(*row[:3]), *row[3:]) for row in rows]


def _columns(letters: Mapping[Place, str]) -> tuple[list[str], list[int], list[int], list[str]]:
    topics, numbers, offsets = ([place[n] for place in letters] for n in range(3))
    return topics, numbers, offsets, list(letters.values())  # type: ignore[return-value]
