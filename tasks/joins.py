"""The join's memory in Postgres: append what a slice read, find what it meets."""

from typing import Any

from prefect import task
from sqlalchemy import Engine

from events.payloads import ActualAvailable, PredictionMade
from infra.database import state
from infra.database.connection import transaction
from infra.faults import reach
from infra.kafka.records import Received
from tasks.core.joining import Pair, Side, Spot, new_pairs

LIGHT = {"features_used"}
"""Left out of the stored payload: long, and no part of an error."""


class JoinSlice:
    """Both sides of one slice; a class of its own so that Prefect does not walk through thousands."""

    def __init__(
        self,
        predictions: list[Received[PredictionMade]],
        actuals: list[Received[ActualAvailable]],
        starts: dict[tuple[str, int], int],
        ends: dict[tuple[str, int], int],
    ) -> None:
        """Keep the records and the bounds, by (topic, partition)."""
        self.records: list[Received[Any]] = [*predictions, *actuals]
        self.starts, self.ends = starts, ends

    def inside(self, place: Spot) -> bool:
        """Tell whether a record belongs to this slice (its ends bound what is looked up anyway)."""
        return place.offset >= self.starts[place.topic, place.partition]


@task
def meet(database: Engine, work: JoinSlice) -> list[Pair]:
    """Remember this slice's records, and find every pair that has one side among them.

    Raises:
        TryAgainError: the database is away.
    """
    rows = [_row(received) for received in work.records]
    with transaction(database) as connection:
        state.append_join(connection, rows)
        dates = {(row.symbol, row.date) for row in rows}
        links = {(row.symbol, row.link_date) for row in rows if row.link_date}
        found = state.matching_join(connection, dates, links, work.ends)
    reach("state-written", "join-errors")
    sides = [_side(row) for row in found]
    predictions = [s for s in sides if isinstance(s.payload, PredictionMade)]
    actuals = [s for s in sides if isinstance(s.payload, ActualAvailable)]
    return new_pairs(predictions, actuals, work.inside)


def _row(received: Received[Any]) -> state.JoinInput:
    payload = received.payload
    predicted = isinstance(payload, PredictionMade)
    return state.JoinInput(
        *received.place,
        event_id=received.id,
        symbol=payload.symbol,
        date=payload.date,
        link_date=payload.as_of if predicted else payload.previous_date,
        value=payload.predicted_close if predicted else payload.actual_close,
        payload=payload.model_dump(mode="json", exclude=LIGHT) | {"correlation_id": received.correlation_id},
    )


def _side(row: state.JoinInput) -> Side[Any]:
    kind = PredictionMade if row.topic == "predictions" else ActualAvailable
    place = Spot(row.topic, row.partition, row.offset)
    payload = {"features_used": (), **row.payload} if kind is PredictionMade else row.payload
    return Side(place, row.event_id, row.payload.get("correlation_id", row.event_id), kind(**payload))
