"""A hold-out from all sides: parts in time, learners, features, liquidity, intervals."""

from itertools import count

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import pictures
from tasks.core.cards import POOLED
from tasks.core.explained import (
    FIFTHS,
    FOLDS,
    SAMPLE,
    by_liquidity,
    cross_calibration,
    folds_of,
    hyperparameters,
    importance,
)
from tasks.core.learners import WEIGHTS
from tasks.core.model_card import model_card
from tasks.core.promotion import measured
from tasks.core.training_rows import TrainingRows
from tests import small_models


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=FOLDS, max_size=200))
def test_folds_are_stretches_of_sessions(days: list[int]) -> None:
    """Rows of a session are in one fold, later ones in the same or a later one; folds differ by a session."""
    folds = folds_of(pd.Series(days))
    by_session = pd.DataFrame({"day": days, "fold": folds}).groupby("day")["fold"].agg(["min", "max"])
    assert (by_session["min"] == by_session["max"]).all()
    assert by_session["min"].is_monotonic_increasing
    assert folds.min() == 0
    assert folds.max() < FOLDS
    if len(by_session) >= FOLDS:
        sizes = by_session["min"].value_counts()
        assert (len(sizes), sizes.max() - sizes.min() <= 1) == (FOLDS, True)


def test_each_part_is_measured_as_the_whole_is() -> None:
    """Squared errors of the parts, weighted by their rows, give that of the whole."""
    told, whole = small_models.explained(), small_models.evaluation().performance
    rows = pd.Series(folds_of(small_models.held().keys["date"])).value_counts().sort_index()
    squares = [one["rmse_return"] ** 2 for one in told.folds]
    assert len(squares) == FOLDS
    assert np.average(squares, weights=rows) == pytest.approx(whole["rmse_return"] ** 2)
    assert set(told.folds[0]) == set(whole)


def test_each_learner_is_measured_alone() -> None:
    """The weighted mean of their forecasts is the model's; each one's error is its own."""
    told = small_models.explained()
    assert list(told.members) == list(WEIGHTS)
    errors = {one["rmse_return"] for one in told.members.values()}
    assert len(errors) == len(told.members)
    assert all(0.5 < error / told.folds[0]["rmse_return"] < 2 for error in errors)


def test_what_the_model_leans_on_costs_most() -> None:
    """The feature that tells something comes first; one that never changes costs nothing."""
    costs = small_models.explained().importance
    assert next(iter(costs)) == "signal"
    assert costs["signal"] > 5
    assert abs(costs["noise"]) < costs["signal"] / 5
    assert costs["vol_20"] == 0


def test_shuffling_leaves_the_rows_alone_and_can_be_repeated() -> None:
    """The same model and rows give the same figures, and the rows are as they were."""
    held = small_models.held()
    before = held.matrix(held.names).copy()
    assert importance(small_models.model(), held) == small_models.explained().importance
    assert np.array_equal(held.matrix(held.names), before)
    assert len(held) < SAMPLE


def test_features_are_left_out_once_the_time_is_over() -> None:
    """A slow machine gets fewer of them, and no error."""
    ticks = count()
    found = importance(small_models.model(), small_models.held(), 2.5, lambda: next(ticks))
    assert len(found) == 2


def test_skill_is_told_by_liquidity() -> None:
    """Equal parts of the rows; the market of this test can be forecast where much is traded."""
    found = small_models.explained().liquidity
    assert list(found.index) == list(FIFTHS)
    assert found["rows"].sum() == len(small_models.held())
    assert found["rows"].max() - found["rows"].min() <= small_models.HELD
    assert found.loc["most traded", "skill"] > 10
    assert found.loc["most traded", "skill"] > found.loc["least traded", "skill"] + 10
    assert found.loc["most traded", "rank_ic"] > 0.3


def test_without_turnover_there_are_no_groups() -> None:
    """As in a feature set that tells nothing of it: an empty table, and a card that says so."""
    held = small_models.held()
    blind = TrainingRows(held.keys, held.matrix(held.names[:3]), held.names[:3])
    assert by_liquidity(blind, np.zeros(len(held))).empty


