"""What is told of a command's files: rejected rows with their session, and a line that fits each file."""

import gc
from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from events.payloads import DataIngested, DataRetracted
from infra.kafka.records import Outgoing
from tasks.core import announcing
from tests.claims import mixture, snapshot
from tests.ingesting import Exchange, told
from tests.unit.test_ingestion import agrees, rows, sessions

FIRST, SECOND, THIRD, *_ = sessions()
SECOND_DAY = SECOND.day or date.max
HOLIDAY = SECOND_DAY + timedelta(days=1)


def test_rejected_rows_stay_with_rows_whose_date_another_file_tells() -> None:
    """The early file names the day, the holiday's has the rows, and those that can't be used."""
    exchange = Exchange()
    exchange.command(FIRST)
    lines = exchange.command(told(snapshot(rows(SECOND)), SECOND.day), told(rows(SECOND), HOLIDAY, bad=3))
    said = exchange.events(DataIngested)[-1]
    assert (said.date, said.named, said.rejected_rows) == (SECOND.day, SECOND.day, 3)
    assert said.quarantine in exchange.store.objects
    assert [line.note for line in lines] == ["another file of the command holds its session", ""]


def test_rejected_rows_are_those_of_the_file_whose_rows_hold() -> None:
    """Two folders have a file of one name; the thinner one's rejected rows are not the session's."""
    exchange = Exchange()
    thin, full = told(snapshot(rows(SECOND)), SECOND.day, bad=5), told(rows(SECOND), SECOND.day, bad=3)
    exchange.command(full, thin)
    assert [one.rejected_rows for one in exchange.events(DataIngested)] == [3]


def test_a_repeat_that_is_the_original_tells_what_was_rejected() -> None:
    """The session moves to the original's day, with what was put aside of the original."""
    exchange = Exchange()
    exchange.command(FIRST, told(rows(SECOND), HOLIDAY))
    exchange.command(told(rows(SECOND), SECOND.day, bad=2))
    assert exchange.events(DataRetracted)
    said = exchange.events(DataIngested)[-1]
    assert (said.date, said.source, said.rejected_rows) == (SECOND.day, f"{SECOND.day}.csv", 2)


def test_no_revision_of_a_phantom_comes_back() -> None:
    """A holiday's file was taken for a session, its fuller copy for a revision; then the original comes."""
    exchange = Exchange()
    exchange.command(FIRST, told(snapshot(rows(SECOND)), HOLIDAY))
    exchange.command(told(rows(SECOND), HOLIDAY))
    exchange.command(SECOND)
    assert list(exchange.held()) == [FIRST.day, SECOND.day]
    assert agrees(exchange)
    assert {one.date for one in exchange.events(DataRetracted)} == {HOLIDAY}
    before = len(exchange.records)
    exchange.command(SECOND, THIRD)
    assert len(exchange.records) == before + len(rows(THIRD)) + 1


def test_a_mixture_has_one_line_with_its_session() -> None:
    """Some of its rows are the session before's: what it is known by is not what was read."""
    exchange = Exchange()
    exchange.command(FIRST)
    mixed = mixture(rows(FIRST), rows(SECOND), list(rows(SECOND)["symbol"])[:14])
    (line,) = exchange.command(told(mixed, SECOND.day))
    assert (line.session, line.note, line.events) == (str(SECOND.day), "", 15)


class Passing(Exchange):
    """Keeps one record of each transaction, and nothing else."""

    def __init__(self) -> None:
        """Nothing was published."""
        super().__init__()
        self.kept: list[Outgoing] = []
        self.holders = 0
        """Who holds the first record while the last one is published, ourselves not counted."""

    def publish(self, records: Iterable[Outgoing]) -> int:
        """Count who else holds on to the first record."""
        batch = list(records)
        self.kept.append(batch[0])
        self.holders = len(gc.get_referrers(self.kept[0])) - 1
        return len(batch)


def test_what_was_published_does_not_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of years of files are more than a machine's memory."""
    monkeypatch.setattr(announcing, "BATCH", 1)
    exchange, found = Passing(), sessions(9)
    exchange.command(*found)
    assert len(exchange.kept) == len(found)
    assert exchange.holders == 0


@pytest.mark.parametrize(("events", "transactions"), [(1, 5), (39, 5), (50, 3), (64, 2), (10_000, 1)])
def test_a_transaction_holds_no_more_events_than_memory_has_room_for(
    events: int, transactions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions of a large market are told one by one, however many symbols one has."""
    monkeypatch.setattr(announcing, "EVENTS", events)
    market = sessions(5)
    exchange = Passing()
    exchange.command(*market)
    sizes = [len(rows(one)) for one in market]
    assert len(exchange.kept) == transactions, sizes
