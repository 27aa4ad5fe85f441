"""The session index of this process, fed from the raw-data topic, and the frames it points to."""

import threading
from collections import OrderedDict
from contextlib import suppress
from datetime import date

import pandas as pd

from infra.bootstrap import Loop
from infra.errors import RejectError
from tasks.core.calendar import Calendar, expected, learned
from tasks.core.layout import TIDY, NotAPriceFileError
from tasks.core.prices import session_from_parquet
from tasks.core.sessions import Held, SessionIndex
from tasks.core.tidy import tidy

NO_ROWS = tidy(pd.DataFrame(columns=list(TIDY)))
FRAMES_KEPT = 1_000
"""Stored sessions kept in memory, about 40 kB each; panels of them are kept apart (`tasks.panels`)."""


class Sessions:
    """Follows raw-data; raw objects never change, so their frames are kept, those used last.

    Safe for threads.
    """

    def __init__(self, loop: Loop) -> None:
        """Nothing is read yet."""
        self._loop = loop
        self._lock = threading.Lock()
        self._read = 0
        self._frames: OrderedDict[str, pd.DataFrame] = OrderedDict()
        self._refused: dict[str, str] = {}
        self._days: dict[int, tuple[date, ...]] = {}
        self.index = SessionIndex()

    def refresh(self) -> SessionIndex:
        """Bring the index up to the topic's last committed event."""
        with self._lock:
            self._read_up_to(self._loop.raw_data.refresh())
            return self.index

    def days(self, end: int) -> tuple[date, ...]:
        """Name the sessions held by the events below offset `end`, oldest first; the topic's log has them."""
        with self._lock:
            self._read_up_to(end)
            if end not in self._days:
                self._days = {end: tuple(held.day for held in self.index.alive(end - 1))}
            return self._days[end]

    def _read_up_to(self, end: int) -> None:
        """Note the topic's events below `end` in the index."""
        for entry in self._loop.raw_data.between(self._read, end):
            self.index.add(entry.place.offset, entry.payload, entry.id)
        self._read = max(self._read, end)

    def usable(self, held: list[Held]) -> dict[str, pd.DataFrame]:
        """Read the frames of sessions, leaving out those that turned out to be none (dead letters by now)."""
        found = {}
        try:
            return self.frames(held)
        except (RejectError, NotAPriceFileError):
            for one in held:
                with suppress(RejectError, NotAPriceFileError):
                    found.update(self.frames([one]))
        return found

    def rows_of(self, held: Held) -> pd.DataFrame:
        """Read one session; no rows if its object is gone or is none. Raises TryAgainError."""
        return self.usable([held]).get(held.location, NO_ROWS)

    def symbols_of(self, held: Held | None) -> set[str]:
        """Name the symbols of a session; none where there is none, or its object is none."""
        return set(self.rows_of(held)["symbol"]) if held else set()

    def frames(self, held: list[Held]) -> dict[str, pd.DataFrame]:
        """Read the frames of sessions, by location; the store is asked once for those that are not kept.

        Raises:
            NotAPriceFileError: an object is no session; it never will be, so that it is read once.
            RejectError, TryAgainError: as `Store.get`.
        """
        found = self._kept([h.location for h in held])
        missing = [h.location for h in held if h.location not in found]
        if not missing:
            return found
        # nobody waits for the lock meanwhile: a cold window of a backfill is hundreds of objects
        contents = self._loop.store.get_many(missing)
        read = {location: self._parsed(content, location) for location, content in contents.items()}
        self._keep(read)
        return found | read

    def _kept(self, locations: list[str]) -> dict[str, pd.DataFrame]:
        """Give what is kept; that is the last to be thrown out from now on."""
        with self._lock:
            if refused := [self._refused[one] for one in locations if one in self._refused]:
                raise NotAPriceFileError(refused[0])
            found = {one: self._frames[one] for one in locations if one in self._frames}
            for one in found:
                self._frames.move_to_end(one)
        return found

    def _parsed(self, content: bytes, location: str) -> pd.DataFrame:
        try:
            return session_from_parquet(content, location)
        except NotAPriceFileError as error:
            self._refused[location] = str(error)
            raise

    def _keep(self, read: dict[str, pd.DataFrame]) -> None:
        with self._lock:
            self._frames.update(read)
            while len(self._frames) > FRAMES_KEPT:
                self._frames.popitem(last=False)


def sessions(loop: Loop) -> Sessions:
    """Give this process's sessions, warm."""
    return loop.keep("sessions", lambda: Sessions(loop.live))


def held_until(loop: Loop, today: date) -> tuple[date, ...]:
    """Name the sessions that stand, oldest first: not what was taken back, nor what is dated after today."""
    return tuple(day for day in _held_days(loop) if day <= today)


def calendar(loop: Loop) -> Calendar:
    """Give the exchange's calendar as this view of the world knows it, with every holiday that is past."""
    return learned(_held_days(loop))


def targets(loop: Loop) -> Calendar:
    """Give the calendar of what predictions are about, as this view of the world knows it."""
    return expected(_held_days(loop))


def _held_days(loop: Loop) -> tuple[date, ...]:
    """Name the sessions told up to the view's pin of raw-data: a slice that is taken again sees the same."""
    return sessions(loop).days(loop.raw_data.refresh())
