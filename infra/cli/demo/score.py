"""The figures of the demo's summary, from the events that were seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from events.payloads import ErrorComputed


@dataclass(frozen=True, slots=True)
class Score:
    """Errors in rupees of the model and of persistence on the same predictions."""

    predictions: int
    mae: float
    rmse: float
    baseline_mae: float
    baseline_rmse: float


def score(errors: Sequence[ErrorComputed]) -> Score | None:
    """Measure trained versions against persistence on the same symbols and sessions; None without any."""
    newest = {(e.symbol, e.date, e.as_of): e for e in sorted(errors, key=lambda e: e.revision)}
    both = [
        (e.error, e.baseline_error)
        for e in newest.values()
        if not e.retracted and e.model_version != "v0" and e.baseline_error is not None
    ]
    if not both:
        return None
    model, baseline = [pair[0] for pair in both], [pair[1] for pair in both]
    return Score(len(both), _mae(model), _rmse(model), _mae(baseline), _rmse(baseline))


def _mae(errors: list[float]) -> float:
    return sum(map(abs, errors)) / len(errors)


def _rmse(errors: list[float]) -> float:
    return sqrt(sum(error * error for error in errors) / len(errors))
