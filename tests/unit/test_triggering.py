"""When a retraining is asked for: every reason beside the others, once each."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.payloads import ModelPromoted, ModelRetrainingTriggered, ModelTrained
from tasks.core.triggering import (
    COOL_DOWN,
    DRIFT_FEATURES,
    NEW_DATA_POINTS,
    SUSTAINED_ERROR,
    WEEKLY,
    Past,
    counted_from,
    may_complain,
    nothing_new,
    points_due,
    rearmed,
)

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(40)]
FRIDAY = 4


def request(reason: str, day: date, version: str | None = None) -> ModelRetrainingTriggered:
    """A request on data up to a session."""
    return ModelRetrainingTriggered(reason=reason, data_end_date=day, model_version=version)


def training(version: str, until: date | None, *reasons: str, triggers: tuple[str, ...] = ()) -> ModelTrained:
    """A training that answered requests."""
    return ModelTrained(
        model_version=version,
        performance={},
        features_used=[],
        artifact_location="s3://m/m.skops",
        training_end=until,
        reasons=list(reasons),
        triggers=list(triggers),
    )


def past_of(*payloads: Any) -> Past:
    """What these events, each with a number as its id, say."""
    entries = [SimpleNamespace(id=str(number), payload=payload) for number, payload in enumerate(payloads)]
    return Past.of(entries, entries)


class Years:
    """Sessions one after the other, each request answered by a training before the next session."""

    def __init__(self, threshold: int) -> None:
        """Nobody has asked for anything."""
        self.past, self.days, self.told = Past(), list[date](), list[tuple[str, date]]()
        self.threshold = threshold

    def answer(self, reason: str, day: date) -> None:
        """Ask, and train on data up to the newest session."""
        name = f"{reason} {day}"
        self.told.append((reason, day))
        asked = self.past.and_asked(name, request(reason, self.days[-1]))
        trained = (*asked.trained, training(name, self.days[-1], triggers=(name,)))
        self.past = Past(asked.asked, trained)

    def session(self, day: date) -> None:
        """A session arrives."""
        self.days.append(day)
        if points_due(self.past, self.days, day, self.threshold):
            self.answer(NEW_DATA_POINTS, day)

    def week(self, day: date) -> None:
        """The weekly schedule asks."""
        if not nothing_new(self.past, self.days[-1]):
            self.answer(WEEKLY, day)

    def run(self, days: int, closed: range = range(0)) -> list[tuple[str, date]]:
        """Let days pass: sessions from Sunday to Thursday but where the exchange is closed."""
        for number in range(days):
            day = FIRST + timedelta(number)
            if day.weekday() not in {FRIDAY, 5} and number not in closed:
                self.session(day)
            elif day.weekday() == FRIDAY:
                self.week(day)
        return self.told


def test_nothing_is_due_before_anybody_asked() -> None:
    """Loading a long history asks for no training by itself."""
    assert counted_from(Past()) is None
    assert points_due(Past(), DAYS, DAYS[-1], 10) is None


def test_two_years_of_weeks_and_of_100_sessions() -> None:
    """A training every week silences no count: the hundredth session since the last hundredth asks, too."""
    years = Years(100)
    told = years.run(731)
    weekly = [day for reason, day in told if reason == WEEKLY]
    points = [years.days.index(day) for reason, day in told if reason == NEW_DATA_POINTS]
    first = years.days.index(FIRST + timedelta(3))  # what the first Friday's training has seen
    assert points == [first + 100 * n for n in range(1, 6)]
    seen = {years.days[n] + timedelta(1) for n in points}  # Fridays on which there is nothing new
    fridays = [day for n in range(731) if (day := FIRST + timedelta(n)).weekday() == FRIDAY]
    assert weekly == [day for day in fridays if day not in seen]


def test_a_closure_of_three_weeks_asks_for_nothing() -> None:
    """No session came, so that a training would only repeat the one before."""
    closed = range(26, 47)
    told = Years(100).run(70, closed)
    fridays = [(day - FIRST).days for reason, day in told if reason == WEEKLY]
    assert fridays == [4, 11, 18, 25, 53, 60, 67]


def test_a_training_for_another_reason_begins_the_count_anew() -> None:
    """What a person or a complaint had trained is not new; what the weekly schedule had is."""
    begin = request(NEW_DATA_POINTS, DAYS[0])
    assert counted_from(past_of(begin, training("v1", DAYS[5], WEEKLY))) == DAYS[0]
    assert counted_from(past_of(begin, training("v1", DAYS[5], WEEKLY, "first_model"))) == DAYS[5]
    assert counted_from(past_of(begin, training("v1", DAYS[5]))) == DAYS[5]
    assert counted_from(past_of(begin, training("v1", None, "first_model"))) == DAYS[0]


def test_the_reasons_of_older_trainings_are_those_of_their_requests() -> None:
    """Before version 2 a training named the requests' ids alone."""
    weekly = past_of(request(NEW_DATA_POINTS, DAYS[0]), request(WEEKLY, DAYS[5]))
    both = Past(weekly.asked, (training("v1", DAYS[5], triggers=("0", "1")),))
    assert both.reasons_of(both.trained[0]) == {NEW_DATA_POINTS, WEEKLY}
    assert counted_from(Past(weekly.asked, (training("v1", DAYS[5], triggers=("1",)),))) == DAYS[0]


