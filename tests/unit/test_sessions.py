"""The session index: what a slice may look back on, as of its own offset."""

from datetime import date, timedelta

from events.payloads import DataIngested, DataRetracted
from tasks.core.sessions import SessionIndex

FIRST = date(2024, 1, 1)


def ingested(day: int, revision: int = 0, digest: str | None = None) -> DataIngested:
    """DataIngested of the n-th day."""
    when = FIRST + timedelta(days=day)
    return DataIngested(
        symbol="NEPSE",
        date=when,
        data_location=f"s3://b/{when}.r{revision}",
        revision=revision,
        content_hash=digest,
    )


def day(number: int) -> date:
    """The n-th day."""
    return FIRST + timedelta(days=number)


def retracted(said: DataIngested) -> DataRetracted:
    """What says that a session was none."""
    return DataRetracted(symbol="NEPSE", date=said.date, data_location=said.data_location, reason="repeat")


def index_of(*payloads: DataIngested | DataRetracted) -> SessionIndex:
    """An index that was told these, at offsets 0, 1, 2 ..."""
    index = SessionIndex()
    for offset, payload in enumerate(payloads):
        index.add(offset, payload)
    return index


def test_a_window_ends_with_its_own_session_and_offset() -> None:
    """Neither later sessions nor what was announced later is seen."""
    index = index_of(ingested(0), ingested(2), ingested(1), ingested(3))
    assert [h.offset for h in index.window(1, FIRST + timedelta(days=2), 10)] == [0, 1]
    assert [h.offset for h in index.window(2, FIRST + timedelta(days=2), 10)] == [0, 2, 1]
    assert [h.offset for h in index.window(3, FIRST + timedelta(days=3), 2)] == [1, 3]


def test_a_revision_replaces_its_session_from_its_offset_on() -> None:
    """A replay of an old offset reads what the run read then."""
    index = index_of(ingested(0), ingested(1), ingested(0, revision=1))
    assert [h.offset for h in index.window(1, FIRST + timedelta(days=1), 10)] == [0, 1]
    assert [h.offset for h in index.window(2, FIRST + timedelta(days=1), 10)] == [2, 1]


def test_a_retracted_session_is_gone_from_then_on() -> None:
    """What turned out to be no session is not looked back on any more."""
    wrong = ingested(1)
    index = index_of(ingested(0), wrong, retracted(wrong))
    assert [h.offset for h in index.window(1, wrong.date, 10)] == [0, 1]
    assert [h.offset for h in index.window(2, wrong.date, 10)] == [0]


def test_what_was_retracted_can_be_told_again() -> None:
    """The same object counts again from the event that names it again."""
    index = index_of(ingested(0), retracted(ingested(0)), ingested(0))
    assert [len(index.alive(offset)) for offset in range(3)] == [1, 0, 1]


def test_alive_are_the_newest_revisions_of_what_is_left() -> None:
    """One entry a day, oldest first, without days that turned out to be none."""
    index = index_of(ingested(2), ingested(0), ingested(1), ingested(0, revision=1), retracted(ingested(1)))
    assert [(h.day, h.revision) for h in index.alive()] == [(day(0), 1), (day(2), 0)]
    assert [h.day for h in index.alive(2)] == [day(0), day(1), day(2)]


def test_every_event_about_a_session_has_a_revision_of_its_own() -> None:
    """A retraction takes one as well, so that what is told afterwards is newer."""
    index = index_of(ingested(0))
    assert [index.next_revision(day(0)), index.next_revision(day(1))] == [1, 0]
    index = index_of(ingested(0), retracted(ingested(0)))
    assert index.next_revision(day(0)) == 2


def test_standing_counts_what_can_have_changed_a_window() -> None:
    """Events about the session and those before it, since its first: the later ones don't count."""
    index = index_of(ingested(1), ingested(2), ingested(0), ingested(1, revision=1), retracted(ingested(0)))
    assert [index.standing(day(1), offset) for offset in range(5)] == [0, 0, 1, 2, 3]
    assert [index.standing(day(2), offset) for offset in range(1, 5)] == [0, 1, 2, 3]
    assert [index.standing(day(0), offset) for offset in range(2, 5)] == [0, 0, 1]
    assert index.standing(day(9)) == 0


def test_a_retraction_that_is_said_again_changes_nothing_before_it() -> None:
    """Another client may repeat it under another id: in between the session is gone all the same."""
    index = index_of(ingested(0), retracted(ingested(0)), ingested(1), retracted(ingested(0)))
    assert [index.as_of(offset, day(0)) is None for offset in range(4)] == [False, True, True, True]


def test_behind_a_session_are_the_revisions_that_would_come_back() -> None:
    """Not those that were taken back themselves."""
    index = index_of(*(ingested(0, revision=n) for n in range(3)), retracted(ingested(0, revision=1)))
    (held,) = index.alive()
    assert [(held.revision, [h.revision for h in index.behind(held)])] == [(2, [0])]


def test_a_retraction_is_about_the_day_that_it_names() -> None:
    """What is computed again is that day's: the same object on another day stays a session."""
    first, second = ingested(0), ingested(1).model_copy(update={"data_location": ingested(0).data_location})
    index = index_of(first, second, retracted(first))
    assert [held.day for held in index.alive()] == [day(1)]


def test_what_is_held_now_is_kept_up_event_by_event() -> None:
    """After every event it is what looking through all of history finds."""
    events = [ingested(2), ingested(0), ingested(1), ingested(0, revision=1), retracted(ingested(1))]
    events += [ingested(1), retracted(ingested(0, revision=1)), retracted(ingested(0)), ingested(0)]
    index = SessionIndex()
    for offset, event in enumerate(events):
        index.add(offset, event)
        alive = index.alive()
        assert index.current.days == [held.day for held in alive]
        assert [index.current.at(held.day) for held in alive] == alive
        assert [index.current.day_of(held.digest) for held in alive] == index.current.days
    assert index.current.at(day(9)) is None
    assert index.current.day_of("of nobody") is None


def test_of_an_object_that_several_days_name_the_newest_counts() -> None:
    """Another client may say so, and take it back."""
    twice = ingested(0).model_copy(update={"date": day(3)})
    index = index_of(ingested(0), twice)
    assert (index.current.days, index.current.repeated()) == ([day(0), day(3)], {day(0)})
    assert index.current.day_of(index.alive()[0].digest) == day(3)
    index.add(2, retracted(twice))
    assert (index.current.days, index.current.repeated()) == ([day(0)], set())
