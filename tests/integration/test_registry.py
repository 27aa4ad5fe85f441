"""The registry on a real MLflow server and a real object store."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from infra.artifact import digest
from infra.errors import RejectError, TryAgainError
from infra.registry import Registry
from infra.registry_types import Submission
from infra.settings import Settings
from infra.store import Store

pytestmark = pytest.mark.stack


@pytest.fixture
def registry(stack: Settings) -> Registry:
    """A registry of a model of this test's own."""
    return Registry(stack.model_copy(update={"model_name": f"test-{uuid4().hex[:12]}"}))


def submission(*, promoted: bool = True) -> Submission:
    """A training's result; the file's content does not matter to the registry."""
    return Submission(
        data=uuid4().bytes,
        card={"features": ["a", "b"], "training_start": "2024-01-01", "training_end": "2024-06-01"},
        triggers=[f'it\'s "{uuid4()}"', f"another {uuid4()}"],  # ids of other writers hold anything
        announcement={"why": "it was better", "triggers": []},
        promoted=promoted,
        why="it was better",
        metrics={"mae": 1.5, "undefined": float("nan")},
        params={"seed": 0},
        tags={"prefect_run_id": "r-1"},
        pictures={"error.png": b"\x89PNG"},
        report="# Card",
        input_example={"a": 0.1, "b": None},
    )


def test_a_registered_version_can_be_found_and_fetched(registry: Registry, stack: Settings) -> None:
    """The file is a plain object with the registered hash; the run holds figures, pictures and the card."""
    sent = submission()
    version = registry.register(sent)
    assert version.name == "v1"
    assert version.artifact_location.startswith("s3://nepse-models/")
    assert version.sha256 == digest(sent.data)
    assert (version.training_start, version.training_end) == ("2024-01-01", "2024-06-01")
    assert registry.fetch(version) == sent.data
    assert registry.announcement(version) == sent.announcement
    assert registry.answering([sent.triggers[1]]) == [version]
    assert registry.get("v1") == replace(version, tags=registry.get("v1").tags)
    run = registry._client.get_run(version.run_id)
    assert (run.info.status, run.data.metrics, run.data.params) == ("FINISHED", {"mae": 1.5}, {"seed": "0"})
    files = {
        uri.removeprefix(f"{run.info.artifact_uri}/") for uri in Store(stack).list(run.info.artifact_uri)
    }
    assert files == {"card.json", "model_card.md", "pictures/error.png"}
    folder = version.artifact_location.rpartition("/")[0]
    names = {uri.removeprefix(f"{folder}/") for uri in Store(stack).list(folder)}
    assert names >= {"MLmodel", "announcement.json", "input_example.json", "model.skops"}
    assert version.run_id in registry.run_url(version)


def test_a_trigger_registers_once(registry: Registry) -> None:
    """A repeat, even with other bytes, returns the first version and leaves its file alone."""
    first = registry.register(submission())
    again = registry.register(replace(submission(), triggers=[first.trigger]))
    assert (again.name, again.sha256) == (first.name, first.sha256)
    assert [version.name for version in registry.versions()] == ["v1"]
    assert registry.answering(["another trigger"]) == []


def test_simultaneous_attempts_end_in_one_version(registry: Registry) -> None:
    """Four executions of the same training at once agree on one version, and the next one is new."""
    sent = submission()
    with ThreadPoolExecutor(4) as threads:
        names = {version.name for version in threads.map(registry.register, [sent] * 4)}
    assert len(names) == 1
    assert [version.name for version in registry.versions()] == list(names)
    later = registry.register(submission())
    assert later.name not in names
    assert len(registry.versions()) == 2


def test_a_killed_attempt_is_superseded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that died before its version existed leaves a run that ends as killed, and no version."""
    sent = submission()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry._client, "create_model_version", die)
        with pytest.raises(KeyboardInterrupt):
            registry.register(sent)
    assert registry.versions() == []
    version = registry.register(sent)
    client = registry._client
    experiment = client.get_run(version.run_id).info.experiment_id
    runs = client.search_runs(
        [experiment], "params.seed = '0' and attributes.run_name = 'train to 2024-06-01'"
    )
    mine = {run.info.run_id: run.info.status for run in runs if run.data.tags["trigger"] == sent.trigger}
    assert mine.pop(version.run_id) == "FINISHED"
    assert list(mine.values()) == ["KILLED"]


def test_aliases_are_set_and_taken_away(registry: Registry) -> None:
    """Registering names nobody; a label is set, moved and taken away, also where there was none."""
    registry.align("v1", None)
    assert registry.aliases() == {}
    registry.register(submission())
    registry.register(submission(promoted=False))
    assert registry.aliases() == {}
    registry.align("v1", "v2")
    assert registry.aliases() == {"champion": "v1", "challenger": "v2"}
    registry.align("v2", None)
    assert registry.aliases() == {"champion": "v2"}


@pytest.mark.parametrize("name", ["v9", "v0", "9", "vx", "v-1", "champion", ""])
def test_an_unknown_version_is_a_reject(registry: Registry, name: str) -> None:
    """A version that is not there, or no version name at all, is for the dead letters."""
    registry.register(submission())
    with pytest.raises(RejectError):
        registry.get(name)


def test_a_lost_or_changed_file_is_a_reject(registry: Registry, stack: Settings) -> None:
    """A missing object and one with other bytes are both refused."""
    version = registry.register(submission())
    with pytest.raises(RejectError, match="does not exist"):
        registry.fetch(replace(version, artifact_location="s3://nepse-models/none/model.skops"))
    other = f"s3://nepse-models/test/{uuid4().hex}"
    Store(stack).put_new(other, b"other bytes")
    with pytest.raises(RejectError, match="not the one that was registered"):
        registry.fetch(replace(version, artifact_location=other))


def test_a_server_that_is_away_asks_for_patience(stack: Settings) -> None:
    """No MLflow at the address is a reason to try again, within seconds."""
    away = stack.model_copy(update={"mlflow_url": "http://127.0.0.1:9"})
    with pytest.raises(TryAgainError, match="MLflow could not list the versions"):
        Registry(away).versions()
