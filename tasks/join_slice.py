"""Both sides of one slice of the join, as plain fields."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.payloads import ActualAvailable, PredictionMade
from infra.database.join_memory import LeftOut, Span
from infra.errors import UsageError
from infra.kafka.records import Received, of_kind
from infra.kafka.work import Work
from tasks.core.joining import misfit, side_of_actual, side_of_prediction
from tasks.refusals import Refusals

TOPICS = ("predictions", "actuals")
Bounds = Mapping[tuple[str, int], int]
"""Offsets by (topic, partition)."""


def joinable(work: Work) -> list[Received[Any]]:
    """Read a slice; an event of which no error can ever be computed becomes a dead letter.

    It would make every slice fail that holds what it meets, and the record at fault would not be among them.
    """
    events: list[Received[Any]] = []
    read: list[Received[Any]] = list(work.read())
    for received in read:
        if why := misfit(received.payload):
            work.reject(received, why)
        else:
            events.append(received)
    return events


class JoinSlice:
    """Both sides of one slice; a class of its own so that Prefect does not walk through thousands."""

    def __init__(
        self,
        received: Iterable[Received[Any]],
        starts: Bounds,
        ends: Bounds,
        refusals: Refusals | None = None,
        passed: Bounds | None = None,
    ) -> None:
        """Keep the records as sides, and the bounds, which are by (topic, partition).

        `refusals` tells what was given up before: nothing that the memory holds of it counts. `passed` tells
        up to where the flow had come, where that is not `starts`.

        Raises:
            UsageError: this is not one partition of predictions and the same one of actuals.
        """
        events = list(received)
        self.span = _span(starts, ends)
        self.passed = {topic: (passed or starts)[topic, self.span.partition] for topic in TOPICS}
        self.left_out = _left_out(self.span.partition, refusals or Refusals())
        self.predictions = [side_of_prediction(*_at(r), r.payload) for r in of_kind(events, PredictionMade)]
        self.actuals = [side_of_actual(*_at(r), r.payload) for r in of_kind(events, ActualAvailable)]


def _left_out(partition: int, refusals: Refusals) -> LeftOut:
    sides = (
        [place.offset for place in places if (place.topic, place.partition) == (topic, partition)]
        for places in (refusals.open, refusals.ever)
        for topic in TOPICS
    )
    return LeftOut(*sides)


def _span(starts: Bounds, ends: Bounds) -> Span:
    numbers = {number for _, number in starts}
    number = min(numbers, default=0)
    spots = ("predictions", number), ("actuals", number)
    if set(starts) != set(spots):
        message = "join-errors takes two ranges, of predictions and of actuals, both of the same partition"
        raise UsageError(message)
    predictions, actuals = ((starts[spot], ends[spot]) for spot in spots)
    return Span(number, predictions, actuals)


def _at(received: Received[Any]) -> tuple[int, int, str, str]:
    """Give partition, offset, id and correlation of an event."""
    _, partition, offset = received.place
    metadata = received.event.metadata
    return partition, offset, metadata.event_id, metadata.correlation_id
