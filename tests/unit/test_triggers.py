"""Who asks for a retraining of sessions as they come, and who asks now: once each."""

from datetime import date, timedelta
from typing import Any, cast

import pytest
from prefect.states import Failed

from events.envelope import Event, Metadata, decode
from events.payloads import (
    DataIngested,
    DataRetracted,
    ModelRetrainingTriggered,
    ModelTrained,
    OffsetRange,
    Payload,
)
from flows import schedule_retraining
from infra.errors import OutcomeUnknownError, SupersededError, TryAgainError, UsageError
from infra.kafka.records import Outgoing, Run
from infra.kafka.work import Work
from infra.settings import Settings
from tasks import triggers
from tasks.core.triggering import NEW_DATA_POINTS, WEEKLY
from tasks.sessions import held_until
from tests.topic_in_memory import NOON, Log

DAYS = [date(2024, 1, 1) + timedelta(n) for n in range(9)]
TODAY, FAR = date(2024, 1, 12), date(9999, 1, 3)


class World:
    """The loop as far as who asks looks at it; what is published is there at once."""

    def __init__(self, days: list[date], *models: Payload, asked: tuple[Payload, ...] = ()) -> None:
        """Let sessions be told in this order."""
        told = [DataIngested(symbol="NEPSE", date=day, data_location=f"s3://raw/{day}") for day in days]
        self.raw_data, self.training = Log("raw-data", *told), Log("training", *asked)
        self.models, self.live, self.pool = Log("models", *models), self, None
        self.settings = Settings(retrain_after_sessions=3)
        self._kept: dict[str, Any] = {}

    def keep(self, name: str, make: Any) -> Any:
        """Keep something for this world."""
        return self._kept.setdefault(name, self._kept.get(name) or make())


class Publisher:
    """A source that publishes into a world."""

    def __init__(self, world: World) -> None:
        """Publish there."""
        self.world, self.opened = world, 0

    def open(self) -> None:
        """Fence whoever was before."""
        self.opened += 1

    def publish(self, records: list[Outgoing]) -> None:
        """Make the records visible."""
        for record in records:
            self.world.training.add(decode(record.value))

    def close(self) -> None:
        """Have nothing to close."""


def trained(until: date, reason: str = "first_model") -> ModelTrained:
    """A version that was trained up to a session."""
    fields: dict[str, Any] = {"model_version": "v1", "performance": {}, "features_used": []}
    return ModelTrained(**fields, artifact_location="s3://m/v1", training_end=until, reasons=[reason])


def counted(world: World, start: int, end: int, monkeypatch: pytest.MonkeyPatch) -> list[Event[Payload]]:
    """What schedule-retraining publishes of a slice of raw-data."""
    span = OffsetRange(topic="raw-data", partition=0, start=start, end=end)
    work = Work(world.settings, Run("schedule-retraining", "run"), [span], lambda asked: ([], asked))
    monkeypatch.setattr(schedule_retraining, "read_once", lambda *_: world.raw_data.between(start, end))
    schedule_retraining.steps(cast("Any", world), work)
    assert {record.topic for record in work.outgoing} <= {"training"}
    return [decode(record.value) for record in work.outgoing]


def days_of(events: list[Event[Payload]]) -> list[date]:
    """Up to which sessions was asked."""
    requests = [cast("ModelRetrainingTriggered", event.payload) for event in events]
    assert {request.reason for request in requests} <= {NEW_DATA_POINTS}
    return [request.data_end_date for request in requests]


def test_every_third_session_of_a_slice_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the slice itself asks for counts, before it is committed; the numbers are in the event."""
    found = counted(World(DAYS, trained(DAYS[0])), 0, 9, monkeypatch)
    assert days_of(found) == [DAYS[3], DAYS[6]]
    first = cast("ModelRetrainingTriggered", found[0].payload)
    assert (first.statistic, first.threshold, first.detail) == (3, 3, "3 new sessions")


def test_slices_of_any_size_ask_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record at a time, each slice sees what the ones before asked for."""
    whole = counted(World(DAYS, trained(DAYS[0])), 0, 9, monkeypatch)
    world, single = World(DAYS, trained(DAYS[0])), list[Event[Payload]]()
    for offset in range(9):
        for event in counted(world, offset, offset + 1, monkeypatch):
            world.training.add(event)
            single.append(event)
    assert [event.id for event in single] == [event.id for event in whole]


