"""What a model, its input and its training may be like, and what the loop does then: three tables.

All of it with the real file format, registry, book and flows; MLflow, S3 and topics are in memory. Beside it:

- every way in which a file is refused by itself: `test_artifact.py`; who serves when several versions are
  broken, repaired or named again: `test_serving.py`; who is told of it, once: `test_fallbacks.py`
- forecasts of rows with gaps, prices within their limits, windows that the arithmetic refuses:
  `test_training.py`; features that know the future: `test_leaks.py`
- requests that are answered once, whatever dies: `test_answering.py`
- a changed file on a real object store: `tests/integration/test_registry.py`; a pickle, on a running stack:
  `tests/integration/test_chapter.py`
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.dummy import DummyRegressor
from sklearn.preprocessing import FunctionTransformer

from events.envelope import Event, Metadata, decode, encode
from events.payloads import (
    AlertRaised,
    FeaturesComputed,
    ModelRetrainingTriggered,
    OffsetRange,
    PredictionMade,
)
from flows import predict, retrain
from infra.artifact import CARD, Artifact, dump
from infra.bootstrap import Loop
from infra.database import state
from infra.kafka.records import Outgoing, Run
from infra.kafka.work import Work
from infra.registry_types import Submission
from infra.settings import Settings
from tasks import predictions, registering, training
from tasks.core.calendar import learned
from tasks.core.dataset import stored_rows
from tasks.core.features import FEATURE_SET
from tasks.core.training import TrainedModel
from tasks.models import pack
from tests import small_models
from tests.model_books import trained
from tests.model_server import MemoryRegistry
from tests.topic_in_memory import Log

DAY, TARGET = date(2025, 3, 3), date(2025, 3, 4)
"""After all that the versions were trained on."""
JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)


class World(Loop):
    """A loop whose topics and registry are in memory, with v1 in office."""

    def __init__(self) -> None:
        """Register v1, and say that it was trained."""
        super().__init__(Settings())
        self.said, self.memory = Log("models"), MemoryRegistry()
        self.announce(small_models.model(), JANUARY)

    def _log(self, _: str) -> Any:
        return self.said

    @property
    def registry(self) -> Any:
        """The registry."""
        return self.memory

    @property
    def database(self) -> Any:
        """Nothing is asked of it."""
        return None

    def announce(self, model: TrainedModel | bytes, until: date, **fields: Any) -> str:
        """Register a model, or the bytes of a file, and say that it was promoted; returns its name."""
        data = model if isinstance(model, bytes) else pack(model)
        number = str(len(self.said.entries))
        about = {"features": ["RSI"], "training_start": "2024-01-01", "training_end": str(until)}
        version = self.memory.register(Submission(data, about, [number], {}, promoted=True, why=""))
        told = {"artifact_location": version.artifact_location, "artifact_sha256": version.sha256}
        told |= {"feature_set": FEATURE_SET, "features_used": list(small_models.FEATURES)}
        payload = trained(version.name, until, **told | fields)
        self.said.add(Event(datetime.now(UTC), "test", payload, Metadata(f"said-{number}", "chain")))
        return version.name

    def change(self, version: str, how: Callable[[bytes], bytes | None]) -> None:
        """Change the file of a version behind everybody's back, or take it away."""
        place = self.memory.get(version).artifact_location
        left = how(self.memory.objects.pop(place))
        if left is not None:
            self.memory.objects[place] = left

    def take(self, flow: Any, topic: str, *payloads: Any) -> list[Outgoing]:
        """Take a flow's steps for a slice of events; returns what it would commit."""
        records = [_record(self.settings, topic, offset, one) for offset, one in enumerate(payloads)]
        span = OffsetRange(topic=topic, partition=records[0].partition, start=0, end=len(records))
        work = Work(self.settings, Run(flow.__name__, "run"), [span], lambda asked: (records, asked))
        flow.steps(self, work)
        return work.outgoing


