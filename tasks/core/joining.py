"""Predictions meet actuals: which pairs exist, which of them are new, and the error each makes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date as Date  # noqa: N812  (sides have a field of that name)
from typing import NamedTuple, TypeVar

from events.payloads import ErrorComputed, PredictionExpired

DIGITS = 6
"""Rupee errors are rounded to this many decimals: prices have two, binary fractions invent the rest."""


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

    @property
    def place(self) -> Spot:
        """Where the actual lies."""
        return Spot("actuals", self.partition, self.offset)


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
    boundaries finds the same pairs.

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
        if prediction.offset >= starts[0] or actual.offset >= starts[1]
    ]
    found.sort(key=lambda pair: (pair[1].offset, pair[0].offset))
    return found


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
    """Compute error = predicted - actual, its size, and its percentage of the actual (None if that is 0)."""
    error = round(prediction.predicted_close - actual.actual_close, DIGITS)
    baseline, low, high = prediction.last_close, prediction.low_95, prediction.high_95
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
        within_95=None if low is None or high is None else low <= actual.actual_close <= high,
        revision=prediction.revision + actual.revision,
    )


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
