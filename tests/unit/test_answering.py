"""Each request for a retraining is answered once, whatever died in between and however it is sliced again."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, TypeVar

import orjson
import pytest

from events.envelope import Event, Metadata, decode, encode
from events.payloads import ModelPromoted, ModelRetrainingTriggered, ModelTrained, OffsetRange
from flows import retrain
from infra.bootstrap import Loop
from infra.errors import RejectError, TryAgainError
from infra.kafka.records import Place, Received, Run
from infra.kafka.work import Work
from infra.registry_types import Submission
from infra.settings import Settings
from tasks import aliases, answered, registering
from tasks.core.features import FEATURE_SET
from tasks.core.training import NotTrainableError
from tests.model_server import MemoryRegistry

SPRING, SUMMER = date(2024, 3, 3), date(2024, 6, 3)
WEEKLY, DRIFT, BY_HAND = ("weekly", SPRING), ("drift", SUMMER), ("by_hand", SPRING)
T = TypeVar("T")
ASKED = [WEEKLY, DRIFT, BY_HAND, ("weekly_schedule", SPRING), ("drift_features", SUMMER)]
"""Requests in the order of their offsets."""


class Topic:
    """The models topic in memory, all of it committed."""

    def __init__(self) -> None:
        """Nothing was published yet."""
        self.entries: list[Received[Any]] = []

    def refresh(self) -> int:
        """Everything is known already."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """List entries."""
        return self.entries[start:end]

    def add(self, *payloads: Any) -> None:
        """Commit events."""
        for payload in payloads:
            at = len(self.entries)
            event = Event(datetime.now(UTC), "test", payload, Metadata(f"model-{at}", "chain"))
            self.entries.append(Received(event, Place("models", 0, at), None, b""))


class World(Loop):
    """Requests, models and a registry in memory; what is trained is told, not fitted."""

    def __init__(self) -> None:
        """Nobody has asked."""
        super().__init__(Settings())
        self.topic, self.memory = Topic(), MemoryRegistry()
        self.fitted: list[date] = []
        self.hopeless, self.promoting, self.noting = False, True, True
        self.meanwhile: list[Any] = []
        """What a person decides during a training."""
        self.asked_at: datetime | None = None
        """When requests were made; as they are read without it."""

    def _log(self, _: str) -> Any:
        return self.topic

    @property
    def registry(self) -> Any:
        """The registry."""
        return self.memory

    def fit(self, _loop: Loop, _rows: Any, until: date) -> Any:
        """Train up to a session."""
        if self.hopeless:
            message = "there are 0"
            raise NotTrainableError(message)
        self.fitted.append(until)
        seen = len(self.topic.entries) if self.noting else None
        told = {"until": until, "promoted": self.promoting, "models_seen": seen}
        self.topic.add(*self.meanwhile)
        return SimpleNamespace(**told, number=len(self.fitted), evaluation=None)

    def slice(self, start: int, end: int) -> Work:
        """Make a slice of the requests at these offsets."""
        records = [_record(offset, self.asked_at) for offset in range(start, end)]
        span = OffsetRange(topic="training", partition=0, start=start, end=end)
        return Work(self.settings, Run("retrain", "run"), [span], lambda _: (records, [span]))

    def take(self, start: int, end: int) -> list[ModelTrained]:
        """Do a slice and commit it; returns what it says of trainings."""
        work = self.slice(start, end)
        retrain.steps(self, work)
        said = [decode(one.value) for one in work.outgoing if one.topic == "models"]
        assert len({one.id for one in said}) == len(said)
        self.topic.add(*(one.payload for one in said))
        return [one.payload for one in said if isinstance(one.payload, ModelTrained)]

    def told(self, kind: type[T]) -> list[T]:
        """List what was said of a kind."""
        return [one.payload for one in self.topic.entries if isinstance(one.payload, kind)]

    def promotions(self) -> list[tuple[str, str | None]]:
        """List who took office after whom."""
        return [(one.model_version, one.previous_version) for one in self.told(ModelPromoted)]

    def die_in(self, start: int, end: int) -> None:
        """Do a slice up to the commit, which never comes."""
        retrain.steps(self, self.slice(start, end))


def _record(offset: int, asked_at: datetime | None) -> Any:
    reason, until = ASKED[offset]
    payload = ModelRetrainingTriggered(reason=reason, data_end_date=until)
    value = encode(Event(asked_at or datetime.now(UTC), "test", payload, Metadata(reason, "chain")))
    spot = {"topic": "training", "partition": 0, "offset": offset, "timestamp": 0}
    return SimpleNamespace(**spot, key=b"nepse-close", value=value, headers=[])


def _submission(_: Any, trained: Any, triggers: Any) -> Submission:
    first = registering.newest(triggers)
    others = [one.id for one in triggers if one is not first]
    said = {
        "performance": {"mae": float(trained.number)},
        "features_used": ["RSI"],
        "training_end": str(trained.until),
        "feature_set": FEATURE_SET,
        **({} if trained.models_seen is None else {"models_seen": trained.models_seen}),
        "promoted": trained.promoted,
        "implausible": not trained.promoted,
        "why": f"training {trained.number}",
        "triggers": [one.id for one in triggers],
        "reasons": [one.payload.reason for one in triggers],
    }
    data = f"model {trained.number}".encode()
    return Submission(data, {"features": ["RSI"]}, [first.id, *others], said, promoted=True, why="")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world in which trainings are told."""
    made = World()
    monkeypatch.setattr(registering, "submission", _submission)
    monkeypatch.setattr(retrain, "register", registering.register.fn)
    monkeypatch.setattr(retrain, "read_once", lambda _, work: work.read())
    monkeypatch.setattr(retrain, "stored_features", lambda *_: None)
    monkeypatch.setattr(retrain, "fit", made.fit)
    monkeypatch.setattr(retrain, "predicted_against_actual", lambda _: b"png")
    yield made
    made.close()


