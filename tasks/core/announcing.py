"""From what changed about the sessions to what has to be told: in which order, under which revisions.

A session names the one before it, and predictions find their actual by that over a holiday. So a session that
comes late, or turns out to be none, changes what the next one says; and what no longer holds is taken back
before something else is told in its place.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from tasks.core.claims import Claim
from tasks.core.grid import CARRY
from tasks.core.places import Changes, Start, Stored
from tasks.core.sessions import Held, SessionIndex

BATCH = 25
"""Sessions told together when there are many: about 8,000 events a transaction."""

EVENTS = 20_000
"""Events that a transaction of several sessions has at most: some 100 MB while it is made."""


@dataclass(frozen=True, eq=False, slots=True)
class Retract:
    """A session that is none, or not this day's: its rows are those of the session `repeats`."""

    held: Held
    claim: Claim
    revision: int
    """Of the actuals that are taken back."""
    repeats: date
    behind: tuple[Held, ...] = ()
    """Its earlier revisions: taken back before it, or they would be held in its place."""


@dataclass(frozen=True, eq=False, slots=True)
class Announce:
    """The rows of a session, in place of `instead` where it is held already."""

    day: date
    claim: Claim
    revision: int
    previous: date | None
    """The session before it."""
    instead: Held | None = None
    history: tuple[Claim, ...] = ()
    """The sessions before it that adjustments are found from, oldest first."""
    taken_back: pd.DataFrame | None = None
    """Rows whose actuals no longer hold: they go under `revision` - 1, as they were told."""

    @property
    def relinked(self) -> bool:
        """Tell whether only the session before is another; the stored object stays."""
        return self.instead is not None and self.instead.digest == self.claim.digest


Step = Retract | Announce


@dataclass(frozen=True)
class Plan:
    """What to tell, in transactions each of which is right by itself."""

    batches: list[list[Step]] = field(default_factory=list)


class Planner:
    """Tells what has to be told to get from the sessions of an index to those after `changes`.

    Looked at are the sessions that changed and those next to them, not the history.
    """

    def __init__(self, index: SessionIndex, start: Start, changes: Changes) -> None:
        """Take the index, the same sessions as claims, and what became of them."""
        self._index, self._start, self._changes = index, start, changes
        self._gone = {one.known.day for one in changes.gone}
        self._new = {one.day: one.claim for one in changes.stored}
        self._days = list(index.current.days)
        for day in self._gone:
            del self._days[bisect_left(self._days, day)]
        for day in self._new:
            if day in self._gone or index.current.at(day) is None:
                insort(self._days, day)

    def plan(self) -> Plan:
        """Order the steps: what goes, and what is stored where that went, come first and together.

        So no rows are ever without a session. The session after a new one is corrected along with it.
        """
        into = {one.repeats for one in self._changes.gone}
        head: list[Step] = [self._retract(n) for n in range(len(self._changes.gone))]
        news = [self._announce(one) for one in self._changes.stored]
        head += [step for step in news if step.day in into]
        later = [step for step in news if step.day not in into]
        corrected = {link.previous: link for link in self._links()}
        batches = [self._batch(news, corrected) for news in _cut(later)]
        head += corrected.values()
        return Plan([batch for batch in (head, *batches) if batch])

    def _batch(self, news: list[Announce], corrected: dict[date | None, Announce]) -> list[Step]:
        """Put the sessions that new ones correct beside them, and take them off the list."""
        return [*news, *(corrected.pop(step.day) for step in news if step.day in corrected)]

    def _retract(self, number: int) -> Retract:
        one = self._changes.gone[number]
        held = self._held(one.known.day)
        number, behind = self._index.next_revision(held.day), tuple(self._index.behind(held))
        return Retract(held, one.known.claim, number, one.repeats, behind)

    def _announce(self, one: Stored) -> Announce:
        instead = self._held(one.day) if one.replaces else None
        lost = self._taken_back(one.day, one.claim) if instead else None
        number = self._index.next_revision(one.day) + (lost is not None or one.day in self._gone)
        place = bisect_left(self._days, one.day)
        past = self._days[max(0, place - CARRY) : place]
        history = tuple(claim for day in past if (claim := self._claim(day)))
        return Announce(one.day, one.claim, number, self._before(one.day), instead, history, lost)

    def _links(self) -> list[Announce]:
        """Correct the sessions that stay as they are, but after another one than they said."""
        places = {bisect_right(self._days, day) for day in self._gone | self._new.keys()}
        behind = [self._days[place] for place in sorted(places) if place < len(self._days)]
        wrong = [day for day in behind if day not in self._new and self._misnamed(day)]
        known = [one for day in wrong if (one := self._start.at(day))]
        return [self._announce(Stored(one.day, one.claim, one)) for one in known]

    def _held(self, day: date) -> Held:
        """Give what is held for a day before anything is told. Raises KeyError where nothing is."""
        held = self._index.current.at(day)
        if held is None:
            raise KeyError(day)
        return held

    def _before(self, day: date) -> date | None:
        """Name the session before one, once all is told."""
        place = bisect_left(self._days, day)
        return self._days[place - 1] if place else None

    def _claim(self, day: date) -> Claim | None:
        """Give the claim that a session rests on, once all is told."""
        known = self._start.at(day)
        return self._new.get(day) or (known.claim if known else None)

    def _misnamed(self, day: date) -> bool:
        said = self._held(day).said
        return said is not None and said.previous_date != self._before(day)

    def _taken_back(self, day: date, claim: Claim) -> pd.DataFrame | None:
        """Find rows of a held session that no longer hold: all after another session, else those left out."""
        known = self._start.at(day)
        rows = known.claim.rows() if known else claim.rows().iloc[:0]
        if not self._misnamed(day):
            rows = rows[~rows["symbol"].isin(claim.rows()["symbol"])]
        return None if rows.empty else rows


def _cut(news: Iterable[Announce]) -> Iterator[list[Announce]]:
    """Cut sessions into batches: at most BATCH, and not several that are more than EVENTS together."""
    batch, events = list[Announce](), 0
    for step in news:
        size = len(step.claim.rows())
        if batch and (len(batch) == BATCH or events + size > EVENTS):
            yield batch
            batch, events = [], 0
        batch.append(step)
        events += size
    if batch:
        yield batch
