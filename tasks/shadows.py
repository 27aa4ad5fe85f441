"""Who waits predicts in shadow what the champion predicts, so that both are judged on the same days."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from events.payloads import PredictionMade, ShadowPredicted
from infra.bootstrap import Loop
from tasks.core.calendar import Calendar
from tasks.predictions import Made, Targets, Vectors, forecast, targets_of
from tasks.serving import Choice, ModelBook, model_book

T = TypeVar("T")

REST_SECONDS = 60.0
"""After a failure nobody asks for shadows so long: a registry that is away answers slowly."""
FIELDS = tuple(ShadowPredicted.model_fields)

_log = logging.getLogger(__name__)


@dataclass
class Rest:
    """Until when (monotonic seconds) this process makes no shadows."""

    until: float = 0.0


def load_shadows(loop: Loop) -> None:
    """Load who predicts in shadow before a slice is opened: none waits for a registry or a file of theirs.

    Whatever goes wrong, there are no shadows for a while.
    """
    _guarded(loop, lambda: model_book(loop).load_shadows())


def make_shadows(
    loop: Loop, book: ModelBook, vectors: Vectors, calendar: Calendar, made: Sequence[Made]
) -> list[list[ShadowPredicted]]:
    """Predict every vector of which a prediction was made, in their order, by each who waits and can.

    Whatever goes wrong with one of them, there are no shadows and the slice goes on without.
    """
    shadows = _guarded(loop, lambda: _made(book, vectors, targets_of(vectors, calendar), made))
    return shadows or [[] for _ in vectors.items]


def _guarded(loop: Loop, step: Callable[[], T]) -> T | None:
    """Take a step unless one failed a short while ago; None where it did, or does."""
    rest = loop.keep("shadows-rest", Rest)
    if time.monotonic() < rest.until:
        return None
    try:
        return step()
    except Exception as error:  # noqa: BLE001  (who waits serves nobody: no failure of theirs is the slice's)
        rest.until = time.monotonic() + REST_SECONDS
        _log.warning("no shadows for %g s, a version that waits failed: %s", REST_SECONDS, error)
        return None


def _made(
    book: ModelBook, vectors: Vectors, targets: Targets, made: Sequence[Made]
) -> list[list[ShadowPredicted]]:
    shadows: list[list[ShadowPredicted]] = [[] for _ in vectors.items]
    for choice, places in _places(book, vectors, targets, made):
        if choice.model is None:
            continue
        chosen = [vectors.items[place] for place in places]
        said = forecast(choice.model, choice.version, chosen, targets)
        for place, prediction in zip(places, said, strict=True):
            shadows[place].append(_shadow(prediction))
    return shadows


def _places(
    book: ModelBook, vectors: Vectors, targets: Targets, made: Sequence[Made]
) -> Iterable[tuple[Choice, list[int]]]:
    """Tell who predicts which vectors in shadow; none its own prediction."""
    found: dict[str, tuple[Choice, list[int]]] = {}
    for place, (vector, one) in enumerate(zip(vectors.items, made, strict=True)):
        if one.prediction is None or vector.last_close is None:
            continue
        for choice in book.challenge(targets[vector.date], vector.feature_set, vector.features):
            if choice.version != one.choice.version:
                found.setdefault(choice.version, (choice, []))[1].append(place)
    return found.values()


def _shadow(said: PredictionMade) -> ShadowPredicted:
    return ShadowPredicted(**{name: getattr(said, name) for name in FIELDS})