def test_requests_that_wait_together_are_answered_by_one_training(world: World) -> None:
    """It is of the newest data that any of them names, and says why it was made."""
    [said] = world.take(0, 3)
    assert world.fitted == [SUMMER]
    assert (said.model_version, said.triggers) == ("v1", ["weekly", "drift", "by_hand"])
    assert said.reasons == ["weekly", "drift", "by_hand"]
    assert world.take(0, 3) == []
    assert world.fitted == [SUMMER]


def test_who_died_after_registering_is_announced_as_registered(world: World) -> None:
    """The next attempt fits nothing, and says of the version what the first one found."""
    world.die_in(0, 3)
    [said] = world.take(0, 3)
    assert (said.model_version, said.performance, said.why) == ("v1", {"mae": 1.0}, "training 1")
    assert said.artifact_sha256 == world.memory.get("v1").sha256
    assert len(world.fitted) == 1


@pytest.mark.parametrize(("died", "again"), [((0, 3), [(0, 1), (1, 3)]), ((0, 3), [(0, 2), (2, 3)])])
def test_with_earlier_boundaries_the_version_answers_for_later_slices(
    died: tuple[int, int], again: list[tuple[int, int]], world: World
) -> None:
    """The first of the slices says so for all the requests that the version was made for."""
    world.die_in(*died)
    said = [one for span in again for one in world.take(*span)]
    assert [one.model_version for one in said] == ["v1"]
    assert sorted(said[0].triggers) == ["by_hand", "drift", "weekly"]
    assert len(world.fitted) == 1


def test_with_later_boundaries_only_the_new_requests_are_trained_for(world: World) -> None:
    """What was registered answers its own; nothing is lost, and nothing is trained twice."""
    world.die_in(0, 1)
    first, second = world.take(0, 3)
    assert (first.model_version, first.triggers) == ("v1", ["weekly"])
    assert (second.model_version, second.triggers) == ("v2", ["drift", "by_hand"])
    assert world.fitted == [SPRING, SUMMER]


def test_who_takes_office_is_told_with_whom_it_follows(world: World) -> None:
    """Also where two versions of one slice do; who stays challenger takes none."""
    world.die_in(0, 1)
    world.take(0, 2)
    assert world.promotions() == [("v1", "v0"), ("v2", "v1")]
    world.promoting = False
    assert [one.promoted for one in world.take(2, 3)] == [False]
    assert world.promotions() == [("v1", "v0"), ("v2", "v1")]


