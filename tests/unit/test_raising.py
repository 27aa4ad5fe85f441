"""An alert that nobody ends is one of its day: who looks after it does not do so for ever."""

from datetime import UTC, datetime, timedelta

from events.payloads import AlertAcknowledged, AlertRaised
from tasks.core.looked_after import Heard, audible
from tasks.raising import of_the_day

NIGHT = datetime(2024, 3, 4, 18, 14, tzinfo=UTC)
"""A minute before midnight in Kathmandu."""
ASKED = AlertRaised(rule="odd", severity="critical", message="m", labels={"deployment": "d"})


def test_what_is_raised_on_another_day_is_told_whoever_looked_after_the_last() -> None:
    """On the same day it is the same alert, which somebody looks after."""
    later = (timedelta(), timedelta(seconds=59), timedelta(minutes=1))
    first, again, anew = (of_the_day(ASKED, NIGHT + passed) for passed in later)
    care = AlertAcknowledged(rule="odd", alert_id=str(first.alert_id), by="an operator")
    told, _ = audible([Heard(n, f"e{n}", one) for n, one in enumerate((first, care, again, anew))], [], {})
    assert [one.offset for one in told] == [0, 1, 3]


def test_the_day_is_a_label_and_one_that_was_given_stays() -> None:
    """So that the page says which day it is about."""
    assert of_the_day(ASKED, NIGHT).labels == {"deployment": "d", "day": "2024-03-04"}
    theirs = ASKED.model_copy(update={"labels": {"day": "holiday"}})
    assert of_the_day(theirs, NIGHT).labels == {"day": "holiday"}
