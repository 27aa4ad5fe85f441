"""Which version predicts what: never in sample, persistence where nothing better may or can."""

from datetime import date
from typing import Any

import pytest

from events.payloads import FeaturesComputed, ModelPromoted, ModelTrained
from infra.errors import RejectError
from infra.kafka.records import Place
from tasks import loaded
from tasks.core.calendar import learned
from tasks.core.training import Card, TrainedModel
from tasks.loaded import Models
from tasks.predictions import Vectors, make_predictions
from tasks.serving import PERSISTENCE, ModelBook

THURSDAY, SUNDAY, MONDAY = date(2023, 6, 1), date(2023, 6, 4), date(2023, 6, 5)
RULES = learned([])


class FakeEntry:
    """An entry of the models topic."""

    def __init__(self, payload: Any, offset: int) -> None:
        """Hold the payload at its place."""
        self.payload, self.place = payload, Place("models", 0, offset)


class FakeLoop:
    """The adapters that a model book asks: a models topic, and a registry that has nothing."""

    def __init__(self, *payloads: Any) -> None:
        """Put payloads on the models topic."""
        self.entries = [FakeEntry(payload, offset) for offset, payload in enumerate(payloads)]
        self.models = self.registry = self

    def refresh(self) -> int:
        """Tell the end of the topic."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[FakeEntry]:
        """List entries."""
        return self.entries[start:end]

    def get(self, version: str) -> None:
        """Have no version."""
        message = f"model version {version} does not exist"
        raise RejectError(message)


def trained(
    version: str, until: date | None, *, promoted: bool | None = True, location: str = "s3://m/m.skops"
) -> ModelTrained:
    """A training's event."""
    return ModelTrained(
        model_version=version,
        performance={"mae": 1.0},
        features_used=["RSI"],
        artifact_location=location,
        training_end=until,
        promoted=promoted,
    )


def book_of(*payloads: Any) -> ModelBook:
    """A model book that has read these events."""
    loop: Any = FakeLoop(*payloads)
    return ModelBook(loop, Models(loop))


def a_vector(**fields: Any) -> FeaturesComputed:
    """The chapter's vector, with changes."""
    features = {"Close_Lag_1": 1250.5, "SMA_20": 1245.2, "RSI": 62.3, "Volume_Z_Score": 1.2}
    return FeaturesComputed(**{"symbol": "NEPSE", "date": THURSDAY, "features": features, **fields})


def test_no_version_predicts_a_session_that_it_has_seen() -> None:
    """The newest version whose training ended before the target is chosen, v0 before any."""
    book = book_of(trained("v1", date(2023, 1, 31)), trained("v2", SUNDAY))
    assert book.version_for(SUNDAY) == "v1"
    assert book.version_for(date(2023, 6, 5)) == "v2"
    assert book.version_for(date(2023, 1, 31)) == PERSISTENCE


def test_a_version_that_was_not_promoted_does_not_serve() -> None:
    """Promoted false keeps the version before it; ModelPromoted puts it into office later."""
    events = (trained("v1", date(2023, 1, 1)), trained("v2", date(2023, 2, 1), promoted=False))
    assert book_of(*events).version_for(SUNDAY) == "v1"
    rollback = ModelPromoted(model_version="v2", reason="by hand")
    assert book_of(*events, rollback).version_for(SUNDAY) == "v2"


def test_a_version_without_a_known_training_window_never_serves() -> None:
    """The chapter's ModelTrained does not say what it was trained on: nobody knows what it has seen."""
    assert book_of(trained("v2.4.0", None, promoted=None)).version_for(SUNDAY) == PERSISTENCE


def test_a_pickle_is_refused_without_being_loaded() -> None:
    """The reason names the danger, and the version is struck off."""
    book = book_of(trained("v1", date(2023, 1, 1), location="s3://m/model.PKL"))
    skip = book.check(trained("v1", date(2023, 1, 1), location="s3://m/model.PKL"), 0)
    assert skip is not None
    assert "pickle" in skip.why
    assert book.version_for(SUNDAY) == PERSISTENCE


