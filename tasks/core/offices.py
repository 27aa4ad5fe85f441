"""Who serves which session: what the models topic says of versions, term by term."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol, Self, TypeVar

from events.payloads import ModelPromoted, ModelTrained, Payload

T = TypeVar("T")
PERSISTENCE = "v0"
"""The version before any training: the next close is the last one."""
TURN = timedelta(days=45)
"""So far the data of a challenger's successor reach beyond its own: a month of sessions to be judged by, and
some in which a person decides, holidays included. A retraining a week would else never leave it that long."""


class Placed(Protocol):
    """A record with its place on a topic, as readers hand it over."""

    @property
    def place(self) -> Any:
        """Where it lies."""

    @property
    def payload(self) -> Any:
        """What it says."""


@dataclass(frozen=True, slots=True)
class Named:
    """A version with what its training said of it; two trainings may share a name, never a file."""

    version: str
    trained: ModelTrained
    at: int
    """Offset on `models` of the newest entry that names this version of this file."""

    @property
    def key(self) -> tuple[str, str | None]:
        """Name and hash of the file; trainings of earlier days did not tell the hash."""
        return key_of(self.trained)

    def knows(self, target: date) -> bool:
        """Tell whether it may have seen session `target`; what it was trained on has to be known."""
        return self.trained.training_end is None or self.trained.training_end >= target


@dataclass(frozen=True, slots=True)
class Term:
    """A time in office, for the sessions from `valid_from` on; without a training it is persistence's."""

    version: str
    named: Named | None = None
    valid_from: date | None = None
    at: int = -1
    """Offset on `models` of the entry that began it; -1 where nothing did."""
    reason: str = ""

    def covers(self, target: date) -> bool:
        """Tell whether it is about session `target`, of which its version must know nothing."""
        begun = self.valid_from is None or self.valid_from <= target
        return begun and not (self.named and self.named.knows(target))


class Offices:
    """Terms and trainings as the entries of the models topic tell them."""

    def __init__(self, entries: Iterable[tuple[int, Payload]]) -> None:
        """Read entries with their offsets, in the order of those."""
        told = without_repeats(entries, lambda entry: entry[1])
        said = [(at, one) for at, one in told if isinstance(one, ModelTrained | ModelPromoted)]
        meant = _meant(said)
        newest = {key_of(trained): at for at, trained in meant.items()}
        self._named = {
            at: Named(trained.model_version, trained, newest[key_of(trained)])
            for at, trained in meant.items()
        }
        people = [at for at, one in said if by_person(one)]
        heard = [(at, one) for at, one in said if not _overrules(at, one, people)]
        self.terms = [term for at, one in heard if (term := _term(at, one, self._named.get(at)))]
        """Every term, oldest first."""
        self.trainings = [self._named[at] for at, one in said if isinstance(one, ModelTrained)]
        """Every training, oldest first."""

    @classmethod
    def of(cls, records: Iterable[Placed]) -> Self:
        """Read records of the models topic, in their order."""
        return cls((record.place.offset, record.payload) for record in records)

    def named_at(self, offset: int) -> Named | None:
        """Tell which training an entry means by a version's name; None where none came before."""
        return self._named.get(offset)

    def newest(self, version: str) -> Named | None:
        """Tell which training a version's name means now."""
        return next((one for one in reversed(self.trainings) if one.version == version), None)

    def serving(self, target: date) -> Iterator[Term]:
        """List the terms that cover a session, newest first, each file once; at last persistence."""
        seen = set()
        for term in reversed(self.terms):
            if not term.covers(target):
                continue
            if term.named is None:
                break
            if term.named.key not in seen:
                seen.add(term.named.key)
                yield term
        yield Term(PERSISTENCE)

    @property
    def champion(self) -> Term:
        """The term in which sessions to come are predicted."""
        return self.terms[-1] if self.terms else Term(PERSISTENCE)

    def before(self) -> Term | None:
        """Give the term to which a rollback goes; None where nobody served before.

        What was rolled back from does not come again: a term of the version that served before the one that
        serves is a rollback, any other one a promotion.
        """
        served: list[Term] = []
        for term in self.terms:
            if len(served) > 1 and served[-2].version == term.version:
                served.pop()
            elif not served or served[-1].version != term.version:
                served.append(term)
        return served[-2] if len(served) > 1 else None

    def challenger(self) -> Named | None:
        """Name the version whose turn it is to be judged beside the one in office; None where nobody waits.

        It is the first one that was trained after that, until the data of a later one reach TURN beyond its
        own: then it is that one's turn. After a rollback it begins with the first that was trained after the
        version that serves again: that is the one that was left only where nothing was trained in between.
        """
        turn: Named | None = None
        for named in self._waiting():
            if turn is None or _end(named) - _end(turn) >= TURN:
                turn = named
        return turn

    def in_shadow(self) -> tuple[Named, ...]:
        """Name the versions that predict beside the one in office: the challenger, and the newest one."""
        named = (self.challenger(), *self._waiting()[-1:])
        return tuple({one.key: one for one in named if one is not None}.values())

    def _waiting(self) -> list[Named]:
        """List who was trained after the version in office, oldest first, and of whom it is known on what."""
        office, found = self.champion.named, list[Named]()
        for named in reversed(self.trainings):
            if office is not None and office.key == named.key:
                break
            if named.trained.training_end is not None:
                found.append(named)
        return found[::-1]


