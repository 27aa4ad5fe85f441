"""The figures of the demo's summary, from the events that were seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.payloads import ErrorComputed
from infra.cli import reach


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
    core = reach.core("skill_over_time")
    found = core.measures([core.sums_of(both)])
    return Score(found.pairs, found.mae, found.rmse, found.baseline_mae, found.baseline_rmse)
