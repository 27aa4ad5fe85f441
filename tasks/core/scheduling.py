"""When enough new sessions ask for a retraining."""

from collections.abc import Sequence
from datetime import date


def count_since(days: Sequence[date], last: date | None, day: date) -> int:
    """Count the distinct sessions after `last`, the end of the data of the last request, up to `day`."""
    return sum(1 for d in set(days) if (last is None or d > last) and d <= day)


def due(days: Sequence[date], requests: Sequence[date], day: date, threshold: int) -> int | None:
    """Tell whether session `day` completes another `threshold` sessions; returns their number, or None.

    Args:
        days: sessions known when `day` was announced, `day` included.
        requests: data_end_date of every earlier request. Without any, nothing is due: the first training is
            asked for by whoever loads the history.
        day: the session just announced.
        threshold: how many sessions make a retraining worth while.
    """
    earlier = [request for request in requests if request < day]
    if not earlier or day in requests:
        return None
    count = count_since(days, max(earlier), day)
    return count if count and count % threshold == 0 else None
