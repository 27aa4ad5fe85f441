"""The index of sessions: which stored object holds a session's prices, as of any offset of raw-data."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from events.payloads import DataIngested, DataRetracted, Payload


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

    def add(self, offset: int, payload: Payload) -> None:
        """Note an event of raw-data; offsets come in order."""
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
            held = self._as_of(offset, earlier)
            if held:
                found.append(held)
            if len(found) == sessions:
                break
        return found[::-1]

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

    def _backwards(self, day: date) -> Iterator[date]:
        position = bisect_left(self.days, day)
        if position < len(self.days) and self.days[position] == day:
            yield day
        yield from (self.days[i] for i in range(position - 1, -1, -1))

    def _as_of(self, offset: int, day: date) -> Held | None:
        known = [h for h in self._held[day] if h.offset <= offset]
        alive = [h for h in known if not h.offset < self._gone.get(h.location, -1) <= offset]
        return max(alive, key=lambda h: (h.revision, h.offset)) if alive else None
