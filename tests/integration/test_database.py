"""The read side and the flows' private state, on a real Postgres."""

import uuid
from datetime import UTC, date, datetime
from functools import partial

import pytest
from psycopg.pq import TransactionStatus
from pydantic import SecretStr
from sqlalchemy import inspect, select

from infra.database import bulk, connection, projected, state, tables
from infra.errors import ReplanError, TryAgainError
from infra.settings import Settings

pytestmark = pytest.mark.stack

DAY, NEXT, THIRD = date(2024, 3, 3), date(2024, 3, 4), date(2024, 3, 5)
COLUMNS = (
    "partition",
    "offset",
    "event_id",
    "timestamp",
    "producer",
    "symbol",
    "date",
    "actual_close",
    "revision",
    "retracted",
)


@pytest.fixture
def engine(stack: Settings) -> connection.Engine:
    """The database with its tables."""
    connection.create(stack)
    connection.create(stack)  # twice does no harm
    return connection.engine(stack)


@pytest.fixture
def name() -> str:
    """A name of this test's own."""
    return f"test-{uuid.uuid4().hex}"


def close(offset: int, event_id: str, value: float = 1.0) -> tuple[object, ...]:
    """A row of the actuals, in a partition that no topic has."""
    return (999, offset, event_id, datetime.now(UTC), "test", "ZZTEST", DAY, value, 0, False)


def stored(engine: connection.Engine, prefix: str) -> list[tuple[int, str]]:
    """The test's own actuals."""
    table = tables.actuals.c
    query = (
        select(table.offset, table.event_id).where(table.event_id.startswith(prefix)).order_by(table.offset)
    )
    with engine.connect() as open_:
        return [(offset, event_id) for offset, event_id in open_.execute(query)]


def test_a_table_of_an_older_version_is_completed(stack: Settings, engine: connection.Engine) -> None:
    """Columns that may be empty, columns with a default and indexes that it lacks are there after a start."""
    table = tables.shadow_predictions.name
    with engine.begin() as open_:
        for lost in ("COLUMN correlation_id", "COLUMN retracted"):
            open_.exec_driver_sql(f"ALTER TABLE {table} DROP {lost}")
        open_.exec_driver_sql(f"DROP INDEX {table}_date")
    connection.create(stack)
    found = inspect(engine)
    columns = {column["name"]: column for column in found.get_columns(table)}
    assert columns["correlation_id"]["nullable"]
    assert columns["retracted"]["default"] == "false"
    assert f"{table}_date" in {index["name"] for index in found.get_indexes(table)}


def test_rows_and_positions_are_one_transaction(engine: connection.Engine, name: str) -> None:
    """A batch that continues from elsewhere stores nothing at all."""
    base = uuid.uuid4().int % 2**40
    place = ("actuals", 999)
    batch = {"actuals": (COLUMNS, [close(base, name + "a"), close(base + 1, name + "b")])}
    assert projected.store(engine, name, batch, {}, {place: 2}) == 2
    late = {"actuals": (COLUMNS, [close(base + 2, name + "c")])}
    for start in (0, 1):
        with pytest.raises(ReplanError, match=f"no longer at {start}"):
            projected.store(engine, name, late, {place: start}, {place: 3})
    assert stored(engine, name) == [(base, name + "a"), (base + 1, name + "b")]
    assert projected.positions(engine, name, [place, ("actuals", 998)]) == {place: 2}


def test_an_event_delivered_twice_is_one_row(engine: connection.Engine, name: str) -> None:
    """The lowest place stays, in whichever order the deliveries are seen."""
    base = uuid.uuid4().int % 2**40
    for end, offset in enumerate((base + 5, base + 1, base + 9), start=1):
        batch = {"actuals": (COLUMNS, [close(offset, name)])}
        projected.store(engine, name, batch, {("a", 0): end - 1}, {("a", 0): end})
    assert stored(engine, name) == [(base + 1, name)]


def test_something_else_is_done_while_rows_are_on_their_way(engine: connection.Engine, name: str) -> None:
    """Once, in the midst of the copying, also where a row is there already, and stays."""
    base, seen = uuid.uuid4().int % 2**40, list[TransactionStatus]()
    first, second = close(base, name + "a", 1.0), close(base + 1, name + "b", 2.0)
    with engine.begin() as open_:

        def append(*rows: tuple[object, ...]) -> int:
            look = partial(getattr, connection.driver(open_).info, "transaction_status")
            return bulk.append_rows(open_, tables.actuals, COLUMNS, rows, lambda: seen.append(look()))

        assert [append(first), append(), append(close(base, name + "a", 9.0), second)] == [1, 0, 1]
    assert seen == [TransactionStatus.ACTIVE] * 2
    query = select(tables.actuals.c.actual_close).where(tables.actuals.c.event_id.startswith(name))
    with engine.connect() as open_:
        assert sorted(open_.scalars(query)) == [1.0, 2.0]


def test_a_window_is_a_flows_own(engine: connection.Engine, name: str) -> None:
    """Sessions from a day on, below the ends, of this flow."""
    rows = [
        state.WindowInput("errors", 0, n, f"e{n}", "NABIL", day, {"abs_error": float(n)})
        for n, day in enumerate((DAY, NEXT, THIRD, THIRD))
    ]
    assert state.append_window(engine, name, rows) == 4
    assert state.append_window(engine, name, rows) == 0
    state.append_window(engine, name + "-other", rows)
    assert state.window(engine, name, NEXT, {("errors", 0): 3}) == rows[1:3]


def test_a_database_that_is_away_asks_for_patience(stack: Settings) -> None:
    """The message says what is wrong and holds no password."""
    away = stack.model_copy(update={"database_url": SecretStr("postgresql://nepse:hidden@127.0.0.1:1")})
    with pytest.raises(TryAgainError, match="database did not answer") as caught:
        projected.positions(connection.engine(away), "x", [("actuals", 0)])
    assert "hidden" not in str(caught.value)


def test_a_projector_that_never_ran_has_no_positions(engine: connection.Engine, name: str) -> None:
    """It begins at the beginning, whatever others have read."""
    projected.store(engine, name + "-other", {}, {}, {("actuals", 0): 3})
    assert projected.positions(engine, name, [("actuals", 0)]) == {}
