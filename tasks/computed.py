"""A training waits until the features of the session that it was asked for have been computed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial

from kafka import TopicPartition

from infra.bootstrap import Loop
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.running import wait
from infra.settings import Settings
from tasks.core.sessions import NOW
from tasks.sessions import sessions

FLOW = "compute-features"
LONGEST_SECONDS = 180.0
LOOK_SECONDS = 0.25
ASK_MS, ANSWER_SECONDS = 10_000, 20.0


def await_computed(loop: Loop, until: date, longest: float = LONGEST_SECONDS) -> None:
    """Come back when compute-features has passed the newest session up to `until`.

    Who asks for a training reads the same topic as compute-features, and may be faster. A session that turned
    out to be none is passed as well, so that nobody waits for it.

    Raises:
        TryAgainError: it did not within `longest` seconds, or this process is to end.
    """
    held = sessions(loop).refresh().window(NOW, until, 1)
    if not held:
        return
    deadline = time.monotonic() + longest
    with progress(loop.settings) as reached:
        while reached() <= held[-1].offset:
            if time.monotonic() > deadline or wait(LOOK_SECONDS):
                message = (
                    f"the features of session {held[-1].day} are not computed within {longest:g} s:"
                    f" is {FLOW} running?"
                )
                raise TryAgainError(message)


@contextmanager
def progress(settings: Settings) -> Iterator[Callable[[], int]]:
    """Give what tells up to which offset of raw-data the flow has committed its slices; 0: it has none."""
    reader, spot = clients.consumer(settings, group=FLOW), TopicPartition("raw-data", 0)
    ask = partial(reader.committed, spot, timeout_ms=ASK_MS)
    try:
        yield lambda: int(answered(ask, ANSWER_SECONDS, f"the progress of {FLOW}") or 0)
    finally:
        close(reader)