def test_what_is_too_good_to_be_true_raises_an_alert(world: World) -> None:
    """Also where the attempt that found it died; what serves raises none."""
    world.promoting = False
    world.die_in(0, 1)
    work = world.slice(0, 1)
    retrain.steps(world, work)
    [alert] = [decode(one.value).payload for one in work.outgoing if one.topic == "alerts"]
    assert (alert.rule, alert.labels) == ("model_implausible", {"model_version": "v1"})
    assert "training 1" in alert.message
    world.promoting = True
    quiet = world.slice(1, 2)
    retrain.steps(world, quiet)
    assert {one.topic for one in quiet.outgoing} == {"models"}


def test_a_request_that_came_twice_trains_once(world: World) -> None:
    """Also where the models topic alone remembers it."""
    world.take(0, 1)
    assert world.take(0, 2)[0].triggers == ["drift"]


def test_what_a_training_has_seen_is_not_trained_again(world: World) -> None:
    """As what came while it ran: it is answered by it, once, and nobody takes office by that."""
    world.take(1, 2)
    [said] = world.take(3, 5)
    assert (said.model_version, said.triggers) == ("v1", ["weekly_schedule", "drift_features"])
    assert (said.reasons, said.promoted) == (["weekly_schedule", "drift_features"], False)
    assert said.why == f"not trained again: v1 has seen the sessions up to {SUMMER}"
    assert (world.fitted, world.promotions()) == ([SUMMER], [("v1", "v0")])
    assert aliases.standing(world) == ("v1", None)
    assert world.take(3, 5) == []


def test_what_no_training_has_seen_is_trained(world: World) -> None:
    """In one slice with what one has: each request is answered by the one that it needs."""
    world.take(0, 1)
    first, second = sorted(world.take(3, 5), key=lambda one: one.model_version)
    assert (first.model_version, first.triggers) == ("v1", ["weekly_schedule"])
    assert (second.model_version, second.triggers) == ("v2", ["drift_features"])


def test_a_person_gets_a_training_of_their_own(world: World) -> None:
    """Whoever asks by hand knows why, though the data be the same, or older."""
    world.take(0, 2)
    assert [one.model_version for one in world.take(2, 3)] == ["v2"]
    assert world.fitted == [SUMMER, SPRING]


def test_who_asks_while_one_is_trained_on_the_same_data_is_answered_by_it(world: World) -> None:
    """Whatever the reason is."""
    world.take(0, 1)
    world.asked_at = datetime(2024, 6, 3, tzinfo=UTC)
    assert [(one.model_version, one.triggers) for one in world.take(2, 3)] == [("v1", ["by_hand"])]
    assert world.fitted == [SPRING]


def test_a_training_of_another_feature_set_has_seen_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version can't take the vectors that are computed now."""
    world.take(1, 2)
    monkeypatch.setattr(answered, "FEATURE_SET", f"{FEATURE_SET}-of-others")
    assert [one.model_version for one in world.take(3, 4)] == ["v2"]


BY_A_PERSON = ModelPromoted(model_version="v0", reason="the market is closed")


def test_who_was_promoted_while_it_was_trained_stays(world: World) -> None:
    """A person's decision is the newer one: the version waits, and says why."""
    world.meanwhile = [BY_A_PERSON]
    [said] = world.take(0, 1)
    assert said.promoted is False
    assert said.why == (
        "not promoted: v0 was, by a person, while it was trained (the market is closed); else training 1"
    )
    assert world.promotions() == [("v0", None)]
    assert aliases.standing(world) == (None, "v1")


def test_who_was_promoted_after_an_attempt_died_stays(world: World) -> None:
    """The next attempt says of the version what the first one found, and that it was decided before."""
    world.die_in(0, 1)
    world.topic.add(BY_A_PERSON)
    assert [one.promoted for one in world.take(0, 1)] == [False]


