"""What MLflow gets of a training, and what ModelTrained says of it."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from events.envelope import Event, Metadata
from events.payloads import ModelRetrainingTriggered, ModelTrained
from infra.kafka.records import Place, Received
from infra.kafka.work import CODE_VERSION
from infra.registry_types import Version
from infra.settings import Settings
from tasks.models import unpack
from tasks.registering import Trigger, announcement, newest, submission
from tests import small_models
from tests.model_server import MemoryRegistry


def a_trigger(offset: int, reason: str, until: date) -> Trigger:
    """A request for a retraining."""
    payload = ModelRetrainingTriggered(reason=reason, data_end_date=until)
    event = Event(datetime.now(UTC), "test", payload, Metadata(f"asked-{offset}", "chain"))
    return Received(event, Place("training", 0, offset), None, b"")


TRIGGERS = [a_trigger(11, "weekly", date(2024, 6, 2)), a_trigger(12, "drift", date(2024, 6, 3))]


@pytest.fixture(scope="module")
def registry() -> MemoryRegistry:
    """A registry that got one training."""
    made = MemoryRegistry()
    made.register(submission(Settings(), small_models.trained(), TRIGGERS))
    return made


@pytest.fixture(scope="module")
def version(registry: MemoryRegistry) -> Version:
    """Its version."""
    return registry.get("v1")


def test_the_request_for_the_newest_data_is_the_cause() -> None:
    """Of several for the same session the last one."""
    assert newest(TRIGGERS).id == "asked-12"
    assert newest([*TRIGGERS, a_trigger(13, "by_hand", date(2024, 6, 3))]).id == "asked-13"


def test_the_model_comes_back_from_the_registry(registry: MemoryRegistry, version: Version) -> None:
    """With its card, by the hash in the registry's tag."""
    model = unpack(registry.fetch(version), version.sha256)
    assert model.card == small_models.model().card


def test_the_run_is_found_from_everything_that_made_it(registry: MemoryRegistry, version: Version) -> None:
    """Tags of run and version: request, Prefect's page, versions of code, features and data, the window."""
    expected = {
        "trigger": "asked-12",
        "trigger_reason": "drift",
        "trigger_event": "training-0@12",
        "code_version": CODE_VERSION,
        "feature_set": "2",
        "data_version": "7",
    }
    card = small_models.model().card
    for tags in (registry.mlflow.runs[version.run_id].tags, version.tags):
        assert expected.items() <= tags.items()
        assert tags["data_window"] == f"{card.training_start} to {card.training_end}"
        assert tags["prefect_run"].startswith("http")
        assert tags["prefect_run_id"] in tags["prefect_run"]


def test_the_run_holds_every_figure(registry: MemoryRegistry, version: Version) -> None:
    """The whole hold-out, its parts as steps, each learner, persistence, fifths of liquidity, coverage."""
    run, told = registry.mlflow.runs[version.run_id], small_models.explained()
    assert run.metric("rmse_return") == [small_models.evaluation().performance["rmse_return"]]
    assert run.metric("fold/rmse_return") == [one["rmse_return"] for one in told.folds]
    assert run.metric("learner linear/mae") == [told.members["linear"]["mae"]]
    assert run.metric("baseline/mae") == [small_models.evaluation().baseline["mae"]]
    assert run.metric("most traded/skill") == [told.liquidity.loc["most traded", "skill"]]
    assert run.metric("coverage/80") == [told.coverage["80"]]


def test_the_run_holds_the_parameters(registry: MemoryRegistry, version: Version) -> None:
    """What was asked, the window, the seed and how each learner was set."""
    params, card = registry.mlflow.runs[version.run_id].params, small_models.model().card
    assert (params["reason"], params["data_end_date"]) == ("drift", "2024-06-03")
    assert (params["rows"], params["holdout_start"]) == (str(card.rows), card.holdout_start)
    assert params["absolute.loss"] == "absolute_error"


def test_the_run_holds_pictures_and_the_card(registry: MemoryRegistry, version: Version) -> None:
    """Five kinds of pictures; the card is the run's and the version's description as well."""
    root = f"s3://m/runs/{version.run_id}/"
    files = {uri.removeprefix(root) for uri in registry.objects if uri.startswith(root)}
    names = ("predicted_against_actual", "error_over_time", "by_liquidity", "importance", "calibration")
    assert files == {f"pictures/{name}.png" for name in names} | {"card.json", "model_card.md"}
    text = registry.objects[f"{root}model_card.md"].decode()
    assert text == version.report == registry.mlflow.runs[version.run_id].tags["mlflow.note.content"]


def test_the_example_is_a_row_of_the_hold_out(registry: MemoryRegistry, version: Version) -> None:
    """By feature, as the model takes it."""
    place = version.artifact_location.replace("model.skops", "input_example.json")
    example = orjson.loads(registry.objects[place])
    assert example["columns"] == small_models.model().card.features
    last = small_models.held().matrix(example["columns"])[-1]
    assert example["data"][0] == pytest.approx(last.tolist())


def test_model_trained_says_it_all() -> None:
    """Reasons, window and hold-out, coverage, importance and the version of the code, within the contract."""
    said: dict[str, Any] = announcement(small_models.trained(), TRIGGERS)
    rest = {"model_version": "v1", "artifact_location": "s3://m/m"}
    made = ModelTrained.model_validate(orjson.loads(orjson.dumps(said)) | rest)
    card = small_models.model().card
    assert (made.reasons, made.triggers) == (["weekly", "drift"], ["asked-11", "asked-12"])
    assert str(made.holdout_start) == card.holdout_start
    assert (str(made.training_start), str(made.training_end)) == (card.training_start, card.training_end)
    assert set(made.coverage) == {"80", "95"}
    assert set(made.importance) == set(card.features)
    assert (made.code_version, made.data_version, made.feature_set) == (CODE_VERSION, 7, "2")
