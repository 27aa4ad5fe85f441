"""Who serves which session: what the models topic says of versions, term by term."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from events.payloads import ModelPromoted, ModelTrained, Payload

PERSISTENCE = "v0"
"""The version before any training: the next close is the last one."""


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
        said = [(at, one) for at, one in entries if isinstance(one, ModelTrained | ModelPromoted)]
        meant = _meant(said)
        newest = {key_of(trained): at for at, trained in meant.items()}
        self._named = {
            at: Named(trained.model_version, trained, newest[key_of(trained)])
            for at, trained in meant.items()
        }
        self.terms = [term for at, one in said if (term := _term(at, one, self._named.get(at)))]
        """Every term, oldest first."""
        self.trainings = [self._named[at] for at, one in said if isinstance(one, ModelTrained)]
        """Every training, oldest first."""

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
        """Name the newest version that was trained after the one in office; None where there is none.

        After a rollback that is the version which was rolled back from.
        """
        office = self.champion.named
        for named in reversed(self.trainings):
            if office is not None and office.key == named.key:
                return None
            if named.trained.training_end is not None:
                return named
        return None


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
