"""What a backfill asks the read side: which predictions, closes and errors are there, the newest of each."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, Table, create_engine
from sqlalchemy.pool import StaticPool

from infra.database import judged
from infra.database.tables import actuals, errors, metadata, predictions

DAY, NEXT, LATER = date(2024, 3, 3), date(2024, 3, 4), date(2024, 3, 5)


@pytest.fixture
def engine() -> Engine:
    """The three tables in memory."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(made, tables=[predictions, actuals, errors])
    return made


def put(engine: Engine, table: Table, offset: int, **values: Any) -> None:
    """Insert a row of symbol A about the next day."""
    common = {"partition": 0, "offset": offset, "event_id": str(offset), "producer": "x", "symbol": "A"}
    told = {"date": NEXT, "timestamp": datetime(2024, 3, 3, tzinfo=UTC), "revision": 0}
    with engine.begin() as connection:
        connection.execute(table.insert().values({**common, **told, **values}))


def test_the_newest_prediction_counts(engine: Engine) -> None:
    """By revision, of equal ones the later; only of the days asked for."""
    made = {"as_of": DAY, "model_version": "v1"}
    put(engine, predictions, 1, predicted_close=3.0, revision=1, **made)
    put(engine, predictions, 2, predicted_close=2.0, **made)
    put(engine, predictions, 3, predicted_close=4.0, revision=1, **made)
    put(engine, predictions, 4, predicted_close=9.0, as_of=NEXT, model_version="v1")
    assert judged.forecasts(engine, [DAY]) == {("A", DAY): (4.0, "v1", 1)}
    assert judged.forecasts(engine, [LATER]) == {}


def test_actuals_and_errors_are_found_by_the_session_before(engine: Engine) -> None:
    """That is what a prediction was made from."""
    put(engine, actuals, 1, actual_close=5.0, previous_date=DAY)
    assert judged.closed(engine, [DAY, LATER]) == {("A", DAY)}
    assert judged.judged(engine, [DAY]) == set()
    put(engine, errors, 1, as_of=DAY, predicted=1.0, actual=5.0, error=-4.0, abs_error=4.0)
    assert judged.judged(engine, [DAY]) == {("A", DAY)}
