"""The panels of this process, warm: a new session costs its own object and a copy of the window."""

import threading
from collections.abc import Iterable

from infra.bootstrap import Loop
from tasks.core.grid import WINDOW
from tasks.core.moving import Placed, moved
from tasks.core.panel import Panel
from tasks.core.sessions import Held
from tasks.sessions import Sessions, sessions

PANELS_KEPT = 4
"""The live window, that of a backfill, and room for two more; about 7 MB each for 350 symbols."""

SAME = 0.9
"""A panel that holds so much of the one it was made from replaces it; otherwise both are kept."""

LONGEST = 4 * WINDOW
"""Sessions of the longest panel that is kept; who computes more at once moves further than a window."""


class Panels:
    """Panels by the locations of their sessions, those used last. Safe for threads.

    Two that move through history at their own pace, as the live loop and a backfill, each keep theirs.
    """

    def __init__(self, known: Sessions) -> None:
        """Nothing is read yet."""
        self._known = known
        self._lock = threading.Lock()
        self._kept: list[Placed] = []

    def of(self, held: Iterable[Held]) -> Panel:
        """Give the panel of sessions, each day once; left out is what turned out to be no session.

        Raises:
            TryAgainError: the store is away.
        """
        wanted = sorted(held, key=lambda one: one.day)
        nearest = self._nearest({one.location for one in wanted})
        there = set(nearest.locations)
        frames = self._known.usable([one for one in wanted if one.location not in there])
        usable = [
            (one.day, one.location) for one in wanted if one.location in there or one.location in frames
        ]
        made = moved(nearest, usable, frames)
        if made.locations:
            self._keep(nearest, made)
        return made.panel

    def _nearest(self, locations: set[str]) -> Placed:
        """Choose the panel that holds most of these."""
        with self._lock:
            candidates = [Placed.none(), *self._kept]
        return max(candidates, key=lambda one: len(locations.intersection(one.locations)))

    def _keep(self, before: Placed, made: Placed) -> None:
        common = len(set(before.locations).intersection(made.locations))
        with self._lock:
            others = [one for one in self._kept if one is not made]
            if common >= SAME * len(before.locations):
                others = [one for one in others if one is not before]
            self._kept = _spared([*others, made] if len(made.panel) <= LONGEST else others)


def _spared(kept: list[Placed]) -> list[Placed]:
    """Leave out the one used longest ago where there are too many, but never the market's newest window."""
    if len(kept) <= PANELS_KEPT:
        return kept
    newest = max(kept, key=lambda one: one.panel.dates[-1:])
    leaving = next(one for one in kept if one is not newest)
    return [one for one in kept if one is not leaving]


def panels(loop: Loop) -> Panels:
    """Give this process's panels, warm."""
    known = sessions(loop)
    return loop.keep("panels", lambda: Panels(known))