def _record(settings: Settings, topic: str, offset: int, payload: Any) -> Any:
    """Make a record of an event, in the partition of a symbol that hashes to it."""
    event = Event(datetime.now(UTC), "test", payload, Metadata(f"{topic}-{offset}", "chain"))
    spot = {"topic": topic, "partition": 0, "offset": offset, "timestamp": 0}
    key = payload.key or settings.model_name
    return SimpleNamespace(**spot, key=key.encode(), value=encode(event), headers=[])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of one partition in which tasks are plain functions, and nobody was told of anything."""
    made = World()
    object.__setattr__(made, "settings", Settings(partitions=1))
    for flow in (predict, retrain):
        monkeypatch.setattr(flow, "read_once", lambda _loop, work: work.read())
    monkeypatch.setattr(predict, "targets", lambda _loop: learned([]))
    monkeypatch.setattr(predict, "make_predictions", predictions.make_predictions.fn)
    monkeypatch.setattr(state, "claimant", lambda _where, _name, place=None: place)
    monkeypatch.setattr(retrain, "fit", training.fit.fn)
    monkeypatch.setattr(retrain, "register", registering.register.fn)
    return made


def of(kind: type[Any], outgoing: list[Outgoing]) -> list[Any]:
    """Payloads of a kind."""
    events = [decode(one.value) for one in outgoing if one.topic != "dead-letters"]
    return [event.payload for event in events if isinstance(event.payload, kind)]


def reasons(outgoing: list[Outgoing]) -> list[str]:
    """What dead letters say."""
    letters = [dict(one.headers) for one in outgoing if one.topic == "dead-letters"]
    return [one["reason"].decode() for one in letters]


def vector(symbol: str = "A", **fields: Any) -> FeaturesComputed:
    """A vector that the versions take."""
    features = dict.fromkeys(small_models.FEATURES, 0.5) | {"vol_20": 0.02}
    defaults = {"features": features, "feature_set": FEATURE_SET, "last_close": 100.0}
    return FeaturesComputed(**{"symbol": symbol, "date": DAY, **defaults, **fields})


# ---- the model ------------------------------------------------------------------------------------------

Harm = Callable[[World], str]
"""Lets v2 take office, with something wrong about it; returns its name."""


def spoilt(how: Callable[[bytes], bytes | None]) -> Harm:
    """A good version whose file is changed after its training was told."""

    def harm(world: World) -> str:
        version = world.announce(small_models.model(), FEBRUARY)
        world.change(version, how)
        return version

    return harm


def told_as(**fields: Any) -> Harm:
    """A good version of which ModelTrained says something else."""
    return lambda world: world.announce(small_models.model(), FEBRUARY, **fields)


def made_as(model: Callable[[], TrainedModel | bytes], **fields: Any) -> Harm:
    """A version that is wrong as it was made."""
    return lambda world: world.announce(model(), FEBRUARY, **fields)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _of_another_kind() -> bytes:
    strange = FunctionTransformer(np.linalg.norm)
    setattr(strange, CARD, "{}")
    data: bytes = skops.io.dumps(strange)
    return data


def _of_no_number() -> TrainedModel:
    nothing: Any = DummyRegressor(strategy="constant", constant=np.nan)
    nothing.constant_, nothing.n_outputs_, nothing.n_features_in_ = np.array([[np.nan]]), 1, 4
    return replace(small_models.model(), pipeline=nothing)


def _card_says(**entries: Any) -> Callable[[], bytes]:
    """The file of a good version whose card has entries of another shape."""

    def made() -> bytes:
        model = small_models.model()
        return dump(Artifact(model.pipeline, model.card.to_dict() | entries))

    return made


def _carded(**fields: Any) -> Callable[[], TrainedModel]:
    return lambda: replace(small_models.model(), card=replace(small_models.model().card, **fields))


class Model(NamedTuple):
    """Something wrong about v2, and what is told of it."""

    case: str
    harm: Harm
    rule: str
    says: str


MODELS = (
    Model(
        "one bit of its file changed", spoilt(_flipped), "model_refused", "not the one that was registered"
    ),
    Model("its file is cut short", spoilt(lambda data: data[:-9]), "model_refused", "not the one that was"),
    Model("its file is gone", spoilt(lambda _: None), "model_refused", "does not exist"),
    Model(
        "its file is not the one that its training spoke of",
        told_as(artifact_sha256="0" * 64),
        "model_refused",
        "another model of that name",
    ),
    Model(
        "its file is a pickle",
        told_as(artifact_location="s3://m/v2.pkl"),
        "model_refused",
        "could run anything",
    ),
    Model("its file is no archive", made_as(lambda: b"\x80\x04."), "model_refused", "not a readable skops"),
    Model("it holds a type that we do not load", made_as(_of_another_kind), "model_refused", "do not trust"),
    Model(
        "its signature is not its own: it takes fewer features",
        made_as(_carded(features=[*small_models.FEATURES, "RSI"])),
        "model_refused",
        "the model can't be used",
    ),
    *(
        Model(
            f"the {name} of its card are {entry}",
            made_as(_card_says(**{name: entry})),
            "model_refused",
            f"not a card of ours: of another shape: {name}",
        )
        for name, entry in (
            ("features", None),
            ("features", "RSI"),
            ("features", [1, None]),
            ("quantiles", None),
            ("groups", ["debenture"]),
            ("reference", "none"),
            ("feature_set", ["2"]),
        )
    ),
    Model(
        "the widths of its card are none",
        made_as(_card_says(quantiles={"all": {"80": None, "95": None}})),
        "model_refused",
        "the model can't be used",
    ),
    Model("it forecasts NaN", made_as(_of_no_number), "model_refused", "not one finite number"),
    Model(
        "it was trained on another feature set",
        made_as(_carded(feature_set="of others"), feature_set="of others"),
        "model_fallback",
        "it was trained on feature set of others",
    ),
    Model(
        "its file says so, its training did not",
        made_as(_carded(feature_set="of others"), feature_set=None),
        "model_fallback",
        "it was trained on feature set of others",
    ),
    Model(
        "its signature has a feature that vectors lack",
        made_as(_carded(features=[*small_models.FEATURES[:-1], "of_tomorrow"])),
        "model_fallback",
        "the vectors lack of_tomorrow",
    ),
)


@pytest.mark.parametrize("one", MODELS, ids=lambda one: one.case)
def test_a_version_that_is_not_right_does_not_serve(one: Model, world: World) -> None:
    """The last good one predicts every vector, nothing is lost, and one alert says why."""
    version = one.harm(world)
    made = world.take(predict, "features", vector("A"), vector("B"))
    assert [(p.symbol, p.model_version) for p in of(PredictionMade, made)] == [("A", "v1"), ("B", "v1")]
    (alert,) = of(AlertRaised, made)
    assert (alert.rule, alert.labels) == (one.rule, {"model_version": version})
    assert one.says in alert.message
    assert reasons(made) == []


def test_a_version_that_is_right_serves(world: World) -> None:
    """Without anything wrong it is v2 that predicts, and nobody is told anything."""
    world.announce(small_models.model(), FEBRUARY)
    made = world.take(predict, "features", vector())
    assert [one.model_version for one in of(PredictionMade, made)] == ["v2"]
    assert of(AlertRaised, made) == []


# ---- the input ------------------------------------------------------------------------------------------


class Input(NamedTuple):
    """Something wrong about a vector, who predicts it then, and what else happens."""

    case: str
    fields: dict[str, Any]
    version: str | None
    alert: str = ""
    letter: str = ""


FULL = vector().features
INPUTS = (
    Input("a feature is NaN (null on the wire)", {"features": FULL | {"signal": None}}, "v1"),
    Input("every feature is", {"features": dict.fromkeys(FULL)}, "v1"),
    Input("a feature is too large for single precision", {"features": FULL | {"signal": 1e300}}, "v1"),
    Input("it has a feature more", {"features": FULL | {"of_tomorrow": 1.0}}, "v1"),
    Input(
        "it lacks a feature",
        {"features": {name: value for name, value in FULL.items() if name != "signal"}},
        "v0",
        alert="the vectors lack signal",
    ),
    Input(
        "it lacks all of them", {"features": {}}, "v0", alert="the vectors lack signal, noise, vol_20 and 1"
    ),
    Input("it is of another feature set", {"feature_set": "of others"}, "v0"),
    Input("it names no close", {"last_close": None, "features": {"Close_Lag_1": 99.0}}, "v0"),
    Input("it names no price at all", {"last_close": None}, None, letter="nothing to predict from"),
)


@pytest.mark.parametrize("one", INPUTS, ids=lambda one: one.case)
def test_a_vector_that_is_not_right_has_a_finite_prediction_or_a_letter(one: Input, world: World) -> None:
    """Of the version that takes it, of persistence, or a dead letter with the reason; the others go on."""
    made = world.take(predict, "features", vector("A", **one.fields), vector("B"))
    told = {p.symbol: p for p in of(PredictionMade, made)}
    assert told["B"].model_version == "v1"
    assert (told["A"].model_version if "A" in told else None) == one.version
    for prediction in told.values():
        ends = [*(prediction.interval_80 or ()), *(prediction.interval_95 or ())]
        assert all(np.isfinite([prediction.predicted_close, *ends]))
        assert len(ends) == (4 if prediction.model_version == "v1" else 0)
    assert [alert.rule for alert in of(AlertRaised, made)] == ["model_fallback"] * bool(one.alert)
    assert all(one.alert in alert.message for alert in of(AlertRaised, made))
    assert [one.letter in said for said in reasons(made)] == [True] * bool(one.letter)


# ---- the training ---------------------------------------------------------------------------------------

Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Window:
    """Something wrong about the stored features, and what the request's dead letter says."""

    case: str
    spoil: Spoil
    says: str


