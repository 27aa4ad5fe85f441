"""Training, prediction and promotion on a small market whose next return is partly known."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.core import pictures
from tasks.core.drift import Reference
from tasks.core.promotion import Evaluation, evaluate, verdict
from tasks.core.training import (
    BAND,
    CIRCUIT,
    Card,
    NotTrainableError,
    TrainedModel,
    holdout_rows,
    known_rows,
    predict,
    predict_return,
    train,
)
from tasks.core.triggering import DRIFT_FEATURES, DRIFT_PREDICTIONS

FEATURES = ["signal", "noise", "vol_20", "empty"]
SESSIONS = pd.bdate_range("2024-01-01", periods=140)
END = SESSIONS[-1].date()


def market(sessions: int = 139, symbols: int = 20, seed: int = 0) -> pd.DataFrame:
    """Make a market in which `signal` explains half of the next return's variance."""
    generator = np.random.default_rng(seed)
    n = sessions * symbols
    signal = generator.normal(size=n)
    frame = pd.DataFrame(
        {
            "symbol": np.tile([f"S{k}" for k in range(symbols)], sessions),
            "date": np.repeat(SESSIONS[:sessions], symbols),
            "target_date": np.repeat(SESSIONS[1 : sessions + 1], symbols),
            "last_close": generator.uniform(100, 900, n),
            "signal": np.where(generator.random(n) < 0.05, np.nan, signal),
            "noise": generator.normal(size=n),
            "vol_20": 0.02,
            "empty": np.nan,
        }
    )
    return frame.assign(target=0.014 * signal + 0.014 * generator.normal(size=n))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """All rows of the market."""
    return market()


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> TrainedModel:
    """A model of that market."""
    return train(rows, features=FEATURES, data_end=END)


@pytest.fixture(scope="module")
def evaluation(rows: pd.DataFrame, model: TrainedModel) -> Evaluation:
    """Its hold-out."""
    return evaluate(model, holdout_rows(rows, model))


def test_the_holdout_is_the_last_40_sessions_and_was_not_fitted(
    rows: pd.DataFrame, model: TrainedModel
) -> None:
    """Changing outcomes of the hold-out leaves the fitted forecasts as they are."""
    held = holdout_rows(rows, model)
    assert held["date"].nunique() == model.card.holdout_sessions == 40
    assert model.card.training_end == str(END)
    turned = rows.assign(target=rows["target"].where(rows["date"] < held["date"].min(), -rows["target"]))
    again = train(turned, features=FEATURES, data_end=END)
    assert np.array_equal(predict_return(model, held), predict_return(again, held))


def test_rows_about_the_holdout_are_purged(rows: pd.DataFrame, model: TrainedModel) -> None:
    """An early row whose outcome lies inside the hold-out is not fitted."""
    first = pd.Timestamp(model.card.holdout_start)
    late = rows["target_date"].where(rows.index != 0, first + pd.Timedelta(days=3))
    assert train(rows.assign(target_date=late), features=FEATURES, data_end=END).card.rows == (
        model.card.rows - 1
    )


def test_nothing_after_data_end_is_used(rows: pd.DataFrame) -> None:
    """A training up to a date equals one on a frame that was cut there."""
    end = SESSIONS[119].date()
    cut = rows[rows["target_date"] <= pd.Timestamp(end)]
    whole, short = (train(frame, features=FEATURES, data_end=end) for frame in (rows, cut))
    assert whole.card == short.card
    assert whole.card.training_end == str(end)
    assert np.array_equal(predict_return(whole, rows), predict_return(short, rows))


def test_a_training_notes_what_it_was_made_from(rows: pd.DataFrame, model: TrainedModel) -> None:
    """For those who watch it drift: its newest year; forecasts of 40 held-out sessions are too few."""
    features = Reference.from_dict(model.card.reference[DRIFT_FEATURES])
    assert (features.names, features.sessions) == (FEATURES, rows["date"].nunique())
    assert DRIFT_PREDICTIONS not in model.card.reference
    assert Card.from_dict(json.loads(json.dumps(model.card.to_dict()))) == model.card