@given(shown=st.lists(st.integers(0, 39), min_size=1), threshold=st.integers(1, 12), asked=st.integers(0, 39))
def test_the_session_that_completes_the_number_is_due(shown: list[int], threshold: int, asked: int) -> None:
    """However often and in whatever order sessions are told, distinct later ones are counted."""
    past = past_of(request("by_hand", DAYS[asked]))
    days, day = [DAYS[n] for n in shown], DAYS[shown[-1]]
    later = len({n for n in shown if asked < n <= shown[-1]})
    assert points_due(past, days, day, threshold) == (later if later >= threshold else None)


def test_a_request_is_made_once_however_often_it_is_looked_at() -> None:
    """The request itself is on record, so that a retry, or a late session before it, asks for nothing."""
    past = past_of(request("first_model", DAYS[0]))
    assert points_due(past, DAYS[:11], DAYS[10], 10) == 10
    again = past.and_asked("x", request(NEW_DATA_POINTS, DAYS[10]))
    assert [day for day in DAYS[:20] if points_due(again, DAYS, day, 10)] == []
    assert points_due(again, DAYS, DAYS[20], 10) == 10


def test_a_late_session_counts_with_the_next() -> None:
    """The number may be passed without any session that makes it exactly."""
    past = past_of(request("first_model", DAYS[0]))
    early = [*DAYS[:5], *DAYS[6:11]]
    assert points_due(past, early, DAYS[10], 10) is None
    assert points_due(past, DAYS[:11], DAYS[5], 10) is None
    assert points_due(past, DAYS[:12], DAYS[11], 10) == 11


def test_two_askers_at_once_are_answered_by_one_training() -> None:
    """Neither sees the other's request; afterwards neither asks again."""
    before = past_of(training("v1", DAYS[0], "first_model"))
    assert points_due(before, DAYS[:11], DAYS[10], 10)
    assert may_complain(before, DRIFT_FEATURES, DAYS[:11], DAYS[10])
    both = before.and_asked("p", request(NEW_DATA_POINTS, DAYS[10]))
    both = both.and_asked("d", request(DRIFT_FEATURES, DAYS[10], "v1"))
    answered = Past(both.asked, (*both.trained, training("v2", DAYS[10], triggers=("p", "d"))))
    assert not points_due(answered, DAYS[:12], DAYS[11], 10)
    assert not may_complain(answered, DRIFT_FEATURES, DAYS[:12], DAYS[11])


def test_an_open_request_holds_no_other_reason_up() -> None:
    """It is answered together with it: a version then names both reasons."""
    past = past_of(training("v1", DAYS[0], "first_model"), request(DRIFT_FEATURES, DAYS[20], "v1"))
    assert may_complain(past, SUSTAINED_ERROR, DAYS[:21], DAYS[20])
    assert not may_complain(past, DRIFT_FEATURES, DAYS[:22], DAYS[21])


@pytest.mark.parametrize("reason", [SUSTAINED_ERROR, DRIFT_FEATURES])
def test_nobody_complains_right_after_a_training_that_answered_a_complaint(reason: str) -> None:
    """For COOL_DOWN sessions, whichever complaint it was; one that the week had asked for holds up nobody."""
    cooling = past_of(training("v2", DAYS[5], SUSTAINED_ERROR))
    due = [n for n in range(6, 30) if may_complain(cooling, reason, DAYS[: n + 1], DAYS[n])]
    assert due == list(range(5 + COOL_DOWN, 30))
    weekly = past_of(training("v2", DAYS[5], WEEKLY))
    assert [n for n in range(30) if may_complain(weekly, reason, DAYS[: n + 1], DAYS[n])] == list(
        range(6, 30)
    )


def test_a_term_begins_after_the_training_or_with_the_promotion() -> None:
    """A rollback gives a version a new term: what was complained of before is another matter."""
    past = past_of(training("v1", DAYS[3], "first_model"), training("v2", DAYS[8], WEEKLY))
    assert (past.term_of("v1"), past.term_of("v9")) == (DAYS[3], date.min)
    back = ModelPromoted(model_version="v1", reason="worse", valid_from=DAYS[12])
    assert Past(past.asked, past.trained, (back,)).term_of("v1") == DAYS[11]
    assert past.trained_to == DAYS[8]
    assert past.record_of("v2") == past.trained[1]


def test_requests_about_a_version_are_told_apart() -> None:
    """One that names no version, of an older writer, may be about any."""
    past = past_of(
        request(SUSTAINED_ERROR, DAYS[2]),
        request(SUSTAINED_ERROR, DAYS[4], "v1"),
        request(DRIFT_FEATURES, DAYS[9], "v2"),
    )
    assert past.newest(SUSTAINED_ERROR, "v1") == DAYS[4]
    assert past.newest(SUSTAINED_ERROR, "v2") == DAYS[2]
    assert (past.times(SUSTAINED_ERROR, "v1"), past.times(SUSTAINED_ERROR, "v2")) == (2, 1)
    assert past.newest(DRIFT_FEATURES) == DAYS[9]
    assert past.newest(WEEKLY) == date.min


@pytest.mark.parametrize(
    ("levels", "armed"),
    [([], False), ([1.0] * 4, False), ([1.0] * 5, True), ([2.0, 1.5, 1, 1, 1, 1], True), ([1.3] * 9, False)],
)
def test_what_was_over_may_be_complained_of_again(levels: list[float], armed: bool) -> None:
    """Five sessions in a row have to be calm in the mean."""
    assert rearmed(levels, 1.2, 5) is armed
