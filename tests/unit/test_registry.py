"""What the registry keeps of a training, on an MLflow and a store in memory."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.utils import load_serving_example
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from sklearn.linear_model import LinearRegression

from infra.artifact import Artifact, dump
from infra.errors import RejectError, TryAgainError
from infra.mlflow_access import client
from infra.registry_types import KEYS_A_TAG, Submission, answer_tags, key_of
from tests.model_server import MemoryRegistry


def a_submission(*triggers: str, **changes: Any) -> Submission:
    """A training's result."""
    made = Submission(
        data=b"model",
        card={"features": ["a", "b"], "training_start": "2024-01-01", "training_end": "2024-06-01"},
        triggers=triggers or ("asked",),
        announcement={"why": "it was better"},
        promoted=True,
        why="it was better",
    )
    return replace(made, **changes)


@pytest.fixture
def registry() -> MemoryRegistry:
    """A registry that knows nobody."""
    return MemoryRegistry()


def test_a_version_is_found_by_any_request_that_it_answers(registry: MemoryRegistry) -> None:
    """Whichever of them comes again."""
    version = registry.register(a_submission("newest", 'it\'s "odd"', "other"))
    assert registry.answering(["other", "nobody's"]) == [version]
    assert registry.answering(['it\'s "odd"']) == [version]
    assert registry.answering(["nobody's"]) == []
    assert registry.register(a_submission("other", data=b"another")).name == "v1"


def test_a_version_of_an_older_release_is_found_by_its_trigger(registry: MemoryRegistry) -> None:
    """It has no keys of the requests that it answers, only the first one's id."""
    registry.register(a_submission("asked"))
    [entry] = registry.mlflow.versions
    entry.tags = {name: text for name, text in entry.tags.items() if not name.startswith("answers_")}
    assert [one.name for one in registry.answering(["asked"])] == ["v1"]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=600, unique=True))
