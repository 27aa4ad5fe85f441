"""When a retraining for sustained errors is asked for, and when it was already."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import Event, Metadata, derive_id
from events.payloads import ErrorComputed, ModelRetrainingTriggered, ModelTrained
from infra.database import state
from infra.kafka.records import Because, Place, Received
from tasks import monitoring
from tasks.core.calendar import by_rules
from tasks.core.triggering import DRIFT_FEATURES, REMEMBERED, SUSTAINED_ERROR, WEEKLY, Asked, Past
from tasks.monitoring import (
    FLOW,
    KEPT,
    LOOK_BACK,
    _because,
    _is_ours,
    _judge,
    _levels,
    retraining_due,
    standing,
)

DAY = date(2024, 3, 3)
BEFORE = DAY - timedelta(1)
CAUSE = Because("sustained error of v1", "chain", Place("errors", 0, 7))


def trained(version: str = "v1", until: date = BEFORE, *reasons: str) -> ModelTrained:
    """A version that promised an error of 2 %, where persistence made 2.1 %."""
    return ModelTrained(
        model_version=version,
        performance={"mape": 2.0},
        baseline_performance={"mape": 2.1},
        features_used=[],
        artifact_location="s3://m",
        training_end=until,
        reasons=list(reasons),
    )


def asked(day: date, reason: str = SUSTAINED_ERROR, version: str | None = "v1") -> Asked:
    """A request on data up to a session."""
    return Asked(
        f"{reason} {day}",
        ModelRetrainingTriggered(reason=reason, data_end_date=day, model_version=version),
    )


def rows(*errors: float, baseline: float | None = None, version: str = "v1") -> list[state.WindowInput]:
    """One symbol's errors of the sessions from DAY on."""
    values = {"version": version, "baseline_pct": baseline}
    return [
        state.WindowInput(
            "errors", 0, n, str(n), "A", DAY + timedelta(n), values | {"pct_error": error, "as_of": str(n)}
        )
        for n, error in enumerate(errors)
    ]


def told(offset: int, day: date, version: str | None = "v1", **figures: Any) -> Received[ErrorComputed]:
    """An error event at an offset of its partition."""
    numbers = {"predicted": 96.0, "actual": 100.0, "error": -4.0, "abs_error": 4.0, "pct_error": -4.0}
    payload = ErrorComputed(symbol="A", date=day, model_version=version, **(numbers | figures))
    event = Event(datetime.now(UTC), "test", payload, Metadata(f"e{offset}", "chain"))
    return Received(event, Place("errors", 0, offset), None, b"")


def judged(past: Past, history: list[state.WindowInput]) -> ModelRetrainingTriggered | None:
    """What is asked for when the session after these begins."""
    newest = max(row.date for row in history)
    return _judge(past, told(99, newest + timedelta(1)), history)


