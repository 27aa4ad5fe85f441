"""Drift of a simulated market, seen as its sessions arrive: told once, soon, and not where there is none."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from events.envelope import Event, Metadata, decode
from events.payloads import DataIngested, ModelRetrainingTriggered, ModelTrained, OffsetRange
from flows import watch_drift
from infra.errors import RejectError
from infra.kafka.records import Run
from infra.kafka.work import Work
from infra.settings import Settings
from tasks import drift_watch
from tasks.core.cards import POOLED, Card
from tasks.core.catalogue import LEARNED
from tasks.core.drift import LIMITS, Finding
from tasks.core.drift_reference import WEEK
from tasks.core.drift_watch import SPAN, begun, look, noted
from tasks.core.features import FEATURE_SET, compute
from tasks.core.panel import Panel
from tasks.core.prices import session_to_parquet
from tasks.core.simulator import simulate
from tasks.core.training import TrainedModel
from tasks.core.triggering import DRIFT_FEATURES, DRIFT_PREDICTIONS, WEEKLY
from tests.topic_in_memory import NOON, Log

SESSIONS, TRAINED, SHIFTED = 145, 100, 104
"""Sessions in all, those that the version was made from, and where the shift begins."""
RAW = pd.DataFrame
Market = list[tuple[date, RAW]]


class Momentum:
    """A version that says a tenth of the last return will come again."""

    @staticmethod
    def predict(features: Any) -> Any:
        """Forecast from the first column."""
        return 0.1 * np.nan_to_num(np.asarray(features)[:, 0])


class World:
    """The loop as far as the watch looks at it."""

    def __init__(self, market: Market, order: Sequence[int] = range(SESSIONS)) -> None:
        """Let sessions be told in an order."""
        self.objects = {f"s3://raw/{day}": rows for day, rows in market}
        days = [market[n][0] for n in order]
        told = [DataIngested(symbol="NEPSE", date=day, data_location=f"s3://raw/{day}") for day in days]
        self.raw_data, self.training = Log("raw-data", *told), Log("training")
        self.models, self.live, self.store = Log("models"), self, self
        self.settings, self.broken = Settings(), set[str]()
        self._kept: dict[str, Any] = {}

    def get_many(self, locations: Sequence[str]) -> dict[str, bytes]:
        """Read objects."""
        return {
            one: b"" if one in self.broken else session_to_parquet(self.objects[one]) for one in locations
        }

    def keep(self, name: str, make: Any) -> Any:
        """Keep something for this world."""
        return self._kept.setdefault(name, self._kept.get(name) or make())


class Book:
    """A book in which one version serves, or none."""

    def __init__(self, model: TrainedModel | None, version: str = "v1") -> None:
        """Let it serve."""
        self._model, self._version = model, version

    def version_for(self, target: date) -> str:
        """Name it for sessions to come."""
        assert target == date.max
        return self._version

    def model(self, version: str) -> TrainedModel:
        """Give it."""
        assert version == self._version
        if self._model is None:
            message = "the file is gone"
            raise RejectError(message)
        return self._model


def shifted(market: Market, *when: range) -> Market:
    """The market with odd sessions at some times: ranges wider by 6 %, a fiftieth of the trading."""
    odd = {n for span in when for n in span}
    return [(day, _wild(rows) if n in odd else rows) for n, (day, rows) in enumerate(market)]


def _wild(rows: RAW) -> RAW:
    both = rows[["open", "close"]]
    thin = {name: rows[name] / 50 for name in ("volume", "turnover")}
    return rows.assign(high=both.max(axis=1) * 1.06, low=both.min(axis=1) * 0.94, **thin)


def world_of(market: Market, *versions: ModelTrained, order: Sequence[int] = range(SESSIONS)) -> World:
    """A world in which v1 was made from the first sessions, if nothing else is said."""
    world = World(market, order)
    for version in versions or (trained(market),):
        world.models.add(Event(NOON, "test", version, Metadata(version.model_version, "chain")))
    return world


@pytest.fixture(scope="module")
def market() -> Market:
    """A quiet market of twenty symbols."""
    return [(session.date, session.rows) for session in simulate(SESSIONS, 20, seed=5)]


@pytest.fixture(scope="module")
def model(market: Market) -> TrainedModel:
    """A version that was made from the first sessions, and noted what they were like."""
    names = list(LEARNED)
    names.insert(0, names.pop(names.index("ret_1")))
    rows = compute(Panel.from_sessions(market[:TRAINED]))
    values = rows[names].to_numpy(dtype=np.float64)
    spans = (str(market[0][0]), str(market[TRAINED - 1][0]), str(market[40][0]))
    nothing: Any = Momentum()
    reference = noted(
        rows["date"].to_numpy(), values, names, rows["date"].to_numpy(), nothing.predict(values)
    )
    widths = {POOLED: {"80": 1.0, "95": 2.0}}
    card = Card(
        names, *spans, TRAINED, len(rows), 60, 0, widths, feature_set=FEATURE_SET, reference=reference
    )
    return TrainedModel(nothing, card)


def trained(market: Market, until: int = TRAINED - 1, version: str = "v1", *reasons: str) -> ModelTrained:
    """What was said of a version."""
    fields: dict[str, Any] = {"performance": {}, "features_used": [], "artifact_location": "s3://m"}
    return ModelTrained(model_version=version, training_end=market[until][0], reasons=list(reasons), **fields)


def watched(
    world: World, start: int, end: int, model: TrainedModel | None, patch: pytest.MonkeyPatch
) -> list[ModelRetrainingTriggered]:
    """What watch-drift asks for after a slice; it is on the topic from then on."""
    span = OffsetRange(topic="raw-data", partition=0, start=start, end=end)
    work = Work(world.settings, Run("watch-drift", "run"), [span], lambda asked: ([], asked))
    patch.setattr(watch_drift, "read_once", lambda *_: world.raw_data.between(start, end))
    patch.setattr(drift_watch, "model_book", lambda _: Book(model))
    watch_drift.steps(cast("Any", world), work)
    events = [decode(record.value) for record in work.outgoing]
    for event in events:
        world.training.add(event)
    return [cast("ModelRetrainingTriggered", event.payload) for event in events]


def live(
    world: World, model: TrainedModel, patch: pytest.MonkeyPatch, when: range
) -> dict[int, list[ModelRetrainingTriggered]]:
    """Let sessions arrive one by one; returns what was complained of, by session."""
    found = {n: watched(world, n, n + 1, model, patch) for n in when}
    return {n: asked for n, asked in found.items() if asked}


def test_a_market_that_goes_on_as_it_was_is_not_complained_of(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight sessions like those before; years of real ones are measured elsewhere."""
    assert live(world_of(market), model, monkeypatch, range(TRAINED, TRAINED + 8)) == {}


