"""What an event costs before anything is computed: reading it, by either way, and writing it."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from bench import feed
from events import envelope

EVENTS, ROUNDS = 20_000, 5


def costs() -> dict[str, float]:
    """Measure microseconds an event, the best of some rounds over as many predictions as actuals."""
    values = [event.value for event in islice(feed.history(feed.Sizes(2 * EVENTS)), EVENTS, 2 * EVENTS)]
    events = [envelope.decode(value) for value in values]
    return {
        "read by the compiled contract": _best(envelope.decode, values),
        "read by the models, as a foreign form is": _best(envelope._decode, values),  # noqa: SLF001
        "written": _best(envelope.encode, events),
    }


def _best(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    return min(_spent(call, inputs) for _ in range(ROUNDS)) / len(inputs) * 1e6


def _spent(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    since = time.process_time()
    for one in inputs:
        call(one)
    return time.process_time() - since