def test_a_fifth_without_rows_is_left_out() -> None:
    """Where most rows trade alike, they are in one of the fifths together."""
    held = small_models.held()
    turnover = np.where(np.arange(len(held)) < 10, np.arange(len(held)), 50.0).astype(np.float32)
    alike = TrainingRows(held.keys, turnover[:, np.newaxis], ("turnover_mean_20",))
    found = by_liquidity(alike, np.zeros(len(held)))
    assert found["rows"].sum() == len(held)
    assert 0 < len(found) < len(FIFTHS)


def test_calibration_is_that_of_the_other_parts() -> None:
    """Scores that grow from part to part are covered less than the intervals say."""
    steady, folds = np.tile(np.arange(1.0, 101.0), FOLDS), np.repeat(np.arange(FOLDS), 100)
    one = np.full(len(folds), POOLED)
    assert cross_calibration(steady, folds, one)[0.8] == pytest.approx(0.8, abs=0.02)
    alone = cross_calibration(steady[:100], folds[:100], one[:100])
    assert alone[0.95] == pytest.approx(0.95, abs=0.02)
    restless = cross_calibration(steady * np.where(folds == FOLDS - 1, 9.0, 1.0), folds, one)
    assert restless[0.8] < 0.75
    assert set(small_models.explained().coverage) == {"80", "95"}


def test_calibration_is_that_of_the_group() -> None:
    """A part with more of the restless rows is judged by those of the others; too few are judged by all."""
    folds, place = np.repeat(np.arange(FOLDS), 300), np.tile(np.arange(300), FOLDS)
    wide = place < np.where(folds == 0, 200, 60)
    scores = np.random.default_rng(0).uniform(size=len(folds)) * np.where(wide, 9.0, 1.0)
    by_group = cross_calibration(scores, folds, np.where(wide, "wide", "rest"))
    together = cross_calibration(scores, folds, np.full(len(folds), POOLED))
    assert by_group[0.8] == pytest.approx(0.8, abs=0.04)
    assert together[0.8] < 0.76
    assert cross_calibration(scores, folds, np.arange(len(folds)).astype(str)) == together


def test_hyperparameters_are_plain_and_whole() -> None:
    """Of each learner, with its weight; what is no plain value is left out."""
    told = hyperparameters(small_models.model())
    assert told["relative.loss"] == "squared_error"
    assert told["relative.weight"] == WEIGHTS["relative"]
    assert told["linear.ridge__alpha"] == 1000.0
    assert all(isinstance(value, str | int | float) for value in told.values())


def test_the_card_says_what_it_is_for_and_what_it_is_not() -> None:
    """By sections: data, figures beside persistence's, groups, intervals, features, decision, limits."""
    trained = small_models.trained()
    text = model_card(trained.model.card, trained.evaluation, trained.promotion, trained.explained)
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["Use", "Data", "Figures", "Groups", "Intervals", "Features", "Decision", "Limits"]
    assert "no claim of a profit" in text.replace("\n", " ")
    assert f"| rmse_return | {trained.evaluation.performance['rmse_return']:.4f} |" in text
    assert "| most traded |" in text
    assert "| `signal` |" in text
    assert trained.promotion.why in text
    assert len(text) < 5_000


def test_measures_of_no_ranking_are_left_out() -> None:
    """A constant forecast has neither direction nor ranks."""
    keys = small_models.held().keys
    assert not {"hit_rate", "rank_ic"} & set(measured(keys, np.zeros(len(keys))))


@pytest.mark.parametrize("name", ["by_liquidity", "importance", "calibration"])
def test_pictures_are_png(name: str) -> None:
    """Each is a PNG of some size."""
    told = small_models.explained()
    drawn = {
        "by_liquidity": lambda: pictures.by_liquidity(told.liquidity),
        "importance": lambda: pictures.importance(told.importance),
        "calibration": lambda: pictures.calibration(told.calibration),
    }
    data = drawn[name]()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 5_000
