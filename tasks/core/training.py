"""Fit a model on what was known by a date, and turn its returns back into rupees."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import VotingRegressor

from tasks.core.drift import KEPT
from tasks.core.drift_watch import noted
from tasks.core.feature_sets import set_of
from tasks.core.intervals import LEVELS, calibrate, half_width, row_scale
from tasks.core.learners import fit_blend, one_thread
from tasks.core.skill import Vector

MIN_SESSIONS = 60
"""Fewer sessions with a known outcome can't fill both a training window and a hold-out."""
CIRCUIT = (float(np.log(0.90)), float(np.log(1.10)))
"""The exchange stops a share at 10 % a session: no forecast goes beyond it (log return)."""
BAND = (float(np.log(0.895)), float(np.log(1.105)))
"""Outside ±10.5 % a return is a corporate action, not a move; intervals end there (log return)."""
SCALES = ("volatility_20", "vol_20", "std_20", "return_std_20", "volatility")
"""Features that say how restless a symbol is, in order of preference (log return)."""


class NotTrainableError(ValueError):
    """These rows can't make a model, however often one tries; the message says why."""


@dataclass(frozen=True)
class Card:
    """What a model must know about itself to be used and explained; plain JSON."""

    features: list[str]
    training_start: str
    training_end: str
    """Last session whose outcome the model has seen in fitting or calibration."""
    holdout_start: str
    """First session kept from fitting; the fit ends before it."""
    sessions: int
    rows: int
    holdout_sessions: int
    seed: int
    quantiles: dict[str, float] = field(default_factory=dict)
    """Interval half-widths in scales, by level in percent."""
    scale_feature: str | None = None
    typical_scale: float = 0.0
    feature_set: str | None = None
    reference: dict[str, Any] = field(default_factory=dict)
    """What the features looked like in training, for those who watch them drift; none: nobody noted it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a card; unknown entries, of a newer writer, are dropped."""
        return cls(**{key: value for key, value in values.items() if key in cls.__dataclass_fields__})


@dataclass(frozen=True)
class TrainedModel:
    """A fitted estimator (features -> next session's log return) and its card."""

    pipeline: VotingRegressor
    card: Card

    def missing(self, available: Sequence[str]) -> list[str]:
        """Features that the model needs and `available` lacks."""
        return [name for name in self.card.features if name not in set(available)]

    def takes(self, feature_set: str | None, names: Container[str]) -> bool:
        """Tell whether vectors of this set, with features of these names, are what it was trained on."""
        same = set_of(feature_set) == set_of(self.card.feature_set)
        return same and all(name in names for name in self.card.features)


def train(  # noqa: PLR0913  (all but the frame are by name)
    frame: pd.DataFrame,
    *,
    features: Sequence[str],
    data_end: date,
    holdout_sessions: int = 40,
    seed: int = 0,
    feature_set: str | None = None,
) -> TrainedModel:
    """Fit once before the hold-out, then calibrate the intervals on it.

    Args:
        frame: One row a symbol and session: symbol, date, last_close (rupees), target_date (the session
            that `target` is about), target (log return; NaN when unknown) and the features; n rows.
        features: Columns that the model may use, in this order.
        data_end: Nothing that became known after this session is used.
        holdout_sessions: Most recent sessions kept from fitting (a third of them at most).
        seed: Of the learners; the same rows and seed give the same model.
        feature_set: Name of the feature set, noted on the card.

    Raises:
        NotTrainableError: no rows, too few sessions, or a target that never changes.
    """
    known = known_rows(frame, data_end)
    start = _holdout_start(known, holdout_sessions)
    fitted, held = known[_fit_rows(known, start)], known[known["date"] >= start]
    _refuse_constant(fitted)
    target = fitted["target"].to_numpy(dtype=float)
    pipeline = fit_blend(matrix(fitted, features), target, fitted["date"], seed)
    card = _card(known, fitted, start, features, seed, feature_set)
    model = TrainedModel(pipeline, _calibrated(pipeline, card, held))
    return replace(model, card=replace(model.card, reference=_reference(model, known, held)))


def known_rows(frame: pd.DataFrame, data_end: date) -> pd.DataFrame:
    """Rows whose outcome was known at the end of session `data_end`, in order of date and symbol."""
    days = {name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in ("date", "target_date")}
    dated = frame.assign(**days)
    known = dated[dated["target"].notna() & (dated["target_date"] <= pd.Timestamp(data_end))]
    return known.sort_values(["date", "symbol"], ignore_index=True)


