"""Whether this process is to go on: one flag, set once, that everything long-running looks at."""

import gc
from threading import Event

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

    With Python's own thresholds the collector takes a third to a half of a join's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
