"""What compares with a projection waits until the projection holds all that was published."""

import time
from collections.abc import Callable, Iterable, Mapping

from infra.bootstrap import Loop
from infra.errors import TryAgainError
from infra.kafka import scanning
from infra.progress import tell
from infra.running import wait

Offsets = Mapping[tuple[str, int], int]

PAUSE_SECONDS = 0.3
LONGEST_SECONDS = 120.0


def await_projection(
    what: str,
    positions: Callable[[], Offsets],
    ends: Offsets,
    *,
    longest: float = LONGEST_SECONDS,
    pause: Callable[[float], bool] = wait,
) -> None:
    """Come back when a projection's positions have reached the ends.

    Args:
        what: the projection, for people.
        positions: reads the next offsets that it will project; none means 0.
        ends: of the topics.
        longest: seconds without any progress before giving up.
        pause: sleeps for so many seconds; True says that this process is to end.

    Raises:
        TryAgainError: it does not come closer, or this process is to end.
    """
    least, since = _missing(positions(), ends), time.monotonic()
    missing = least
    while missing:
        tell(f"waiting: {what} lacks {missing} records", 0, 0)
        if time.monotonic() - since > longest or pause(PAUSE_SECONDS):
            message = f"{what} lacks {missing} records of what was published: see 'nepse status', then again"
            raise TryAgainError(message)
        missing = _missing(positions(), ends)
        if missing < least:
            least, since = missing, time.monotonic()


def _missing(positions: Offsets, ends: Offsets) -> int:
    return sum(max(0, end - positions.get(place, 0)) for place, end in ends.items())


def ends_of(loop: Loop, topics: Iterable[str]) -> Offsets:
    """Tell up to where topics are settled; raises TryAgainError where the broker is away."""
    with scanning.reader(loop.settings) as looking:
        found, _ = scanning.settled_ends(loop.settings, looking, scanning.spots_of(loop.settings, topics))
        return found


def await_feature_table(loop: Loop) -> None:
    """Wait for all vectors that were published to be in the feature table. Raises as `await_projection`."""
    ends, table = ends_of(loop, ["features"]), loop.feature_table
    await_projection("the feature table", lambda: table.positions(ends), ends)
