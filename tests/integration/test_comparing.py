"""What two versions said is read from a real Postgres; of what is claimed one record is the first."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from infra.database import compared, connection, projected, state
from infra.settings import Settings
from tasks.core.projection import COLUMNS
from tasks.core.shadowing import CLOSES, SAID, paired

pytestmark = pytest.mark.stack

LAST_SEEN = date(2999, 1, 1)
"""Later than any session of other tests."""


@pytest.fixture
def engine(stack: Settings) -> connection.Engine:
    """The database with its tables."""
    connection.create(stack)
    return connection.engine(stack)


@pytest.fixture
def name() -> str:
    """A name of this test's own."""
    return f"test-{uuid.uuid4().hex}"


def store(engine: connection.Engine, name: str, table: str, *rows: dict[str, Any]) -> None:
    """Put rows into a table of the read side; what is not named is null."""
    base = uuid.uuid4().int % 2**40
    told = []
    for number, row in enumerate(rows):
        head = {
            "partition": 998,
            "offset": base + number,
            "event_id": f"{name}-{table}-{number}",
            "timestamp": datetime.now(UTC),
            "producer": "test",
            "revision": 0,
            "retracted": False,
        }
        told.append(tuple((head | row).get(column) for column in COLUMNS[table]))
    projected.store(engine, f"{name}-{table}", {table: (COLUMNS[table], told)}, {}, {("x", 0): 1})


def test_what_was_served_meets_what_was_said_in_shadow(engine: connection.Engine, name: str) -> None:
    """Of sessions after a day, with the closes that became of them, in the form that is paired."""
    symbol, as_of = name, LAST_SEEN + timedelta(1)
    session = {"symbol": symbol, "as_of": as_of, "date": as_of + timedelta(1), "last_close": 100.0}
    seen = {**session, "date": LAST_SEEN, "as_of": LAST_SEEN - timedelta(1)}
    served, shadow = {"model_version": "v1"}, {"model_version": "v2", "predicted_close": 103.0}
    predictions = [{**one, **served, "predicted_close": 101.0} for one in (session, seen)]
    store(engine, name, "predictions", *predictions)
    store(engine, name, "shadow_predictions", {**session, **shadow}, {**seen, **shadow})
    figures = {"predicted": 101.0, "actual": 102.0, "error": -1.0, "abs_error": 1.0}
    store(engine, name, "errors", {**session, **figures}, {**seen, **figures})
    said = pd.DataFrame(compared.said(engine, LAST_SEEN), columns=list(SAID))
    closes = pd.DataFrame(compared.closes(engine, LAST_SEEN), columns=list(CLOSES))
    pairs = paired(said[said["symbol"] == symbol], closes[closes["symbol"] == symbol], "v2", "v1")
    assert pairs.to_dict("records") == [
        {
            "symbol": symbol,
            "as_of": as_of,
            "last_close": 100.0,
            "actual": 102.0,
            "first": 103.0,
            "second": 101.0,
        }
    ]


def test_the_first_to_claim_stays_the_first(engine: connection.Engine, name: str) -> None:
    """Whoever only looks claims nothing."""
    first, second = ("features", 0, 7), ("features", 1, 3)
    assert state.claimant(engine, name) is None
    assert state.claimant(engine, name, first) == first
    assert state.claimant(engine, name, second) == first
    assert state.claimant(engine, name) == first
    assert state.claim(engine, name, ("features", 0, 9))
    assert not state.claim(engine, name, second)
