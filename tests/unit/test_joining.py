"""The join: the same pairs whatever the order, the deliveries and the slice boundaries."""

import random
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from events.payloads import ActualAvailable, PredictionMade
from tasks.core.joining import Side, Spot, belongs, error_of, new_pairs

MON, TUE, WED = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)


def a_prediction(
    offset: int = 0, *, day: date = TUE, as_of: date | None = MON, close: float = 110.0, name: str = ""
) -> Side[PredictionMade]:
    """A prediction at an offset of predictions-0."""
    payload = PredictionMade(
        symbol="NABIL", date=day, predicted_close=close, model_version="v1", as_of=as_of, last_close=90.0
    )
    return Side(Spot("predictions", 0, offset), name or f"p{offset}", "c", payload)


def an_actual(
    offset: int = 0,
    *,
    day: date = TUE,
    previous: date | None = MON,
    close: float = 100.0,
    name: str = "",
    revision: int = 0,
) -> Side[ActualAvailable]:
    """An actual at an offset of actuals-0."""
    payload = ActualAvailable(
        symbol="NABIL", date=day, actual_close=close, previous_date=previous, revision=revision
    )
    return Side(Spot("actuals", 0, offset), name or f"a{offset}", "c", payload)


def everything(_: Spot) -> bool:
    """Treat every record as inside the slice."""
    return True


def test_error_as_the_chapter_computes_it() -> None:
    """Error is predicted minus actual, percent is of the actual, the baseline is the last close's."""
    error = error_of(a_prediction().payload, an_actual().payload)
    assert (error.error, error.abs_error, error.pct_error, error.baseline_error) == (10.0, 10.0, 10.0, -10.0)


def test_the_chapters_own_figures() -> None:
    """1275.3 against 1260.2 is 15.1, not 15.099999999999909."""
    error = error_of(a_prediction(close=1275.3).payload, an_actual(close=1260.2).payload)
    assert error.error == 15.1


def test_an_actual_of_zero_has_no_percentage() -> None:
    """Division by an actual of 0 gives null, as in the chapter."""
    assert error_of(a_prediction().payload, an_actual(close=0.0).payload).pct_error is None


def test_a_holiday_moves_the_prediction_to_the_session_held() -> None:
    """A prediction for a day that was no session meets the session that followed its features."""
    held_later = an_actual(day=WED, previous=MON).payload
    assert belongs(a_prediction(day=TUE, as_of=MON).payload, held_later)
    assert not belongs(a_prediction(day=TUE, as_of=TUE).payload, held_later)


def test_another_session_is_no_match() -> None:
    """Without the session's own link another date never matches."""
    assert not belongs(a_prediction(as_of=None).payload, an_actual(day=WED).payload)


def test_a_duplicate_counts_once() -> None:
    """Of two deliveries of one event the first offset makes the pair."""
    twice = [a_prediction(0, name="same"), a_prediction(5, name="same")]
    assert [p.place.offset for p, _ in new_pairs(twice, [an_actual()], everything)] == [0]


def test_every_revision_of_an_actual_makes_an_error() -> None:
    """A revised actual is met again, whether the prediction came before or after it."""
    actuals = [an_actual(0), an_actual(1, close=101.0, revision=1)]
    revisions = [
        error_of(p.payload, a.payload).revision for p, a in new_pairs([a_prediction()], actuals, everything)
    ]
    assert revisions == [0, 1]


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_slice_boundaries_do_not_change_the_pairs(seed: int) -> None:
    """Cutting the same two logs at any offsets emits the same pairs, each exactly once."""
    rng = random.Random(seed)
    days = [MON, TUE, WED]
    predictions = [
        a_prediction(i, day=rng.choice(days), as_of=rng.choice([None, *days]), name=f"p{rng.randrange(8)}")
        for i in range(8)
    ]
    actuals = [
        an_actual(i, day=rng.choice(days), previous=rng.choice([None, *days]), name=f"a{rng.randrange(8)}")
        for i in range(8)
    ]
    whole = {(p.id, a.id) for p, a in new_pairs(predictions, actuals, everything)}
    emitted: list[tuple[str, str]] = []
    at = {"predictions": 0, "actuals": 0}
    while min(at.values()) < 8:
        ends = {topic: min(8, offset + rng.randrange(4)) for topic, offset in at.items()}
        seen_p = [s for s in predictions if s.place.offset < ends["predictions"]]
        seen_a = [s for s in actuals if s.place.offset < ends["actuals"]]
        starts = dict(at)
        emitted += [
            (p.id, a.id)
            for p, a in new_pairs(seen_p, seen_a, lambda spot, s=starts: spot.offset >= s[spot.topic])
        ]
        at = ends
    assert sorted(emitted) == sorted(whole)
