"""The trading week through its eras, holidays by rule and by what was held, on paper and on real sessions."""

import csv
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import PROJECT, Settings
from tasks.core.calendar import (
    EXCHANGE_TZ,
    LONGEST_CLOSURE,
    RULES_FILE,
    Calendar,
    expected,
    learned,
    load_rules,
)

RULES = load_rules()
BY_RULES = Calendar(RULES)
DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))
HOLIDAYS = 272
"""Of the 3,178 real sessions with a successor so many are followed by a holiday that no rule knows."""
ERA = "[[eras]]\nstart = 0001-01-01\nweekdays = ['Monday']\n"
PHANTOM = date(2016, 9, 3)
"""The one day of the history off the trading week, a Saturday with the rows of the session after it."""


def test_the_week_changes_in_april_2026() -> None:
    """Sunday 5 April 2026 is the last Sunday session, Friday 10 April the first Friday one."""
    assert BY_RULES.next_session(date(2026, 4, 2)) == date(2026, 4, 5)
    assert BY_RULES.next_session(date(2026, 4, 5)) == date(2026, 4, 6)
    assert BY_RULES.next_session(date(2026, 4, 9)) == date(2026, 4, 10)
    assert BY_RULES.next_session(date(2026, 4, 10)) == date(2026, 4, 13)


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2022, 5, 13), False),
        (date(2022, 5, 20), True),
        (date(2022, 6, 12), False),
        (date(2022, 6, 19), True),
        (date(2022, 9, 16), True),
        (date(2022, 9, 23), False),
        (date(2011, 3, 25), True),
    ],
)
def test_the_week_of_2022(day: date, held: bool) -> None:
    """From mid May to mid September sessions were held on Fridays, in the first weeks not on Sundays."""
    assert BY_RULES.trading_day(day) is held


@pytest.mark.parametrize(
    ("last", "first"),
    [
        (date(2015, 4, 23), date(2015, 5, 24)),
        (date(2020, 3, 22), date(2020, 5, 12)),
        (date(2020, 5, 13), date(2020, 6, 29)),
    ],
)
def test_long_closures_are_known(last: date, first: date) -> None:
    """The earthquake and the pandemic are in the rules; the sessions on both sides are none of them."""
    assert BY_RULES.next_session(last) == first
    assert BY_RULES.on_or_before(first - timedelta(1)) == last


def test_closed_days_are_skipped() -> None:
    """A holiday moves the next session on."""
    holiday = Calendar(RULES, closed={date(2024, 3, 10)})
    assert holiday.next_session(date(2024, 3, 7)) == date(2024, 3, 11)


def test_a_market_that_never_opens_is_an_error() -> None:
    """A search without end is refused with the likely cause."""
    closed = frozenset(date(2024, 1, 1) + timedelta(days=k) for k in range(-500, 500))
    never = Calendar(RULES, closed=closed)
    for search in (never.next_session, never.on_or_before):
        with pytest.raises(ValueError, match="closed days is wrong"):
            search(date(2024, 1, 1))


def test_a_weekend_or_a_known_holiday_points_back() -> None:
    """Saturday's files are of Thursday, and of Wednesday where Thursday is known to be closed."""
    assert BY_RULES.on_or_before(date(2024, 3, 9)) == date(2024, 3, 7)
    holiday = Calendar(RULES, closed={date(2024, 3, 7)})
    assert holiday.on_or_before(date(2024, 3, 9)) == date(2024, 3, 6)


def test_exchange_time_is_a_quarter_hour_off() -> None:
    """Kathmandu is five hours and three quarters ahead of UTC."""
    assert str(EXCHANGE_TZ) == "Asia/Kathmandu"


@given(DAYS, st.lists(DAYS, max_size=30))
def test_next_session_is_the_first_trading_day_after(day: date, sessions: list[date]) -> None:
    """The next session is a trading day and no day between is one, whatever was learned."""
    calendar = learned(sessions)
    after = calendar.next_session(day)
    assert calendar.trading_day(after)
    assert not any(calendar.trading_day(day + timedelta(days=k)) for k in range(1, (after - day).days))


