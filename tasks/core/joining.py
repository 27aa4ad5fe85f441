"""Predictions meet actuals: which pairs exist, which of them are new, and the error each makes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date as Date  # noqa: N812  (sides have a field of that name)
from math import inf
from typing import NamedTuple, TypeVar

from events.fields import LARGEST_INTEGER
from events.payloads import ActualAvailable, ErrorComputed, PredictionExpired, PredictionMade

DIGITS = 6
"""Rupee errors are rounded to this many decimals: prices have two, binary fractions invent the rest."""
LARGEST_PRICE = 1e15
"""Rupees, either sign: no price of anything is larger, and differences and their sums stay finite."""
LARGEST_REVISION = LARGEST_INTEGER // 2
"""An error's revision is the sum of both sides', which has to be an integer of the contract."""
LARGEST_PERCENT = 1e15
"""Of an actual of next to nothing a percentage says nothing."""


class Spot(NamedTuple):
    """Topic, partition and offset of a record."""

    topic: str
    partition: int
    offset: int


class PredictionSide(NamedTuple):
    """What a prediction's error needs of it: plain fields, since there may be thousands in a slice."""

    partition: int
    offset: int
    id: str
    correlation_id: str
    symbol: str
    date: Date
    as_of: Date | None
    predicted_close: float
    last_close: float | None
    low_95: float | None
    high_95: float | None
    model_version: str
    revision: int
    retracted: bool = False

    @property
    def place(self) -> Spot:
        """Where the prediction lies."""
        return Spot("predictions", self.partition, self.offset)


class ActualSide(NamedTuple):
    """What an error needs of an actual."""

    partition: int
    offset: int
    id: str
    correlation_id: str
    symbol: str
    date: Date
    previous_date: Date | None
    actual_close: float
    revision: int
    retracted: bool = False

    @property
    def place(self) -> Spot:
        """Where the actual lies."""
        return Spot("actuals", self.partition, self.offset)


def side_of_prediction(
    partition: int, offset: int, event_id: str, correlation_id: str, made: PredictionMade
) -> PredictionSide:
    """Take of a prediction what its error needs."""
    low, high = made.interval_95 or (None, None)
    return PredictionSide(
        partition,
        offset,
        event_id,
        correlation_id,
        made.symbol,
        made.date,
        made.as_of,
        made.predicted_close,
        made.last_close,
        low,
        high,
        made.model_version,
        made.revision,
        made.retracted,
    )


def side_of_actual(
    partition: int, offset: int, event_id: str, correlation_id: str, known: ActualAvailable
) -> ActualSide:
    """Take of an actual what an error needs."""
    return ActualSide(
        partition,
        offset,
        event_id,
        correlation_id,
        known.symbol,
        known.date,
        known.previous_date,
        known.actual_close,
        known.revision,
        known.retracted,
    )


Pair = tuple[PredictionSide, ActualSide]
S = TypeVar("S", PredictionSide, ActualSide)


def new_pairs(
    predictions: Iterable[PredictionSide], actuals: Iterable[ActualSide], starts: tuple[int, int]
) -> list[Pair]:
    """Find the pairs of which at least one side lies inside the slice, in order of their offsets.

    An actual belongs to a prediction when it names the same session; or, where that session was not held,
    when it is the one that came right after the session whose features were used (`as_of` is
    `previous_date`).
    Every revision of an actual makes a pair of its own, whatever came first: so a retry with other slice
    boundaries finds the same pairs. What was taken back makes pairs too, the newest of which says so. Sides
    that `misfit` complains of have none.

    Args:
        predictions: no id twice (`first_of_each`); below the slice's end, as are the actuals.
        actuals: no id twice.
        starts: where the slice begins on `predictions` and on `actuals`.
    """
    held, following = _by_session(actuals)
    found = [
        (prediction, actual)
        for prediction in predictions
        for actual in _met_by(prediction, held, following)
        if (prediction.offset >= starts[0] or actual.offset >= starts[1]) and _fit(prediction, actual)
    ]
    found.sort(key=lambda pair: (pair[1].offset, pair[0].offset))
    return found


