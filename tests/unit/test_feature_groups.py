"""Sessions that are computed together see what each of them would see alone."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from events.envelope import Event, Metadata
from events.payloads import DataIngested
from infra.kafka.records import Place, Received
from tasks.core.grid import WINDOW
from tasks.core.sessions import Held, SessionIndex
from tasks.features import Cause, _groups

FIRST = date(2024, 1, 1)


def announced(order: list[int]) -> dict[Cause, list[Held]]:
    """The window of each session, announced in this order; a day that comes again is a revision."""
    index, causes = SessionIndex(), []
    for offset, number in enumerate(order):
        day = FIRST + timedelta(days=number)
        payload = DataIngested(
            symbol="NEPSE", date=day, data_location=f"s3://b/{offset}", revision=order[:offset].count(number)
        )
        name = str(offset)
        event = Event(datetime(2024, 1, 1, tzinfo=UTC), "ingest", payload, Metadata(name, name))
        index.add(offset, payload)
        causes.append(Received(event, Place("raw-data", 0, offset), None, b""))
    return {one: index.window(one.place.offset, one.payload.date, WINDOW) for one in causes}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=9))
@example([0, 1, 4, 2, 3])
def test_one_panel_serves_every_session_of_its_group(order: list[int]) -> None:
    """Late sessions, and revisions, are seen by those alone that were announced after them."""
    windows = announced(order)
    groups = _groups(windows)
    assert [cause for group in groups for cause in group] == list(windows)
    for group in groups:
        panel = {held.day: held for cause in group for held in windows[cause]}
        for cause in group:
            days = sorted(day for day in panel if day <= cause.payload.date)[-WINDOW:]
            assert [panel[day] for day in days] == windows[cause]


def test_sessions_in_their_order_are_one_group() -> None:
    """Or each would be computed alone, which is slow."""
    assert len(_groups(announced(list(range(9))))) == 1
