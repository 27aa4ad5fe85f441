"""Training, prediction and promotion on a small market whose next return is partly known."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from tasks.core import pictures
from tasks.core.cards import POOLED, Card
from tasks.core.drift_reference import Reference
from tasks.core.drift_watch import noted
from tasks.core.learners import WEIGHTS
from tasks.core.promotion import Evaluation, evaluate, evaluate_unseen, verdict
from tasks.core.training import (
    BAND,
    CIRCUIT,
    HOLDOUT,
    NotTrainableError,
    TrainedModel,
    holdout_rows,
    predict,
    predict_return,
    train,
)
from tasks.core.training_rows import TrainingRows
from tasks.core.triggering import DRIFT_FEATURES, DRIFT_PREDICTIONS

FEATURES = ["signal", "noise", "vol_20", "empty"]
SESSIONS = pd.bdate_range("2024-01-01", periods=140)
END = SESSIONS[-1].date()


def market(sessions: int = 139, symbols: int = 20, seed: int = 0) -> pd.DataFrame:
    """Make a market in which `signal` explains a fifth of the next return's variance."""
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
    return frame.assign(target=0.007 * signal + 0.014 * generator.normal(size=n))


def of(frame: pd.DataFrame) -> TrainingRows:
    """Rows of the market as a training takes them."""
    return TrainingRows.of(frame, FEATURES)


def trained(frame: pd.DataFrame, end: date = END) -> TrainedModel:
    """A model of the market, with 40 sessions kept from fitting."""
    return train(of(frame), data_end=end, holdout_sessions=40)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """All rows of the market."""
    return market()


@pytest.fixture(scope="module")
def rows(frame: pd.DataFrame) -> TrainingRows:
    """The same, as a training takes them."""
    return of(frame)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> TrainedModel:
    """A model of that market."""
    return trained(frame)


@pytest.fixture(scope="module")
def evaluation(rows: TrainingRows, model: TrainedModel) -> Evaluation:
    """Its hold-out."""
    return evaluate(model, holdout_rows(rows, model))


@pytest.fixture(scope="module")
def idle(rows: TrainingRows) -> TrainedModel:
    """A model of features that know nothing."""
    return train(rows, features=["noise", "vol_20"], data_end=END, holdout_sessions=40)


def test_the_holdout_is_the_last_sessions_and_was_not_fitted(
    frame: pd.DataFrame, rows: TrainingRows, model: TrainedModel
) -> None:
    """Changing outcomes of the hold-out leaves the fitted forecasts as they are."""
    held = holdout_rows(rows, model)
    assert held.keys["date"].nunique() == model.card.holdout_sessions == 40
    assert model.card.training_end == str(END)
    first = held.keys["date"].min()
    turned = frame.assign(target=frame["target"].where(frame["date"] < first, -frame["target"]))
    assert np.array_equal(predict_return(model, held), predict_return(trained(turned), held))


def test_so_many_sessions_are_held_out_but_a_third_at_most(rows: TrainingRows) -> None:
    """A small history keeps most of its sessions for fitting."""
    held = train(rows, features=["noise"], data_end=END).card.holdout_sessions
    assert held == rows.keys["date"].nunique() // 3 < HOLDOUT


def test_rows_about_the_holdout_are_purged(frame: pd.DataFrame, model: TrainedModel) -> None:
    """An early row whose outcome lies inside the hold-out is not fitted, nor one of its first session."""
    first = pd.Timestamp(model.card.holdout_start)
    for ahead in (0, 3):
        late = frame["target_date"].where(frame.index != 0, first + pd.Timedelta(days=ahead))
        assert trained(frame.assign(target_date=late)).card.rows == model.card.rows - 1
    assert model.card.rows == (frame["target_date"] < first).sum()


def test_nothing_after_data_end_is_used(frame: pd.DataFrame, rows: TrainingRows) -> None:
    """A training up to a date equals one on a frame that was cut there."""
    end = SESSIONS[119].date()
    cut = frame[frame["target_date"] <= pd.Timestamp(end)]
    whole, short = trained(frame, end), trained(cut, end)
    assert whole.card == short.card
    assert whole.card.training_end == str(end)
    assert np.array_equal(predict_return(whole, rows), predict_return(short, rows))


def test_the_card_tells_the_weights_of_the_blend(model: TrainedModel) -> None:
    """Each member's in the sum; widths of intervals are of all rows as long as there are no groups."""
    assert model.card.members == WEIGHTS
    assert list(model.card.quantiles) == [POOLED]
    assert Card.from_dict(model.card.to_dict()) == model.card


def test_a_training_notes_what_it_was_made_from(rows: TrainingRows, model: TrainedModel) -> None:
    """For those who watch it drift: its newest year; forecasts of 40 held-out sessions are too few."""
    features = Reference.from_dict(model.card.reference[DRIFT_FEATURES])
    assert (features.names, features.sessions) == (FEATURES, rows.keys["date"].nunique())
    assert DRIFT_PREDICTIONS not in model.card.reference
    assert Card.from_dict(json.loads(json.dumps(model.card.to_dict()))) == model.card


