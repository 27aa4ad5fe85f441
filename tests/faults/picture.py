"""What lies on the topics and what every flow has committed, of one moment."""

import time
from collections.abc import Collection, Mapping

from tests.faults import journal

Progress = dict[str, dict[tuple[str, int], int | None]]
"""What each flow has committed, by topic and partition."""

STILL_SECONDS = 60.0


def picture(bootstrap: str, flows: Mapping[str, Collection[str]]) -> tuple[journal.Journal, Progress]:
    """Read all topics, and the progress of flows on theirs, while neither moves.

    The watch writes when time has passed, not when something came in: an alert of its may fall between two
    reads of what is otherwise settled. What keeps moving, or stays open, is given as it is.
    """
    deadline = time.monotonic() + STILL_SECONDS
    before = _progress(bootstrap, flows)
    while True:
        told = journal.read(bootstrap)
        after = _progress(bootstrap, flows)
        if (before == after and told.at_rest) or time.monotonic() > deadline:
            return told, after
        before = after


def _progress(bootstrap: str, flows: Mapping[str, Collection[str]]) -> Progress:
    return {flow: journal.committed_offsets(bootstrap, flow, topics) for flow, topics in flows.items()}
