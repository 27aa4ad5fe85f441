"""The challenger predicts beside the champion, on the same vectors, and in nobody's way."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from events.payloads import FeaturesComputed, ModelPromoted, ModelTrained, ShadowPredicted
from flows import predict as flow
from infra.database import state
from infra.kafka.records import Place, Received, Run
from tasks import loaded, predictions, shadows
from tasks.core.alert_rules import alert_id
from tasks.core.calendar import learned
from tasks.core.training import TrainedModel
from tasks.loaded import Models
from tasks.serving import ModelBook
from tests.model_books import Shop, a_model, promoted, received, trained

DAY, TARGET = date(2023, 6, 1), date(2023, 6, 4)
RULES = learned([])


def closes(model: TrainedModel, frame: pd.DataFrame) -> pd.DataFrame:
    """Forecast the last close, more by the mark that the model carries."""
    close = frame["last_close"] + model.card.seed
    bounds = dict.fromkeys(["low_80", "high_80", "low_95", "high_95"], close)
    return pd.DataFrame({"symbol": frame["symbol"], "predicted_close": close, **bounds})


class Slice:
    """A slice of given records that keeps what is published."""

    run = Run("predict", "run")

    def __init__(self, records: list[Received[Any]]) -> None:
        """Hold what is read."""
        self.records = records
        self.published: list[tuple[str, Any, str]] = []
        self.refused: list[str] = []
        self.counts: dict[str, int] = {}

    def publish(
        self, topic: str, payload: Any, cause: Received[Any], subject: str, revision: int = 0
    ) -> None:
        """Keep an event; its revision is the one that its id is made of."""
        assert getattr(payload, "revision", 0) == revision
        assert cause in self.records
        self.published.append((topic, payload, subject))

    def reject(self, _source: Received[Any], reason: str) -> None:
        """Keep a reason."""
        self.refused.append(reason)

    def count(self, what: str) -> None:
        """Count."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def on(self, topic: str) -> list[Any]:
        """Events of a topic."""
        return [payload for where, payload, _ in self.published if where == topic]


class World:
    """A shop whose models add 1, 2, ... rupees by their number, and slices of vectors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *payloads: ModelTrained | ModelPromoted) -> None:
        """Let the flow see this world."""
        self.shop = Shop()
        for payload in payloads:
            number = int(payload.model_version.removeprefix("v"))
            self.shop.say(payload, a_model(mark=number))
        kept: dict[str, Any] = {}
        keep = lambda name, make: kept.setdefault(name, make())  # noqa: E731
        self.loop: Any = SimpleNamespace(database=None, rehearses=lambda _: False, keep=keep)
        models = Models(self.shop)  # type: ignore[arg-type]
        monkeypatch.setattr(loaded, "unpack", self.shop.unpack)
        monkeypatch.setattr(predictions, "predict", closes)
        monkeypatch.setattr(predictions, "make_predictions", predictions.make_predictions.fn)
        monkeypatch.setattr(flow, "make_predictions", predictions.make_predictions)
        monkeypatch.setattr(flow, "read_once", lambda _loop, work: work.records)
        monkeypatch.setattr(flow, "model_book", lambda _loop: self.shop.book(models))
        monkeypatch.setattr(flow, "targets", lambda _loop: RULES)
        monkeypatch.setattr(state, "claimant", lambda _where, _name, place=None: place)

    def take(self, *vectors: FeaturesComputed) -> Slice:
        """Take the flow's steps for a slice of these vectors."""
        work = Slice([received(one, Place("features", 0, n)) for n, one in enumerate(vectors)])
        flow.steps(self.loop, work)  # type: ignore[arg-type]
        return work


def vector(symbol: str = "A", **fields: Any) -> FeaturesComputed:
    """A vector of this code's set."""
    defaults = {"features": {"RSI": 50.0}, "feature_set": "2", "last_close": 100.0}
    return FeaturesComputed(**{"symbol": symbol, "date": DAY, **defaults, **fields})


SERVES, WAITS = trained("v1", date(2023, 1, 1)), trained("v2", date(2023, 2, 1), promoted=False)


def test_the_challenger_predicts_the_same_sessions_on_its_own_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many predictions as ever, each by the champion; a shadow for each beside them."""
    work = World(monkeypatch, SERVES, WAITS).take(vector("A"), vector("B", last_close=200.0))
    assert [(p.model_version, p.predicted_close) for p in work.on("predictions")] == [
        ("v1", 101),
        ("v1", 201),
    ]
    told = work.on("shadows")
    assert [(s.model_version, s.symbol, s.predicted_close) for s in told] == [
        ("v2", "A", 102),
        ("v2", "B", 202),
    ]
    assert told[0] == ShadowPredicted(
        symbol="A",
        date=TARGET,
        predicted_close=102,
        model_version="v2",
        as_of=DAY,
        last_close=100,
        interval_80=(102, 102),
        interval_95=(102, 102),
    )
    assert {subject for topic, _, subject in work.published if topic == "shadows"} == {
        "shadow v2 A",
        "shadow v2 B",
    }
    assert work.counts == {"shadows": 2}


def test_the_newest_version_predicts_beside_the_challenger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each vector has a shadow of both: a retraining a week takes nobody's days away."""
    world = World(monkeypatch, SERVES, WAITS, trained("v3", date(2023, 2, 8), promoted=False))
    told = world.take(vector("A"), vector("B")).on("shadows")
    assert [(s.model_version, s.symbol, s.predicted_close) for s in told] == [
        ("v2", "A", 102),
        ("v3", "A", 103),
        ("v2", "B", 102),
        ("v3", "B", 103),
    ]


