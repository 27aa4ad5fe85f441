"""The calendars as a view of raw-data knows them: up to the view's pin, the same when taken again."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from events.payloads import DataIngested, DataRetracted, Payload
from infra.bootstrap import Loop
from infra.settings import load_settings
from tasks.core.sessions import NOW
from tasks.sessions import calendar, sessions, targets

THURSDAY, FRIDAY, SUNDAY, MONDAY, TUESDAY = (date(2023, 6, day) for day in (1, 2, 4, 5, 6))


class FakeTopic:
    """Raw-data as a warm process has it in memory; offset 0 is the first event."""

    def __init__(self) -> None:
        """Begin empty."""
        self.payloads: list[Payload] = []

    def refresh(self) -> int:
        """Tell the end."""
        return len(self.payloads)

    def between(self, start: int, end: int) -> list[Any]:
        """List events with their offsets."""
        offsets = range(start, min(end, len(self.payloads)))
        return [
            SimpleNamespace(id=str(at), payload=self.payloads[at], place=SimpleNamespace(offset=at))
            for at in offsets
        ]

    def held(self, day: date) -> None:
        """Announce a session."""
        self.payloads.append(DataIngested(symbol="NEPSE", date=day, data_location=f"s3://raw/{day}"))

    def gone(self, day: date) -> None:
        """Retract it."""
        where = f"s3://raw/{day}"
        self.payloads.append(DataRetracted(symbol="NEPSE", date=day, data_location=where, reason="repeat"))


@pytest.fixture
def topic() -> FakeTopic:
    """The topic of this test."""
    return FakeTopic()


@pytest.fixture
def loop(topic: FakeTopic) -> Loop:
    """Adapters of a process that has read the topic."""
    loop = Loop(load_settings())
    loop.keep("raw-data", lambda: topic)
    return loop


def test_a_slice_learns_up_to_its_own_pin(loop: Loop, topic: FakeTopic) -> None:
    """What is announced later moves no target of a slice that is under way, nor of its replay."""
    topic.held(THURSDAY)
    view = loop.as_of()
    assert targets(view).next_session(THURSDAY) == SUNDAY
    topic.held(FRIDAY)
    assert targets(view).next_session(THURSDAY) == SUNDAY
    assert targets(loop.as_of()).next_session(THURSDAY) == FRIDAY
    again = loop.as_of({r.topic: r.end for r in view.looked_up})
    assert targets(again).next_session(THURSDAY) == SUNDAY


def test_a_slice_from_before_knows_the_rules_only(loop: Loop, topic: FakeTopic) -> None:
    """The ledger of a slice that looked nothing up names no offset of raw-data: it is seen as empty."""
    topic.held(THURSDAY)
    topic.held(FRIDAY)
    assert targets(loop.as_of({})).next_session(THURSDAY) == SUNDAY


def test_what_is_not_held_is_past_a_holiday_and_expected_all_the_same(loop: Loop, topic: FakeTopic) -> None:
    """Looking back it was none; but it may come late, and then has to be met."""
    topic.held(THURSDAY)
    topic.held(MONDAY)
    assert calendar(loop.as_of()).next_session(THURSDAY) == MONDAY
    assert targets(loop.as_of()).next_session(THURSDAY) == SUNDAY


def test_a_session_that_was_retracted_is_a_holiday_again(loop: Loop, topic: FakeTopic) -> None:
    """A repeat on a holiday opens the day until it is known to be one."""
    for day in (THURSDAY, FRIDAY, SUNDAY, MONDAY):
        topic.held(day)
    assert calendar(loop.as_of()).next_session(THURSDAY) == FRIDAY
    topic.gone(SUNDAY)
    topic.gone(FRIDAY)
    assert calendar(loop.as_of()).next_session(THURSDAY) == MONDAY
    assert targets(loop.as_of()).next_session(THURSDAY) == SUNDAY


def test_an_older_pin_leaves_the_index_as_it_is(loop: Loop, topic: FakeTopic) -> None:
    """A replay beside live slices reads no event a second time."""
    for day in (THURSDAY, MONDAY, TUESDAY):
        topic.held(day)
    sessions(loop).refresh()
    assert targets(loop.as_of({"raw-data": 1})).next_session(THURSDAY) == SUNDAY
    sessions(loop).refresh()
    told = sessions(loop).index.told(-1, NOW)
    assert [one.day for one in told] == [THURSDAY, MONDAY, TUESDAY]
