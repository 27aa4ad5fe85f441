"""Counting sessions towards the next retraining."""

from datetime import date, timedelta

from tasks.core.scheduling import due

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(30)]


def test_nothing_is_due_before_anybody_asked() -> None:
    """Loading a long history asks for no training by itself."""
    assert due(DAYS, [], DAYS[-1], 10) is None


def test_the_tenth_session_after_the_last_request_is_due() -> None:
    """With a threshold of 10, the tenth new session asks, its neighbours do not."""
    asked = [DAYS[4]]
    assert [day for day in DAYS if due([d for d in DAYS if d <= day], asked, day, 10)] == [DAYS[14], DAYS[24]]


def test_a_session_delivered_twice_counts_once() -> None:
    """A point is a session, however often it was announced."""
    assert due([*DAYS[:14], *DAYS[:14]], [DAYS[4]], DAYS[13], 10) is None


def test_a_session_that_was_asked_for_already_is_not_asked_for_again() -> None:
    """The request itself is on record, so a retry sees it."""
    assert due(DAYS[:15], [DAYS[4], DAYS[14]], DAYS[14], 10) is None
