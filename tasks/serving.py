"""Which model version makes a prediction: decided by the models topic, loaded from the registry, checked."""

from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from events.payloads import ModelPromoted, ModelTrained
from infra.bootstrap import Loop
from infra.errors import RejectError
from tasks.core.feature_sets import set_of
from tasks.core.offices import PERSISTENCE, Named, Offices, Term
from tasks.core.training import TrainedModel
from tasks.loaded import Models

__all__ = ["FALLBACK", "PERSISTENCE", "REFUSED", "Choice", "ModelBook", "Skip", "model_book"]

REFUSED, FALLBACK = "model_refused", "model_fallback"
"""Alert rules: a version can't be used at all, or not for these vectors."""
SHOWN = 3
"""Missing features that are named."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A version in office that could not predict; `rule` is that of the alert which tells why."""

    version: str
    at: int
    """Offset of the entry on `models` that named it last."""
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Who predicts: persistence has no model. Passed over were those in office who should have."""

    version: str
    model: TrainedModel | None = None
    skipped: tuple[Skip, ...] = ()


class ModelBook:
    """Who serves, by the models topic as a slice sees it: a version's switch happens between slices."""

    def __init__(self, loop: Loop, models: Models) -> None:
        """Read who is in office."""
        self._models = models
        entries = loop.models.between(0, loop.models.refresh())
        self.offices = Offices.of(entries)
        self.in_shadow = self.offices.in_shadow()
        """The versions that predict beside the one in office: the challenger, and the newest."""
        self._serving: dict[date, tuple[Term, ...]] = {}

    def choose(self, target: date, feature_set: str | None, names: Container[str]) -> Choice:
        """Choose who predicts session `target` from a vector of this set with features of these names.

        The newest version in office for the session that knows nothing of it, loads, and takes the vector;
        persistence where there is none.

        Raises:
            TryAgainError: registry or store is away.
        """
        skipped: list[Skip] = []
        for term in self._in_office(target):
            if term.named is None:
                break
            found = self._try(term.named, feature_set, names)
            if not isinstance(found, Skip):
                return Choice(term.version, found, tuple(skipped))
            skipped.append(found)
        return Choice(PERSISTENCE, None, tuple(skipped))

    def challenge(self, target: date, feature_set: str | None, names: Container[str]) -> list[Choice]:
        """Choose who predicts a session in shadow, of those who wait and can. Raises as `choose`."""
        found = []
        for named in self.in_shadow:
            model = None if named.knows(target) else self._try(named, feature_set, names)
            if model is not None and not isinstance(model, Skip):
                found.append(Choice(named.version, model))
        return found

    def load_shadows(self) -> None:
        """Load those who predict in shadow; who can't be used is left alone. Raises TryAgainError."""
        for named in self.in_shadow:
            with suppress(RejectError):
                self._models.get(named)

    def _in_office(self, target: date) -> tuple[Term, ...]:
        if target not in self._serving:
            self._serving[target] = tuple(self.offices.serving(target))
        return self._serving[target]

    def _try(self, named: Named, feature_set: str | None, names: Container[str]) -> TrainedModel | Skip:
        told, wanted = named.trained.feature_set, set_of(feature_set)
        if told is not None and told != wanted:  # no need to load it
            return Skip(named.version, named.at, FALLBACK, _other_set(told, wanted))
        try:
            model = self._models.get(named)
        except RejectError as error:
            return Skip(named.version, named.at, REFUSED, str(error))
        if model.takes(feature_set, names):
            return model
        return Skip(named.version, named.at, FALLBACK, _unfit(model, wanted, names))

    def version_for(self, target: date) -> str:
        """Name the newest version in office for a session of which nothing is known against it, or `v0`."""
        usable = (t for t in self._in_office(target) if t.named is None or not self._models.refused(t.named))
        return next(usable).version

    def model(self, version: str) -> TrainedModel:
        """Load the version that a name means now.

        Raises:
            RejectError: no training is known by that name, or as `Models.get`.
            TryAgainError: registry or store is away.
        """
        named = self.offices.newest(version)
        if named is None:
            message = f"no ModelTrained tells of {version}"
            raise RejectError(message)
        return self._models.get(named)

    def check(self, said: ModelTrained | ModelPromoted, offset: int) -> Skip | None:
        """Try whether the version that an entry of the models topic names could serve; tells why not.

        Raises:
            TryAgainError: registry or store is away.
        """
        if said.model_version == PERSISTENCE:
            return None
        named = self.offices.named_at(offset)
        if named is None and isinstance(said, ModelTrained):  # delivered again: the first one counts
            named = self.offices.newest(said.model_version)
        why = f"no ModelTrained before it tells what {said.model_version} was trained on"
        if named is not None and (named.trained.training_end or isinstance(said, ModelTrained)):
            try:
                self._models.get(named)
            except RejectError as error:
                why = str(error)
            else:
                return None
        return Skip(said.model_version, named.at if named else offset, REFUSED, why)


def _other_set(trained_on: str, wanted: str) -> str:
    return f"it was trained on feature set {trained_on}, the vectors are of set {wanted}"


def _unfit(model: TrainedModel, wanted: str, names: Container[str]) -> str:
    """Say why a model does not take vectors."""
    own = set_of(model.card.feature_set)
    if own != wanted:
        return _other_set(own, wanted)
    lacking = [name for name in model.card.features if name not in names]
    more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
    return f"the vectors lack {', '.join(lacking[:SHOWN])}{more}"


def model_book(loop: Loop) -> ModelBook:
    """Open the book as this view of the world has it; the loaded models stay warm."""
    return ModelBook(loop, loop.keep("loaded-models", lambda: Models(loop.live)))
