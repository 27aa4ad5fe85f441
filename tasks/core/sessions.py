"""The index of sessions: which stored object holds a session's prices, as of any offset of raw-data."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from sys import maxsize
from typing import NamedTuple

from events.fields import LARGEST_INTEGER
from events.payloads import DataIngested, DataRetracted, Payload

NOW = maxsize
"""An offset after all that is known."""

LARGEST_REVISION = LARGEST_INTEGER // 2
"""A session told under a higher one is none: nothing could be told after it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A session as DataIngested at `offset` told it."""

    offset: int
    day: date
    location: str
    content_hash: str | None
    revision: int
    event_id: str = ""
    said: DataIngested | None = field(default=None, compare=False, repr=False)
    """The whole of what was told."""

    @property
    def digest(self) -> str:
        """What tells its content from others': the hash, or where nobody told one, the object's name."""
        return self.content_hash or self.location

    @property
    def rows(self) -> int | None:
        """How many symbols it has, None where nobody told."""
        return self.said.row_count if self.said else None


class Current:
    """The sessions held now by day, object and content, kept up event by event: none is searched for."""

    def __init__(self) -> None:
        """Nothing is held yet."""
        self.days: list[date] = []
        """Oldest first."""
        self._held: dict[date, Held] = {}
        self._by_object: dict[str, list[date]] = {}
        self._by_content: dict[str, list[date]] = {}
        self._shared: set[str] = set()

    def put(self, day: date, held: Held | None) -> None:
        """Note what is held for a day from now on, None if nothing is."""
        if before := self._held.pop(day, None):
            del self.days[bisect_left(self.days, day)]
            self._by_object[before.location].remove(day)
            self._by_content[before.digest].remove(day)
        if held:
            self._held[day] = held
            insort(self.days, day)
            insort(self._by_object.setdefault(held.location, []), day)
            insort(self._by_content.setdefault(held.digest, []), day)
        for location in {one.location for one in (before, held) if one}:
            several = len(self._by_object[location]) > 1
            (self._shared.add if several else self._shared.discard)(location)

    def at(self, day: date) -> Held | None:
        """Find what is held for a day."""
        return self._held.get(day)

    def repeated(self) -> set[date]:
        """Name the days whose object is a later day's as well: an event of another client may say so."""
        return {day for location in self._shared for day in self._by_object[location][:-1]}

    def day_of(self, digest: str) -> date | None:
        """Find the newest session with a content."""
        days = self._by_content.get(digest)
        return days[-1] if days else None


class Told(NamedTuple):
    """An event of raw-data: where it lies, and the session that it is about."""

    offset: int
    day: date


@dataclass
class SessionIndex:
    """Sessions by date, every revision kept; looking back costs the window, not the history."""

    days: list[date] = field(default_factory=list)
    """Every day of which a session was ever told, oldest first."""
    _held: dict[date, list[Held]] = field(default_factory=dict)
    _gone: dict[tuple[date, str], list[int]] = field(default_factory=dict)
    _told: list[Told] = field(default_factory=list)
    _retractions: dict[date, int] = field(default_factory=dict)
    current: Current = field(default_factory=Current, compare=False, repr=False)
    """The sessions held as of the last event."""

    def add(self, offset: int, payload: Payload, event_id: str = "") -> None:
        """Note an event of raw-data; offsets come in order."""
        if isinstance(payload, DataRetracted):
            self._gone.setdefault((payload.date, payload.data_location), []).append(offset)
            self._told.append(Told(offset, payload.date))
            self._retractions[payload.date] = self._retractions.get(payload.date, 0) + 1
        if isinstance(payload, DataIngested) and payload.revision <= LARGEST_REVISION:
            self._told.append(Told(offset, payload.date))
            if payload.date not in self._held:
                insort(self.days, payload.date)
            self._held.setdefault(payload.date, []).append(_held(offset, payload, event_id))
        if isinstance(payload, DataIngested | DataRetracted):
            self.current.put(payload.date, self.as_of(NOW, payload.date))

    def window(self, offset: int, day: date, sessions: int) -> list[Held]:
        """List the newest sessions up to and with `day`, as told at offsets <= `offset`, oldest first."""
        found: list[Held] = []
        for earlier in self._backwards(day):
            held = self.as_of(offset, earlier)
            if held:
                found.append(held)
            if len(found) == sessions:
                break
        return found[::-1]

    def alive(self, offset: int = NOW) -> list[Held]:
        """List the sessions that are held as of an offset, oldest first."""
        return [held for day in self.days if (held := self.as_of(offset, day))]

    def behind(self, held: Held) -> list[Held]:
        """List what would be held in turn if a session's newest revision were taken back, one an object."""
        left = {h.location: h for h in self._held.get(held.day, []) if not self._taken_back(h, NOW)}
        return [h for location, h in left.items() if location != held.location]

    def next_revision(self, day: date) -> int:
        """Give the number after all that were told of a session; its retraction has one of its own."""
        newest = max((held.revision for held in self._held.get(day, [])), default=-1)
        return newest + 1 + self._retractions.get(day, 0)

    def told(self, after: int, until: int) -> list[Told]:
        """List the events at offsets after `after` up to and with `until`, oldest first."""
        first, last = (bisect_right(self._told, (at, date.max)) for at in (after, until))
        return self._told[first:last]

    def first_offset(self, day: date) -> int | None:
        """Tell where a session was announced first."""
        held = self._held.get(day)
        return held[0].offset if held else None

    def standing(self, day: date, offset: int = NOW) -> int:
        """Count what was told of a session and of those before it, from its first announcement to an offset.

        It is the revision of what is computed from the session's window, whoever computes it: it grows with
        everything that can change the window, and is 0 where sessions come in their order.
        """
        first = self.first_offset(day)
        return 0 if first is None else sum(one.day <= day for one in self.told(first, offset))

    def announced(self, day: date, offset: int) -> int | None:
        """Tell where the newest event lies that was its session's newest when it came, up to an offset.

        A revision that came after a higher one, or after it was taken back, announced nothing.
        """
        known = [h.offset for h in self._held.get(day, []) if h.offset <= offset]
        return next((at for at in reversed(known) if (h := self.as_of(at, day)) and h.offset == at), None)

    def as_of(self, offset: int, day: date) -> Held | None:
        """Find what is held for a day, as told at offsets <= `offset`."""
        told = self._held.get(day)
        if not told or told[0].offset > offset:  # looking back may pass thousands that are told later
            return None
        known = [h for h in told if h.offset <= offset]
        alive = [h for h in known if not self._taken_back(h, offset)]
        return max(alive, key=lambda h: (h.revision, h.offset)) if alive else None

    def _taken_back(self, held: Held, offset: int) -> bool:
        """Tell whether a session was retracted since it was announced.

        Other clients may say so repeatedly, or of one object on several days, of which only one was wrong.
        """
        return any(held.offset < at <= offset for at in self._gone.get((held.day, held.location), ()))

    def _backwards(self, day: date) -> Iterator[date]:
        position = bisect_right(self.days, day)
        yield from (self.days[i] for i in range(position - 1, -1, -1))


def _held(offset: int, said: DataIngested, event_id: str) -> Held:
    place = offset, said.date, said.data_location
    return Held(*place, said.content_hash, said.revision, event_id, said)