def test_keys_of_any_number_of_requests_fit_into_tags(triggers: list[str]) -> None:
    """None is lost, and no tag is longer than MLflow's narrowest column."""
    tags = answer_tags(triggers)
    assert [key for text in tags.values() for key in text.split()] == [key_of(one) for one in triggers]
    assert len(tags) == -(-len(triggers) // KEYS_A_TAG)
    assert max(map(len, tags.values())) < 5000


def test_what_is_to_be_said_is_kept(registry: MemoryRegistry) -> None:
    """As it was when the version was registered; a repeat changes nothing of it."""
    registry.register(a_submission())
    again = registry.register(a_submission(announcement={"why": "another"}))
    assert registry.announcement(again) == {"why": "it was better"}


def test_a_lost_announcement_is_a_reject(registry: MemoryRegistry) -> None:
    """Nobody makes one up."""
    version = registry.register(a_submission())
    registry.objects.clear()
    with pytest.raises(RejectError, match="does not exist"):
        registry.announcement(version)


def test_a_double_of_a_simultaneous_attempt_is_removed(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both name the first one; a version that only shares a request stays."""
    registry.register(a_submission("late", "shared"))
    monkeypatch.setattr(registry, "answering", lambda _: [])
    first = registry.register(a_submission("shared"))
    assert registry.register(a_submission("shared", data=b"another")) == first
    assert [one.trigger for one in registry.versions()] == ["late", "shared"]


def test_registering_names_nobody(registry: MemoryRegistry) -> None:
    """Until it is committed that a version serves, no alias says so."""
    registry.register(a_submission())
    assert registry.aliases() == {}


def test_aliases_are_set_and_taken_away(registry: MemoryRegistry) -> None:
    """Whatever was there; who is not registered has none."""
    registry.register(a_submission("one"))
    registry.register(a_submission("two"))
    registry.align("v1", "v2")
    assert registry.aliases() == {"champion": "v1", "challenger": "v2"}
    registry.align("v2", None)
    assert registry.aliases() == {"champion": "v2"}
    registry.align("v7", "v1")
    assert registry.aliases() == {"challenger": "v1"}


def test_mlflow_names_our_page_of_each_version(registry: MemoryRegistry) -> None:
    """In a tag of the version and of its run, and first in the description; a second look changes nothing."""
    registry.register(a_submission("asked", report="# Card"))
    for _ in range(2):
        registry.align("v1", None)
        [version] = registry.versions()
        page = "http://127.0.0.1:8000/model/v1"
        assert version.report == f"[v1 on our page]({page})\n\n# Card"
        assert (version.tags["page"], registry.mlflow.runs[version.run_id].tags["page"]) == (page, page)


def test_a_run_that_was_deleted_keeps_no_other_version_from_its_link(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and looked at again next time; a server that is away is no such thing."""
    deleted = registry.register(a_submission("one")).run_id
    registry.register(a_submission("two"))
    plain, code = registry.mlflow.set_tag, [INVALID_PARAMETER_VALUE]

    def refuse(run: str, key: str, value: str) -> None:
        if run == deleted:
            message = f"The run {run} must be in the 'active' state"
            raise MlflowException(message, code[-1])
        plain(run, key, value)

    monkeypatch.setattr(registry.mlflow, "set_tag", refuse)
    registry.align("v2", None)
    assert ["page" in one.tags for one in registry.versions()] == [False, True]
    assert "v1 has no link to its page" in caplog.text
    code.append(INTERNAL_ERROR)
    with pytest.raises(TryAgainError):
        registry.align("v2", None)


def test_a_page_that_moved_is_named_anew(registry: MemoryRegistry) -> None:
    """The address is that of today's settings, and the card stays as it was."""
    registry.register(a_submission("asked", report="# Card\n\nmore"))
    registry.align("v1", None)
    [entry] = registry.mlflow.versions
    entry.tags["page"] = "http://elsewhere/model/v1"
    entry.description = "[v1 on our page](http://elsewhere/model/v1)\n\n# Card\n\nmore"
    registry.align("v1", None)
    assert registry.get("v1").report == "[v1 on our page](http://127.0.0.1:8000/model/v1)\n\n# Card\n\nmore"


def test_the_clients_of_mlflow_never_unpickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects switches it off for the whole process, under any settings."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    client("http://127.0.0.1:9/of-this-test")  # a client is made once an address, whichever test was first
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_figures_of_parts_are_steps_of_one_metric(registry: MemoryRegistry) -> None:
    """In order of time; what is not finite is left out."""
    folds = [{"rmse": 3.0, "rank_ic": float("nan")}, {"rmse": 2.0, "rank_ic": 0.2}]
    sent = a_submission(metrics={"rmse": 2.5, "learner linear/rmse": float("inf")}, folds=folds)
    run = registry.mlflow.runs[registry.register(sent).run_id]
    assert {one.key for one in run.metrics} == {"rmse", "fold/rmse", "fold/rank_ic"}
    assert (run.metric("rmse"), run.metric("fold/rmse"), run.metric("fold/rank_ic")) == ([2.5], [3, 2], [0.2])
    assert [one.step for one in run.metrics if one.key == "fold/rmse"] == [1, 2]


def test_any_number_of_parameters_and_a_long_card_fit(registry: MemoryRegistry) -> None:
    """The server takes a hundred at a time, and so many characters of a description; the file is whole."""
    params = {f"p{n}": n for n in range(250)}
    version = registry.register(a_submission(params=params, report="é" * 9_000))
    run = registry.mlflow.runs[version.run_id]
    assert len(run.params) == 250
    assert (len(version.report), len(run.tags["mlflow.note.content"])) == (5_000, 8_000)
    assert registry.objects[f"s3://m/runs/{version.run_id}/model_card.md"].decode() == "é" * 9_000


def test_tags_are_on_the_run_and_on_the_version(registry: MemoryRegistry) -> None:
    """Whoever begins at either finds the training, the request and the data."""
    tags = {"prefect_run_id": "r", "trigger_event": "training-0@12", "data_version": "7"}
    version = registry.register(a_submission(tags=tags))
    run = registry.mlflow.runs[version.run_id]
    assert tags.items() <= version.tags.items()
    assert tags.items() <= run.tags.items()
    assert (run.name, run.status) == ("train to 2024-06-01", "FINISHED")


@pytest.fixture
def folder(registry: MemoryRegistry, tmp_path: Path) -> Path:
    """A registered model's folder, as MLflow downloads it."""
    features = ["a", "b"]
    pipeline = LinearRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), [1.0, 2.0, 3.0])
    data = dump(Artifact(pipeline, {"features": features}))
    version = registry.register(a_submission(data=data, input_example={"a": 0.5, "b": None}))
    where = version.artifact_location.rpartition("/")[0]
    for uri, content in registry.objects.items():
        if uri.startswith(f"{where}/"):
            (tmp_path / uri.rpartition("/")[2]).write_bytes(content)
    return tmp_path


def test_mlflow_reads_the_signature_and_the_example(folder: Path) -> None:
    """The signature names the card's features in their order; the example is a row of it."""
    model = Model.load(str(folder))
    assert model.signature.inputs.input_names() == ["a", "b"]
    assert not any(column.required for column in model.signature.inputs.inputs)
    assert [column.name for column in model.signature.outputs.inputs] == ["log_return"]
    example = model.load_input_example(str(folder))
    assert example.columns.tolist() == ["a", "b"]
    assert (example.loc[0, "a"], pd.isna(example.loc[0, "b"])) == (0.5, True)
    assert (
        load_serving_example(str(folder))
        == '{"dataframe_split": {"columns": ["a", "b"], "data": [[0.5, null]]}}'
    )


def test_mlflows_own_loader_gives_the_estimator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody allows it, which our processes do not: the file is skops, the types are of our list."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with pytest.raises(MlflowException, match="disallowed"):
        mlflow.sklearn.load_model(str(folder))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    model = mlflow.sklearn.load_model(str(folder))
    assert model.predict(np.array([[1.0, 1.0]])) == pytest.approx([3.0])