def test_prices_follow_from_returns(rows: pd.DataFrame, model: TrainedModel) -> None:
    """Predicted closes are last_close x exp(forecast), in order, within nested intervals."""
    found = predict(model, rows)
    assert found["symbol"].tolist() == rows["symbol"].tolist()
    assert np.allclose(found["predicted_close"], rows["last_close"] * np.exp(predict_return(model, rows)))
    ordered = found[["low_95", "low_80", "predicted_close", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_forecasts_end_at_the_circuit(rows: pd.DataFrame) -> None:
    """However wild the training, no forecast passes 10 % and no interval 10.5 %."""
    wild = train(rows.assign(target=10 * rows["target"]), features=FEATURES, data_end=END)
    returns, found = predict_return(wild, rows), predict(wild, rows)
    assert (returns.min(), returns.max()) == CIRCUIT
    assert np.log(found["high_95"] / rows["last_close"]).max() == pytest.approx(BAND[1])
    assert np.log(found["low_95"] / rows["last_close"]).min() == pytest.approx(BAND[0])


def test_a_row_is_forecast_without_looking_at_others(rows: pd.DataFrame, model: TrainedModel) -> None:
    """Alone or in company (another slice), a symbol gets the same prediction, to a billionth."""
    together, alone = predict(model, rows.iloc[:50]), predict(model, rows.iloc[7:8])
    assert alone["predicted_close"].iloc[0] == pytest.approx(together["predicted_close"].iloc[7], rel=1e-9)


def test_missing_values_are_forecast_and_infinite_ones_count_as_missing(
    rows: pd.DataFrame, model: TrainedModel
) -> None:
    """NaN in every feature still gives a finite price; infinity gives the same one."""
    blank = rows.head(3).assign(**dict.fromkeys(FEATURES, np.nan))
    endless = blank.assign(signal=np.inf)
    found = predict(model, blank)
    assert np.isfinite(found.drop(columns="symbol").to_numpy()).all()
    assert predict(model, endless).equals(found)


def test_missing_features_are_named(rows: pd.DataFrame, model: TrainedModel) -> None:
    """A frame without a feature is refused by the feature's name; an empty frame is not."""
    with pytest.raises(KeyError, match="signal"):
        predict(model, rows.drop(columns="signal"))
    assert predict(model, rows.head(0)).empty


def test_intervals_cover_what_they_say(model: TrainedModel) -> None:
    """On fresh rows of the same market the 80 % and 95 % intervals hold within two points."""
    fresh = market(seed=9)
    found, actual = predict(model, fresh), fresh["last_close"] * np.exp(fresh["target"])
    for level in (80, 95):
        inside = actual.between(found[f"low_{level}"], found[f"high_{level}"]).mean()
        assert inside == pytest.approx(level / 100, abs=0.02)


def test_a_model_with_skill_is_promoted_with_figures(evaluation: Evaluation) -> None:
    """It beats persistence in every measure, and the sentence says by how much."""
    assert all(evaluation.performance[name] < value for name, value in evaluation.baseline.items())
    assert evaluation.performance["rank_ic"] > 0.5
    decision = verdict(evaluation)
    assert decision.promoted
    assert "better than persistence on 40 held-out sessions" in decision.why
    assert "p 0.000" in decision.why


def test_noise_is_not_promoted(rows: pd.DataFrame) -> None:
    """A model of features that know nothing stays what it is."""
    idle = train(rows, features=["noise", "vol_20"], data_end=END)
    decision = verdict(evaluate(idle, holdout_rows(rows, idle)))
    assert not decision.promoted
    assert "not clearly better than persistence" in decision.why


def test_a_champion_must_be_beaten_too(
    rows: pd.DataFrame, model: TrainedModel, evaluation: Evaluation
) -> None:
    """The same model again is no better than itself; against a poor champion it wins."""
    again = verdict(evaluation, evaluation)
    assert not again.promoted
    assert "not clearly better than the champion" in again.why
    poor = train(rows, features=["noise", "vol_20"], data_end=END)
    assert verdict(evaluation, evaluate(poor, holdout_rows(rows, model))).promoted


def test_a_champion_judged_on_other_sessions_is_no_rival(evaluation: Evaluation) -> None:
    """A session that the champion lacks makes the comparison undecidable, neither won nor lost."""
    short = replace(evaluation, sessions=evaluation.sessions.iloc[1:])
    with pytest.raises(ValueError, match="both losses of every session"):
        verdict(evaluation, short)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda frame: frame.head(0), "there are 0"),
        (lambda frame: frame[frame["date"] < SESSIONS[59]], "there are 59"),
        (lambda frame: frame.assign(target=0.0), "never changes"),
        (lambda frame: frame.assign(target=np.nan), "there are 0"),
    ],
)
def test_what_can_not_be_trained_says_why(
    rows: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    """Empty window, too few sessions, constant or unknown target."""
    with pytest.raises(NotTrainableError, match=why):
        train(spoil(rows), features=FEATURES, data_end=END)


def test_dates_may_be_dates_or_timestamps(rows: pd.DataFrame) -> None:
    """The feature set has datetime.date, the table Timestamps: the same rows remain."""
    plain = rows.assign(date=rows["date"].dt.date, target_date=rows["target_date"].dt.date)
    assert known_rows(plain, date(2024, 3, 1)).equals(known_rows(rows, date(2024, 3, 1)))


@pytest.mark.parametrize("draw", [pictures.predicted_against_actual, pictures.error_over_time])
def test_pictures_are_png(draw: Callable[[Evaluation], bytes], evaluation: Evaluation) -> None:
    """Each is a PNG of some size."""
    data = draw(evaluation)
    assert data.startswith(b"\x89PNG")
    assert len(data) > 5_000
