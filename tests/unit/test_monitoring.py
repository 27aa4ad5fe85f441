"""When a retraining for sustained errors is asked for, and when it was already."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import Event, Metadata, derive_id
from events.payloads import ModelRetrainingTriggered
from infra.database import state
from infra.kafka.records import Because, Place, Received
from tasks.monitoring import FLOW, _asked, _is_ours, _judge, standing

DAY = date(2024, 3, 3)
CAUSE = Because("sustained error of v1", "chain", Place("errors", 0, 7))


class Requests:
    """The training topic as the monitor sees it."""

    def __init__(self, *asked: ModelRetrainingTriggered, ids: tuple[str, ...] = ()) -> None:
        """Hold earlier requests, and the ids that are known."""
        self.asked, self.ids = asked, ids

    def refresh(self) -> int:
        """Tell the end."""
        return len(self.asked)

    def has(self, event_id: str) -> bool:
        """Look an id up."""
        return event_id in self.ids

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """Hand out the requests."""
        metadata = Metadata("id", "id", 1, None, "test")
        events = [Event(datetime.now(UTC), "test", asked, metadata) for asked in self.asked[start:end]]
        return [Received(event, Place("training", 0, n), None, b"") for n, event in enumerate(events)]


def _request(day: date) -> ModelRetrainingTriggered:
    return ModelRetrainingTriggered(reason="sustained_error", data_end_date=day)


@pytest.mark.parametrize(
    ("ids", "first", "expected"),
    [
        ((), True, True),
        ((), False, False),
        ((derive_id(FLOW, CAUSE.id, "sustained_error"),), True, False),
    ],
)
def test_a_version_is_complained_of_once(
    ids: tuple[str, ...], first: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same complaint is recognised by its id, on the topic and before it is there."""
    monkeypatch.setattr(state, "claim", lambda *_: first)
    loop: Any = SimpleNamespace(training=Requests(ids=ids), database=None)
    assert _is_ours(loop, CAUSE, _request(DAY)) is expected


@pytest.mark.parametrize(("asked", "complains"), [(0, True), (1, True), (2, False), (6, False)])
def test_only_sessions_that_no_request_has_seen_count(
    asked: int, complains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five bad sessions after the data of the last request are enough; four of six are not."""
    monkeypatch.setattr("tasks.monitoring._promised", lambda *_: 1.0)
    days = [DAY + timedelta(n) for n in range(1, 7)]
    history = [
        state.WindowInput("errors", 0, n, str(n), "A", day, {"version": "v1", "pct_error": 3.0})
        for n, day in enumerate(days)
    ]
    error: Any = SimpleNamespace(date=DAY + timedelta(7), model_version="v1")
    loop: Any = SimpleNamespace(training=Requests(_request(DAY + timedelta(asked))))
    due = _judge(loop, SimpleNamespace(payload=error), history, _asked(loop))  # type: ignore[arg-type]
    assert (due is not None) is complains
    if due is not None:
        assert due.data_end_date == days[-1]


def test_the_newest_revision_of_an_error_is_judged() -> None:
    """Unless it was taken back; what older versions kept has no revision."""

    def row(symbol: str, error: float, **values: Any) -> state.WindowInput:
        kept = {"version": "v1", "pct_error": error, "as_of": "2024-03-02", **values}
        return state.WindowInput("errors", 0, 0, "id", symbol, DAY, kept)

    history = [row("A", 1.0), row("A", 2.0, revision=1), row("B", 3.0, revision=0)]
    history += [row("B", 3.0, revision=2, retracted=True), row("B", 4.0, revision=1), row("C", 5.0)]
    assert [one.values["pct_error"] for one in standing(history)] == [2.0, 5.0]


def test_an_error_of_another_version_takes_back_as_well() -> None:
    """A new version serves by the time at which a session turns out to be none."""

    def row(day: date, offset: int, **values: Any) -> state.WindowInput:
        kept = {"version": "v1", "pct_error": 3.0, "as_of": "2024-03-02", "revision": 0, **values}
        return state.WindowInput("errors", 0, offset, str(offset), "A", day, kept)

    phantom = DAY + timedelta(1)
    history = [row(DAY, 0), row(phantom, 1), row(phantom, 2, version="v2", revision=1, retracted=True)]
    assert [one.date for one in standing(history)] == [DAY]
    again = row(phantom, 3, version="v2", revision=2)
    assert [one.offset for one in standing([*history, again])] == [0, 3]


def test_a_complaint_reaches_to_the_last_session_that_was_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training must not be asked for data up to a session that was taken back."""
    monkeypatch.setattr("tasks.monitoring._promised", lambda *_: 1.0)
    values = {"version": "v1", "pct_error": 3.0, "as_of": "x", "revision": 0}
    history = [
        state.WindowInput("errors", 0, n, str(n), "A", DAY + timedelta(n), values | {"retracted": n == 6})
        for n in range(1, 7)
    ]
    error: Any = SimpleNamespace(date=DAY + timedelta(7), model_version="v1")
    loop: Any = SimpleNamespace(training=Requests())
    due = _judge(loop, SimpleNamespace(payload=error), history, date.min)  # type: ignore[arg-type]
    assert due is not None
    assert due.data_end_date == DAY + timedelta(5)