def test_the_reference_counts_rows_whose_outcome_is_unknown(model: TrainedModel, frame: pd.DataFrame) -> None:
    """A watch sees every row of a session: shares that do not trade next are of the market, too."""
    idle = frame[frame["symbol"] == "S0"].assign(symbol="idle", target=np.nan, noise=9.0)
    whole = of(pd.concat([frame, idle], ignore_index=True))
    watched = train(of(frame), data_end=END, holdout_sessions=40, newest=whole).card
    assert np.array_equal(predict_return(model, whole), predict_return(replace(model, card=watched), whole))
    days, names = whole.keys["date"].to_numpy(), watched.features
    wanted = noted(days, whole.matrix(names), names, days[:0], np.empty(0))
    assert watched.reference == wanted != model.card.reference
    alone = train(whole, data_end=END, holdout_sessions=40).card
    assert alone.reference == watched.reference


def test_prices_follow_from_returns(frame: pd.DataFrame, rows: TrainingRows, model: TrainedModel) -> None:
    """Predicted closes are last_close x exp(forecast), in order, within nested intervals."""
    found = predict(model, frame)
    assert found["symbol"].tolist() == frame["symbol"].tolist()
    by_symbol = found.assign(date=frame["date"]).sort_values(["date", "symbol"])["predicted_close"]
    assert np.allclose(by_symbol, rows.keys["last_close"] * np.exp(predict_return(model, rows)))
    ordered = found[["low_95", "low_80", "predicted_close", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_forecasts_end_at_the_circuit(frame: pd.DataFrame, rows: TrainingRows) -> None:
    """However wild the training, no forecast passes 10 % and no interval 10.5 %."""
    wild = trained(frame.assign(target=10 * frame["target"]))
    returns, found = predict_return(wild, rows), predict(wild, frame)
    assert (returns.min(), returns.max()) == CIRCUIT
    assert np.log(found["high_95"] / frame["last_close"]).max() == pytest.approx(BAND[1])
    assert np.log(found["low_95"] / frame["last_close"]).min() == pytest.approx(BAND[0])


def test_a_row_is_forecast_without_looking_at_others(frame: pd.DataFrame, model: TrainedModel) -> None:
    """Alone or in company (another slice), a symbol gets the same prediction, to a billionth."""
    together, alone = predict(model, frame.iloc[:50]), predict(model, frame.iloc[7:8])
    assert alone["predicted_close"].iloc[0] == pytest.approx(together["predicted_close"].iloc[7], rel=1e-9)


def test_missing_values_are_forecast_and_infinite_ones_count_as_missing(
    frame: pd.DataFrame, model: TrainedModel
) -> None:
    """NaN in every feature still gives a finite price; infinity, or what overflows, gives the same one."""
    blank = frame.head(3).assign(**dict.fromkeys(FEATURES, np.nan))
    found = predict(model, blank)
    assert np.isfinite(found.drop(columns="symbol").to_numpy()).all()
    assert predict(model, blank.assign(signal=np.inf)).equals(found)
    assert predict(model, blank.assign(signal=-1e300)).equals(found)


def test_missing_features_are_named(frame: pd.DataFrame, rows: TrainingRows, model: TrainedModel) -> None:
    """Rows without a feature are refused by the feature's name; no rows at all are not."""
    with pytest.raises(KeyError, match="signal"):
        predict(model, frame.drop(columns="signal"))
    with pytest.raises(KeyError, match="signal"):
        predict_return(model, TrainingRows.of(frame.drop(columns=FEATURES[:2]), FEATURES[2:]))
    assert predict(model, frame.head(0)).empty
    assert not len(predict_return(model, rows.where(np.zeros(len(rows), dtype=bool))))


def test_intervals_cover_what_they_say(model: TrainedModel) -> None:
    """On fresh rows of the same market the 80 % and 95 % intervals hold within two points."""
    fresh = market(seed=9)
    found, actual = predict(model, fresh), fresh["last_close"] * np.exp(fresh["target"])
    for level in (80, 95):
        inside = actual.between(found[f"low_{level}"], found[f"high_{level}"]).mean()
        assert inside == pytest.approx(level / 100, abs=0.02)


def test_debentures_have_intervals_of_their_own(frame: pd.DataFrame) -> None:
    """They err three times as much as their volatility says: both groups are covered in fresh rows."""
    names = [*FEATURES, "debenture"]

    def mixed(plain: pd.DataFrame) -> pd.DataFrame:
        flag = plain["symbol"].isin(["S3", "S7"]).astype(float)
        return plain.assign(debenture=flag, target=plain["target"] * (1 + 2 * flag))

    rows = TrainingRows.of(mixed(frame), names)
    model = train(rows, data_end=END, holdout_sessions=40)
    fresh = mixed(market(seed=9))
    found, actual = predict(model, fresh), fresh["last_close"] * np.exp(fresh["target"])
    inside = actual.between(found["low_80"], found["high_80"])
    shares = inside.groupby(fresh["debenture"]).mean()
    assert shares.tolist() == [pytest.approx(0.8, abs=0.03), pytest.approx(0.8, abs=0.05)]
    assert Card.from_dict(json.loads(json.dumps(model.card.to_dict()))).quantiles == model.card.quantiles


def test_a_model_with_skill_is_promoted_with_figures(evaluation: Evaluation) -> None:
    """It beats persistence in every measure, and the sentence says by how much."""
    assert all(evaluation.performance[name] < value for name, value in evaluation.baseline.items())
    assert evaluation.performance["rank_ic"] > 0.3
    decision = verdict(evaluation)
    assert decision.promoted
    assert "better than persistence on 40 held-out sessions" in decision.why
    assert "p 0.000" in decision.why
    assert (list(decision.tests), decision.implausible) == (["persistence"], False)
    assert decision.tests["persistence"].sessions == 40


def test_noise_is_not_promoted(rows: TrainingRows, idle: TrainedModel) -> None:
    """A model of features that know nothing stays what it is."""
    decision = verdict(evaluate(idle, holdout_rows(rows, idle)))
    assert not decision.promoted
    assert "not clearly better than persistence" in decision.why


def test_a_champion_must_be_beaten_too(
    rows: TrainingRows, model: TrainedModel, evaluation: Evaluation, idle: TrainedModel
) -> None:
    """The same model again is no better than itself; against a poor champion it wins."""
    again = verdict(evaluation, evaluation)
    assert not again.promoted
    assert "not clearly better than the champion" in again.why
    assert verdict(evaluation, evaluate(idle, holdout_rows(rows, model))).promoted


def test_sessions_that_one_of_both_was_fitted_on_are_not_compared(
    rows: TrainingRows, evaluation: Evaluation, idle: TrainedModel
) -> None:
    """The champion saw the first ten held-out sessions; of those that neither saw there have to be twenty."""
    starts = candidate_days(evaluation)

    def champion(unseen: int) -> Evaluation:
        since = str(starts[-unseen].date()) if unseen else "2030-01-01"
        return evaluate_unseen(TrainedModel(idle.pipeline, replace(idle.card, holdout_start=since)), rows)

    compared = verdict(evaluation, champion(30))
    assert compared.promoted
    assert compared.tests["the champion"].sessions == 30
    assert "the champion's (t" in compared.why
    assert ", 30 sessions)" in compared.why
    for few in (19, 0):
        found = verdict(evaluation, champion(few))
        assert not found.promoted
        assert list(found.tests) == ["persistence"]
        assert (
            f"not comparable with the champion: {few} sessions that neither was fitted on, not 20"
            in found.why
        )


def test_a_champion_that_can_not_be_measured_is_not_passed_by(evaluation: Evaluation) -> None:
    """Its features are not among the rows: a person decides."""
    found = verdict(evaluation, None, ("of_old", "of_older"))
    assert not found.promoted
    assert found.why.startswith(
        "not comparable with the champion: the rows lack of_old, of_older on 40 held-out"
    )
    assert list(found.tests) == ["persistence"]


def candidate_days(evaluation: Evaluation) -> list[pd.Timestamp]:
    """Held-out sessions."""
    return [pd.Timestamp(day) for day in evaluation.sessions.index]


def test_a_model_that_was_not_tested_enough_is_not_promoted(evaluation: Evaluation) -> None:
    """Nineteen sessions, however good on them."""
    found = verdict(replace(evaluation, sessions=evaluation.sessions.iloc[:19]))
    assert (found.promoted, found.tests) == (False, {})
    assert found.why.startswith("not comparable with persistence: 19 sessions that neither was fitted on")


@pytest.mark.parametrize(
    ("measures", "told"),
    [
        ({"rmse_return": 0.84}, "skill 0.16"),
        ({"rank_ic": 0.51}, "rank IC 0.51"),
        ({"rank_ic": -0.6}, "rank IC 0.60"),
    ],
)
def test_what_is_too_good_is_a_leak(evaluation: Evaluation, measures: dict[str, float], told: str) -> None:
    """It beats persistence and is not promoted; just below it is."""
    baseline = evaluation.baseline | {"rmse_return": 1.0}
    usual = replace(evaluation, performance=evaluation.performance | {"rmse_return": 0.86}, baseline=baseline)
    assert verdict(usual).promoted
    found = verdict(replace(usual, performance=usual.performance | measures))
    assert (found.promoted, found.implausible) == (False, True)
    assert f"implausibly good, more likely a leak ({told})" in found.why
    assert found.tests["persistence"].p_value < 0.05


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
    frame: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    """Empty window, too few sessions, constant or unknown target."""
    with pytest.raises(NotTrainableError, match=why):
        trained(spoil(frame))


@pytest.mark.parametrize("draw", [pictures.predicted_against_actual, pictures.error_over_time])
def test_pictures_are_png(draw: Callable[[Evaluation], bytes], evaluation: Evaluation) -> None:
    """Each is a PNG of some size."""
    data = draw(evaluation)
    assert data.startswith(b"\x89PNG")
    assert len(data) > 5_000