WINDOWS = (
    Window(
        "nothing is stored", lambda rows: rows.head(0), "needs 60 sessions with a known outcome, there are 0"
    ),
    Window(
        "too little is stored",
        lambda rows: rows[rows["date"] <= sorted(set(rows["date"]))[40]],
        "there are 40",
    ),
    Window(
        "all of it is of another feature set", lambda rows: rows.assign(feature_set="x"), "nepse backfill"
    ),
    Window("nothing ever moved", lambda rows: rows.assign(ret_1=0.0), "the target never changes"),
    Window("no outcome is known", lambda rows: rows.assign(ret_1=np.nan), "there are 0"),
)


def stored() -> pd.DataFrame:
    """Stored features: what the small market's symbols did, session after session."""
    known = small_models.rows()
    frame = known.keys[["symbol", "date", "last_close"]].assign(feature_set=FEATURE_SET)
    return frame.assign(ret_1=known.target, **dict(zip(known.names, known.features.T, strict=True)))


def rows_of(frame: pd.DataFrame) -> training.Rows:
    """Read them as a training does."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return training.Rows(stored_rows(table, small_models.FEATURES, DAY, FEATURE_SET), 7)


def a_request(reason: str) -> ModelRetrainingTriggered:
    """A request for all that is stored."""
    return ModelRetrainingTriggered(reason=reason, data_end_date=DAY)


@pytest.mark.parametrize("one", WINDOWS, ids=lambda one: one.case)
def test_what_can_not_be_trained_is_a_letter_for_each_request(
    one: Window, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the reason; nothing is registered or said, and who serves goes on."""
    monkeypatch.setattr(retrain, "stored_features", lambda *_: rows_of(one.spoil(stored())))
    made = world.take(retrain, "training", a_request("weekly_schedule"), a_request("drift_features"))
    assert len(reasons(made)) == len(made) == 2
    assert all(f"no training on data up to {DAY}" in said for said in reasons(made))
    assert all(one.says in said for said in reasons(made))
    assert [version.name for version in world.memory.versions()] == ["v1"]
    served = world.take(predict, "features", vector())
    assert [prediction.model_version for prediction in of(PredictionMade, served)] == ["v1"]
