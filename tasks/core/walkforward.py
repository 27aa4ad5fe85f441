"""Walk forward through history: a stretch is forecast by a model that knows nothing of it, nor of its eve."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

from tasks.core.training import TrainedModel, bands, known_rows, predict_return
from tasks.core.training_rows import TrainingRows

EMBARGO = 1
"""Sessions before a fold whose outcomes are not learned from either: what moves two sessions alike, a late
correction say, then stands on one side only."""

Fit = Callable[[TrainingRows, date], TrainedModel]
"""Makes a model of rows whose outcomes were known at the end of a session."""


@dataclass(frozen=True)
class Fold:
    """Sessions that one model forecasts."""

    name: str
    fit_until: date
    """Last session whose outcomes may be learned from, but for the embargo."""
    since: date
    until: date
    """Last session whose vectors are forecast from; what they are about comes after it."""

    def __post_init__(self) -> None:
        """Refuse a fold that could learn from what it forecasts.

        Raises:
            ValueError: `fit_until` is not before `since`, or `until` is.
        """
        if not self.fit_until < self.since <= self.until:
            message = f"fold {self.name} learns until {self.fit_until} what is forecast from {self.since} on"
            raise ValueError(message)


def yearly(days: Sequence[date], first: int = 2019, least: int = 60) -> list[Fold]:
    """Cut sessions into calendar years, each learned until the last session of the year before.

    Args:
        days: Sessions, oldest first.
        first: Year of the first fold.
        least: A last year of fewer sessions belongs to the fold before.

    Raises:
        ValueError: there is no session before year `first`.
    """
    years = [day.year for day in days]
    cuts = [k for k in range(len(days)) if years[k] >= first and years[k] != years[k - 1]]
    if len(cuts) > 1 and len(days) - cuts[-1] < least:
        cuts.pop()
    return _cut(days, [*cuts, len(days)], lambda day: str(day.year))


def every(days: Sequence[date], since: date, until: date, sessions: int = 60) -> list[Fold]:
    """Cut the sessions from `since` to `until` into folds of so many, named for their first one.

    Raises:
        ValueError: there is no session before `since`.
    """
    places = [k for k, day in enumerate(days) if since <= day <= until]
    ends = [places[-1] + 1] if places else []
    return _cut(days, [*places[::sessions], *ends], str)


def forecast(rows: TrainingRows, folds: Sequence[Fold], fit: Fit, embargo: int = EMBARGO) -> pd.DataFrame:
    """Forecast every row of every fold; see `forecast_fold`."""
    return pd.concat([forecast_fold(rows, fold, fit, embargo) for fold in folds], ignore_index=True)


def forecast_fold(rows: TrainingRows, fold: Fold, fit: Fit, embargo: int = EMBARGO) -> pd.DataFrame:
    """Fit on what was known `embargo` sessions before a fold, and forecast from the rows of its sessions.

    No row is learned whose outcome came in the last `embargo` sessions before the fold, or later: rows are
    told apart by the session of their outcome, whole sessions at a time.

    Returns:
        The keys of the fold's rows, those without a known target included, with predicted, low_80, high_80,
        low_95, high_95 (log returns) and fold, its name.

    Raises:
        ValueError: there are too few sessions before the fold.
    """
    model = fit(*learned(rows, fold, embargo))
    day = rows.keys["date"]
    inside = (day >= pd.Timestamp(fold.since)) & (day <= pd.Timestamp(fold.until))
    wanted = rows.where(inside.to_numpy(dtype=np.bool_))
    returns, told = predict_return(model, wanted), wanted.keys.copy()
    told["predicted"] = returns
    for level, ends in bands(model.card, wanted.matrix(model.card.features), returns).items():
        told[f"low_{level}"], told[f"high_{level}"] = ends
    return told.assign(fold=fold.name)


def learned(rows: TrainingRows, fold: Fold, embargo: int = EMBARGO) -> tuple[TrainingRows, date]:
    """Give what a fold's model may know, and the session at whose end; raises as `forecast_fold`."""
    days = rows.keys["date"].drop_duplicates()
    before = days[days <= pd.Timestamp(fold.fit_until)]
    if len(before) <= embargo:
        message = f"fold {fold.name} has {len(before)} sessions to learn from, and {embargo} are left out"
        raise ValueError(message)
    end = before.iloc[-1 - embargo].date()
    return known_rows(rows, end), end


def _cut(days: Sequence[date], cuts: Sequence[int], name: Callable[[date], str]) -> list[Fold]:
    """Make a fold from each cut to the next."""
    if cuts[:1] == [0]:
        message = f"nothing comes before {days[0]} that a model could learn from"
        raise ValueError(message)
    return [Fold(name(days[a]), days[a - 1], days[a], days[b - 1]) for a, b in pairwise(cuts)]
