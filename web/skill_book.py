"""The sums of each session's errors by model version, kept in memory and renewed where errors came."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy import Engine

from infra.database.reads import skill
from infra.database.reads.progress import Positions
from infra.database.reads.skill import Sums

Key = tuple[date, str]
"""A session and a model version."""
AT_ONCE = 40
"""Sessions of one query: it stays far below the reader's time-out."""


class SkillBook:
    """Sums by (session, version); summing three years takes about a second, a session some milliseconds."""

    def __init__(self, engine: Engine, offsets: Callable[[], Positions], epoch: Callable[[], int]) -> None:
        """Nothing is summed before the first `read`.

        Args:
            engine: the read side.
            offsets: tells up to where it is.
            epoch: differs after it was made anew.
        """
        self._engine, self._offsets, self._epoch = engine, offsets, epoch
        self._lock = threading.Lock()
        self._known = _Known(0, {}, {})

    def read(self) -> Mapping[Key, Sums]:
        """Give all sums, those of sessions with errors since the last call made anew.

        They are replaced together or not at all: after a failure the next call begins where this one did.

        Raises:
            TryAgainError: the database is away.
        """
        with self._lock:  # the offsets are asked within: a reader who waited does not come with older ones
            epoch = self._epoch()
            if self._known.epoch != epoch:
                self._known = _Known(epoch, {}, {})
            now = {number: at for (topic, number), at in self._offsets().items() if topic == "errors"}
            if self._known.at != now:
                self._known = self._renewed(self._known, now)
            return self._known.sums

    def _renewed(self, known: "_Known", now: dict[int, int]) -> "_Known":
        """Sum what changed; everything, where nothing was summed or the read side was made anew."""
        if not known.at or any(now.get(number, 0) < at for number, at in known.at.items()):
            return _Known(known.epoch, now, self._summed(skill.days(self._engine)))
        days = set(skill.changed(self._engine, {number: known.at.get(number, 0) for number in now}))
        kept = {key: sums for key, sums in known.sums.items() if key[0] not in days}
        return _Known(known.epoch, now, kept | self._summed(days))

    def _summed(self, days: Iterable[date]) -> dict[Key, Sums]:
        found: dict[Key, Sums] = {}
        for some in _pieces(list(days)):
            found |= skill.daily(self._engine, some)
        return found


class _Known(NamedTuple):
    """The sums, their epoch, and up to which offset of each partition of `errors` they reach."""

    epoch: int
    at: dict[int, int]
    sums: dict[Key, Sums]


def _pieces(days: list[date]) -> Iterable[list[date]]:
    return (days[at : at + AT_ONCE] for at in range(0, len(days), AT_ONCE))
