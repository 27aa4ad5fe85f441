"""The index of sessions: which stored object holds a session's prices, as of any offset of raw-data."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from sys import maxsize
from typing import NamedTuple

from events.payloads import DataIngested, DataRetracted, Payload

NOW = maxsize
"""An offset after all that is known."""


class Told(NamedTuple):
    """An event of raw-data: where it lies, and the session that it is about."""

    offset: int
    day: date


@dataclass(frozen=True, slots=True)
class Held:
    """A session as DataIngested at `offset` told it."""

    offset: int
    day: date
    location: str
    content_hash: str | None
    revision: int


@dataclass
class SessionIndex:
    """Sessions by date, every revision kept; looking back costs the window, not the history."""

    days: list[date] = field(default_factory=list)
    _held: dict[date, list[Held]] = field(default_factory=dict)
    _gone: dict[str, int] = field(default_factory=dict)
    _hashes: dict[str, Held] = field(default_factory=dict)
    _told: list[Told] = field(default_factory=list)

    def add(self, offset: int, payload: Payload) -> None:
        """Note an event of raw-data; offsets come in order."""
        if isinstance(payload, DataIngested | DataRetracted):
            self._told.append(Told(offset, payload.date))
        if isinstance(payload, DataRetracted):
            self._gone[payload.data_location] = offset
            return
        if not isinstance(payload, DataIngested):
            return
        held = Held(offset, payload.date, payload.data_location, payload.content_hash, payload.revision)
        if payload.date not in self._held:
            insort(self.days, payload.date)
        self._held.setdefault(payload.date, []).append(held)
        if payload.content_hash:
            self._hashes.setdefault(payload.content_hash, held)

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

    def told(self, after: int, until: int) -> list[Told]:
        """List the events at offsets after `after` up to and with `until`, oldest first."""
        first, last = (bisect_right(self._told, at, key=lambda one: one.offset) for at in (after, until))
        return self._told[first:last]

    def first_offset(self, day: date) -> int | None:
        """Tell where a session was announced first."""
        held = self._held.get(day)
        return held[0].offset if held else None

    def standing(self, day: date, offset: int) -> int:
        """Count what was told of a session and those before it, from its first announcement up to an offset.

        It is the revision of what is computed from the session's window, the same whoever computes it: it
        grows with every event that can change the window, never falls, and is 0 where sessions come in order.
        """
        first = self.first_offset(day)
        return 0 if first is None else sum(one.day <= day for one in self.told(first, offset))

    def announced(self, day: date, offset: int) -> int | None:
        """Tell where the newest event lies that was its session's newest when it came, up to an offset.

        A revision that came after a higher one, or after it was taken back, announced nothing.
        """
        known = [h.offset for h in self._held.get(day, []) if h.offset <= offset]
        return next((at for at in reversed(known) if (h := self.as_of(at, day)) and h.offset == at), None)

    def previous(self, day: date) -> date | None:
        """Name the last session before `day` that is known now."""
        position = bisect_left(self.days, day)
        return self.days[position - 1] if position else None

    def revisions(self, day: date) -> list[Held]:
        """List what was ever ingested for a session."""
        return list(self._held.get(day, []))

    def repeated(self, content_hash: str) -> Held | None:
        """Find the session that has this content."""
        return self._hashes.get(content_hash)

    def as_of(self, offset: int, day: date) -> Held | None:
        """Find what is held for a day, as told at offsets <= `offset`."""
        known = [h for h in self._held.get(day, []) if h.offset <= offset]
        alive = [h for h in known if not h.offset < self._gone.get(h.location, -1) <= offset]
        return max(alive, key=lambda h: (h.revision, h.offset)) if alive else None

    def _backwards(self, day: date) -> Iterator[date]:
        position = bisect_left(self.days, day)
        if position < len(self.days) and self.days[position] == day:
            yield day
        yield from (self.days[i] for i in range(position - 1, -1, -1))
