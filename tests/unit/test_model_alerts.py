"""Who predicted since an alert about a version was raised: asked of a session that is over."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, DateTime, Engine, MetaData, Table, Text, create_engine
from sqlalchemy.pool import StaticPool

from infra.database.model_alerts import Standing, predicted_since
from infra.database.tables import predictions

NOON = datetime(2024, 3, 3, 12, tzinfo=UTC)
DAY, UNTIL = date(2024, 3, 3), date(2024, 4, 2)
ALERT = Standing("raised", "the alert", "model_refused", "v2")
ALERTS = Table("alerts", MetaData(), Column("event_id", Text), Column("timestamp", DateTime(timezone=True)))
"""What is asked of alerts; the whole table has types of Postgres."""


@pytest.fixture
def engine() -> Engine:
    """The two tables in memory, with an alert raised at noon."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    predictions.create(made)
    ALERTS.create(made)
    with made.begin() as connection:
        connection.execute(ALERTS.insert().values(event_id=ALERT.event_id, timestamp=NOON))
    return made


def predict(engine: Engine, version: str, ahead: int, hours: int = 1, **values: Any) -> None:
    """Predict a session some days after the alert's, some hours after the alert."""
    said = {"date": DAY + timedelta(days=ahead), "timestamp": NOON + timedelta(hours=hours), "revision": 0}
    with engine.begin() as connection:
        offset = len(connection.execute(predictions.select()).all())
        place = {"partition": 0, "offset": offset, "event_id": str(offset), "producer": "x", "symbol": "A"}
        told = {"model_version": version, "predicted_close": 1.0, **place, **said, **values}
        connection.execute(predictions.insert().values(told))


def test_the_newest_session_says_nothing_while_it_may_be_there_in_part(engine: Engine) -> None:
    """Who predicted the one before it is known whole once the next one has begun."""
    predict(engine, "v2", 1)
    assert predicted_since(engine, ALERT, UNTIL) == set()
    predict(engine, "v1", 1)
    predict(engine, "v2", 2)
    assert predicted_since(engine, ALERT, UNTIL) == {"v1", "v2"}
    predict(engine, "v2", 3)
    assert predicted_since(engine, ALERT, UNTIL) == {"v2"}


def test_what_was_predicted_before_or_taken_back_says_nothing(engine: Engine) -> None:
    """Nor does a later one take its place."""
    predict(engine, "v2", 1, hours=-1)
    predict(engine, "v2", 1, retracted=True)
    predict(engine, "v2", 2)
    assert predicted_since(engine, ALERT, UNTIL) == set()


def test_a_session_that_is_dated_by_mistake_hides_nothing(engine: Engine) -> None:
    """One of another year would else be the newest for ever."""
    predict(engine, "v2", 1)
    predict(engine, "v1", 2)
    for ahead in (31, 400):
        predict(engine, "v9", ahead)
    assert predicted_since(engine, ALERT, UNTIL) == {"v2"}
