"""Whether this process has been asked to stop; long-running loops look here."""

import threading

_STOP = threading.Event()


def stopping() -> bool:
    """Tell whether a stop was requested."""
    return _STOP.is_set()


def request_stop() -> None:
    """Ask every loop of this process to end."""
    _STOP.set()


def wait(seconds: float) -> bool:
    """Wait for a stop at most `seconds`; returns whether it was requested."""
    return _STOP.wait(seconds)
