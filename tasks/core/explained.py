"""A model's hold-out looked at from the sides that people ask about; nothing here decides anything."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.intervals import FEWEST, LEVELS, Labels
from tasks.core.learners import one_thread
from tasks.core.promotion import Evaluation, measured
from tasks.core.skill import Vector, rank_ic, rmse
from tasks.core.training import CIRCUIT, TrainedModel, groups_of, scale_of
from tasks.core.training_rows import TrainingRows

FOLDS = 3
"""Stretches of the hold-out that are judged for themselves, in order of time."""
LIQUIDITY = ("turnover_mean_20", "turnover_log")
"""Features that say how much a symbol trades, in order of preference."""
FIFTHS = ("least traded", "less traded", "middle", "more traded", "most traded")
SAMPLE, SECONDS = 5_000, 20.0
"""Rows that features are shuffled in, and the time after which the remaining features are left out."""
NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, *LEVELS[:1], 0.9, *LEVELS[1:])


@dataclass(frozen=True)
class Explained:
    """How a model did where it was not fitted."""

    folds: list[dict[str, float]]
    """Measures of each stretch of the hold-out (`promotion.measured`), oldest first."""
    members: dict[str, dict[str, float]]
    """The same measures by learner, over the whole hold-out, each before its weight."""
    importance: dict[str, float]
    """By feature: percent by which shuffling it raises the root mean squared error of returns; most first."""
    liquidity: pd.DataFrame
    """By those of FIFTHS of turnover that hold rows: rows, skill (percent of persistence's RMSE of returns),
    rank_ic."""
    calibration: dict[float, float]
    """By nominal level the share of rows inside intervals whose widths are of the other folds."""
    example: dict[str, float | None]
    """A row's features, as the model takes them."""

    @property
    def coverage(self) -> dict[str, float]:
        """The calibration of the levels that predictions carry, by level in percent."""
        return {f"{level * 100:.0f}": self.calibration[level] for level in LEVELS}


def explain(model: TrainedModel, held: TrainingRows, evaluation: Evaluation) -> Explained:
    """Look at `model` on rows that it was not fitted on, n > 0; `evaluation` is of the same rows."""
    predicted, folds = evaluation.rows["predicted"].to_numpy(dtype=np.float64), folds_of(held.keys["date"])
    values = held.matrix(model.card.features)
    scores = np.abs(held.target - predicted) / scale_of(model.card, values)
    return Explained(
        folds=[measured(held.keys[folds == fold], predicted[folds == fold]) for fold in np.unique(folds)],
        members={name: measured(held.keys, _forecast(one, values)) for name, one in _members(model).items()},
        importance=importance(model, held),
        liquidity=by_liquidity(held, predicted),
        calibration=cross_calibration(scores, folds, groups_of(model.card, values)),
        example={name: _known(value) for name, value in zip(model.card.features, values[-1], strict=True)},
    )


def folds_of(sessions: "pd.Series[Any]") -> NDArray[np.int64]:
    """Number the stretch of each row, (n,): sessions are cut into FOLDS equal parts, in order of time."""
    order = sessions.rank(method="dense").to_numpy(dtype=np.int64) - 1
    found: NDArray[np.int64] = order * FOLDS // (order.max() + 1)
    return found


def importance(
    model: TrainedModel,
    held: TrainingRows,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """Shuffle one feature after the other (Breiman, 2001), and see how much worse the forecasts become.

    Percent by which the root mean squared error of returns rises, on at most SAMPLE rows, shuffled once.
    Features that the time does not suffice for are left out; {} where the forecasts are perfect.
    """
    generator, deadline = np.random.default_rng(0), clock() + seconds
    chosen = np.zeros(len(held), dtype=np.bool_)
    chosen[generator.permutation(len(held))[:SAMPLE]] = True
    rows = held.where(chosen)
    values, target = rows.matrix(model.card.features).copy(), rows.target
    base = rmse(target, _forecast(model.pipeline, values))
    found = {}
    for column, name in enumerate(model.card.features if base else ()):
        if clock() > deadline:
            break
        kept = values[:, column].copy()
        values[:, column] = generator.permutation(kept)
        found[name] = 100 * (rmse(target, _forecast(model.pipeline, values)) / base - 1)
        values[:, column] = kept
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def by_liquidity(held: TrainingRows, predicted: Vector) -> pd.DataFrame:
    """Measure fifths of the rows by turnover, columns as in `Explained`; empty where no feature tells it."""
    feature = next((name for name in LIQUIDITY if name in held.names), None)
    turnover = pd.Series(held.matrix([feature])[:, 0] if feature else [], dtype=float)
    if turnover.nunique() < len(FIFTHS):
        return pd.DataFrame(columns=["rows", "skill", "rank_ic"])
    fifths = pd.cut(turnover.rank(pct=True), np.linspace(0, 1, len(FIFTHS) + 1).tolist(), labels=list(FIFTHS))
    target, sessions = held.target, held.keys["date"]
    found = {}
    for name in FIFTHS:
        rows = (fifths == name).to_numpy(dtype=np.bool_)
        if not rows.any():  # too many rows are alike
            continue
        actual, forecast = target[rows], predicted[rows]
        flat = rmse(actual, np.zeros(len(actual)))
        skill = 100 * (1 - rmse(actual, forecast) / flat) if flat else 0.0
        found[name] = {
            "rows": len(actual),
            "skill": skill,
            "rank_ic": rank_ic(sessions[rows], actual, forecast),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def cross_calibration(scores: Vector, folds: NDArray[np.int64], labels: Labels) -> dict[float, float]:
    """Find by nominal level how many rows of each fold lie within the quantile of the others' scores.

    `scores` are absolute errors in scales, (n,), `folds` their folds, `labels` their groups, (n,) both.
    Intervals are calibrated on the whole hold-out, where they cover what they say by construction; this is
    what they cover elsewhere. Of a single fold it is that of its own.
    """
    inside = dict.fromkeys(NOMINAL, 0)
    for fold in np.unique(folds):
        own = folds == fold
        elsewhere = ~own if (~own).any() else own
        for label in np.unique(labels[own]):
            alike = labels == label
            others = scores[elsewhere & alike] if (elsewhere & alike).sum() >= FEWEST else scores[elsewhere]
            for level in NOMINAL:
                reach = np.quantile(others, level, method="higher")
                inside[level] += int((scores[own & alike] <= reach).sum())
    return {level: count / len(scores) for level, count in inside.items()}


def hyperparameters(model: TrainedModel) -> dict[str, str | float]:
    """List how the learners of a model were set, by member and parameter, as far as that is a plain value."""
    found: dict[str, str | float] = {}
    for name, member in _members(model).items():
        weight = model.card.members.get(name, 1.0)
        found |= {f"{name}.weight": weight, f"{name}.learner": type(member).__name__}
        found |= {f"{name}.{one}": value for one, value in member.get_params().items() if _plain(value)}
    return found


def _members(model: TrainedModel) -> dict[str, Any]:
    """Name the fitted learners of a blend; a model of one piece is its only one."""
    pipeline: Any = model.pipeline
    frozen = getattr(pipeline, "named_estimators_", {"model": pipeline})
    return {name: getattr(one, "estimator", one) for name, one in frozen.items()}


def _plain(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and np.isfinite(value))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _forecast(learner: Any, values: NDArray[Any]) -> Vector:
    with one_thread():
        raw = learner.predict(values.astype(np.float64, copy=False))
    return np.asarray(np.clip(raw, *CIRCUIT), dtype=np.float64)
