"""Model versions in memory: loaded once, checked against registry and topic, and refused with a reason."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from infra.bootstrap import Loop
from infra.errors import RejectError
from tasks.core.offices import Named
from tasks.core.training import TrainedModel
from tasks.models import unpack

KEPT = 8
"""Versions kept in memory, a few megabytes each: champion, challenger, those of sessions that come again."""

PICKLES = (".pkl", ".pickle", ".joblib", ".dill")

Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a version can't be used, found when its newest entry on `models` was that at offset `at`."""

    at: int
    why: str


class Models:
    """The versions that this process has loaded, those used last, and those that can't be used.

    A refusal holds until the models topic names the version again. Safe for threads: who asks for a version
    that is loaded does not wait for another one that is being loaded.
    """

    def __init__(self, loop: Loop) -> None:
        """Nothing is loaded yet."""
        self._loop = loop
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._loaded: OrderedDict[Key, TrainedModel] = OrderedDict()
        self._refused: dict[Key, Refusal] = {}

    def get(self, named: Named) -> TrainedModel:
        """Give a version, loaded when it is first asked for.

        Raises:
            RejectError: it is missing, corrupt, not what registry and topic say, or of a kind we don't load.
            TryAgainError: registry or store is away.
        """
        if (model := self._warm(named.key)) is not None:
            return model
        self._require_unrefused(named)
        with self._loading:
            model = self._warm(named.key)
            return model if model is not None else self._load(named)

    def refused(self, named: Named) -> str | None:
        """Tell why a version is known not to be usable; None where it was not tried, or is."""
        refusal = self._refused.get(named.key)
        return refusal.why if refusal and refusal.at >= named.at else None

    def _warm(self, key: Key) -> TrainedModel | None:
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)

    def _require_unrefused(self, named: Named) -> None:
        if why := self.refused(named):
            raise RejectError(why)

    def _load(self, named: Named) -> TrainedModel:
        self._require_unrefused(named)  # by who loaded while we waited
        try:
            model = self._read(named)
        except RejectError as error:
            self._refused[named.key] = Refusal(named.at, str(error))
            raise
        with self._lock:
            self._refused.pop(named.key, None)
            self._loaded[named.key] = model
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        return model

    def _read(self, named: Named) -> TrainedModel:
        """Fetch the registered file; it has to be the one that ModelTrained spoke of."""
        if (location := named.trained.artifact_location).lower().endswith(PICKLES):
            message = f"{location} is a pickle, which could run anything: never loaded"
            raise RejectError(message)
        registered = self._loop.registry.get(named.version)
        told = named.trained.artifact_sha256
        if told and told != registered.sha256:
            message = (
                f"the registry's {named.version} has sha256 {registered.sha256[:12]}, ModelTrained says"
                f" {told[:12]}: it is another model of that name"
            )
            raise RejectError(message)
        return unpack(self._loop.registry.fetch(registered), registered.sha256)
