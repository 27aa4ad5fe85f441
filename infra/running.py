"""Whether this process is to go on: one flag, set once, that everything long-running looks at."""

import gc
from threading import Event

OBJECTS_OF_A_SLICE = 500_000
"""So many that the collector tracks are alive at most: about 20 of each of a slice's 20,000 records."""

_stop = Event()


def stopping() -> bool:
    """Tell whether somebody asked this process to stop."""
    return _stop.is_set()


def request_stop() -> None:
    """Ask everything long-running in this process to come to its end; safe to call twice."""
    _stop.set()


def wait(seconds: float) -> bool:
    """Sleep for at most `seconds`, less when a stop is asked for; returns whether it was."""
    return _stop.wait(seconds)


def stop_signal() -> Event:
    """Hand out the flag itself, for loops that take theirs as an argument."""
    return _stop


def expect_many_objects() -> None:
    """Collect garbage less often: slices make thousands of small objects and no cycles.

    Each collection walks through all that a slice has made by then, which was a seventh of the join's time.
    So there is none within a slice. What else leaves cycles behind waits that long: 50 MB of small ones.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_OF_A_SLICE, 5, 5)
