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


class ModelBook:
    """Follows the models topic; keeps loaded models; remembers which versions can't be used."""

    def __init__(self, loop: Loop) -> None:
        """Nothing is read yet."""
        self._loop = loop
        self._lock = threading.Lock()
        self._models: dict[str, TrainedModel] = {}
        self._refused: dict[str, str] = {}
        self._terms: list[Term] = []

    def refresh(self) -> list[Term]:
        """Read what is new on the models topic; the switch to a new version happens between slices."""
        with self._lock:
            end = self._loop.models.refresh()
            entries = [entry.payload for entry in self._loop.models.between(0, end)]
            ends = {p.model_version: p.training_end for p in entries if isinstance(p, ModelTrained)}
            named = [v for p in entries if (v := _takes_office(p))]
            found = [Term(v, until) for v in named if (until := ends.get(v)) is not None]
            self._terms = found
            return list(found)

    def version_for(self, target: date) -> str:
        """Name the newest promoted version that knows nothing of session `target` or later, or `v0`."""
        for term in reversed(self._terms):
            if term.training_end < target and term.version not in self._refused:
                return term.version
        return PERSISTENCE

    def model(self, version: str) -> TrainedModel:
        """Load a version, once.

        Raises:
            RejectError: it is missing, corrupt, not what the registry says, or of a kind we don't load.
        """
        with self._lock:
            if version in self._refused:
                raise RejectError(self._refused[version])
            if version not in self._models:
                self._models[version] = self._load(version)
            return self._models[version]

    def check(self, trained: ModelTrained) -> str | None:
        """Try whether a newly trained version could serve; returns why not."""
        if trained.artifact_location.lower().endswith(PICKLES):
            why = f"{trained.artifact_location} is a pickle, which could run anything: never loaded"
            self._refused[trained.model_version] = why
            return why
        try:
            self.model(trained.model_version)
        except RejectError as error:
            return str(error)
        return None

    def _load(self, version: str) -> TrainedModel:
        try:
            registered = self._loop.registry.get(version)
            return unpack(self._loop.registry.fetch(registered), registered.sha256)
        except RejectError as error:
            self._refused[version] = str(error)
            raise


def _takes_office(payload: object) -> str | None:
    """Name the version that an event puts into office; ModelTrained does unless it says otherwise."""
    if isinstance(payload, ModelPromoted) or (
        isinstance(payload, ModelTrained) and payload.promoted is not False
    ):
        return payload.model_version
    return None


def model_book(loop: Loop) -> ModelBook:
    """Give this process's model book, warm."""
    return loop.keep("model-book", lambda: ModelBook(loop))