def _end(named: Named) -> date:
    return named.trained.training_end or date.min


def by_person(said: Payload) -> bool:
    """Tell whether a person put a version into office: a training says up to where it had read the topic."""
    return isinstance(said, ModelPromoted) and said.models_seen is None


def _overrules(at: int, said: ModelTrained | ModelPromoted, people: Iterable[int]) -> bool:
    """Tell whether a person's decision lies between what a training knew and what it says: that one stays."""
    seen = said.models_seen
    return seen is not None and any(seen <= one < at for one in people)


def _term(at: int, said: ModelTrained | ModelPromoted, named: Named | None) -> Term | None:
    """Make the term that an entry begins; ModelTrained does unless it says otherwise."""
    version = said.model_version
    if isinstance(said, ModelTrained) and said.promoted is False:
        return None
    if version != PERSISTENCE and (named is None or named.trained.training_end is None):
        return None
    named = None if version == PERSISTENCE else named
    if isinstance(said, ModelPromoted):
        return Term(version, named, said.valid_from, at, said.reason)
    return Term(version, named, None, at, said.why or "trained")


def without_repeats(entries: Iterable[T], said: Callable[[T], object]) -> Iterator[T]:
    """Leave out what is said of a training once more, for a later request: it changes nothing.

    A training whose file is known is told once more; without a hash no file is.

    Args:
        entries: of the models topic, in their order.
        said: gives an entry's payload.
    """
    known = set[tuple[str, str | None]]()
    for entry in entries:
        one = said(entry)
        if isinstance(one, ModelTrained):
            if _is_repeat(one, known):
                continue
            known.add(key_of(one))
        yield entry


def _is_repeat(said: ModelTrained, known: Container[tuple[str, str | None]]) -> bool:
    return said.promoted is False and said.artifact_sha256 is not None and key_of(said) in known


def key_of(trained: ModelTrained) -> tuple[str, str | None]:
    """Identify the file of a training by its version's name and its hash."""
    return trained.model_version, trained.artifact_sha256


def _meant(said: Iterable[tuple[int, ModelTrained | ModelPromoted]]) -> dict[int, ModelTrained]:
    """Find by an entry's offset which training it means: the newest of that name up to there."""
    known: dict[str, ModelTrained] = {}
    found = {}
    for at, one in said:
        if isinstance(one, ModelTrained):
            known[one.model_version] = one
        if one.model_version in known:
            found[at] = known[one.model_version]
    return found