def test_a_shift_is_found_within_five_sessions(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the share of the features that drifted, their names, and the version that was made before."""
    world = world_of(shifted(market, range(SHIFTED, SESSIONS)))
    found = live(world, model, monkeypatch, range(SHIFTED - 1, SHIFTED + WEEK))
    ((session, (asked,)),) = found.items()
    assert session >= SHIFTED
    assert (asked.reason, asked.model_version) == (DRIFT_FEATURES, "v1")
    assert asked.data_end_date == market[session][0]
    assert asked.statistic is not None
    assert asked.statistic >= asked.threshold == LIMITS.share
    assert "drifted over 5 sessions: " in str(asked.detail)


def test_a_slice_of_many_sessions_judges_the_newest(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a replay of it, which sees the topics as they were, says the same."""
    wild = shifted(market, range(SHIFTED, SESSIONS))
    one, again = world_of(wild), world_of(wild)
    (asked,) = watched(one, SHIFTED, SHIFTED + 8, model, monkeypatch)
    assert asked.data_end_date == market[SHIFTED + 7][0]
    assert watched(again, SHIFTED, SHIFTED + 8, model, monkeypatch) == [asked]
    assert [entry.id for entry in again.training.entries] == [entry.id for entry in one.training.entries]


def test_a_session_that_is_dated_into_the_future_is_not_the_newest(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would be judged until that day; what is dated so is not judged itself."""
    wild = shifted(market, range(SHIFTED, SESSIONS))
    ahead = [(date(2999, 1, 1), wild[-1][1]), *wild]
    world = world_of(ahead, trained(market), order=range(SESSIONS + 1))
    (asked,) = watched(world, SHIFTED, SHIFTED + 9, model, monkeypatch)
    assert asked.data_end_date == market[SHIFTED + 7][0]
    assert watched(world_of(ahead, trained(market)), 0, 1, model, monkeypatch) == []


def test_a_history_that_is_loaded_is_not_judged(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a training has seen, and older sessions than the newest, are nobody's news."""
    wild = shifted(market, range(SHIFTED, SESSIONS))
    seen = world_of(wild, trained(market), trained(market, SESSIONS - 1, "v2", WEEKLY))
    assert watched(seen, 0, SESSIONS, model, monkeypatch) == []
    order = [*range(SHIFTED), SESSIONS - 1, *range(SHIFTED, SESSIONS - 1)]
    assert watched(world_of(wild, order=order), SHIFTED + 1, SESSIONS, model, monkeypatch) == []


def test_the_same_drift_is_told_again_only_once_it_was_over(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lasts nobody learns anything from a second complaint, however long ago the first was."""
    lasting = world_of(shifted(market, range(TRAINED, SESSIONS)))
    assert len(live(lasting, model, monkeypatch, range(TRAINED, TRAINED + WEEK))) == 1
    assert live(lasting, model, monkeypatch, range(125, 127)) == {}
    short = world_of(shifted(market, range(TRAINED, TRAINED + 2), range(111, SESSIONS)))
    assert len(live(short, model, monkeypatch, range(TRAINED, TRAINED + WEEK))) == 1
    assert len(live(short, model, monkeypatch, range(111, 111 + WEEK))) == 1


def test_forecasts_that_are_unlike_those_before_are_told(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version says other things than on the sessions that it was not fitted on."""
    world = world_of(market)
    card = model.card
    days = [day for day, rows in market[:TRAINED] for _ in range(len(rows))]
    calm = np.random.default_rng(1).normal(0.02, 0.001, len(days))
    values = np.zeros((len(days), len(card.features)))
    reference = {DRIFT_PREDICTIONS: noted(days, values, card.features, days, calm)[DRIFT_PREDICTIONS]}
    other = TrainedModel(model.pipeline, Card(**{**card.to_dict(), "reference": reference}))
    found = [one for n in range(TRAINED, TRAINED + 6) for one in watched(world, n, n + 1, other, monkeypatch)]
    assert [one.reason for one in found] == [DRIFT_PREDICTIONS]
    assert found[0].statistic is not None
    assert found[0].statistic > found[0].threshold == LIMITS.psi


@pytest.mark.parametrize(
    ("book", "told"),
    [
        (Book(None, "v0"), "no trained version serves"),
        (Book(None), "not judged: v1 can't be loaded: the file"),
    ],
)
def test_without_a_version_nothing_is_judged(
    market: Market, book: Book, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where it can't be loaded; the run says so."""
    monkeypatch.setattr(drift_watch, "model_book", lambda _: book)
    world = World(market)
    found = drift_watch.watch(cast("Any", world), world.raw_data.entries[-1:], SESSIONS)
    assert found.told.startswith(told)
    assert found.complaints == []


def test_a_version_that_noted_nothing_is_not_judged(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cards of older versions have no reference; those of another feature set are of other features."""
    world = world_of(shifted(market, range(SHIFTED, SESSIONS)))
    for changes in ({"reference": {}}, {"feature_set": "of others"}):
        other = TrainedModel(model.pipeline, Card(**{**model.card.to_dict(), **changes}))
        assert watched(world, SHIFTED, SHIFTED + 8, other, monkeypatch) == []


def test_a_session_whose_object_is_gone_is_not_judged(
    market: Market, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a dead letter of compute-features."""
    world = world_of(shifted(market, range(SHIFTED, SESSIONS)))
    world.broken.add(f"s3://raw/{market[SHIFTED + 7][0]}")
    assert watched(world, SHIFTED, SHIFTED + 8, model, monkeypatch) == []


@pytest.mark.parametrize(
    ("shares", "complained", "news"),
    [
        ((0.0, 0.06), False, False),
        ((0.06, 0.06), False, True),
        ((0.06,), False, False),
        ((), False, False),
        ((0.06, 0.03, 0.06, 0.06), True, False),
        ((0.06, 0.02, 0.06, 0.06), True, True),
        ((0.02, 0.06, 0.06, 0.06, 0.06), True, True),
    ],
)
def test_a_drift_is_news_where_nobody_was_told(
    shares: tuple[float, ...], complained: bool, news: bool
) -> None:
    """In two sessions in a row; after a complaint, once it was over, whenever it came again."""
    found = [Finding(share, (), 50) for share in shares]
    assert begun(found, complained=complained) is news


def test_two_sessions_are_looked_at_or_all_since_a_complaint() -> None:
    """Fewer than SPAN; then it is forgotten. A complaint of an earlier term is none of this one."""
    days = [date.fromordinal(738_000 + n) for n in range(60)]
    assert look(days, date.min, days[3]) == (2, False)
    assert look(days, days[40], days[3]) == (19, True)
    assert look(days, days[-SPAN], days[3]) == (SPAN - 1, True)
    assert look(days, days[-SPAN - 1], days[3]) == look(days, days[5], days[3]) == (2, False)
    assert look(days, days[3], days[3]) == (2, False)
