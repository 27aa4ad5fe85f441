"""The join's queries stay probes of an index, whatever the planner thinks of its tables."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg.types.json import Json
from sqlalchemy import Connection, text

from infra.database import join_expiry, join_memory, refused
from infra.database.connection import driver, engine
from infra.settings import Settings

pytestmark = pytest.mark.stack

PARTITION, FRESH, ROWS, SYMBOLS = 900, 901, 40_000, 200
FIRST = date(2020, 1, 1)
KEYS, SESSIONS = 50, 2
PROBED = 10
"""Rows that are read for a key, at most: those that it asks for, and what shares their pages of an index."""


@pytest.fixture(scope="module")
def connection(servers: Settings) -> Iterator[Connection]:
    """A long history in a partition of its own, and a planner that thinks nothing of probing row by row.

    So it does whatever else it can: what is left are the fences.
    """
    with engine(servers).connect() as connection, connection.begin() as passing:
        for topic, more in (("predictions", "1, NULL, NULL, NULL, 'v1', 0"), ("actuals", "1, 0")):
            connection.execute(
                text(f"""
                    INSERT INTO private.join_{topic}
                    SELECT :partition, n, 'e' || n, 'c', 'S' || n % :symbols, d, d - 1, {more}
                    FROM (SELECT n, CAST(:first AS date) + n / :symbols AS d
                          FROM generate_series(0, :rows - 1) AS n) AS r
                """),  # noqa: S608  (our own text)
                {"partition": PARTITION, "symbols": SYMBOLS, "first": FIRST, "rows": ROWS},
            )
            connection.execute(text(f"ANALYZE private.join_{topic}"))
        connection.execute(text("SET LOCAL enable_nestloop = off"))
        yield connection
        passing.rollback()


def read_by(connection: Connection, query: str, values: dict[str, Any]) -> dict[str, int]:
    """Run a query; tells how many rows were read of each table, also those that were left out then."""
    with driver(connection).cursor() as cursor:
        told = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), values).fetchone()
    found: dict[str, int] = {}
    nodes = [told[0][0]["Plan"]] if told else []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if name := node.get("Relation Name"):
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            found[name] = found.get(name, 0) + round(rows * node["Actual Loops"])
    return found


@pytest.mark.parametrize("topic", ["predictions", "actuals"])
def test_a_slice_looks_up_the_sessions_that_it_asks_for(connection: Connection, topic: str) -> None:
    """Of 200 sessions two, by their day and by their link."""
    days = [FIRST + timedelta(days=n) for n in range(SESSIONS)]
    links = [day - timedelta(days=1) for day in days]
    asked: dict[str, Any] = {
        "symbols": "\n".join(f"S{n}" for n in range(KEYS)),
        "days": " ".join(map(str, days)),
        "linked": " ".join(str(day + timedelta(days=topic == "predictions")) for day in days),
        "links": " ".join(map(str, links)),
        "partition": PARTITION,
        "before": ROWS,
        **join_memory.LeftOut().values(),
    }
    read = read_by(connection, join_memory._OLDER_OF[topic], asked)
    assert read == {f"join_{topic}": 2 * SESSIONS * SYMBOLS}


def test_repeats_are_looked_up_by_their_ids(connection: Connection) -> None:
    """A slice of repeats reads them alone."""
    asked = {
        "ids": Json([f"e{n}" for n in range(KEYS)]),
        "offsets": " ".join(str(ROWS + n) for n in range(KEYS)),
        "partition": PARTITION,
        "passed": ROWS,
        **join_memory.LeftOut().values(),
    }
    read = read_by(connection, join_memory._REPEATED_OF["actuals"], asked)
    assert read == {"join_actuals": KEYS}


def test_a_partition_that_is_new_is_looked_up_by_its_ids_as_well(connection: Connection) -> None:
    """Statistics from before it had rows would say that any index finds none of them."""
    connection.execute(text("SET LOCAL enable_nestloop = on"))
    fresh = text("""
        INSERT INTO private.join_actuals (partition, "offset", event_id, correlation_id, symbol, date,
            previous_date, actual_close, revision)
        SELECT :fresh, "offset", event_id, correlation_id, symbol, date, previous_date, actual_close, revision
        FROM private.join_actuals WHERE partition = :known
    """)
    connection.execute(fresh, {"known": PARTITION, "fresh": FRESH})
    ids = {"ids": Json([f"new{n}" for n in range(KEYS)]), "offsets": " ".join(map(str, range(KEYS)))}
    more = {"partition": FRESH, "passed": ROWS, **join_memory.LeftOut().values()}
    assert read_by(connection, join_memory._REPEATED_OF["actuals"], ids | more) == {"join_actuals": 0}
    connection.execute(text("SET LOCAL enable_nestloop = off"))


def test_what_expires_is_looked_up_by_its_session(connection: Connection) -> None:
    """The predictions of one session, and for each of them the actuals that may have met it."""
    day = FIRST + timedelta(days=7)
    values = {
        "since": [day],
        "until": [day + timedelta(days=1)],
        "points": [0],
        "partition": PARTITION,
        "before": ROWS,
        **join_memory.LeftOut().values(),
    }
    read = read_by(connection, join_expiry._UNMET, values)
    assert read["join_predictions"] == SYMBOLS
    assert read["join_actuals"] <= SYMBOLS * PROBED


def test_letters_that_went_through_are_not_read(connection: Connection) -> None:
    """Of 40,000 letters of a partition the one that is open."""
    connection.execute(
        text("""
            INSERT INTO private.refused (flow, topic, partition, "offset", letter_id, resolved)
            SELECT 'planner', 'actuals', :partition, n, 'l' || n, n > 0 FROM generate_series(0, 39999) AS n
        """),
        {"partition": PARTITION},
    )
    connection.execute(text("ANALYZE private.refused"))
    named = refused._OPEN.replace("%s", "%({})s").format("topics", "numbers", "flow")
    asked = {"topics": ["actuals"], "numbers": [PARTITION], "flow": "planner"}
    assert read_by(connection, named, asked) == {"refused": 1}
