"""Fit a model on what was known by a date, and turn its returns back into rupees."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.core.cards import Card
from tasks.core.drift_reference import KEPT
from tasks.core.drift_watch import noted
from tasks.core.feature_sets import set_of
from tasks.core.intervals import GROUPS, LEVELS, Labels, calibrate, half_widths, key, labelled, row_scale
from tasks.core.learners import WEIGHTS, Learner, Regressor, fillable, fit_blend, one_thread
from tasks.core.skill import Vector
from tasks.core.training_rows import TrainingRows, Values, matrix

__all__ = [
    "BAND",
    "CIRCUIT",
    "HOLDOUT",
    "Card",
    "NotTrainableError",
    "TrainedModel",
    "bands",
    "holdout_rows",
    "known_rows",
    "predict",
    "predict_return",
    "train",
]

HOLDOUT = 60
"""Sessions kept from fitting: a fit is as old as the hold-out is long, and a short one calibrates badly. What
80 % intervals cover in later quarters varies by 4 points if calibrated on 40 sessions, by 2.5 on 120."""
MIN_SESSIONS = 60
"""Fewer sessions with a known outcome can't fill both a training window and a hold-out."""
CIRCUIT = (float(np.log(0.90)), float(np.log(1.10)))
"""The exchange stops a share at 10 % a session: no forecast goes beyond it (log return)."""
BAND = (float(np.log(0.895)), float(np.log(1.105)))
"""Outside ±10.5 % a return is a corporate action, not a move; intervals end there (log return)."""
SCALES = ("volatility_20", "vol_20", "std_20", "return_std_20", "volatility")
"""Features that say how restless a symbol is, in order of preference (log return)."""

Bands = dict[str, tuple[Vector, Vector]]
"""By level in percent the lower and the upper ends of the intervals, (n,) each, as log returns."""


class NotTrainableError(ValueError):
    """These rows can't make a model, however often one tries; the message says why."""


@dataclass(frozen=True)
class TrainedModel:
    """A fitted estimator (features -> next session's log return) and its card."""

    pipeline: Regressor
    card: Card

    def takes(self, feature_set: str | None, names: Container[str]) -> bool:
        """Tell whether vectors of this set, with features of these names, are what it was trained on."""
        same = set_of(feature_set) == set_of(self.card.feature_set)
        return same and all(name in names for name in self.card.features)


def train(  # noqa: PLR0913  (all but the rows are by name)
    rows: TrainingRows,
    *,
    data_end: date,
    features: Sequence[str] | None = None,
    holdout_sessions: int = HOLDOUT,
    seed: int = 0,
    feature_set: str | None = None,
    learn: Learner = fit_blend,
    newest: TrainingRows | None = None,
) -> TrainedModel:
    """Fit once before the hold-out, then calibrate the intervals on it.

    Args:
        rows: One a symbol and session.
        data_end: Nothing that became known after this session is used.
        features: Names that the model may use, in this order; all of the rows' without it.
        holdout_sessions: Most recent sessions kept from fitting (a third of them at most).
        seed: Of the learners; the same rows and seed give the same model.
        feature_set: Name of the feature set, noted on the card.
        learn: Fits the estimator.
        newest: All rows of the newest sessions, whatever came: drift is measured from them; `rows` if None.

    Raises:
        NotTrainableError: no rows, too few sessions, or a target that never changes.
    """
    names = list(rows.names if features is None else features)
    known = known_rows(rows, data_end)
    start = _holdout_start(known, holdout_sessions)
    fitted, held = known.where(_fit_rows(known, start)), _from(known, start)
    _refuse_constant(fitted)
    with one_thread():
        pipeline = learn(fillable(fitted.matrix(names)), fitted.target, fitted.keys["date"], seed)
    card = _card(known, fitted, held, names, seed, feature_set)
    members = dict(WEIGHTS) if learn is fit_blend else {}
    model = _calibrated(TrainedModel(pipeline, replace(card, members=members)), held)
    reference = _reference(model, known, rows if newest is None else newest)
    return replace(model, card=replace(model.card, reference=reference))


def known_rows(rows: TrainingRows, data_end: date) -> TrainingRows:
    """Keep the rows whose outcome was known at the end of session `data_end`."""
    known = rows.keys["target"].notna() & (rows.keys["target_date"] <= pd.Timestamp(data_end))
    return rows.where(known.to_numpy(dtype=np.bool_))


def holdout_rows(rows: TrainingRows, model: TrainedModel) -> TrainingRows:
    """Rows on which `model` was not fitted, up to the end of its training window."""
    known = known_rows(rows, date.fromisoformat(model.card.training_end))
    return _from(known, pd.Timestamp(model.card.holdout_start))


def predict_return(model: TrainedModel, rows: TrainingRows) -> Vector:
    """Forecast log returns of the next session, within the circuit limits; shape (n,).

    Raises:
        KeyError: the rows lack features of the model.
    """
    return _forecast(model, rows.matrix(model.card.features))


