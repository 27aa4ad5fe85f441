"""Both sides of one slice of the join, as plain fields."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from events.payloads import ActualAvailable, PredictionMade
from infra.database.join_memory import Span
from infra.errors import UsageError
from infra.kafka.records import Received, of_kind
from tasks.core.joining import ActualSide, PredictionSide

TOPICS = ("predictions", "actuals")
Bounds = Mapping[tuple[str, int], int]
"""Offsets by (topic, partition)."""


class JoinSlice:
    """Both sides of one slice; a class of its own so that Prefect does not walk through thousands."""

    def __init__(
        self,
        received: Iterable[Received[Any]],
        starts: Bounds,
        ends: Bounds,
        letters: Mapping[tuple[str, int], str] | None = None,
        resolved: Callable[[], list[str]] = list,
    ) -> None:
        """Keep the records as sides, and the bounds, which are by (topic, partition).

        `letters` names the records that were dead letters, by topic and offset; `resolved` tells which
        letters count by now, and is asked only when the memory holds any.

        Raises:
            UsageError: this is not one partition of predictions and the same one of actuals.
        """
        events = list(received)
        self.span = _span(starts, ends)
        self.letters, self.resolved = letters or {}, resolved
        self.predictions = [_prediction(r) for r in of_kind(events, PredictionMade)]
        self.actuals = [_actual(r) for r in of_kind(events, ActualAvailable)]

    def letters_on(self, topic: str) -> dict[int, str]:
        """Name this slice's dead letters on one topic, by offset."""
        return {offset: letter for (on, offset), letter in self.letters.items() if on == topic}

    @property
    def witnesses(self) -> dict[str, str]:
        """Ids whose rows have to be there once this slice is remembered, by topic."""
        found = {}
        if self.predictions:
            found["predictions"] = self.predictions[-1].id
        if self.actuals:
            found["actuals"] = self.actuals[-1].id
        return found


def _span(starts: Bounds, ends: Bounds) -> Span:
    numbers = {number for _, number in starts}
    number = min(numbers, default=0)
    spots = ("predictions", number), ("actuals", number)
    if set(starts) != set(spots):
        message = "join-errors takes two ranges, of predictions and of actuals, both of the same partition"
        raise UsageError(message)
    predictions, actuals = ((starts[spot], ends[spot]) for spot in spots)
    return Span(number, predictions, actuals)


def _prediction(received: Received[PredictionMade]) -> PredictionSide:
    made = received.payload
    _, partition, offset = received.place
    low, high = made.interval_95 or (None, None)
    return PredictionSide(
        partition,
        offset,
        received.id,
        received.correlation_id,
        made.symbol,
        made.date,
        made.as_of,
        made.predicted_close,
        made.last_close,
        low,
        high,
        made.model_version,
        made.revision,
    )


def _actual(received: Received[ActualAvailable]) -> ActualSide:
    known = received.payload
    _, partition, offset = received.place
    return ActualSide(
        partition,
        offset,
        received.id,
        received.correlation_id,
        known.symbol,
        known.date,
        known.previous_date,
        known.actual_close,
        known.revision,
    )