def test_a_version_that_the_registry_lacks_is_refused_and_the_older_one_goes_on() -> None:
    """A missing model costs no prediction."""
    book = book_of(trained("v7", date(2023, 1, 1)))
    skip = book.check(trained("v7", date(2023, 1, 1)), 0)
    assert skip is not None
    assert (skip.version, skip.rule) == ("v7", "model_refused")
    made = make_predictions.fn(book, Vectors([a_vector(last_close=1300.0)]), RULES)
    assert [m.prediction.model_version for m in made if m.prediction] == [PERSISTENCE]


def test_the_chapters_vector_is_predicted_by_its_first_lag() -> None:
    """Without a last close, persistence takes Close_Lag_1 and says so; the target is the next session."""
    (made,) = make_predictions.fn(book_of(), Vectors([a_vector()]), RULES)
    assert made.prediction is not None
    assert (made.prediction.predicted_close, made.prediction.features_used) == (1250.5, ["Close_Lag_1"])
    assert (made.prediction.as_of, made.prediction.date) == (THURSDAY, SUNDAY)


def test_a_known_last_close_is_what_persistence_predicts() -> None:
    """The last close is newer than its first lag."""
    (made,) = make_predictions.fn(book_of(), Vectors([a_vector(last_close=1260.2)]), RULES)
    assert made.prediction is not None
    assert made.prediction.predicted_close == made.prediction.last_close == 1260.2


def test_the_session_that_the_calendar_names_is_predicted() -> None:
    """Over a holiday that the calendar knows, and the version for that session is asked."""
    book = book_of(trained("v1", date(2023, 1, 31)), trained("v2", SUNDAY))
    calendar = learned([THURSDAY, MONDAY])
    vectors = Vectors([a_vector(), a_vector(date=MONDAY)])
    made = make_predictions.fn(book, vectors, calendar)
    assert [m.prediction.date for m in made if m.prediction] == [MONDAY, date(2023, 6, 6)]
    target = calendar.next_session(THURSDAY)
    assert (book.version_for(SUNDAY), book.version_for(target)) == ("v1", "v2")


@pytest.mark.parametrize("features", [{}, {"RSI": 50.0}, {"Close_Lag_1": None}])
def test_nothing_to_predict_from_is_said(features: dict[str, Any]) -> None:
    """A vector without any price becomes no prediction but a reason."""
    (made,) = make_predictions.fn(book_of(), Vectors([a_vector(features=features)]), RULES)
    assert made.prediction is None
    assert "nothing to predict from" in made.reason


def a_model(feature_set: str | None) -> TrainedModel:
    """A model that needs RSI, of a feature set; there is nothing to predict with."""
    nothing: Any = None
    card = Card(["RSI"], "2023-01-01", "2023-02-01", "2023-01-20", 20, 400, 5, 0, feature_set=feature_set)
    return TrainedModel(nothing, card)


@pytest.mark.parametrize(
    ("trained_on", "vector_of", "version"),
    [
        ("2", "2", "v1"),
        ("1", "2", PERSISTENCE),
        ("2", "1", PERSISTENCE),
        # events and models from before sets were told are of the first one
        ("1", None, "v1"),
        (None, "1", "v1"),
        (None, None, "v1"),
        ("2", None, PERSISTENCE),
        (None, "2", PERSISTENCE),
    ],
)
def test_a_version_predicts_from_the_feature_set_that_it_was_trained_on(
    trained_on: str | None, vector_of: str | None, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another set may hold another formula under the same name: persistence predicts instead."""
    monkeypatch.setattr(loaded.Models, "_read", lambda *_: a_model(trained_on))
    book = book_of(trained("v1", date(2023, 2, 1)))
    assert book.choose(SUNDAY, vector_of, {"RSI": 62.3}).version == version


@pytest.mark.parametrize("features", [{}, {"SMA_20": 1.0}])
def test_a_version_does_not_predict_without_a_feature_that_it_needs(
    features: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own set, but some are not there: persistence predicts instead."""
    monkeypatch.setattr(loaded.Models, "_read", lambda *_: a_model("1"))
    book = book_of(trained("v1", date(2023, 2, 1)))
    (made,) = make_predictions.fn(
        book, Vectors([a_vector(last_close=9.0, features=features, feature_set="1")]), RULES
    )
    assert made.prediction is not None
    assert (made.prediction.model_version, made.prediction.predicted_close) == (PERSISTENCE, 9.0)
