"""A registry without servers: MLflow's client and the object store in memory, as far as they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from infra.errors import RejectError
from infra.registry import Registry
from infra.settings import Settings


class Objects(dict[str, bytes]):
    """A store that keeps what it is given."""

    def put_new(self, uri: str, content: bytes) -> bool:
        """Write an object that is not there yet."""
        assert uri not in self
        self[uri] = content
        return True

    def get(self, uri: str) -> bytes:  # type: ignore[override]
        """Read an object."""
        if uri not in self:
            message = f"object {uri} does not exist"
            raise RejectError(message)
        return self[uri]


@dataclass
class Logged:
    """What a run was given."""

    tags: dict[str, str]
    name: str
    metrics: list[Any] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"

    def metric(self, name: str) -> list[float]:
        """Values of a metric in the order of its steps."""
        return [one.value for one in sorted(self.metrics, key=lambda one: one.step) if one.key == name]


class Mlflow:
    """The client's methods that the registry calls."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.runs: dict[str, Logged] = {}
        self.versions: list[Any] = []
        self.aliases: dict[str, str] = {}
        self.models: list[str] = []
        self._numbers = count(1)

    def search_model_versions(self, query: str) -> list[Any]:
        """List versions, newest first."""
        assert query.startswith("name = ")
        return self.versions[::-1]

    def get_model_version(self, name: str, number: str) -> Any:
        """Find a version."""
        found = [one for one in self.versions if str(one.version) == number]
        if not found:
            message = f"{name} has no version {number}"
            raise MlflowException(message, RESOURCE_DOES_NOT_EXIST)
        return found[0]

    def get_registered_model(self, name: str) -> Any:
        """Find the model."""
        if name not in self.models:
            raise MlflowException(name, RESOURCE_DOES_NOT_EXIST)
        return SimpleNamespace(aliases=dict(self.aliases))

    def create_registered_model(self, name: str, description: str) -> None:
        """Make the model."""
        assert description
        self.models.append(name)

    def get_experiment_by_name(self, name: str) -> Any:
        """Find the experiment, which is always there."""
        return SimpleNamespace(experiment_id=name)

    def search_runs(self, experiments: Sequence[str], query: str) -> list[Any]:
        """Find running runs of a trigger."""
        assert experiments
        key = query.split("'")[1]
        found = [n for n, run in self.runs.items() if run.tags["trigger_key"] == key]
        return [self._info(n) for n in found if self.runs[n].status == "RUNNING"]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        """Start a run."""
        assert experiment
        number = f"r{len(self.runs)}"
        self.runs[number] = Logged(tags, run_name)
        return self._info(number)

    @staticmethod
    def _info(number: str) -> Any:
        info = SimpleNamespace(run_id=number, artifact_uri=f"s3://m/runs/{number}", experiment_id="e")
        return SimpleNamespace(info=info)

    def log_batch(self, run: str, metrics: Sequence[Any] = (), params: Sequence[Any] = ()) -> None:
        """Log figures, as many as the server takes at once."""
        assert len(metrics) <= 1000
        assert len(params) <= 100
        self.runs[run].metrics += metrics
        self.runs[run].params |= {one.key: one.value for one in params}

    def set_terminated(self, run: str, status: str) -> None:
        """End a run."""
        self.runs[run].status = status

    def create_logged_model(self, experiment: str, name: str, source_run_id: str, model_type: str) -> Any:
        """Make a model's folder."""
        assert (experiment, name, model_type) == ("e", "model", "sklearn")
        number = f"m-{source_run_id}"
        return SimpleNamespace(model_id=number, artifact_location=f"s3://m/models/{number}")

    def log_outputs(self, run: str, models: Sequence[Any]) -> None:
        """Link a model to its run."""
        assert run in self.runs
        assert models

    def finalize_logged_model(self, model: str, status: str) -> None:
        """Declare a model complete."""
        assert (model[:2], status) == ("m-", "READY")

    def create_model_version(self, name: str, source: str, tags: dict[str, str], **rest: Any) -> None:
        """Make a version."""
        assert name in self.models
        assert source.startswith("models:/")
        entry = SimpleNamespace(version=next(self._numbers), tags=tags, **rest)
        self.versions.append(entry)

    def update_model_version(self, name: str, number: str, description: str) -> None:
        """Change what is said of a version."""
        self.get_model_version(name, number).description = description

    def set_model_version_tag(self, name: str, number: str, key: str, value: str) -> None:
        """Tag a version."""
        self.get_model_version(name, number).tags[key] = value

    def set_tag(self, run: str, key: str, value: str) -> None:
        """Tag a run."""
        self.runs[run].tags[key] = value

    def delete_model_version(self, name: str, number: str) -> None:
        """Remove a version."""
        assert name
        self.versions = [one for one in self.versions if str(one.version) != number]

    def set_registered_model_alias(self, name: str, alias: str, number: str) -> None:
        """Point an alias."""
        assert name in self.models
        self.aliases[alias] = number

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        assert name in self.models
        del self.aliases[alias]


class MemoryRegistry(Registry):
    """The registry, asking an MLflow and a store in memory."""

    def __init__(self) -> None:
        """Know nobody."""
        self.objects, self.mlflow = Objects(), Mlflow()
        store: Any = self.objects
        super().__init__(Settings(), store)

    @property
    def _client(self) -> Any:
        return self.mlflow
