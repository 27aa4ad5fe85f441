"""The join: the same pairs whatever the order, the deliveries and the slice boundaries."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fields import LARGEST_INTEGER
from events.payloads import ActualAvailable, PredictionMade
from tasks.core.joining import (
    ActualSide,
    PredictionSide,
    error_of,
    expired,
    first_of_each,
    first_seen,
    misfit,
    new_pairs,
    side_of_actual,
    side_of_prediction,
)

MON, TUE, WED = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
WHOLE = (0, 0)


def a_prediction(
    offset: int = 0, *, day: date = TUE, as_of: date | None = MON, close: float = 110.0, name: str = ""
) -> PredictionSide:
    """A prediction at an offset of predictions-0."""
    return PredictionSide(
        partition=0,
        offset=offset,
        id=name or f"p{offset}",
        correlation_id="c",
        symbol="NABIL",
        date=day,
        as_of=as_of,
        predicted_close=close,
        last_close=90.0,
        low_95=95.0,
        high_95=125.0,
        model_version="v1",
        revision=0,
    )


def an_actual(
    offset: int = 0,
    *,
    day: date = TUE,
    previous: date | None = MON,
    close: float = 100.0,
    name: str = "",
    revision: int = 0,
) -> ActualSide:
    """An actual at an offset of actuals-0."""
    return ActualSide(
        partition=0,
        offset=offset,
        id=name or f"a{offset}",
        correlation_id="c",
        symbol="NABIL",
        date=day,
        previous_date=previous,
        actual_close=close,
        revision=revision,
    )


def test_error_as_the_chapter_computes_it() -> None:
    """Error is predicted minus actual, percent is of the actual, the baseline is the last close's."""
    error = error_of(a_prediction(), an_actual())
    assert (error.error, error.abs_error, error.pct_error, error.baseline_error) == (10.0, 10.0, 10.0, -10.0)


def test_the_chapters_own_figures() -> None:
    """1275.3 against 1260.2 is 15.1, not 15.099999999999909."""
    error = error_of(a_prediction(close=1275.3), an_actual(close=1260.2))
    assert error.error == 15.1


def test_an_actual_of_zero_has_no_percentage() -> None:
    """Division by an actual of 0 gives null, as in the chapter."""
    assert error_of(a_prediction(), an_actual(close=0.0)).pct_error is None


@pytest.mark.parametrize("close", [5e-324, 1e-300, -1e-20])
def test_an_actual_of_next_to_nothing_has_no_percentage(close: float) -> None:
    """It would be no number, or one that says nothing."""
    error = error_of(a_prediction(), an_actual(close=close))
    assert (error.error, error.pct_error) == (110.0, None)


any_price = st.floats(allow_nan=False, allow_infinity=False)
any_revision = st.integers(0, LARGEST_INTEGER)
made = st.builds(
    PredictionMade,
    symbol=st.just("NABIL"),
    date=st.just(TUE),
    predicted_close=any_price,
    model_version=st.just("v1"),
    last_close=st.none() | any_price,
    interval_95=st.none() | st.tuples(any_price, any_price),
    revision=any_revision,
)
known = st.builds(
    ActualAvailable, symbol=st.just("NABIL"), date=st.just(TUE), actual_close=any_price, revision=any_revision
)


@given(made, known)
def test_whatever_the_contract_allows_has_an_error_or_is_refused_by_itself(
    prediction: PredictionMade, actual: ActualAvailable
) -> None:
    """No pair fails, and a pair has no error only where one of its sides alone says so."""
    sides = [side_of_prediction(0, 0, "p", "c", prediction)], [side_of_actual(0, 0, "a", "c", actual)]
    errors = [error_of(*pair) for pair in new_pairs(*sides, WHOLE)]
    assert len(errors) == (not misfit(prediction) and not misfit(actual))
    for error in errors:
        assert error.error == round(prediction.predicted_close - actual.actual_close, 6)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"predicted_close": 1.7e308}, "predicted_close 1.7e+308 is no price"),
        ({"predicted_close": 1.0, "last_close": -2e15}, "last_close -2e+15 is no price"),
        ({"predicted_close": 1.0, "revision": LARGEST_INTEGER}, "revision 9223372036854775807 is none"),
        ({"predicted_close": -3.0, "last_close": 1e15, "revision": LARGEST_INTEGER // 2}, ""),
    ],
)
def test_what_no_error_can_be_computed_of_is_named(event: dict[str, Any], why: str) -> None:
    """The field and its value, for the dead letter."""
    found = misfit(PredictionMade(symbol="NABIL", date=TUE, model_version="v1", **event))
    assert found.startswith(why)
    assert bool(found) == bool(why)


