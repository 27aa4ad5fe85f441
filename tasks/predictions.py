"""Feature vectors become predictions, each by the version valid for its target session."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd
from prefect import task

from events.payloads import FeaturesComputed, PredictionMade
from tasks.core.calendar import Calendar
from tasks.core.offices import PERSISTENCE
from tasks.core.training import TrainedModel, predict
from tasks.serving import Choice, ModelBook

NOBODY = Choice(PERSISTENCE)
"""No version predicts, and none should have."""

Targets = Mapping[date, date]
"""By the day after which a prediction is made the session that it is about."""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a feature vector: a prediction, or why there is none."""

    prediction: PredictionMade | None
    reason: str = ""
    choice: Choice = NOBODY


class Vectors:
    """Feature vectors of one slice; a class of its own so that Prefect does not walk through thousands."""

    def __init__(self, items: list[FeaturesComputed]) -> None:
        """Keep the vectors in the order of their offsets."""
        self.items = items


@task
def make_predictions(book: ModelBook, vectors: Vectors, calendar: Calendar) -> list[Made]:
    """Predict the next close of every vector, in their order; `v0` where no trained version may or can.

    The calendar names the session that is predicted, the next one after the vector's.
    """
    targets = targets_of(vectors, calendar)
    choices = [_choose(book, vector, targets[vector.date]) for vector in vectors.items]
    made: list[Made | None] = [None] * len(vectors.items)
    for places in _by_version(choices):
        chosen = [vectors.items[i] for i in places]
        for place, outcome in zip(places, _predict_by(choices[places[0]], chosen, targets), strict=True):
            made[place] = replace(outcome, choice=choices[place])
    return [m for m in made if m is not None]


def targets_of(vectors: Vectors, calendar: Calendar) -> Targets:
    """Find the session that predictions from these vectors are about."""
    return {day: calendar.next_session(day) for day in {vector.date for vector in vectors.items}}


def _choose(book: ModelBook, vector: FeaturesComputed, target: date) -> Choice:
    """Choose who predicts; a return tells nothing without the close that it starts from."""
    if vector.last_close is None:
        return NOBODY
    return book.choose(target, vector.feature_set, vector.features)


def _by_version(choices: Sequence[Choice]) -> list[list[int]]:
    """Group places by the model that predicts there: a name may have been given to another file since."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, choice in enumerate(choices):
        groups[choice.version, id(choice.model)].append(place)
    return list(groups.values())


def _predict_by(choice: Choice, vectors: list[FeaturesComputed], targets: Targets) -> list[Made]:
    if choice.model is None:
        return [_persist(vector, targets[vector.date]) for vector in vectors]
    return [Made(one) for one in forecast(choice.model, choice.version, vectors, targets)]


def _persist(vector: FeaturesComputed, target: date) -> Made:
    """Forecast the last close; an event that carries none has at least its first lag."""
    last = vector.last_close if vector.last_close is not None else vector.features.get("Close_Lag_1")
    if last is None:
        return Made(None, "neither last_close nor Close_Lag_1 is there: nothing to predict from")
    used = "last_close" if vector.last_close is not None else "Close_Lag_1"
    return Made(_prediction(vector, target, last, PERSISTENCE, [used], last))


def forecast(
    model: TrainedModel, version: str, vectors: Sequence[FeaturesComputed], targets: Targets
) -> list[PredictionMade]:
    """Predict by a model that takes these vectors, in their order; each has a last close."""
    features = model.card.features
    frame = pd.DataFrame([vector.features for vector in vectors], columns=features, dtype=float)
    frame["symbol"] = [vector.symbol for vector in vectors]
    frame["last_close"] = [vector.last_close for vector in vectors]
    rows = predict(model, frame).round(4).itertuples(index=False)
    build = _builder(version, features, targets)
    return [build(vector, row) for vector, row in zip(vectors, rows, strict=True)]


def _builder(
    version: str, features: list[str], targets: Targets
) -> "Callable[[FeaturesComputed, object], PredictionMade]":
    def build(vector: FeaturesComputed, row: object) -> PredictionMade:
        close, low80, high80, low95, high95 = (
            float(getattr(row, name))
            for name in ("predicted_close", "low_80", "high_80", "low_95", "high_95")
        )
        intervals = {"interval_80": (low80, high80), "interval_95": (low95, high95)}
        target = targets[vector.date]
        return _prediction(vector, target, close, version, features, vector.last_close, **intervals)

    return build


def _prediction(  # noqa: PLR0913, PLR0917  (the parts of one event)
    vector: FeaturesComputed,
    target: date,
    close: float,
    version: str,
    used: list[str],
    last: float | None,
    interval_80: tuple[float, float] | None = None,
    interval_95: tuple[float, float] | None = None,
) -> PredictionMade:
    return PredictionMade(
        symbol=vector.symbol,
        date=target,
        predicted_close=close,
        model_version=version,
        features_used=used,
        as_of=vector.date,
        last_close=last,
        interval_80=interval_80,
        interval_95=interval_95,
        revision=vector.revision,
        retracted=vector.retracted,
    )
