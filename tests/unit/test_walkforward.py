"""The walk forward: nothing of a fold, nor of its eve, is learned, whatever the calendar."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.cards import POOLED
from tasks.core.learners import Sessions
from tasks.core.linear import fit_linear
from tasks.core.skill import Vector
from tasks.core.training import Card, TrainedModel, train
from tasks.core.training_rows import TrainingRows, Values
from tasks.core.walkforward import Fold, every, forecast, learned, yearly

FIRST = date(2018, 11, 1)
NAMES = ("signal", "noise")


class Flat:
    """Forecasts nothing."""

    def predict(self, X: Values) -> Vector:  # noqa: N803  (scikit-learn's name)
        """Say that prices stay."""
        return np.zeros(len(X))


class Witness:
    """Stands in for a training: keeps what it is given."""

    def __init__(self) -> None:
        """Nothing was given yet."""
        self.seen: list[tuple[TrainingRows, date]] = []

    def __call__(self, rows: TrainingRows, data_end: date) -> TrainedModel:
        """Make a model of nothing."""
        self.seen.append((rows, data_end))
        widths = {POOLED: {"80": 1.0, "95": 2.0}}
        card = Card(list(NAMES), "", "", "", 0, 0, 0, 0, widths, typical_scale=0.01)
        return TrainedModel(Flat(), card)


def rows_of(days: Sequence[date], late: int = 0, seed: int = 0) -> TrainingRows:
    """Three symbols that trade now and then; some outcomes come as much as `late` sessions late."""
    generator = np.random.default_rng(seed)
    keys = [
        (symbol, day, days[min(place + 1 + int(generator.integers(0, late + 1)), len(days) - 1)])
        for place, day in enumerate(days[:-1])
        for symbol in ("A", "B", "C")
        if symbol == "A" or generator.random() < 0.7
    ]
    frame = pd.DataFrame(keys, columns=["symbol", "date", "target_date"])
    signal = generator.normal(size=len(frame))
    target = np.where(generator.random(len(frame)) < 0.1, np.nan, 0.01 * signal)
    noise = generator.normal(size=len(frame))
    return TrainingRows.of(frame.assign(last_close=10.0, signal=signal, noise=noise, target=target), NAMES)


CALENDARS = st.sets(st.integers(0, 500), min_size=30, max_size=90).map(
    lambda places: [FIRST + timedelta(days=place) for place in sorted(places)]
)
"""Sessions with gaps of any length."""


@settings(deadline=None, max_examples=50)
@given(CALENDARS, st.integers(0, 4), st.integers(0, 6), st.integers(1, 25), st.integers(8, 20))
def test_no_outcome_of_the_fold_or_its_embargo_is_learned(
    days: list[date], embargo: int, late: int, sessions: int, start: int
) -> None:
    """By session: with gaps, with symbols that stay away, with outcomes that come late."""
    rows, witness = rows_of(days, late), Witness()
    folds = every(days, days[start], days[-2], sessions)
    forecast(rows, folds, witness, embargo)
    held = sorted(set(rows.keys["date"]))
    assert len(witness.seen) == len(folds)
    for fold, (known, data_end) in zip(folds, witness.seen, strict=True):
        first = held.index(pd.Timestamp(fold.since))
        assert (known.keys["target_date"] < held[first - embargo]).all()
        assert known.keys["target"].notna().all()
        assert data_end < held[first - embargo].date()


@settings(deadline=None, max_examples=50)
@given(CALENDARS, st.integers(1, 25), st.integers(1, 20))
def test_folds_cover_every_session_once(days: list[date], sessions: int, start: int) -> None:
    """One begins where the other ends, and each row of them is forecast, also where no outcome is known."""
    folds = every(days, days[start], days[-2], sessions)
    covered = [day for fold in folds for day in days if fold.since <= day <= fold.until]
    assert covered == days[start:-1]
    assert all(fold.fit_until == days[days.index(fold.since) - 1] for fold in folds)
    rows = rows_of(days)
    told = forecast(rows, folds, Witness(), embargo=0)
    wanted = rows.keys[rows.keys["date"] >= pd.Timestamp(days[start])]
    assert told[["symbol", "date"]].to_numpy().tolist() == wanted[["symbol", "date"]].to_numpy().tolist()
    assert np.array_equal(told["target"], wanted["target"], equal_nan=True)


@settings(deadline=None)
@given(CALENDARS.filter(lambda days: days[0].year < 2019 <= days[-1].year))
def test_years_are_calendar_years(days: list[date]) -> None:
    """But for a stub at the end, which belongs to the year before."""
    folds = yearly(days, least=10)
    assert folds[0].since == next(day for day in days if day.year >= 2019)
    assert folds[-1].until == days[-1]
    assert all(a.until == b.fit_until < b.since for a, b in pairwise(folds))
    assert all(fold.name == str(fold.since.year) for fold in folds)
    assert all(fold.since.year == fold.until.year for fold in folds[:-1])


def test_a_short_last_year_joins_the_one_before() -> None:
    """Two months of a year are no fold of their own."""
    days = [date(2022, 1, 3) + timedelta(days=k) for k in range(3 * 365)]
    cut = [day for day in days if day < date(2024, 2, 1)]
    assert [(fold.name, fold.until) for fold in yearly(cut, 2023)] == [("2023", cut[-1])]
    assert [fold.name for fold in yearly(cut, 2023, least=31)] == ["2023", "2024"]


@pytest.mark.parametrize("start", [0, 1])
def test_what_has_nothing_before_it_is_refused(start: int) -> None:
    """No session, or none beside the embargo."""
    days = [FIRST + timedelta(days=k) for k in range(40)]
    with pytest.raises(
        ValueError, match=r"nothing comes before|1 sessions to learn from, and 1 are left out"
    ):
        forecast(rows_of(days), every(days, days[start], days[-2]), Witness())


def test_a_fold_that_learns_what_it_forecasts_is_none() -> None:
    """Nor one that ends before it begins."""
    for since, until in ((FIRST, FIRST), (FIRST + timedelta(days=2), FIRST + timedelta(days=1))):
        with pytest.raises(ValueError, match="fold x learns until"):
            Fold("x", FIRST, since, until)


def fit(rows: TrainingRows, data_end: date) -> TrainedModel:
    """Train a ridge, as quickly as a property needs it."""

    def ridge(features: Values, target: Vector, _sessions: Sessions, _seed: int) -> object:
        return fit_linear(features, target)

    return train(rows, data_end=data_end, learn=ridge)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 5), st.integers(90, 130))
def test_what_comes_after_a_fold_changes_none_of_its_forecasts(seed: int, cut: int) -> None:
    """Whatever follows: rows cut off there give the same forecasts and intervals up to there."""
    days = [FIRST + timedelta(days=k) for k in range(160)]
    rows = rows_of(days, late=3, seed=seed)
    short = rows.where((rows.keys["date"] <= pd.Timestamp(days[cut])).to_numpy())
    folds = every(days, days[80], days[cut], 30)
    assert forecast(rows, folds, fit).equals(forecast(short, folds, fit))


def test_forecasts_are_returns_within_their_intervals() -> None:
    """What is partly known is forecast: the wider interval holds the narrower, and both the forecast."""
    days = [FIRST + timedelta(days=k) for k in range(160)]
    told = forecast(rows_of(days), every(days, days[90], days[-2], 40), fit)
    assert told["fold"].unique().tolist() == [str(days[90]), str(days[130])]
    ordered = told[["low_95", "low_80", "predicted", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    known = told[told["target"].notna()]
    assert np.corrcoef(known["predicted"], known["target"])[0, 1] > 0.9


def test_what_a_fold_may_know_is_told_apart_from_the_fit() -> None:
    """The rows and the day that a training gets, without one."""
    days = [FIRST + timedelta(days=k) for k in range(40)]
    known, end = learned(rows_of(days), Fold("x", days[20], days[21], days[30]), embargo=2)
    assert end == days[18]
    assert known.keys["target_date"].max() == pd.Timestamp(days[18])
