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
    gone = DataRetracted(symbol="NEPSE", date=wrong.date, data_location=wrong.data_location, reason="repeat")
    index = index_of(ingested(0), wrong, gone)
    assert [h.offset for h in index.window(1, wrong.date, 10)] == [0, 1]
    assert [h.offset for h in index.window(2, wrong.date, 10)] == [0]


def test_repeats_are_found_by_content() -> None:
    """The first session with a content is the original."""
    index = index_of(ingested(0, digest="x"), ingested(1, digest="y"))
    repeated = index.repeated("x")
    assert repeated is not None
    assert repeated.day == FIRST
    assert index.repeated("z") is None


def test_previous_is_the_session_before() -> None:
    """The market's last session before a day, None before the first."""
    index = index_of(ingested(0), ingested(5))
    assert index.previous(FIRST + timedelta(days=5)) == FIRST
    assert index.previous(FIRST) is None
