"""What alert rules ask of the read side, on a real Postgres."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from events.payloads import ErrorComputed
from infra.database import facts
from infra.settings import Settings
from tests.reading_side import ReadSide, read_side

pytestmark = pytest.mark.stack

FIRST = date(2024, 3, 3)
DAYS = [FIRST + timedelta(n) for n in range(8)]


@pytest.fixture
def side(servers: Settings) -> Iterator[ReadSide]:
    """An empty read side."""
    with read_side(servers) as made:
        yield made


def error(day: date, abs_error: float = 1.0, **more: object) -> ErrorComputed:
    """An error of a share in a session."""
    values = {"predicted": 100.0, "actual": 100.0, "error": abs_error, "model_version": "v1", **more}
    return ErrorComputed.model_validate({"symbol": "NABIL", "date": day, "abs_error": abs_error, **values})


def days(side: ReadSide, sessions: int, today: date = DAYS[-1]) -> list[object]:
    """Name the sessions whose errors are summed up."""
    return [row.date for row in facts.errors(side.writer, sessions, today)]


def test_sessions_that_were_taken_back_hide_no_others(side: ReadSide) -> None:
    """Nor do those of which nothing can be summed up: what is asked for is as many that stand."""
    side.tell("errors", *(error(day) for day in DAYS))
    side.tell("errors", *(error(day, revision=1, retracted=True) for day in DAYS[5:7]))
    side.tell("errors", error(DAYS[7], 1.7e308, revision=1))
    assert days(side, 5) == DAYS[:5]
    assert days(side, 1) == [DAYS[4]]


def test_a_session_ahead_of_today_hides_no_others(side: ReadSide) -> None:
    """Somebody else's, or a mistake; when the day has come it counts."""
    side.tell("errors", *(error(day) for day in DAYS))
    assert days(side, 2, DAYS[3]) == DAYS[2:4]
    assert days(side, 2, DAYS[4]) == DAYS[3:5]