def test_who_was_promoted_within_the_moment_of_the_commit_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could see that in time: what is said tells what was known, and every reader decides by that."""
    world.topic.add(_trained("v0.1", promoted=True))
    monkeypatch.setattr(retrain, "not_overruling", lambda _, answer: answer)
    world.meanwhile = [BY_A_PERSON]
    [said] = world.take(0, 1)
    assert (said.promoted, said.models_seen) == (True, 1)
    assert [one.models_seen for one in world.told(ModelPromoted)] == [None, 1]
    assert aliases.standing(world)[0] is None


def test_a_training_that_noted_nothing_has_seen_what_its_slice_sees(world: World) -> None:
    """As one that code of before registered and did not announce."""
    world.noting = False
    world.die_in(0, 1)
    world.topic.add(BY_A_PERSON)
    assert [(one.promoted, one.models_seen) for one in world.take(0, 1)] == [(True, 1)]


def test_a_decision_that_a_training_has_seen_does_not_bind_it(world: World) -> None:
    """It is newer, and was compared with whoever serves."""
    world.topic.add(BY_A_PERSON)
    assert [one.promoted for one in world.take(0, 1)] == [True]
    assert aliases.standing(world) == ("v1", None)


def test_what_can_not_be_trained_is_a_dead_letter_for_each_request(world: World) -> None:
    """They say why; the flow goes on, and nothing is registered."""
    world.hopeless = True
    work = world.slice(0, 3)
    account = retrain.steps(world, work)
    reasons = [dict(one.headers)["reason"].decode() for one in work.outgoing]
    assert reasons == [f"no training on data up to {SUMMER}: there are 0"] * 3
    assert {one.topic for one in work.outgoing} == {"dead-letters"}
    assert (account.message, world.memory.versions()) == ("not trainable", [])


def test_what_died_before_is_announced_although_the_rest_is_hopeless(world: World) -> None:
    """A dead letter beside it takes nothing from a version that is there."""
    world.die_in(0, 1)
    world.hopeless = True
    assert [one.triggers for one in world.take(0, 2)] == [["weekly"]]


def test_a_changed_announcement_is_refused(world: World) -> None:
    """What the store holds is said only if it is what was registered."""
    world.die_in(0, 1)
    [place] = [uri for uri in world.memory.objects if uri.endswith("announcement.json")]
    said = orjson.loads(world.memory.objects[place]) | {"promoted": False}
    world.memory.objects[place] = orjson.dumps(said)
    with pytest.raises(RejectError, match="not the one that was registered"):
        world.take(0, 1)


def test_a_run_tells_of_the_version(world: World) -> None:
    """Its page links to MLflow and shows the forecasts beside what came."""
    account = retrain.steps(world, world.slice(0, 1))
    assert (account.message, account.model_versions) == ("v1 promoted", ["v1"])
    assert "[v1 in MLflow](http" in account.markdown
    assert "data:image/png;base64," in account.markdown


def _trained(version: str, *, promoted: bool) -> ModelTrained:
    return ModelTrained(
        model_version=version,
        performance={},
        features_used=[],
        artifact_location="s3://m/m",
        training_end=SPRING,
        promoted=promoted,
    )


ROLLBACK = ModelPromoted(model_version="v1", previous_version="v3", reason="by hand")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], (None, None)),
        ([_trained("v1", promoted=False)], (None, "v1")),
        ([_trained("v1", promoted=True)], ("v1", None)),
        ([_trained("v1", promoted=True), _trained("v2", promoted=False)], ("v1", "v2")),
        ([_trained("v1", promoted=False), _trained("v2", promoted=True)], ("v2", None)),
        ([_trained("v1", promoted=True), _trained("v3", promoted=True), ROLLBACK], ("v1", "v3")),
    ],
)
def test_who_serves_and_who_waits(
    events: list[Any], expected: tuple[str | None, str | None], world: World
) -> None:
    """The models topic says it: the newest in office, and the newest trained after that one."""
    world.topic.add(*events)
    assert aliases.standing(world) == expected


def test_aliases_follow_the_topic(world: World) -> None:
    """After the commit; a version of whom MLflow knows nothing gets none."""
    world.take(0, 1)
    assert world.memory.aliases() == {}
    aliases.align(world)
    assert world.memory.aliases() == {"champion": "v1"}
    world.topic.add(_trained("v9", promoted=False))
    aliases.align(world)
    assert world.memory.aliases() == {"champion": "v1"}
    world.memory.mlflow.versions.clear()
    aliases.align(world)
    assert world.memory.aliases() == {}


def test_aliases_wait_for_mlflow(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What was committed is no failure of the run because a label is late."""

    def away(*_: object) -> None:
        message = "MLflow is away"
        raise TryAgainError(message)

    world.memory.align = away  # type: ignore[method-assign]
    aliases.align(world)
    assert "stay behind" in caplog.text
