"""The newest vector at a date: never one of a later session, whatever is stored and asked."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.point_in_time import asked_for, beside, newest_until, sessions_between

FIRST = date(2024, 3, 3)
Key = tuple[str, int]
keys = st.tuples(st.sampled_from(["NABIL", "NICAD 85/86", "UPPER"]), st.integers(0, 30))


def frame(of: list[Key]) -> pd.DataFrame:
    """Symbol and date of pairs or vectors, the dates counted from the first."""
    days = [FIRST + timedelta(day) for _, day in of]
    return pd.DataFrame({"symbol": [symbol for symbol, _ in of], "date": days}, columns=["symbol", "date"])


@given(st.lists(keys, max_size=30), st.sets(keys, max_size=40))
def test_the_newest_at_or_before_is_found(asked: list[Key], stored: set[Key]) -> None:
    """As the definition says, pair by pair; in the order of the pairs, repeated ones as well."""
    found = newest_until(asked_for(frame(asked)), asked_for(frame(list(stored))))
    expected = [
        max((d for s, d in stored if s == symbol and d <= day), default=None) for symbol, day in asked
    ]
    assert [None if pd.isna(at) else (at.date() - FIRST).days for at in found] == expected


@given(st.lists(keys, max_size=20), st.sets(keys, max_size=40), keys)
def test_what_is_stored_later_changes_nothing(asked: list[Key], stored: set[Key], later: Key) -> None:
    """A vector of a session after every date asked for leaves all answers as they are."""
    pairs, day = asked_for(frame(asked)), max((d for _, d in asked), default=0) + 1 + later[1]
    before = newest_until(pairs, asked_for(frame(list(stored))))
    after = newest_until(pairs, asked_for(frame([*stored, (later[0], day)])))
    pd.testing.assert_series_equal(before, after)


@given(st.lists(keys, max_size=20), st.sets(keys, max_size=40))
def test_every_pair_has_one_row_beside_it(asked: list[Key], stored: set[Key]) -> None:
    """With the vector of its session, or nothing; nobody else's."""
    pairs, vectors = asked_for(frame(asked)), asked_for(frame(list(stored)))
    names = vectors["symbol"] + " " + vectors["date"].astype("str")
    at = newest_until(pairs, vectors)
    found = beside(pairs, at, vectors.assign(name=names))
    assert found["symbol"].tolist() == [symbol for symbol, _ in asked]
    told = [None if pd.isna(name) else name for name in found["name"]]
    assert told == [
        None if pd.isna(day) else f"{s} {day.date()}" for s, day in zip(found["symbol"], at, strict=True)
    ]


@given(st.sets(st.integers(0, 30)), st.lists(st.tuples(st.none() | st.integers(0, 30), st.integers(0, 40))))
def test_ages_are_counted_in_sessions(held: set[int], spans: list[tuple[int | None, int]]) -> None:
    """Those after the vector's, up to the date; of what has no vector all of them."""
    days = [pd.Timestamp(FIRST) + pd.Timedelta(days=n) for n in range(50)]
    earlier = pd.Series([pd.NaT if a is None else days[a] for a, _ in spans], dtype="datetime64[us]")
    later = pd.Series([days[b] for _, b in spans], dtype="datetime64[us]")
    sessions = pd.DatetimeIndex([days[n] for n in sorted(held)], dtype="datetime64[us]")
    expected = [sum((-1 if a is None else a) < n <= b for n in held) for a, b in spans]
    found = sessions_between(earlier, later, sessions).tolist()
    assert [max(0, n) for n in found] == expected


@pytest.mark.parametrize(
    "dates",
    [
        [FIRST],
        ["2024-03-03"],
        [pd.Timestamp(FIRST)],
        [datetime(2024, 3, 3)],  # noqa: DTZ001
        pd.Series(["2024-03-03"], dtype="datetime64[ns]"),
    ],
)
def test_dates_come_in_many_forms(dates: Any) -> None:
    """Dates, ISO texts and midnights are the same."""
    found = asked_for(pd.DataFrame({"symbol": ["NABIL"], "date": dates}))
    assert found["date"].tolist() == [pd.Timestamp(FIRST)]
    assert found["date"].dtype == "datetime64[us]"


@pytest.mark.parametrize(
    ("dates", "why"),
    [
        (["2024-03-04T09:00"], "known after the close"),
        ([datetime(2024, 3, 4, tzinfo=UTC)], "time zone"),
        (["04/03/2024"], "ISO8601"),
        ([20240304], "dates are numbers, such as 20240304"),
        ([None], "lacks its symbol or its date"),
    ],
)
def test_a_date_that_is_unclear_is_refused(dates: list[Any], why: str) -> None:
    """A morning, a day that depends on the zone, or a guess could tell what was not known yet."""
    with pytest.raises(ValueError, match=why):
        asked_for(pd.DataFrame({"symbol": ["NABIL"], "date": dates}))


def test_pairs_without_their_columns_are_refused() -> None:
    """What is missing is named."""
    with pytest.raises(ValueError, match="there is no symbol and no date"):
        asked_for(pd.DataFrame({"ticker": ["NABIL"]}))
    with pytest.raises(ValueError, match="lacks its symbol"):
        asked_for(pd.DataFrame({"symbol": [None], "date": [FIRST]}))