def test_weekly_trainings_in_between_change_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest version is of the weekly schedule, and the sessions that it saw count all the same."""
    world = World(DAYS[:5], trained(DAYS[0]), trained(DAYS[2], WEEKLY))
    assert days_of(counted(world, 0, 5, monkeypatch)) == [DAYS[3]]


def test_a_history_that_is_loaded_before_anybody_asked_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first training is asked for by whoever loads it."""
    assert counted(World(DAYS), 0, 9, monkeypatch) == []


def ask(world: World, reason: str, today: date, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ask now."""
    monkeypatch.setattr(triggers, "Source", lambda *_: Publisher(world))
    return triggers.ask.fn(cast("Any", world), reason, today)


def test_the_same_reason_is_asked_for_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second finds it once it has the transactional id; another reason is another request."""
    world = World(DAYS)
    assert "data up to 2024-01-09: weekly" in ask(world, WEEKLY, TODAY, monkeypatch)
    assert "already" in ask(world, WEEKLY, TODAY, monkeypatch)
    assert "by_hand" in ask(world, "by_hand", TODAY, monkeypatch)
    asked = [one.payload.reason for one in world.training.entries]
    assert asked == [WEEKLY, "by_hand"]


def test_the_weekly_schedule_asks_only_where_a_session_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after a closure, nor while its own request waits; a person is asked no questions."""
    closed = World(DAYS, trained(DAYS[-1]))
    assert "no session came after 2024-01-09" in ask(closed, WEEKLY, TODAY, monkeypatch)
    assert closed.training.entries == []
    assert "asked for a retraining" in ask(closed, "new_rules", TODAY, monkeypatch)
    assert len(closed.training.entries) == 1
    waiting = World(DAYS)
    ask(waiting, WEEKLY, TODAY, monkeypatch)
    assert "no session came" in ask(waiting, WEEKLY, TODAY + timedelta(7), monkeypatch)
    told = DataIngested(symbol="NEPSE", date=TODAY, data_location="s3://raw/new")
    waiting.raw_data.add(Event(NOON, "test", told, Metadata("new", "chain")))
    assert "asked for a retraining" in ask(waiting, WEEKLY, TODAY + timedelta(7), monkeypatch)


def test_what_was_taken_back_or_is_to_come_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No training could ever see it, and nothing newer would be asked for until then."""
    world = World([*DAYS, FAR])
    gone = DataRetracted(
        symbol="NEPSE", date=DAYS[-1], data_location=f"s3://raw/{DAYS[-1]}", reason="a repeat"
    )
    world.raw_data.add(Event(NOON, "test", gone, Metadata("gone", "chain")))
    assert f"data up to {DAYS[-2]}" in ask(world, WEEKLY, TODAY, monkeypatch)
    assert held_until(cast("Any", world), TODAY) == tuple(DAYS[:-1])
    only = World([FAR])
    with pytest.raises(UsageError, match="no session yet"):
        ask(only, WEEKLY, TODAY, monkeypatch)


def test_a_session_that_is_dated_after_today_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the newest that was asked for, and no count would begin until that day."""
    world = World([*DAYS[:3], FAR, DAYS[3]], trained(DAYS[0]))
    assert days_of(counted(world, 0, 5, monkeypatch)) == [DAYS[3]]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TryAgainError("the broker is away"), True),
        (OutcomeUnknownError("no answer"), True),
        (UsageError("ingest prices first"), False),
        (SupersededError("another one asks"), False),
    ],
)
def test_an_outage_does_not_cost_the_week(error: Exception, again: bool) -> None:
    """It is asked again for half an hour, each time after twice as long; what a person has to mend is not."""
    assert triggers.is_outage(None, None, Failed(data=error)) is again
    assert triggers.ask.retry_condition_fn is triggers.is_outage
    assert triggers.ask.retry_delay_seconds == [30, 60, 120, 240, 480, 960]
    assert len(triggers.ask.retry_delay_seconds) == triggers.ask.retries


def test_the_week_asks_by_the_task_that_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """And by nothing beside it."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(schedule_retraining, "connect", lambda: "loop")
    monkeypatch.setattr(schedule_retraining, "ask", lambda *told: str(asked.append(told)))
    schedule_retraining.schedule_retraining.fn()
    assert [told[:2] for told in asked] == [("loop", WEEKLY)]


def test_without_sessions_there_is_nothing_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do."""
    with pytest.raises(UsageError, match="ingest prices first"):
        ask(World([]), WEEKLY, TODAY, monkeypatch)
