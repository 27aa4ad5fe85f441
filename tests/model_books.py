"""A models topic and a registry in memory, for tests of who serves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from events.envelope import Event, Metadata
from events.payloads import ModelPromoted, ModelTrained, Payload
from infra.artifact import digest
from infra.errors import RejectError
from infra.kafka.records import Place, Received
from infra.registry_types import Version
from tasks.core.training import Card, TrainedModel
from tasks.loaded import Models
from tasks.serving import ModelBook


def received(payload: Payload, place: Place, name: str = "") -> Received[Any]:
    """An event at a place; its id says where it lies if nothing else."""
    identity = name or str(place)
    metadata = Metadata(identity, identity, 1, None, "test")
    return Received(Event(datetime(2024, 3, 3, tzinfo=UTC), "test", payload, metadata), place, None, b"")


def a_model(feature_set: str | None = "2", features: Iterable[str] = ("RSI",), mark: int = 0) -> TrainedModel:
    """A model that takes vectors of a set; there is nothing to predict with."""
    nothing: Any = None
    span = ("2023-01-01", "2023-02-01", "2023-01-20")
    return TrainedModel(nothing, Card(list(features), *span, 20, 400, 5, mark, feature_set=feature_set))


def trained(version: str, until: date | None, content: bytes | None = None, **fields: Any) -> ModelTrained:
    """A training's event, of the file with this content."""
    known = content if content is not None else version.encode()
    defaults: dict[str, Any] = {
        "performance": {"mae": 1.0},
        "features_used": ["RSI"],
        "artifact_location": "s3://m/m.skops",
        "artifact_sha256": digest(known),
        "promoted": True,
    }
    return ModelTrained(model_version=version, training_end=until, **defaults | fields)


def promoted(version: str, valid_from: date | None = None, reason: str = "by hand") -> ModelPromoted:
    """A promotion or rollback."""
    return ModelPromoted(model_version=version, reason=reason, valid_from=valid_from)


@dataclass(frozen=True)
class Kept:
    """What the registry has of a version: the registered hash, the file as it is now, and its model."""

    sha256: str
    data: bytes
    model: TrainedModel


class Shop:
    """A loop with a models topic and a registry of its own; `loads` counts what was loaded."""

    def __init__(self, *payloads: ModelTrained | ModelPromoted) -> None:
        """Put payloads on the topic; the registry has a version for every training."""
        self.entries: list[Received[Any]] = []
        self.kept: dict[str, Kept] = {}
        self.loads: list[str] = []
        self.models = self.registry = self.live = self
        for payload in payloads:
            self.say(payload)

    def say(self, payload: ModelTrained | ModelPromoted, model: TrainedModel | None = None) -> Received[Any]:
        """Put an entry on the topic; a training registers its version."""
        if isinstance(payload, ModelTrained):
            content = payload.model_version.encode()
            sha256 = payload.artifact_sha256 or digest(content)
            self.kept[payload.model_version] = Kept(sha256, content, model or a_model())
        self.entries.append(received(payload, Place("models", 0, len(self.entries))))
        return self.entries[-1]

    def spoil(self, version: str, data: bytes = b"something else") -> None:
        """Change the file of a version behind the registry's back."""
        self.kept[version] = replace(self.kept[version], data=data)

    def mend(self, version: str) -> None:
        """Put the file back."""
        self.spoil(version, version.encode())

    def book(self, models: Models | None = None) -> ModelBook:
        """Open a book; without `models` as a process does that has just begun."""
        loop: Any = self
        return ModelBook(loop, models or Models(loop))

    def refresh(self) -> int:
        """Tell the end of the topic."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """List entries."""
        return self.entries[start:end]

    def get(self, version: str) -> Version:
        """Find a version in the registry."""
        if version not in self.kept:
            message = f"model version {version} does not exist"
            raise RejectError(message)
        where = f"s3://m/{version}"
        return Version(
            name=version,
            number=1,
            artifact_location=where,
            sha256=self.kept[version].sha256,
            run_id="",
            url="",
            trigger="",
            promoted=False,
            training_start="",
            training_end="",
        )

    def fetch(self, version: Version) -> bytes:
        """Give the file of a version as it is now."""
        self.loads.append(version.name)
        return self.kept[version.name].data

    def unpack(self, data: bytes, sha256: str) -> TrainedModel:
        """Read a file whose hash is known, as `tasks.models.unpack`."""
        if digest(data) != sha256:
            message = f"the model file has sha256 {digest(data)[:12]}, the registry says {sha256[:12]}"
            raise RejectError(message)
        return next(one.model for one in self.kept.values() if one.data == data)