def test_who_waits_is_loaded_before_a_slice_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing holds its transactional id meanwhile; a failure leaves the slice as it is."""
    world, seen = World(monkeypatch, SERVES, WAITS), list[tuple[list[str], list[Any]]]()

    def process(_flow: str, slices: list[Any], _steps: object) -> None:
        seen.append((list(world.shop.loads), slices))

    monkeypatch.setattr(flow, "connect", lambda: world.loop)
    monkeypatch.setattr(flow, "process", process)
    monkeypatch.setattr(shadows, "model_book", flow.model_book)
    flow.predict.fn([])
    monkeypatch.setattr(shadows, "model_book", None)
    flow.predict.fn([])
    assert seen == [(["v2"], []), (["v2"], [])]


def test_what_is_taken_back_is_taken_back_in_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the vector's revision, like the prediction."""
    (shadow,) = World(monkeypatch, SERVES, WAITS).take(vector(revision=2, retracted=True)).on("shadows")
    assert (shadow.revision, shadow.retracted) == (2, True)


@pytest.mark.parametrize(
    ("entries", "fields"),
    [
        ((SERVES,), {}),
        ((), {}),
        ((SERVES, trained("v2", TARGET, promoted=False)), {}),  # it has seen the session
        ((SERVES, WAITS), {"feature_set": "1"}),
        ((SERVES, WAITS), {"last_close": None, "features": {"Close_Lag_1": 9.0}}),
        # what a version predicted when it was in office needs no shadow of its own
        ((SERVES, trained("v2", date(2023, 2, 1)), promoted("v1", date(2023, 7, 1))), {}),
    ],
)
def test_where_nobody_waits_or_can_there_is_no_shadow(
    entries: tuple[Any, ...], fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a prediction all the same."""
    work = World(monkeypatch, *entries).take(vector(**fields))
    assert (len(work.on("predictions")), work.on("shadows")) == (1, [])


def test_a_vector_that_is_refused_has_no_shadow_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to predict from."""
    work = World(monkeypatch, SERVES, WAITS).take(vector(last_close=None))
    assert (work.published, len(work.refused)) == ([], 1)


def test_a_challenger_that_fails_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its file nor what it makes of a vector touches the slice; it is not asked each time."""
    world = World(monkeypatch, SERVES, WAITS)
    asked: list[str] = []

    def broken(_model: TrainedModel, version: str, *_: object) -> None:
        asked.append(version)
        message = "no such column"
        raise ValueError(message)

    monkeypatch.setattr(shadows, "forecast", broken)
    for _ in range(2):
        work = world.take(vector())
        assert (len(work.on("predictions")), work.on("shadows")) == (1, [])
    assert asked == ["v2"]
    assert "no such column" in caplog.text
    monkeypatch.setattr(shadows.time, "monotonic", lambda: 1e12)
    world.take(vector())
    assert asked == ["v2", "v2"]


def test_a_broken_challenger_is_no_alert_of_a_slice_of_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told when it was announced."""
    world = World(monkeypatch, SERVES, WAITS)
    world.shop.spoil("v2")
    work = world.take(vector())
    assert (len(work.on("predictions")), work.on("shadows"), work.on("alerts")) == (1, [], [])


def test_a_broken_champion_is_told_and_the_last_good_one_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vector is lost; the alert is caused by the vector that showed it."""
    world = World(monkeypatch, SERVES, trained("v2", date(2023, 2, 1)))
    world.shop.spoil("v2")
    work = world.take(vector("A"), vector("B"))
    assert [p.model_version for p in work.on("predictions")] == ["v1", "v1"]
    (alert,) = work.on("alerts")
    labels = {"model_version": "v2"}
    assert (alert.rule, alert.labels) == ("model_refused", labels)
    assert alert.alert_id == alert_id("model_refused", labels)
    assert "v1 predicts instead" in alert.message


def test_a_promotion_that_can_not_serve_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is announced, and not when a vector comes."""
    world = World(monkeypatch, SERVES, WAITS)
    world.shop.spoil("v2")
    said = world.shop.say(promoted("v2"))
    work = Slice([said])
    flow.steps(world.loop, work)  # type: ignore[arg-type]
    assert [alert.rule for alert in work.on("alerts")] == ["model_refused"]


def test_a_promotion_counts_from_the_next_slice_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promoted and rolled back between slices; who waits changes with it. Nothing is started anew."""
    world = World(monkeypatch, SERVES, WAITS)

    def versions() -> tuple[list[str], list[str]]:
        work = world.take(vector())
        served, waited = work.on("predictions"), work.on("shadows")
        return [p.model_version for p in served], [s.model_version for s in waited]

    assert versions() == (["v1"], ["v2"])
    world.shop.say(promoted("v2", TARGET))
    assert versions() == (["v2"], [])
    world.shop.say(promoted("v1", TARGET))
    assert versions() == (["v1"], ["v2"])
    book: ModelBook = world.shop.book()
    before = book.offices.before()
    assert before is None
