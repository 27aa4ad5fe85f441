"""The sessions held, each on its day, while claims come in, and what has to be done about the difference."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

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


class Start(Protocol):
    """The sessions held before any claim, their locations unique; each is the same whenever it is asked."""

    def days(self) -> list[date]:
        """List their days, oldest first; the list is the caller's."""

    def at(self, day: date, /) -> Known | None:
        """Find a day's session."""

    def day_of(self, digest: str, /) -> date | None:
        """Find the session with these rows."""


class Listed:
    """Sessions as they are given."""

    def __init__(self, held: Iterable[Known] = ()) -> None:
        """Take them, one a day."""
        self._held = {known.day: known for known in held}
        self._digests = {known.claim.digest: known.day for known in self._held.values()}

    def days(self) -> list[date]:
        """List their days, oldest first."""
        return sorted(self._held)

    def at(self, day: date) -> Known | None:
        """Find a day's session."""
        return self._held.get(day)

    def day_of(self, digest: str) -> date | None:
        """Find the session with these rows."""
        return self._digests.get(digest)


class Places:
    """Sessions by day; claims, and what they changed, cost the sessions near them, not the history."""

    def __init__(self, start: Start, closed: AbstractSet[date] = frozenset()) -> None:
        """Start from the sessions held, and holidays that the rules do not tell."""
        self.start = start
        self._calendar = Calendar(load_rules(), closed=closed)
        self._days = start.days()
        self._changed: dict[date, Known | None] = {}
        self._digests: dict[str, date | None] = {}

    @property
    def held(self) -> list[Known]:
        """The sessions as they stand now, oldest first."""
        return self._at(self._days)

    def day_of(self, digest: str) -> date | None:
        """Tell the session that holds these rows now."""
        return self._digests[digest] if digest in self._digests else self.start.day_of(digest)

    def take(self, claim: Claim) -> Verdict:
        """Take a claim in: place it, and look again at the sessions that it throws a light on."""
        verdict = identify(claim, self._near(claim), self._calendar)
        self._settle(self._apply(verdict))
        return verdict

    def changes(self) -> Changes:
        """List what has to be retracted and stored to get from the start to now."""
        touched = [known for _, known in sorted(self._changed.items()) if known]
        now = {known.location: known for known in touched if known.location}
        into = {location: known for known in touched for location in known.absorbed}
        start = [known for day in sorted(self._changed) if (known := self.start.at(day))]
        ends = [(known, now.get(known.location) or into[known.location]) for known in start]
        # One that was absorbed by a session of its own day is replaced there, not retracted.
        gone = [Gone(known, end.day) for known, end in ends if end.day != known.day]
        before = {known.day: known for known, end in ends if end.day == known.day}
        stored = [
            Stored(known.day, known.claim, before.get(known.day))
            for known in touched
            if known.day not in before or before[known.day].claim.digest != known.claim.digest
        ]
        return Changes(tuple(sorted(gone, key=lambda one: one.known.day)), tuple(stored))

    def _near(self, claim: Claim) -> list[Known]:
        """The sessions around a claim's day, the newest without one, and that with the same rows."""
        around = bisect_left(self._days, natural_day(claim, self._calendar) or date.max)
        days = set(self._days[max(0, around - NEAR) : around + NEAR + 1])
        if same := self.day_of(claim.digest):
            days.add(same)
        return self._at(sorted(days))

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
        return self._at([self._days[place] for place in sorted(places) if 0 <= place < len(self._days)])

    def _doubtful(self, known: Known, changed: set[date]) -> bool:
        """Tell whether the day that a session had to leave changed, or its rows are its new neighbour's."""
        if known.claim.dated:
            return False
        if natural_day(known.claim, self._calendar) in changed - {known.day}:
            return True
        place = bisect_left(self._days, known.day)
        before = self._known(self._days[place - 1]) if place else None
        if before is None or not changed & {before.day, known.day}:
            return False
        relation = likeness(before.claim.rows(), known.claim.rows()).relation
        return relation in {Relation.MIXED, Relation.SAME}

    def _again(self, known: Known) -> set[date]:
        """Identify a session anew; where nothing better is found it stays."""
        if self._known(known.day) is not known:
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

    def _known(self, day: date) -> Known | None:
        return self._changed[day] if day in self._changed else self.start.at(day)

    def _at(self, days: Iterable[date]) -> list[Known]:
        return [known for day in days if (known := self._known(day))]

    def _put(self, known: Known) -> None:
        insort(self._days, known.day)
        self._changed[known.day] = known
        self._digests[known.claim.digest] = known.day

    def _drop(self, known: Known) -> None:
        del self._days[bisect_left(self._days, known.day)]
        self._changed[known.day] = None
        if self.day_of(known.claim.digest) == known.day:
            self._digests[known.claim.digest] = None


def _earlier(verdict: Verdict, known: Known, calendar: Calendar) -> bool:
    """Tell whether a session looked at again goes: a later day by its name alone is no better."""
    free = natural_day(known.claim, calendar) != known.day and verdict.kind is Kind.SESSION
    return verdict.day != known.day and not (free and verdict.day and verdict.day > known.day)


def _locations(known: Known | None) -> tuple[str, ...]:
    """Locations that are absorbed along with a session."""
    return tuple(name for name in (known.location, *known.absorbed) if name) if known else ()
