"""A bound on calls that have none: kafka-python's commit, abort and send_offsets may wait for ever."""

import threading
from collections.abc import Callable
from typing import TypeVar

from infra.errors import OutcomeUnknownError

T = TypeVar("T")


def bounded(call: Callable[[], T], seconds: float, what: str) -> T:
    """Run `call` in a thread of its own and give up on it after `seconds`.

    Raises:
        OutcomeUnknownError: no answer came in time; the thread is left behind as a daemon.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  (handed to the caller below)
            failures.append(error)

    worker = threading.Thread(target=run, name=what, daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        message = f"{what} gave no answer within {seconds:g} s: its outcome is unknown until the next attempt"
        raise OutcomeUnknownError(message)
    if failures:
        raise failures[0]
    return results[0]
