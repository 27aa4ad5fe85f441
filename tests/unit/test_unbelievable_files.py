"""Names and dates of files that can't be: of another era, of a day that has not come, of no text."""

import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from infra.inputs import InputFile, list_files, read_inputs
from infra.settings import load_settings
from tasks.reading import Session, read_sessions
from tests.ingesting import Exchange
from tests.unit.test_ingestion import rows, sessions

FIRST, SECOND, THIRD, *_ = sessions()
TODAY = date(2026, 11, 25)


def csv_of(session: Session) -> bytes:
    """A session in the exchange's own layout."""
    names = {"symbol": "Symbol", "open": "Open", "high": "High", "low": "Low", "close": "Close"}
    more = {"volume": "Vol", "turnover": "Turnover", "prev_close": "Prev. Close"}
    return rows(session).rename(columns=names | more).to_csv(index=False).encode()


def read(name: str, session: Session) -> Session:
    """Read a session out of a file of some name."""
    ((found,), refused) = read_sessions.fn([InputFile(name, csv_of(session))], date.min, date.max, TODAY)
    assert not refused
    return found


@pytest.mark.parametrize("name", ["2079-12-28.csv", "0001-01-01.csv", "9999-12-31.csv"])
def test_a_name_that_can_be_no_day_of_the_exchange_tells_nothing(name: str) -> None:
    """Of the Nepali calendar, say: the file's session is told by the one that it continues."""
    exchange = Exchange()
    exchange.command(FIRST, SECOND)
    (line,) = exchange.command(read(name, THIRD))
    assert line.session == str(THIRD.day)
    assert max(exchange.held()) == THIRD.day


def test_a_name_of_today_is_believed() -> None:
    """The day of the download."""
    assert [read(f"{day}.csv", FIRST).day for day in (TODAY, TODAY + timedelta(1))] == [TODAY, None]


def test_sessions_that_rows_date_after_today_are_refused() -> None:
    """Models that learned from one would serve no more until its day had come; the others are taken."""
    table = rows(FIRST).assign(date=str(TODAY)), rows(SECOND).assign(date="2081-05-01")
    data = "".join(frame.to_csv(index=False, header=not n) for n, frame in enumerate(table)).encode()
    found, refused = read_sessions.fn([InputFile("table.csv", data)], date.min, date.max, TODAY)
    assert [one.day for one in found] == [TODAY]
    assert [line.note for line in refused] == [f"refused: 1 sessions are dated after {TODAY}"]


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    """Linux takes any bytes for a name; an event holds text."""
    raw = os.fsencode(tmp_path) + b"/2023-04-09\xff.csv"
    Path(os.fsdecode(raw)).write_bytes(csv_of(FIRST))
    settings = load_settings(tmp_path)
    (file,) = read_inputs(settings, [str(tmp_path)])
    assert file.name == r"2023-04-09\udcff.csv"
    assert [one.name for one in list_files(settings, str(tmp_path))] == [file.name]
    (found,), _ = read_sessions.fn([file], date.min, date.max, TODAY)
    (line,) = Exchange().command(found)
    assert (line.file, line.session) == (file.name, "2023-04-09")