@pytest.mark.parametrize(
    ("known", "first", "expected"),
    [
        ((), True, True),
        ((), False, False),
        ((derive_id(FLOW, CAUSE.id, SUSTAINED_ERROR),), True, False),
    ],
)
def test_a_complaint_is_made_once(
    known: tuple[str, ...], first: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same one is recognised by its id, on the topic and before it is there."""
    claims: list[Any] = []

    def claimant(_database: object, _event: str, place: Place | None) -> Place | None:
        claims.append(place)
        return place if first else Place("errors", 9, 1)

    monkeypatch.setattr(state, "claimant", claimant)
    training = SimpleNamespace(has=lambda event_id: event_id in known)
    loop: Any = SimpleNamespace(training=training, database=None, rehearses=lambda _topic: False)
    assert _is_ours(loop, CAUSE, asked(DAY).request) is expected
    rehearsed: Any = SimpleNamespace(training=training, database=None, rehearses=lambda _topic: True)
    _is_ours(rehearsed, CAUSE, asked(DAY).request)
    assert claims == [CAUSE.place, None]


def test_a_second_complaint_about_a_version_has_an_id_of_its_own() -> None:
    """Else the first would stand for all that come after the version was calm again."""
    names = [
        _because(Past(asked=past), told(1, DAY)).id for past in ((), (asked(DAY),), (asked(DAY), asked(DAY)))
    ]
    assert len(set(names)) == 3
    assert _because(Past(), told(2, DAY)).id == names[0]


def test_a_training_begins_new_claims() -> None:
    """A partition that claimed a complaint and never published it holds others up until then."""
    weeks = [Past(trained=(trained(), trained("v2", DAY + timedelta(n), WEEKLY))) for n in range(2)]
    assert len({_because(past, told(1, DAY)).id for past in weeks}) == 2


def test_five_bad_sessions_are_complained_of() -> None:
    """With the numbers, the version, and the newest whole session as the end of the data."""
    past = Past(trained=(trained(),))
    assert judged(past, rows(*[4.0] * 4)) is None
    due = judged(past, rows(*[4.0] * 5))
    assert due is not None
    assert (due.statistic, due.threshold, due.model_version) == (4.0, 3.0, "v1")
    assert due.data_end_date == DAY + timedelta(4)


def test_weekly_requests_in_between_do_not_silence_it() -> None:
    """Neither the request nor the training that it led to, which did not take office."""
    week = trained("v2", DAY + timedelta(2), WEEKLY)
    past = Past(asked=(asked(DAY + timedelta(2), WEEKLY, None),), trained=(trained(), week))
    assert judged(past, rows(*[4.0] * 5)) is not None


def test_what_a_training_has_seen_is_not_complained_of() -> None:
    """The weekly one of the day before was made on all of these sessions."""
    past = Past(trained=(trained(), trained("v2", DAY + timedelta(4), WEEKLY)))
    assert judged(past, rows(*[4.0] * 5)) is None
    assert judged(past, rows(*[4.0] * 6)) is not None


def test_a_restless_market_is_not_complained_of() -> None:
    """The version lost none of its lead over persistence."""
    past = Past(trained=(trained(),))
    assert judged(past, rows(*[4.0] * 5, baseline=4.3)) is None
    assert judged(past, rows(*[4.0] * 5, baseline=-3.9)) is not None


def test_a_version_that_stays_bad_is_complained_of_once() -> None:
    """Until it was calm in between, however many sessions pass; then it is news."""
    past = Past(asked=(asked(DAY),), trained=(trained(),))
    assert judged(past, rows(*[4.0] * 20)) is None
    assert judged(past, rows(4.0, *[3.0] * 15, *[4.0] * 5)) is None
    assert judged(past, rows(4.0, *[2.0] * 9, *[4.0] * 5)) is not None


def test_a_complaint_that_nothing_came_of_is_made_again() -> None:
    """After thirty sessions: who looks back so far, and no farther, needs to know of no calm before."""
    past = Past(asked=(asked(DAY),), trained=(trained(),))
    assert judged(past, rows(*[4.0] * 30)) is None
    assert judged(past, rows(*[4.0] * 31)) is not None
    assert judged(past, [row for row in rows(*[4.0] * 20) if row.date > DAY]) is not None


def test_it_looks_back_as_far_as_a_complaint_is_remembered() -> None:
    """Through the festivals of autumn, too: from Dashain to Tihar and on the exchange is closed for weeks."""
    calendar, days = by_rules(), [date(2023, 10, 2)]
    while len(days) <= REMEMBERED:
        days.append(calendar.next_session(days[-1]))
    assert days[-1] - days[0] < LOOK_BACK < KEPT


def test_after_a_training_that_answered_a_complaint_it_is_quiet_for_ten_sessions() -> None:
    """Whatever complained, and of whichever version."""
    answered = trained("v2", BEFORE, DRIFT_FEATURES)
    past = Past(trained=(answered,))
    early = _judge(past, told(99, DAY + timedelta(9), "v2"), rows(*[4.0] * 9, version="v2"))
    assert early is None
    found = _judge(past, told(99, DAY + timedelta(10), "v2"), rows(*[4.0] * 10, version="v2"))
    assert found is not None


def test_a_version_without_a_record_is_not_judged() -> None:
    """Nobody said what to expect of it."""
    silent = trained().model_copy(update={"performance": {}})
    assert judged(Past(), rows(*[9.0] * 9)) is None
    assert judged(Past(trained=(silent,)), rows(*[9.0] * 9)) is None


def test_a_corporate_action_is_no_error_of_the_version() -> None:
    """A bonus share halves the price: the training record has no such rows either."""
    action = rows(100.0, baseline=100.0)[0]._replace(symbol="B")
    (level,) = _levels([*rows(1.0, baseline=1.5), action], "v1")
    assert (level.error, level.baseline) == (1.0, 1.5)
    (level,) = _levels([*rows(1.0, baseline=1.5), *rows(3.0)], "v1")
    assert (level.error, level.baseline) == (2.0, None)


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


def test_a_complaint_reaches_to_the_last_session_that_was_one() -> None:
    """A training must not be asked for data up to a session that was taken back."""
    history = rows(*[4.0] * 6)
    history[-1].values["retracted"] = True
    due = judged(Past(trained=(trained(),)), history)
    assert due is not None
    assert due.data_end_date == DAY + timedelta(4)


class Memory:
    """The private state in memory; counts how often the window of many sessions is read."""

    def __init__(self) -> None:
        """Nothing is remembered."""
        self.rows: dict[Place, state.WindowInput] = {}
        self.looks = list[date]()

    def append(self, _connection: Any, _flow: str, given: list[state.WindowInput]) -> None:
        """Remember."""
        self.rows |= {Place(*row[:3]): row for row in given}

    def window(
        self, _connection: Any, _flow: str, since: date, ends: dict[tuple[str, int], int]
    ) -> list[state.WindowInput]:
        """List what is known below the ends."""
        self.looks.append(since)
        known = (row for place, row in self.rows.items() if place.offset < ends[place[:2]])
        return [row for row in known if row.date >= since]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Put it in the place of the database, which lets everybody complain."""
    memory = Memory()
    monkeypatch.setattr(monitoring, "transaction", nullcontext)
    monkeypatch.setattr(state, "append_window", memory.append)
    monkeypatch.setattr(state, "window", memory.window)
    monkeypatch.setattr(state, "claimant", lambda *_: None)
    monkeypatch.setattr(monitoring, "asked_and_trained", lambda _: Past(trained=(trained(),)))
    return memory


def due(received: list[Received[ErrorComputed]], refused: tuple[Place, ...] = ()) -> list[Place]:
    """The places of the errors that ask for a retraining, of a slice."""
    loop: Any = SimpleNamespace(
        database=None, training=SimpleNamespace(has=lambda _: False), rehearses=lambda _: False
    )
    end = max(one.place.offset for one in received) + 1
    return [cause.place for cause, _ in retraining_due(loop, received, {("errors", 0): end}, refused)]


def test_the_window_is_read_once_a_session(memory: Memory) -> None:
    """Only the first error of a session judges the ones before it."""
    events = [told(2 * n + twice, DAY + timedelta(n)) for n in range(6) for twice in range(2)]
    found = [due([event]) for event in events]
    assert [places for places in found if places] == [[Place("errors", 0, 10)]]
    assert sum(since < DAY for since in memory.looks) == 6
    assert due([events[10]]) == [Place("errors", 0, 10)]  # a retry finds the same
    assert due(events) == [Place("errors", 0, 10)]


def test_an_error_that_was_given_up_is_not_the_first_of_its_session(memory: Memory) -> None:
    """What an attempt left of it lies before the one that counts."""
    for n in range(5):
        due([told(n, DAY + timedelta(n))])
    memory.append(None, FLOW, [monitoring._row(told(5, DAY + timedelta(5)))])
    assert due([told(6, DAY + timedelta(5))]) == []
    assert due([told(6, DAY + timedelta(5))], (Place("errors", 0, 5),)) == [Place("errors", 0, 6)]


def test_persistence_is_not_judged(memory: Memory) -> None:
    """Nor an error that names no version."""
    assert due([told(n, DAY + timedelta(n), ("v0", None)[n % 2]) for n in range(9)]) == []
    assert memory.rows == {}


def test_persistence_s_error_is_remembered_in_percent() -> None:
    """Of the actual close, with its sign; a foreign event may have an actual of 0."""
    remembered = monitoring._row(told(1, DAY, baseline_error=5.0)).values
    assert (remembered["pct_error"], remembered["baseline_pct"]) == (4.0, 5.0)
    assert monitoring._row(told(1, DAY, baseline_error=5.0, actual=0.0)).values["baseline_pct"] is None
    assert monitoring._row(told(1, DAY)).values["baseline_pct"] is None