def holdout_rows(frame: pd.DataFrame, model: TrainedModel) -> pd.DataFrame:
    """Rows on which `model` was not fitted, up to the end of its training window."""
    known = known_rows(frame, date.fromisoformat(model.card.training_end))
    return known[known["date"] >= pd.Timestamp(model.card.holdout_start)]


def predict_return(model: TrainedModel, frame: pd.DataFrame) -> Vector:
    """Forecast log returns of the next session, within the circuit limits; shape (n,).

    Raises:
        KeyError: the frame lacks features of the model.
    """
    if missing := model.missing(list(frame.columns)):
        message = f"the model needs features that are not there: {', '.join(missing)}"
        raise KeyError(message)
    if frame.empty:
        return np.empty(0)
    with one_thread():
        raw = model.pipeline.predict(matrix(frame, model.card.features))
    return np.asarray(np.clip(raw, *CIRCUIT), dtype=np.float64)


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
    returns, last = predict_return(model, frame), frame["last_close"].to_numpy(dtype=float)
    scale = scale_of(model.card, frame)
    columns: dict[str, Any] = {
        "symbol": frame["symbol"].to_numpy(),
        "predicted_close": last * np.exp(returns),
    }
    for level in LEVELS:
        half, name = half_width(model.card.quantiles, level, scale), f"{level * 100:.0f}"
        columns[f"low_{name}"] = last * np.exp(np.clip(returns - half, *BAND))
        columns[f"high_{name}"] = last * np.exp(np.clip(returns + half, *BAND))
    return pd.DataFrame(columns)


def scale_of(card: Card, frame: pd.DataFrame) -> Vector:
    """Size of error to expect a row (log return), shape (n,)."""
    volatility = frame[card.scale_feature] if card.scale_feature else None
    return row_scale(volatility, len(frame), card.typical_scale)


def matrix(frame: pd.DataFrame, features: Sequence[str]) -> NDArray[np.float64]:
    """Features as an (n, features) matrix; what is not a finite number is missing (NaN)."""
    values = frame[list(features)].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _fit_rows(known: pd.DataFrame, start: pd.Timestamp) -> "pd.Series[bool]":
    # Purged by outcome: after a halt, a row before the hold-out may be about a session inside it.
    return (known["date"] < start) & (known["target_date"] <= start)


def _holdout_start(known: pd.DataFrame, holdout_sessions: int) -> pd.Timestamp:
    sessions = known["date"].drop_duplicates()
    if len(sessions) < MIN_SESSIONS:
        message = f"a training needs {MIN_SESSIONS} sessions with a known outcome, there are {len(sessions)}"
        raise NotTrainableError(message)
    held = min(holdout_sessions, len(sessions) // 3)
    return pd.Timestamp(sessions.iloc[-held])


def _refuse_constant(fitted: pd.DataFrame) -> None:
    if fitted["target"].nunique() < 2:  # noqa: PLR2004  (two values are the least that vary)
        message = "the target never changes in the training window, there is nothing to learn"
        raise NotTrainableError(message)


def _card(  # noqa: PLR0913, PLR0917  (the parts of one description)
    known: pd.DataFrame,
    fitted: pd.DataFrame,
    start: pd.Timestamp,
    features: Sequence[str],
    seed: int,
    feature_set: str | None,
) -> Card:
    scale = next((name for name in SCALES if name in features), None)
    spread = fitted[scale].median() if scale else np.nan
    return Card(
        features=list(features),
        training_start=str(fitted["date"].min().date()),
        training_end=str(known["target_date"].max().date()),
        holdout_start=str(start.date()),
        sessions=int(fitted["date"].nunique()),
        rows=len(fitted),
        holdout_sessions=int(known.loc[known["date"] >= start, "date"].nunique()),
        seed=seed,
        scale_feature=scale if np.isfinite(spread) else None,
        typical_scale=float(spread) if np.isfinite(spread) else float(fitted["target"].std()),
        feature_set=feature_set,
    )


def _calibrated(pipeline: VotingRegressor, card: Card, held: pd.DataFrame) -> Card:
    residuals = held["target"].to_numpy(dtype=float) - predict_return(TrainedModel(pipeline, card), held)
    return Card(**{**card.to_dict(), "quantiles": calibrate(residuals, scale_of(card, held))})


def _reference(model: TrainedModel, known: pd.DataFrame, held: pd.DataFrame) -> dict[str, Any]:
    """Note what the newest sessions were like, and what the model says of those that it was not fitted on."""
    newest = known[known["date"].isin(known["date"].drop_duplicates().iloc[-KEPT:])]
    names = model.card.features
    said = predict_return(model, held)
    return noted(newest["date"].to_numpy(), matrix(newest, names), names, held["date"].to_numpy(), said)
