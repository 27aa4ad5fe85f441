"""The challenger predicts in shadow what the champion predicts, so that both are judged on the same days."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from events.payloads import PredictionMade, ShadowPredicted
from infra.bootstrap import Loop
from tasks.core.calendar import Calendar
from tasks.predictions import Made, Targets, Vectors, forecast, targets_of
from tasks.serving import Choice, ModelBook

REST_SECONDS = 60.0
"""After a failure nobody asks for the challenger so long: a registry that is away answers slowly."""
FIELDS = tuple(ShadowPredicted.model_fields)

_log = logging.getLogger(__name__)


@dataclass
class Rest:
    """Until when (monotonic seconds) this process leaves the challenger alone."""

    until: float = 0.0


def make_shadows(
    loop: Loop, book: ModelBook, vectors: Vectors, calendar: Calendar, made: Sequence[Made]
) -> list[ShadowPredicted | None]:
    """Predict every vector of which a prediction was made, in their order; None where nobody waits, or can.

    Whatever goes wrong with the challenger, there is no shadow and the slice goes on without.
    """
    nothing: list[ShadowPredicted | None] = [None] * len(vectors.items)
    rest = loop.keep("shadows-rest", Rest)
    if time.monotonic() < rest.until:
        return nothing
    try:
        return _made(book, vectors, targets_of(vectors, calendar), made)
    except Exception as error:  # noqa: BLE001  (the challenger serves nobody: no failure of it is the slice's)
        rest.until = time.monotonic() + REST_SECONDS
        _log.warning("no shadows for %g s, the challenger failed: %s", REST_SECONDS, error)
        return nothing


def _made(
    book: ModelBook, vectors: Vectors, targets: Targets, made: Sequence[Made]
) -> list[ShadowPredicted | None]:
    shadows: list[ShadowPredicted | None] = [None] * len(vectors.items)
    places: list[int] = []
    waiting: Choice | None = None
    for place, (vector, one) in enumerate(zip(vectors.items, made, strict=True)):
        if one.prediction is None or vector.last_close is None:
            continue
        choice = book.challenge(targets[vector.date], vector.feature_set, vector.features)
        if choice and choice.version != one.choice.version:
            waiting = choice
            places.append(place)
    if waiting is not None and waiting.model is not None:
        chosen = [vectors.items[place] for place in places]
        said = forecast(waiting.model, waiting.version, chosen, targets)
        for place, prediction in zip(places, said, strict=True):
            shadows[place] = _shadow(prediction)
    return shadows


def _shadow(said: PredictionMade) -> ShadowPredicted:
    return ShadowPredicted(**{name: getattr(said, name) for name in FIELDS})
