"""Which model version makes a prediction: decided by the models topic, loaded from the registry, checked."""

import threading
from dataclasses import dataclass
from datetime import date

from events.payloads import ModelPromoted, ModelTrained
from infra.bootstrap import Loop
from infra.errors import RejectError
from tasks.core.training import TrainedModel
from tasks.models import unpack

PERSISTENCE = "v0"
"""The version before any training: the next close is the last one."""

PICKLES = (".pkl", ".pickle", ".joblib", ".dill")


@dataclass(frozen=True, slots=True)
class Term:
    """A version's time in office: it serves from its place on the models topic on."""

    version: str
    training_end: date


class Models:
    """The versions that this process has loaded, and those that can't be used."""

    def __init__(self, loop: Loop) -> None:
        """Nothing is loaded yet."""
        self._loop = loop
        self._lock = threading.Lock()
        self._loaded: dict[str, TrainedModel] = {}
        self.refused: dict[str, str] = {}

    def get(self, version: str) -> TrainedModel:
        """Load a version, once.

        Raises:
            RejectError: it is missing, corrupt, not what the registry says, or of a kind we don't load.
        """
        with self._lock:
            if version in self.refused:
                raise RejectError(self.refused[version])
            if version not in self._loaded:
                self._loaded[version] = self._load(version)
            return self._loaded[version]

    def _load(self, version: str) -> TrainedModel:
        try:
            registered = self._loop.registry.get(version)
            return unpack(self._loop.registry.fetch(registered), registered.sha256)
        except RejectError as error:
            self.refused[version] = str(error)
            raise


class ModelBook:
    """Who serves, by the models topic as a slice sees it: a version's switch happens between slices."""

    def __init__(self, loop: Loop, models: Models) -> None:
        """Read who is in office."""
        self._models = models
        end = loop.models.refresh()
        entries = [entry.payload for entry in loop.models.between(0, end)]
        ends = {p.model_version: p.training_end for p in entries if isinstance(p, ModelTrained)}
        named = [v for p in entries if (v := _takes_office(p))]
        self._terms = [Term(v, until) for v in named if (until := ends.get(v)) is not None]

    def version_for(self, target: date) -> str:
        """Name the newest promoted version that knows nothing of session `target` or later, or `v0`."""
        for term in reversed(self._terms):
            if term.training_end < target and term.version not in self._models.refused:
                return term.version
        return PERSISTENCE

    def model(self, version: str) -> TrainedModel:
        """Load a version. Raises like `Models.get`."""
        return self._models.get(version)

    def check(self, trained: ModelTrained) -> str | None:
        """Try whether a newly trained version could serve; returns why not."""
        if trained.artifact_location.lower().endswith(PICKLES):
            why = f"{trained.artifact_location} is a pickle, which could run anything: never loaded"
            self._models.refused[trained.model_version] = why
            return why
        try:
            self.model(trained.model_version)
        except RejectError as error:
            return str(error)
        return None


def _takes_office(payload: object) -> str | None:
    """Name the version that an event puts into office; ModelTrained does unless it says otherwise."""
    if isinstance(payload, ModelPromoted) or (
        isinstance(payload, ModelTrained) and payload.promoted is not False
    ):
        return payload.model_version
    return None


def model_book(loop: Loop) -> ModelBook:
    """Open the book as this view of the world has it; the loaded models stay warm."""
    return ModelBook(loop, loop.keep("loaded-models", lambda: Models(loop.live)))
