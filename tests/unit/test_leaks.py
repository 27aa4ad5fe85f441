"""Leaks show: a model of features that know the future is called implausible, one of noise has no skill."""

import numpy as np
import pandas as pd
import pytest

from tasks.core import features, learners
from tasks.core.catalogue import LEARNED
from tasks.core.panel import Panel
from tasks.core.prices import read_prices
from tasks.core.promotion import Evaluation, evaluate, verdict
from tasks.core.simulator import simulate
from tasks.core.skill import ic_t, skill_score
from tasks.core.training import holdout_rows, train
from tasks.core.training_rows import TrainingRows
from tests.realdata import real_folder
from tests.small_models import small

SESSIONS, SYMBOLS, HELD, TREES = 200, 60, 60, 15
REAL_SESSIONS, REAL_SYMBOLS = 520, 80


def rows_of(panel: Panel) -> pd.DataFrame:
    """Features of all sessions that have half a year before them, and what came next."""
    found = features.compute(panel, panel.dates[min(120, len(panel) // 3)])
    return found.merge(features.target(panel), on=["symbol", "date"])


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    """Rows of a simulated market."""
    return rows_of(Panel.from_sessions([(one.date, one.rows) for one in simulate(SESSIONS, SYMBOLS, seed=4)]))


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """Rows of the symbols of the history that traded most."""
    history = read_prices((real_folder() / "history.parquet").read_bytes(), "history.parquet")
    days = [(day, content.rows) for day, content in history if day]
    panel = Panel.from_sessions(days[-REAL_SESSIONS:])
    traded = np.isfinite(panel["close"]).sum(axis=0)
    return rows_of(panel.of(np.sort(np.argsort(traded)[-REAL_SYMBOLS:])))


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak needs few trees to show."""
    monkeypatch.setattr(learners, "BOOSTED", small(TREES))


def judged(frame: pd.DataFrame) -> Evaluation:
    """Train on rows and evaluate on the hold-out."""
    rows = TrainingRows.of(frame, LEARNED)
    model = train(rows, data_end=frame["target_date"].max(), holdout_sessions=HELD)
    return evaluate(model, holdout_rows(rows, model))


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every row the outcome of another one, of whatever session."""
    return frame.assign(target=np.random.default_rng(0).permutation(frame["target"]))


def shuffled_within(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every row the outcome of another symbol in its session."""
    mixed = frame.groupby("date")["target"].transform(lambda one: np.random.default_rng(0).permutation(one))
    return frame.assign(target=mixed)


def of_tomorrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Give every row the features of its symbol's next session."""
    later = frame.sort_values(["symbol", "date"]).groupby("symbol")[list(LEARNED)].shift(-1)
    return frame.assign(**later.reindex(frame.index))


def skill_of(found: Evaluation) -> float:
    """Share of persistence's root mean squared return error that is saved."""
    return skill_score(found.performance["rmse_return"], found.baseline["rmse_return"])


@pytest.mark.parametrize("market", ["simulated", "real"])
def test_outcomes_that_are_shuffled_can_not_be_forecast(market: str, request: pytest.FixtureRequest) -> None:
    """Neither skill nor promotion, whether features are as they were or not."""
    found = judged(shuffled(request.getfixturevalue(market)))
    assert abs(skill_of(found)) < 0.005
    assert not verdict(found).promoted


def test_outcomes_that_are_shuffled_within_sessions_can_not_be_ranked(simulated: pd.DataFrame) -> None:
    """What the market does next is still there, which symbol does it is not."""
    rows = judged(shuffled_within(simulated)).rows
    mean, t = ic_t(rows["date"], *(rows[name].to_numpy(dtype=float) for name in ("target", "predicted")))
    assert abs(mean) < 0.05
    assert abs(t) < 3


@pytest.mark.parametrize("market", ["simulated", "real"])
def test_features_of_tomorrow_are_caught(market: str, request: pytest.FixtureRequest) -> None:
    """The verdict calls them implausible and promotes nothing, though persistence is beaten."""
    found = verdict(judged(of_tomorrow(request.getfixturevalue(market))))
    assert found.tests["persistence"].p_value < 0.05
    assert (found.implausible, found.promoted) == (True, False)
    assert "more likely a leak" in found.why


@pytest.mark.parametrize("market", ["simulated", "real"])
def test_features_as_they_are_are_plausible(market: str, request: pytest.FixtureRequest) -> None:
    """The same rows, nothing spoiled: whatever the skill, it is not called a leak."""
    found = judged(request.getfixturevalue(market))
    assert not verdict(found).implausible
    assert skill_of(found) < 0.1
