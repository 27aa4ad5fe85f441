"""What predictions are about: in whatever order sessions come, each meets the one that followed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tasks.core.calendar import Calendar, expected, learned, load_rules
from tasks.core.joining import ActualSide, PredictionSide, new_pairs

FIRST = date(2024, 3, 3)
CALENDARS = Callable[[Iterable[date]], Calendar]


def on_the_week(days: Iterable[int]) -> list[date]:
    """Sessions on some days of the exchange's week, so that the others are holidays."""
    found = [FIRST + timedelta(day) for day in sorted(set(days))]
    return [day for day in found if load_rules().trading_day(day)]


def met(commands: Sequence[Sequence[date]], calendar: CALENDARS) -> set[tuple[date, date]]:
    """Ingest, predict and join command by command; gives session of the features and session met, by pair.

    Each actual names the session before it that was held then; the newest one of a session holds.
    """
    held: list[date] = []
    told: dict[date, date | None] = {}
    predictions: list[PredictionSide] = []
    actuals: list[ActualSide] = []
    for command in commands:
        held = sorted({*held, *command})
        before = dict(zip(held, [None, *held], strict=False))
        for day in held:
            if day not in told or told[day] != before[day]:
                told[day] = before[day]
                actuals.append(_actual(len(actuals), day, before[day]))
        by = calendar(held)
        predictions += [_prediction(len(predictions) + k, day, by) for k, day in enumerate(sorted(command))]
    newest = {actual.date: actual for actual in actuals}
    pairs = new_pairs(predictions, newest.values(), (0, 0))
    return {(prediction.as_of or date.min, actual.date) for prediction, actual in pairs}


def _actual(number: int, day: date, before: date | None) -> ActualSide:
    return ActualSide(0, number, f"a{number}", "", "NABIL", day, before, 1.0, number)


def _prediction(number: int, day: date, by: Calendar) -> PredictionSide:
    target = by.next_session(day)
    return PredictionSide(0, number, f"p{number}", "", "NABIL", target, day, 1.0, 1.0, None, None, "v0", 0)


@given(st.sets(st.integers(0, 60), min_size=2, max_size=40), st.data())
def test_any_order_meets_the_sessions_that_followed(days: set[int], data: st.DataObject) -> None:
    """Over every holiday, and no prediction meets another session."""
    sessions = on_the_week(days)
    shuffled = data.draw(st.permutations(sessions))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sessions)), max_size=10)))
    commands = [shuffled[a:b] for a, b in pairwise([0, *cuts, len(sessions)])]
    assert met(commands, expected) == set(pairwise(sessions))


def test_a_session_that_is_not_there_yet_is_no_holiday() -> None:
    """Why targets are not by the learned calendar: what comes late would be passed over, for ever."""
    sunday, monday, tuesday = on_the_week(range(3))
    late = [[sunday, tuesday], [monday]]
    assert met(late, expected) == {(sunday, monday), (monday, tuesday)}
    assert met(late, learned) == {(sunday, tuesday), (monday, tuesday)}


def test_a_session_off_the_week_is_met() -> None:
    """Where it is held already, its day is named; the rules would name the next day of the week."""
    thursday, friday = date(2024, 3, 7), date(2024, 3, 8)
    assert not load_rules().trading_day(friday)
    assert met([[thursday, friday]], expected) == {(thursday, friday)}
    assert expected([]).next_session(thursday) > friday


@given(st.sets(st.integers(0, 400), min_size=2, max_size=60))
def test_a_target_is_never_later_than_the_session_that_followed(days: set[int]) -> None:
    """Of sessions that are held, on the week or off it."""
    sessions = [FIRST + timedelta(day) for day in sorted(days)]
    calendar = expected(sessions)
    assert all(calendar.next_session(day) <= after for day, after in pairwise(sessions))
