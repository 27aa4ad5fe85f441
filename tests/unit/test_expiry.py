"""When predictions expire: by the order in which sessions appeared, whatever the slices."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.core.expiry import ExpiryPoints, unmet
from tasks.core.joining import ActualSide, PredictionSide

MON = date(2024, 1, 1)
DAYS = [MON + timedelta(days=n) for n in range(12)]


def a_prediction(day: date, name: str = "p") -> PredictionSide:
    """A prediction of a session."""
    return PredictionSide(0, 0, name, "c", "NABIL", day, None, 1.0, None, None, None, "v1", 0)


def an_actual(offset: int) -> ActualSide:
    """An actual at an offset."""
    return ActualSide(0, offset, f"a{offset}", "c", "NABIL", MON, None, 1.0, 0)


def test_a_prediction_waits_for_the_third_later_session() -> None:
    """Sessions before it and its own do not count, nor does the order in which the later ones came."""
    appeared = [(MON, 0), (DAYS[1], 40), (DAYS[3], 10), (DAYS[2], 30), (DAYS[9], 20)]
    points = ExpiryPoints(appeared, 3)
    assert [points.of(day) for day in DAYS[:5]] == [30, 30, None, None, None]
    assert points.of(MON - timedelta(days=1)) == 20


def test_an_actual_at_the_very_point_is_in_time() -> None:
    """One offset later it only corrects what has been said."""
    points = ExpiryPoints([(DAYS[1], 5), (DAYS[2], 9)], 2)
    found = [unmet([a_prediction(MON)], [(a_prediction(MON), an_actual(o))], points) for o in (9, 10)]
    assert [len(expired) for expired in found] == [0, 1]
    assert len(unmet([a_prediction(MON)], [], points)) == 1


def test_the_earliest_actual_decides() -> None:
    """A revision that comes after the point does not make the first one late."""
    points = ExpiryPoints([(DAYS[1], 5)], 1)
    pairs = [(a_prediction(MON), an_actual(offset)) for offset in (8, 3)]
    assert unmet([a_prediction(MON)], pairs, points) == []


def test_of_a_session_with_too_few_after_it_nothing_expires() -> None:
    """However long it has waited by the clock."""
    assert unmet([a_prediction(DAYS[2])], [], ExpiryPoints([(DAYS[1], 1), (DAYS[3], 2)], 2)) == []


@given(
    st.dictionaries(st.sampled_from(DAYS), st.integers(0, 50)),
    st.integers(1, 4),
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
)
def test_points_and_steps_are_what_a_count_by_hand_gives(
    sessions: dict[date, int], after: int, since: date, until: date
) -> None:
    """For every session: sort what came after it by offset, take the n-th."""
    points = ExpiryPoints(sessions.items(), after)
    steps = points.steps(since, until)
    for day in DAYS:
        offsets = sorted(offset for session, offset in sessions.items() if session > day)
        point = offsets[after - 1] if len(offsets) >= after else None
        assert points.of(day) == point
        inside = [step.point for step in steps if step.since <= day < step.until]
        assert inside == ([point] if since <= day < until and point is not None else [])
