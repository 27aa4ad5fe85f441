"""Sums are made anew for sessions that errors came for, and for those alone."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import pytest

from infra.database.reads import skill
from infra.errors import TryAgainError
from web.skill_book import AT_ONCE, SkillBook

FIRST, SECOND = date(2024, 3, 3), date(2024, 3, 4)
SUMS = (1, 4.0, 2.0, 9.0, 3.0, 0, 0)


class Database:
    """Stands in for the queries: which sessions there are, which changed, and which were summed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hold one session."""
        self.all, self.fresh = [FIRST], list[date]()
        self.summed: list[list[date]] = []
        self.since: list[dict[int, int]] = []
        self.fails_after: int | None = None
        monkeypatch.setattr(skill, "days", lambda _: self.all)
        monkeypatch.setattr(skill, "changed", self._changed)
        monkeypatch.setattr(skill, "daily", self._daily)

    def _changed(self, _: object, since: Mapping[int, int]) -> list[date]:
        self.since.append(dict(since))
        return self.fresh

    def _daily(self, _: object, days: Collection[date]) -> dict[tuple[date, str], skill.Sums]:
        if self.fails_after is not None and len(self.summed) >= self.fails_after:
            message = "the database did not answer"
            raise TryAgainError(message)
        self.summed.append(list(days))
        return {(day, "v1"): SUMS for day in days if day in self.all}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """The queries."""
    return Database(monkeypatch)


class Book:
    """A book, and where the read side is when it is asked."""

    def __init__(self) -> None:
        """Nothing was read from it."""
        nowhere: Any = None
        self._at: dict[tuple[str, int], int] = {}
        self.epoch = 1
        self._book = SkillBook(nowhere, lambda: self._at, lambda: self.epoch)

    def read(self, at: dict[tuple[str, int], int]) -> Mapping[tuple[date, str], skill.Sums]:
        """Read it with the read side at these offsets."""
        self._at = at
        return self._book.read()


def book() -> Book:
    """A book that nothing was read from."""
    return Book()


def test_only_sessions_with_news_are_summed_again(database: Database) -> None:
    """The same offsets ask for nothing at all."""
    one = book()
    assert one.read({("errors", 0): 5}) == {(FIRST, "v1"): SUMS}
    one.read({("errors", 0): 5, ("alerts", 0): 9})
    assert database.summed == [[FIRST]]
    database.all, database.fresh = [FIRST, SECOND], [SECOND]
    assert set(one.read({("errors", 0): 7, ("errors", 1): 1})) == {(FIRST, "v1"), (SECOND, "v1")}
    assert database.since == [{0: 5, 1: 0}]
    assert database.summed == [[FIRST], [SECOND]]


def test_a_session_whose_errors_were_taken_back_is_gone(database: Database) -> None:
    """Its sums are not left standing."""
    one = book()
    one.read({("errors", 0): 5})
    database.all, database.fresh = [], [FIRST]
    assert one.read({("errors", 0): 6}) == {}


def test_a_read_side_that_is_made_anew_is_summed_from_the_beginning(database: Database) -> None:
    """Offsets that fell say so."""
    one = book()
    one.read({("errors", 0): 5})
    database.all = [SECOND]
    assert set(one.read({("errors", 0): 2})) == {(SECOND, "v1")}
    assert database.since == []


def test_a_read_side_that_was_made_anew_up_to_where_it_was_is_summed_from_the_beginning(
    database: Database,
) -> None:
    """Its epoch says so, where its offsets do not."""
    one = book()
    one.read({("errors", 0): 5})
    database.all, one.epoch = [SECOND], 2
    assert set(one.read({("errors", 0): 5})) == {(SECOND, "v1")}
    assert set(one.read({("errors", 0): 5})) == {(SECOND, "v1")}
    assert database.since == []
    assert database.summed == [[FIRST], [SECOND]]


def test_many_sessions_are_summed_in_pieces(database: Database) -> None:
    """Each query ends long before the reader's time-out."""
    database.all = [date.fromordinal(FIRST.toordinal() + n) for n in range(2 * AT_ONCE + 1)]
    assert len(book().read({("errors", 0): 1})) == len(database.all)
    assert [len(days) for days in database.summed] == [AT_ONCE, AT_ONCE, 1]


def test_after_a_failure_in_the_middle_nothing_is_left_half_done(database: Database) -> None:
    """Neither sums of some sessions without the others, nor a session that is never summed again."""
    one = book()
    one.read({("errors", 0): 5})
    database.fresh = [date.fromordinal(FIRST.toordinal() + n) for n in range(AT_ONCE + 1)]
    database.all, database.fails_after = database.fresh, 2
    with pytest.raises(TryAgainError):
        one.read({("errors", 0): 90})
    assert one.read({("errors", 0): 5}) == {(FIRST, "v1"): SUMS}
    database.fails_after = None
    assert len(one.read({("errors", 0): 90})) == AT_ONCE + 1
    assert database.since == [{0: 5}, {0: 5}]


def test_a_first_reading_that_failed_is_made_from_the_beginning(database: Database) -> None:
    """It is not taken for an empty read side."""
    one = book()
    database.fails_after = 0
    with pytest.raises(TryAgainError):
        one.read({("errors", 0): 5})
    database.fails_after = None
    assert set(one.read({("errors", 0): 5})) == {(FIRST, "v1")}
