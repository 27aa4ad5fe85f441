"""The sessions held, each on its day, while claims come in, and what has to be done about the difference."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date

from tasks.core.calendar import Calendar, load_rules
from tasks.core.claims import Claim, Kind, Known, Verdict, natural_day
from tasks.core.identity import identify
from tasks.core.likeness import Relation, likeness

NEAR = 3
"""Sessions on each side that a claim is compared with; equal rows are found at any distance."""


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """Rows to be stored under a day, in place of `replaces` where the session was held there before."""

    day: date
    claim: Claim
    replaces: Known | None


@dataclass(frozen=True, eq=False, slots=True)
class Gone:
    """What was taken for a session of its day and is not; its rows are those of the session `repeats`."""

    known: Known
    repeats: date


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference that claims made, each oldest first; retract before storing."""

    gone: tuple[Gone, ...]
    stored: tuple[Stored, ...]


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Sort the claims of one command, so that the order of its files is no matter: oldest first."""
    return sorted(claims, key=lambda claim: (claim.named or date.max, claim.source, claim.digest))


class Places:
    """Sessions by day; taking a claim costs the sessions near it, not the history."""

    def __init__(self, held: Iterable[Known], closed: AbstractSet[date] = frozenset()) -> None:
        """Start from the sessions held, their locations unique, and holidays that the rules do not tell."""
        self.start = tuple(held)
        self._calendar = Calendar(load_rules(), closed=closed)
        self._days: list[date] = []
        self._held: dict[date, Known] = {}
        self._digests: dict[str, date] = {}
        for known in self.start:
            self._put(known)

    @property
    def held(self) -> list[Known]:
        """The sessions as they stand now, oldest first."""
        return [self._held[day] for day in self._days]

    def day_of(self, digest: str) -> date | None:
        """Tell the session that holds these rows now."""
        return self._digests.get(digest)

    def take(self, claim: Claim) -> Verdict:
        """Take a claim in: place it, and look again at the sessions that it throws a light on."""
        verdict = identify(claim, self._near(claim), self._calendar)
        self._settle(self._apply(verdict))
        return verdict

    def changes(self) -> Changes:
        """List what has to be retracted and stored to get from the start to now."""
        now = {known.location: known for known in self._held.values() if known.location}
        into = {location: known for known in self._held.values() for location in known.absorbed}
        ends = [(known, now.get(known.location) or into[known.location]) for known in self.start]
        # One that was absorbed by a session of its own day is replaced there, not retracted.
        gone = [Gone(known, end.day) for known, end in ends if end.day != known.day]
        before = {known.day: known for known, end in ends if end.day == known.day}
        stored = [
            Stored(known.day, known.claim, before.get(known.day))
            for known in self.held
            if known.day not in before or before[known.day].claim.digest != known.claim.digest
        ]
        return Changes(tuple(sorted(gone, key=lambda one: one.known.day)), tuple(stored))

    def _near(self, claim: Claim) -> list[Known]:
        """The sessions around a claim's day, the newest without one, and that with the same rows."""
        around = bisect_left(self._days, natural_day(claim, self._calendar) or date.max)
        days = set(self._days[max(0, around - NEAR) : around + NEAR + 1])
        if same := self._digests.get(claim.digest):
            days.add(same)
        return [self._held[day] for day in sorted(days)]

    def _apply(self, verdict: Verdict, origin: Known | None = None) -> set[date]:
        """Make a verdict true; `origin` is the session that was looked at again. Returns the days changed."""
        if verdict.day is None or (verdict.kind in {Kind.REPEAT, Kind.PARTIAL} and origin is None):
            return set()
        base = origin or Known(verdict.day, verdict.claim)
        if verdict.of:
            base = replace(verdict.of, absorbed=verdict.of.absorbed + _locations(origin))
        after = [replace(base, day=verdict.day, claim=verdict.claim)]
        before = [verdict.of] if verdict.of else []
        if verdict.push:
            before.append(verdict.push.known)
            after.append(replace(verdict.push.known, day=verdict.push.day))
        for known in before:
            self._drop(known)
        for known in after:
            self._put(known)
        return {known.day for known in (*before, *after)}

    def _settle(self, changed: set[date]) -> None:
        """Look again at the sessions that changes call in question, each once, until none is left."""
        seen: set[str] = set()
        while changed:
            doubtful = [known for known in self._around(changed) if known.claim.digest not in seen]
            doubtful = [known for known in doubtful if self._doubtful(known, changed)]
            seen |= {known.claim.digest for known in doubtful}
            changed = {day for known in doubtful for day in self._again(known)}

    def _around(self, days: set[date]) -> list[Known]:
        places = {bisect_left(self._days, day) + k for day in days for k in range(-NEAR, NEAR + 1)}
        return [self._held[self._days[place]] for place in sorted(places) if 0 <= place < len(self._days)]

    def _doubtful(self, known: Known, changed: set[date]) -> bool:
        """Tell whether the day that a session had to leave changed, or its rows are its new neighbour's."""
        if known.claim.dated:
            return False
        if natural_day(known.claim, self._calendar) in changed - {known.day}:
            return True
        place = bisect_left(self._days, known.day)
        before = self._held[self._days[place - 1]] if place else None
        if before is None or not changed & {before.day, known.day}:
            return False
        relation = likeness(before.claim.rows(), known.claim.rows()).relation
        return relation in {Relation.MIXED, Relation.SAME}

    def _again(self, known: Known) -> set[date]:
        """Identify a session anew; where nothing better is found it stays."""
        if self._held.get(known.day) is not known:
            return set()
        self._drop(known)
        verdict = identify(known.claim, self._near(known.claim), self._calendar)
        moved = (
            _earlier(verdict, known, self._calendar)
            or verdict.claim.digest != known.claim.digest
            or verdict.of
        )
        days = self._apply(verdict, known) if moved else set()
        if not days:
            self._put(known)
            return set()
        return days | {known.day}

    def _put(self, known: Known) -> None:
        insort(self._days, known.day)
        self._held[known.day] = known
        self._digests[known.claim.digest] = known.day

    def _drop(self, known: Known) -> None:
        self._days.remove(known.day)
        del self._held[known.day]
        if self._digests.get(known.claim.digest) == known.day:
            del self._digests[known.claim.digest]


def _earlier(verdict: Verdict, known: Known, calendar: Calendar) -> bool:
    """Tell whether a session looked at again goes: a later day by its name alone is no better."""
    free = natural_day(known.claim, calendar) != known.day and verdict.kind is Kind.SESSION
    return verdict.day != known.day and not (free and verdict.day and verdict.day > known.day)


def _locations(known: Known | None) -> tuple[str, ...]:
    """Locations that are absorbed along with a session."""
    return tuple(name for name in (known.location, *known.absorbed) if name) if known else ()
