"""The trading week through its eras, and holidays that are passed in."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.calendar import EXCHANGE_TZ, next_session, on_or_before, trading_day


def test_the_week_changes_in_april_2026() -> None:
    """Sunday 5 April 2026 is the last Sunday session, Friday 10 April the first Friday one."""
    assert next_session(date(2026, 4, 2)) == date(2026, 4, 5)
    assert next_session(date(2026, 4, 5)) == date(2026, 4, 6)
    assert next_session(date(2026, 4, 9)) == date(2026, 4, 10)
    assert next_session(date(2026, 4, 10)) == date(2026, 4, 13)


def test_fridays_of_2022() -> None:
    """In mid 2022 sessions were held on Fridays, before and after they were not."""
    assert [trading_day(day) for day in (date(2022, 5, 13), date(2022, 5, 20), date(2022, 9, 23))] == [
        False,
        True,
        False,
    ]


def test_closed_days_are_skipped() -> None:
    """A holiday moves the next session on."""
    assert next_session(date(2024, 3, 7), frozenset({date(2024, 3, 10)})) == date(2024, 3, 11)


def test_a_market_that_never_opens_is_an_error() -> None:
    """A search without end is refused with the likely cause."""
    closed = frozenset(date(2024, 1, 1) + timedelta(days=k) for k in range(-500, 500))
    for search in (next_session, on_or_before):
        with pytest.raises(ValueError, match="closed days is wrong"):
            search(date(2024, 1, 1), closed)


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_next_session_is_the_first_trading_day_after(day: date) -> None:
    """The next session is a trading day and no day between is one."""
    after = next_session(day)
    assert trading_day(after)
    assert not any(trading_day(day + timedelta(days=k)) for k in range(1, (after - day).days))


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_on_or_before_is_the_newest_trading_day(day: date) -> None:
    """It is the day itself on a trading day, and otherwise no trading day lies between."""
    found = on_or_before(day)
    assert trading_day(found)
    assert not any(trading_day(found + timedelta(days=k)) for k in range(1, (day - found).days + 1))


def test_a_weekend_or_a_known_holiday_points_back() -> None:
    """Saturday's files are of Thursday, and of Wednesday where Thursday is known to be closed."""
    assert on_or_before(date(2024, 3, 9)) == date(2024, 3, 7)
    assert on_or_before(date(2024, 3, 9), frozenset({date(2024, 3, 7)})) == date(2024, 3, 6)


def test_exchange_time_is_a_quarter_hour_off() -> None:
    """Kathmandu is five hours and three quarters ahead of UTC."""
    assert str(EXCHANGE_TZ) == "Asia/Kathmandu"