@pytest.mark.parametrize(("close", "within"), [(94.9, False), (95.0, True), (125.0, True), (125.1, False)])
def test_an_actual_lies_within_the_interval_or_not(close: float, within: bool) -> None:
    """Both bounds belong to it; without an interval nobody can tell."""
    assert error_of(a_prediction(), an_actual(close=close)).within_95 is within
    assert error_of(a_prediction()._replace(low_95=None, high_95=None), an_actual()).within_95 is None


def test_a_holiday_moves_the_prediction_to_the_session_held() -> None:
    """A prediction for a day that was no session meets the session that followed its features."""
    held_later = [an_actual(day=WED, previous=MON)]
    assert len(new_pairs([a_prediction(day=TUE, as_of=MON)], held_later, WHOLE)) == 1
    assert new_pairs([a_prediction(day=TUE, as_of=TUE)], held_later, WHOLE) == []


def test_a_session_before_the_named_one_is_no_match() -> None:
    """A link from the right session to one before the prediction's own does not make a pair."""
    assert new_pairs([a_prediction(day=WED, as_of=MON)], [an_actual(day=TUE, previous=MON)], WHOLE) == []


def test_another_session_is_no_match() -> None:
    """Without the session's own link another date never matches."""
    assert new_pairs([a_prediction(as_of=None)], [an_actual(day=WED)], WHOLE) == []


def test_a_pair_by_date_and_by_link_is_one_pair() -> None:
    """The usual case: the next session was held, so both ways lead to it."""
    assert len(new_pairs([a_prediction(day=TUE, as_of=MON)], [an_actual(day=TUE, previous=MON)], WHOLE)) == 1


def test_a_pair_wholly_before_the_slice_is_not_new() -> None:
    """One side has to lie inside."""
    both = [a_prediction(4)], [an_actual(7)]
    assert [len(new_pairs(*both, starts)) for starts in ((5, 8), (4, 8), (5, 7))] == [0, 1, 1]


def test_of_a_duplicate_the_first_stays() -> None:
    """Two deliveries of one event are one side, at the first offset."""
    twice = [a_prediction(0, name="same"), a_prediction(5, name="same")]
    assert [side.offset for side in first_of_each(twice)] == [0]


def test_every_revision_of_an_actual_makes_an_error() -> None:
    """A revised actual is met again, whether the prediction came before or after it."""
    actuals = [an_actual(0), an_actual(1, close=101.0, revision=1)]
    pairs = new_pairs([a_prediction()], actuals, WHOLE)
    assert [error_of(p, a).revision for p, a in pairs] == [0, 1]


def test_a_session_appears_with_its_first_actual() -> None:
    """Whatever order they are looked at in."""
    assert first_seen([an_actual(7), an_actual(3), an_actual(5, day=WED)]) == {TUE: 3, WED: 5}


def test_an_expired_prediction_says_what_it_was() -> None:
    """Symbol, session, prediction, version, and how long it waited."""
    told = expired(a_prediction(), 10)
    assert (told.symbol, told.date, told.as_of) == ("NABIL", TUE, MON)
    assert (told.predicted, told.model_version, told.sessions_waited) == (110.0, "v1", 10)


def test_what_was_taken_back_takes_its_error_back() -> None:
    """The newest of the pairs says so, whichever side was retracted, and a later revision counts again."""
    predictions = [a_prediction(), a_prediction(1, name="q")._replace(revision=1, retracted=True)]
    actuals = [an_actual(), an_actual(1, revision=1)]
    made = [error_of(*pair) for pair in new_pairs(predictions, actuals, WHOLE)]
    assert {e.revision: e.retracted for e in made if e.revision != 1} == {0: False, 2: True}
    actuals = [an_actual(), an_actual(1, revision=1)._replace(retracted=True), an_actual(2, revision=2)]
    made = [error_of(*pair) for pair in new_pairs([a_prediction()], actuals, WHOLE)]
    assert [(e.revision, e.retracted) for e in made] == [(0, False), (1, True), (2, False)]