def misfit(event: PredictionMade | ActualAvailable) -> str:
    """Say why no error can be computed of an event, whatever it meets; nothing where one can.

    The contract allows any finite number: a narrower schema would refuse events that are on the topics.
    """
    actual = isinstance(event, ActualAvailable)
    for name in ("actual_close",) if actual else ("predicted_close", "last_close"):
        if abs(getattr(event, name) or 0.0) > LARGEST_PRICE:
            return f"{name} {getattr(event, name):g} is no price: beyond {LARGEST_PRICE:g} rupees"
    too_often = event.revision > LARGEST_REVISION
    return f"revision {event.revision} is none: beyond {LARGEST_REVISION}" if too_often else ""


def _fit(prediction: PredictionSide, actual: ActualSide) -> bool:
    """Tell whether an error can be computed; a memory may hold sides from before such were refused."""
    largest = max(
        abs(prediction.predicted_close), abs(prediction.last_close or 0.0), abs(actual.actual_close)
    )
    return largest <= LARGEST_PRICE and max(prediction.revision, actual.revision) <= LARGEST_REVISION


_Index = dict[tuple[str, Date], list[ActualSide]]


def _by_session(actuals: Iterable[ActualSide]) -> tuple[_Index, _Index]:
    """Index actuals by their session, and by the session before it."""
    held: _Index = defaultdict(list)
    following: _Index = defaultdict(list)
    for actual in actuals:
        held[actual.symbol, actual.date].append(actual)
        if actual.previous_date is not None:
            following[actual.symbol, actual.previous_date].append(actual)
    return held, following


def _met_by(prediction: PredictionSide, held: _Index, following: _Index) -> Sequence[ActualSide]:
    """List the actuals that belong to a prediction, each once."""
    named = held.get((prediction.symbol, prediction.date), [])
    if prediction.as_of is None:
        return named
    after = following.get((prediction.symbol, prediction.as_of), [])
    return [*named, *(actual for actual in after if actual.date > prediction.date)]


def first_of_each(sides: Iterable[S]) -> list[S]:
    """Drop later deliveries of the same event; sides come in the order of their offsets."""
    seen: dict[str, S] = {}
    for side in sides:
        seen.setdefault(side.id, side)
    return list(seen.values())


def first_seen(actuals: Iterable[ActualSide]) -> dict[Date, int]:
    """Tell at which offset each session appears first."""
    seen: dict[Date, int] = {}
    for actual in actuals:
        seen[actual.date] = min(actual.offset, seen.get(actual.date, actual.offset))
    return seen


def error_of(prediction: PredictionSide, actual: ActualSide) -> ErrorComputed:
    """Compute error = predicted - actual, its size, and its percentage of the actual.

    The percentage is None where the actual is 0, or next to nothing beside the error. Sides of a pair that
    `new_pairs` found always have an error.
    """
    error = round(prediction.predicted_close - actual.actual_close, DIGITS)
    baseline, low, high = prediction.last_close, prediction.low_95, prediction.high_95
    return ErrorComputed.known(
        {
            "symbol": prediction.symbol,
            "date": actual.date,
            "predicted": prediction.predicted_close,
            "actual": actual.actual_close,
            "error": error,
            "abs_error": abs(error),
            "pct_error": _percent(error, actual.actual_close),
            "model_version": prediction.model_version,
            "as_of": prediction.as_of,
            "baseline_error": round(baseline - actual.actual_close, DIGITS) if baseline is not None else None,
            "within_95": None if low is None or high is None else low <= actual.actual_close <= high,
            "revision": prediction.revision + actual.revision,
            "retracted": prediction.retracted or actual.retracted,
        }
    )


def _percent(error: float, actual: float) -> float | None:
    percent = error / actual * 100 if actual else inf
    return round(percent, DIGITS) if abs(percent) <= LARGEST_PERCENT else None


def expired(prediction: PredictionSide, sessions: int) -> PredictionExpired:
    """Say that nothing met a prediction within so many sessions."""
    return PredictionExpired(
        symbol=prediction.symbol,
        date=prediction.date,
        predicted=prediction.predicted_close,
        sessions_waited=sessions,
        model_version=prediction.model_version,
        as_of=prediction.as_of,
    )