def predict(model: TrainedModel, frame: pd.DataFrame) -> pd.DataFrame:
    """Forecast the next close of each row, in rupees, with its intervals.

    Args:
        model: What `train` made.
        frame: symbol, last_close (rupees) and the model's features; n rows, missing values allowed.

    Returns:
        n rows in the same order: symbol, predicted_close, low_80, high_80, low_95, high_95 (rupees).

    Raises:
        KeyError: the frame lacks features of the model.
    """
    values, last = matrix(frame, model.card.features), frame["last_close"].to_numpy(dtype=float)
    returns = _forecast(model, values)
    columns: dict[str, Any] = {
        "symbol": frame["symbol"].to_numpy(),
        "predicted_close": last * np.exp(returns),
    }
    for name, (low, high) in bands(model.card, values, returns).items():
        columns |= {f"low_{name}": last * np.exp(low), f"high_{name}": last * np.exp(high)}
    return pd.DataFrame(columns)


def bands(card: Card, values: Values, returns: Vector) -> Bands:
    """Put the intervals around forecasts (n,) made of `values` (n, the card's features)."""
    scale, labels, found = scale_of(card, values), groups_of(card, values), {}
    for level in LEVELS:
        half = half_widths(card.quantiles, level, scale, labels)
        found[key(level)] = np.clip(returns - half, *BAND), np.clip(returns + half, *BAND)
    return found


def scale_of(card: Card, values: Values) -> Vector:
    """Size of error to expect a row (log return), shape (n,), of values as in `bands`."""
    at = card.features.index(card.scale_feature) if card.scale_feature else None
    return row_scale(None if at is None else values[:, at], len(values), card.typical_scale)


def groups_of(card: Card, values: Values) -> Labels:
    """Group of intervals of each row, (n,), of values as in `bands`."""
    return labelled(values, card.features, card.groups)


def _forecast(model: TrainedModel, values: Values) -> Vector:
    if not len(values):
        return np.empty(0)
    with one_thread():
        raw = model.pipeline.predict(values.astype(np.float64))
    return np.clip(raw, *CIRCUIT)


def _fit_rows(known: TrainingRows, start: pd.Timestamp) -> NDArray[np.bool_]:
    # Purged by outcome: after a halt, a row before the hold-out may be about a session inside it. The outcome
    # of its first session is not learned either, though vectors of that close know it: an embargo.
    return (known.keys["target_date"] < start).to_numpy(dtype=np.bool_)


def _from(known: TrainingRows, start: pd.Timestamp) -> TrainingRows:
    return known.where((known.keys["date"] >= start).to_numpy(dtype=np.bool_))


def _holdout_start(known: TrainingRows, holdout_sessions: int) -> pd.Timestamp:
    sessions = known.keys["date"].drop_duplicates()
    if len(sessions) < MIN_SESSIONS:
        message = f"a training needs {MIN_SESSIONS} sessions with a known outcome, there are {len(sessions)}"
        raise NotTrainableError(message)
    held = min(holdout_sessions, len(sessions) // 3)
    return pd.Timestamp(sessions.iloc[-held])


def _refuse_constant(fitted: TrainingRows) -> None:
    if fitted.keys["target"].nunique() < 2:  # noqa: PLR2004  (two values are the least that vary)
        message = "the target never changes in the training window, there is nothing to learn"
        raise NotTrainableError(message)


def _card(  # noqa: PLR0913, PLR0917  (the parts of one description)
    known: TrainingRows,
    fitted: TrainingRows,
    held: TrainingRows,
    features: list[str],
    seed: int,
    feature_set: str | None,
) -> Card:
    scale = next((name for name in SCALES if name in features), None)
    spread = pd.Series(fitted.matrix([scale])[:, 0]).median() if scale else np.nan
    days = fitted.keys["date"]
    return Card(
        features=features,
        training_start=str(days.min().date()),
        training_end=str(known.keys["target_date"].max().date()),
        holdout_start=str(held.keys["date"].min().date()),
        sessions=int(days.nunique()),
        rows=len(fitted),
        holdout_sessions=int(held.keys["date"].nunique()),
        seed=seed,
        scale_feature=scale if np.isfinite(spread) else None,
        typical_scale=float(spread) if np.isfinite(spread) else float(fitted.target.std()),
        feature_set=feature_set,
        groups={name: list(bounds) for name, bounds in GROUPS.items() if name in features},
    )


def _calibrated(model: TrainedModel, held: TrainingRows) -> TrainedModel:
    residuals, values = held.target - predict_return(model, held), held.matrix(model.card.features)
    widths = calibrate(residuals, scale_of(model.card, values), groups_of(model.card, values))
    return replace(model, card=replace(model.card, quantiles=widths))


def _reference(model: TrainedModel, known: TrainingRows, newest: TrainingRows) -> dict[str, Any]:
    """Note what the newest sessions were like, all of their rows, as newer ones are looked at.

    And what the model says of those that it was not fitted on.
    """
    days, names = known.keys["date"].drop_duplicates().iloc[-KEPT:], model.card.features
    seen = newest.where(newest.keys["date"].isin(days).to_numpy(dtype=np.bool_))
    held = _from(seen, pd.Timestamp(model.card.holdout_start))
    said = predict_return(model, held)
    return noted(seen.keys["date"].to_numpy(), seen.matrix(names), names, held.keys["date"].to_numpy(), said)
