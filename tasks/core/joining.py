"""Predictions meet actuals: which pairs exist, which of them are new, and the error each makes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from events.payloads import ActualAvailable, ErrorComputed, Payload, PredictionMade

S_co = TypeVar("S_co", bound=Payload, covariant=True)

DIGITS = 6
"""Rupee errors are rounded to this many decimals: prices have two, binary fractions invent the rest."""


class Spot(NamedTuple):
    """Topic, partition and offset of a record."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Side(Generic[S_co]):
    """One side of a pair, as it was read from its topic."""

    place: Spot
    id: str
    correlation_id: str
    payload: S_co


Pair = tuple[Side[PredictionMade], Side[ActualAvailable]]


def belongs(prediction: PredictionMade, actual: ActualAvailable) -> bool:
    """Tell whether this actual is what the prediction was about.

    Either it names the session, or the named session was not held and this is the one that came right after
    the session whose features were used (`as_of` is the actual's `previous_date`).
    """
    if prediction.date == actual.date:
        return True
    return (
        prediction.as_of is not None
        and prediction.as_of == actual.previous_date
        and prediction.date < actual.date
    )


def new_pairs(
    predictions: Iterable[Side[PredictionMade]],
    actuals: Iterable[Side[ActualAvailable]],
    inside: Callable[[Spot], bool],
) -> list[Pair]:
    """Find the pairs of which at least one side lies inside the slice, in order of their offsets.

    Every revision of an actual makes a pair of its own, whatever came first: so a retry with other slice
    boundaries finds the same pairs. Of events with equal ids the first offset counts.
    """
    held, following = _by_session(actuals)
    found = [
        (prediction, actual)
        for prediction in first_of_each(predictions)
        for actual in _candidates(prediction.payload, held, following)
        if (inside(prediction.place) or inside(actual.place)) and belongs(prediction.payload, actual.payload)
    ]
    return sorted(found, key=lambda pair: (pair[1].place, pair[0].place))


_Index = dict[tuple[str, date], list[Side[ActualAvailable]]]


def _by_session(actuals: Iterable[Side[ActualAvailable]]) -> tuple[_Index, _Index]:
    """Index actuals by their session, and by the session before it."""
    held: _Index = defaultdict(list)
    following: _Index = defaultdict(list)
    for actual in first_of_each(actuals):
        payload = actual.payload
        held[payload.symbol, payload.date].append(actual)
        if payload.previous_date is not None:
            following[payload.symbol, payload.previous_date].append(actual)
    return held, following


def _candidates(prediction: PredictionMade, held: _Index, following: _Index) -> list[Side[ActualAvailable]]:
    """List the actuals that may belong to a prediction, each once."""
    named = held.get((prediction.symbol, prediction.date), [])
    after = following.get((prediction.symbol, prediction.as_of), []) if prediction.as_of else []
    return named + [actual for actual in after if actual.payload.date != prediction.date]


def first_of_each(sides: Iterable[Side[S_co]]) -> list[Side[S_co]]:
    """Drop later deliveries of the same event."""
    seen: dict[str, Side[S_co]] = {}
    for side in sorted(sides, key=lambda side: side.place):
        seen.setdefault(side.id, side)
    return list(seen.values())


def error_of(prediction: PredictionMade, actual: ActualAvailable) -> ErrorComputed:
    """Compute error = predicted - actual, its size, and its percentage of the actual (None if that is 0)."""
    error = round(prediction.predicted_close - actual.actual_close, DIGITS)
    baseline = prediction.last_close
    interval = prediction.interval_95
    return ErrorComputed(
        symbol=prediction.symbol,
        date=actual.date,
        predicted=prediction.predicted_close,
        actual=actual.actual_close,
        error=error,
        abs_error=abs(error),
        pct_error=round(error / actual.actual_close * 100, DIGITS) if actual.actual_close else None,
        model_version=prediction.model_version,
        as_of=prediction.as_of,
        baseline_error=round(baseline - actual.actual_close, DIGITS) if baseline is not None else None,
        within_95=interval[0] <= actual.actual_close <= interval[1] if interval else None,
        revision=prediction.revision + actual.revision,
    )