@given(DAYS, st.lists(DAYS, max_size=30))
def test_on_or_before_is_the_newest_trading_day(day: date, sessions: list[date]) -> None:
    """It is the day itself on a trading day, and otherwise no trading day lies between."""
    calendar = learned(sessions)
    found = calendar.on_or_before(day)
    assert calendar.trading_day(found)
    later = range(1, (day - found).days + 1)
    assert not any(calendar.trading_day(found + timedelta(days=k)) for k in later)


@given(st.lists(DAYS, min_size=1, max_size=40), st.integers(1, 400))
def test_what_is_learned_is_of_the_past(sessions: list[date], ahead: int) -> None:
    """Every session is a trading day; before the oldest and after the newest only the rules tell."""
    calendar = learned(sessions)
    assert all(calendar.trading_day(day) for day in sessions)
    for outside in (min(sessions) - timedelta(ahead), max(sessions) + timedelta(ahead)):
        assert calendar.trading_day(outside) == RULES.trading_day(outside)


@given(DAYS, st.integers(1, 2 * LONGEST_CLOSURE))
def test_a_hole_is_a_closure_or_missing_data(first: date, length: int) -> None:
    """Between two sessions all days are closed; where that is longer than any closure the rules hold."""
    calendar = learned([first, first + timedelta(length)])
    between = [first + timedelta(k) for k in range(1, length)]
    held = [calendar.trading_day(day) for day in between]
    by_rule = [RULES.trading_day(day) for day in between]
    assert held == (by_rule if length > LONGEST_CLOSURE else [False] * len(between))


@pytest.mark.parametrize(
    "text",
    [
        "eras = 3",
        "",
        ERA.replace("0001", "2020"),
        ERA.replace("Monday", "Moonday"),
        ERA + ERA,
        f"{ERA}[[closures]]\nfirst = 2020-01-02\nlast = 2020-01-01",
        "not toml",
    ],
)
def test_rules_that_make_no_sense_are_refused(text: str, tmp_path: Path) -> None:
    """One sentence names the file."""
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"rules\.toml can't be used"):
        load_rules(file)


def test_the_rules_are_part_of_the_package() -> None:
    """What is built to be installed holds the file beside the module that reads it."""
    builder: Any = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(PROJECT))
    built = {file.distribution_path for file in builder.recurse_included_files()}
    assert f"tasks/core/{RULES_FILE.name}" in built


@pytest.fixture(scope="module")
def held() -> list[date]:
    """All real sessions, those of the history and of the daily files, oldest first."""
    where = Settings().data
    if where is None or not (Path(where) / "manifest.csv").is_file():
        pytest.skip("no real sessions: NEPSE_DATA names no folder with a manifest.csv")
    history = pd.read_parquet(Path(where) / "history.parquet", columns=["date"])["date"]
    with (Path(where) / "manifest.csv").open() as lines:
        daily = {date.fromisoformat(line["data_date"]) for line in csv.DictReader(lines)}
    return sorted({pd.Timestamp(day).date() for day in history.unique()} | daily)


def test_every_real_session_is_a_trading_day(held: list[date]) -> None:
    """Seen from the end, the successor of each session is the one that came, over every holiday."""
    calendar = learned(held)
    assert all(calendar.trading_day(day) for day in held)
    assert [calendar.next_session(day) for day in held[:-1]] == held[1:]


def test_every_target_is_the_session_that_followed_but_for_discovered_holidays(held: list[date]) -> None:
    """What a prediction names came, or a holiday that no rule knows lay before the session that did."""
    targets = expected(held)
    missed = {day: after for day, after in pairwise(held) if targets.next_session(day) != after}
    assert len(missed) == HOLIDAYS
    assert all(targets.next_session(day) < after for day, after in missed.items())


def test_the_rules_alone_miss_one_more(held: list[date]) -> None:
    """As it is when a session has just come and nothing after it is held: the false one is not foreseen."""
    missed = {day: after for day, after in pairwise(held) if expected([day]).next_session(day) != after}
    assert [day for day in held if not RULES.trading_day(day)] == [PHANTOM]
    assert [after for day, after in missed.items() if BY_RULES.next_session(day) > after] == [PHANTOM]
    assert len(missed) == HOLIDAYS + 1
