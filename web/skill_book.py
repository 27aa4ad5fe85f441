"""The sums of each session's errors by model version, kept in memory and renewed where errors came."""

import threading
from collections.abc import Iterable
from datetime import date

from sqlalchemy import Engine

from infra.database.reads import skill
from infra.database.reads.progress import Positions
from infra.database.reads.skill import Sums

AT_ONCE = 40
"""Sessions of one query: it stays far below the reader's time-out."""


class SkillBook:
    """Sums by (session, version); summing three years takes about a second, a session some milliseconds."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is summed before the first `read`."""
        self._engine = engine
        self._lock = threading.Lock()
        self._sums: dict[tuple[date, str], Sums] = {}
        self._at: dict[int, int] | None = None

    def read(self, offsets: Positions) -> dict[tuple[date, str], Sums]:
        """Give all sums, those of sessions with errors since the last call made anew.

        Args:
            offsets: up to where the read side is, as it was told before this call.

        Raises:
            TryAgainError: the database is away.
        """
        now = {partition: at for (topic, partition), at in offsets.items() if topic == "errors"}
        with self._lock:
            if self._at != now:
                self._renew(self._days_since(now))
                self._at = now
            return dict(self._sums)

    def _days_since(self, now: dict[int, int]) -> list[date]:
        """List what changed; everything, where the read side was made anew."""
        before = self._at
        if before is None or any(now.get(partition, 0) < at for partition, at in before.items()):
            self._sums.clear()
            return skill.days(self._engine)
        return skill.changed(self._engine, {partition: before.get(partition, 0) for partition in now})

    def _renew(self, days: Iterable[date]) -> None:
        for some in _pieces(list(days)):
            found = skill.daily(self._engine, some)
            gone = set(some)
            self._sums = {key: sums for key, sums in self._sums.items() if key[0] not in gone} | found


def _pieces(days: list[date]) -> Iterable[list[date]]:
    return (days[at : at + AT_ONCE] for at in range(0, len(days), AT_ONCE))
