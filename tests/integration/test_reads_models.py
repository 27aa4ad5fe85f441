"""Where closes fell and how shadows did, counted on a real Postgres."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from events.payloads import ErrorComputed, PredictionMade, ShadowPredicted
from infra.database.reads import intervals, shadows
from infra.settings import Settings
from tests.reading_side import ReadSide, read_side

pytestmark = pytest.mark.stack

DAYS = [date(2024, 3, 3) + timedelta(n) for n in range(4)]


@pytest.fixture
def side(servers: Settings) -> Iterator[ReadSide]:
    """An empty read side."""
    with read_side(servers) as made:
        yield made


def said(symbol: str, day: date, **more: Any) -> PredictionMade:
    """100, within 90 to 110 and 80 to 120."""
    known: dict[str, Any] = {
        "interval_80": (90.0, 110.0),
        "interval_95": (80.0, 120.0),
        "model_version": "v1",
    }
    made = {"as_of": day - timedelta(1), **known, **more}
    return PredictionMade(symbol=symbol, date=day, predicted_close=100.0, **made)


def met(symbol: str, day: date, actual: float, **more: Any) -> ErrorComputed:
    """What came of it."""
    known = {"model_version": "v1", "as_of": day - timedelta(1)} | more
    error = 100.0 - actual
    return ErrorComputed(
        symbol=symbol, date=day, predicted=100.0, actual=actual, error=error, abs_error=abs(error), **known
    )


def test_closes_are_counted_where_they_fell(side: ReadSide) -> None:
    """From below to above; ends belong to their interval, the forecast to the upper half."""
    closes = {"A": 79.9, "B": 80.0, "C": 90.0, "D": 99.9, "E": 100.0, "F": 110.0, "G": 110.1, "H": 120.1}
    side.tell("predictions", *(said(symbol, DAYS[1]) for symbol in closes))
    side.tell("errors", *(met(symbol, DAYS[1], close) for symbol, close in closes.items()))
    assert intervals.fallen(side.engine, "v1", 20) == (1, 8, 1, 1, 2, 2, 1, 1)


def test_only_what_holds_and_told_its_intervals_is_counted(side: ReadSide) -> None:
    """The newest revision of each, nothing taken back, no other version, and only the newest sessions."""
    side.tell("predictions", *(said("A", day) for day in DAYS[1:]), said("B", DAYS[3], interval_80=None))
    side.tell("predictions", said("C", DAYS[3], model_version="v2"), said("D", DAYS[3]))
    side.tell("predictions", said("A", DAYS[3], revision=1, interval_80=(99.0, 101.0)))
    side.tell("errors", *(met("A", day, 50.0) for day in DAYS[1:]), met("B", DAYS[3], 100.0))
    side.tell("errors", met("C", DAYS[3], 100.0, model_version="v2"), met("D", DAYS[3], 100.0))
    side.tell("errors", met("D", DAYS[3], 100.0, revision=1, retracted=True))
    side.tell("errors", met("A", DAYS[3], 105.0, revision=1))
    assert intervals.fallen(side.engine, "v1", 1) == (1, 1, 0, 0, 0, 0, 1, 0)
    assert intervals.fallen(side.engine, "v1", 3)[:3] == (3, 3, 2)
    assert intervals.fallen(side.engine, "v9", 3) == (0,) * 8


def test_a_shadow_is_summed_beside_what_was_served(side: ReadSide) -> None:
    """On the same closes, session by session, in rupees; what was taken back counts for nobody."""
    for symbol, day, price, more in [
        ("A", DAYS[1], 104.0, {}),
        ("A", DAYS[1], 103.0, {"revision": 1}),
        ("B", DAYS[1], 99.0, {}),
        ("C", DAYS[1], 99.0, {}),
        ("A", DAYS[2], 100.0, {}),
        ("A", DAYS[3], 100.0, {}),
    ]:
        known = {"as_of": day - timedelta(1), "model_version": "v2"} | more
        side.tell("shadows", ShadowPredicted(symbol=symbol, date=day, predicted_close=price, **known))
    side.tell("errors", met("A", DAYS[1], 102.0), met("B", DAYS[1], 101.0), met("A", DAYS[2], 98.0))
    side.tell("errors", met("C", DAYS[1], 90.0), met("C", DAYS[1], 90.0, revision=1, retracted=True))
    assert shadows.daily(side.engine, "v2", 20) == {
        DAYS[1]: (2, 5.0, 3.0, 5.0, 3.0),
        DAYS[2]: (1, 4.0, 2.0, 4.0, 2.0),
    }
    assert set(shadows.daily(side.engine, "v2", 2)) == {DAYS[2]}
    assert shadows.daily(side.engine, "v1", 20) == {}


def test_a_session_that_was_not_held_is_met_by_the_next(side: ReadSide) -> None:
    """Closes after an unforeseen holiday count, once, with the session that was held."""
    before = DAYS[0]
    side.tell("predictions", said("A", DAYS[1]), said("A", DAYS[3]), said("B", DAYS[3]))
    shadow = {"symbol": "A", "predicted_close": 104.0, "model_version": "v2"}
    side.tell("shadows", ShadowPredicted(date=DAYS[1], as_of=before, **shadow))
    side.tell("errors", met("A", DAYS[2], 102.0, as_of=before), met("B", DAYS[3], 99.0))
    assert intervals.fallen(side.engine, "v1", 20) == (2, 2, 0, 0, 1, 1, 0, 0)
    assert shadows.daily(side.engine, "v2", 20) == {DAYS[2]: (1, 4.0, 2.0, 4.0, 2.0)}


def test_what_names_no_session_before_is_met_by_its_own(side: ReadSide) -> None:
    """As foreign producers write it; neither by a later one nor by what was made from another session."""
    side.tell("predictions", said("A", DAYS[1], as_of=None), said("B", DAYS[2]))
    side.tell("errors", met("A", DAYS[1], 100.0, as_of=None), met("A", DAYS[2], 50.0, as_of=None))
    side.tell("errors", met("B", DAYS[1], 50.0, as_of=None), met("A", DAYS[3], 50.0, as_of=DAYS[1]))
    assert intervals.fallen(side.engine, "v1", 20)[:5] == (1, 1, 0, 0, 0)
