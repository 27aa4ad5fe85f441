"""What other clients announce beside ours: it is compared with files, and stops none of them."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from events.payloads import DataIngested
from infra.kafka.records import of_kind
from tasks.announcements import _record
from tasks.core.layout import NotAPriceFileError
from tasks.core.prices import read_prices, session_from_parquet, session_to_parquet
from tasks.features import compute_vectors
from tests.ingesting import Exchange, told
from tests.unit.test_ingestion import agrees, rows, sessions

FIRST, SECOND, THIRD, *_ = sessions()


def foreign(exchange: Exchange, day: date | None, frame: pd.DataFrame | None = None, **said: Any) -> None:
    """Announce a session as another client does: no hash, no source, perhaps no object."""
    location = f"s3://elsewhere/{day}.parquet"
    if frame is not None:
        exchange.store.objects[location] = session_to_parquet(frame)
    event = DataIngested(symbol="NEPSE", date=day, data_location=location, **said)
    exchange.publish([_record("raw-data", event, f"foreign {day}", "foreign")])


@pytest.mark.parametrize("dated", [False, True])
def test_a_session_without_an_object_gives_way_to_a_file(*, dated: bool) -> None:
    """An event alone would keep its day's session out for ever."""
    exchange = Exchange()
    exchange.command(FIRST)
    foreign(exchange, SECOND.day)
    (line,) = exchange.command(told(rows(SECOND), SECOND.day, dated=dated))
    assert (line.session, line.note) == (str(SECOND.day), "revision 1")
    assert exchange.held()[SECOND.day] == SECOND.digest  # type: ignore[index]
    assert agrees(exchange)


def test_doubled_rows_of_a_stored_session_break_no_comparison() -> None:
    """Nobody checked the object; of a symbol's rows the last one is taken."""
    exchange = Exchange()
    exchange.command(FIRST)
    foreign(exchange, SECOND.day, pd.concat([rows(SECOND), rows(SECOND).iloc[:3]], ignore_index=True))
    lines = exchange.command(THIRD, SECOND)
    assert {line.session for line in lines} >= {str(SECOND.day), str(THIRD.day)}
    assert exchange.held()[THIRD.day] == THIRD.digest  # type: ignore[index]


def test_rows_that_no_event_can_tell_are_left_out_of_a_stored_session() -> None:
    """When the session before comes late its actuals are told again, of the rows that can be told."""
    odd = rows(THIRD).copy()
    odd["close"] = odd["close"].where(odd.index != 0, np.nan).where(odd.index != 1, -3.0)
    odd["symbol"] = odd["symbol"].where(odd.index != 2, "").where(odd.index != 3, None)
    exchange = Exchange()
    exchange.command(FIRST)
    foreign(exchange, THIRD.day, odd, previous_date=FIRST.day)
    exchange.command(SECOND)
    told_of = {symbol for day, symbol in exchange.actuals() if day == THIRD.day}
    assert told_of == set(rows(THIRD)["symbol"].iloc[4:])


@pytest.mark.parametrize("lost", ["all rows", "all closes"])
def test_a_stored_session_without_a_usable_row_is_none(lost: str) -> None:
    """So that its announcement becomes a dead letter, not silence."""
    frame = rows(FIRST).iloc[:0] if lost == "all rows" else rows(FIRST).assign(close=np.nan)
    with pytest.raises(NotAPriceFileError, match="rows can be used"):
        session_from_parquet(session_to_parquet(frame), "s3://elsewhere/odd.parquet")


@pytest.mark.parametrize("stored", [False, True])
def test_text_that_is_no_utf8_is_refused_when_it_is_read(*, stored: bool) -> None:
    """Parquet is read without looking at its texts; whoever looked first would end."""
    marked = rows(FIRST).assign(symbol=["QQQQ", *rows(FIRST)["symbol"].iloc[1:]], date="2023-04-09")
    data = marked.to_parquet(index=False, compression="none").replace(b"QQQQ", b"\xff\xfe\xff\xfe")
    with pytest.raises(NotAPriceFileError):
        session_from_parquet(data, "odd") if stored else list(read_prices(data, "odd"))


def test_closes_of_which_no_factor_can_be_told_are_announced_without() -> None:
    """From next to nothing to next to everything is no adjustment: the quotient is infinite."""
    exchange = Exchange()
    exchange.command(told(rows(FIRST).assign(close=1e-300), FIRST.day))
    exchange.command(told(rows(SECOND).assign(close=1e300, prev_close=np.nan), SECOND.day))
    exchange.command(told(rows(THIRD).assign(close=1e-300, prev_close=np.nan), THIRD.day))
    assert [one.adjustments for one in exchange.events(DataIngested)] == [{}, {}, {}]


def test_a_revision_that_nothing_could_follow_is_none() -> None:
    """Its day's file is told under the first one, instead of ending the command."""
    exchange = Exchange()
    exchange.command(FIRST)
    foreign(exchange, SECOND.day, rows(SECOND), revision=2**63 - 1)
    (line,) = exchange.command(SECOND)
    assert (line.session, line.note) == (str(SECOND.day), "")
    assert agrees(exchange)
    (own,) = of_kind(exchange.raw[1:2], DataIngested)
    ((cause, problem),) = compute_vectors.fn(exchange.loop, [own]).refused
    assert (cause, "superseded" in str(problem)) == (own, True)


def test_an_object_that_two_days_name_is_the_newest_one_s() -> None:
    """A file with its rows is a repeat of that one, and takes back nothing of the other."""
    exchange = Exchange()
    foreign(exchange, SECOND.day, rows(SECOND))
    (first,) = of_kind(exchange.raw, DataIngested)
    said = first.payload.model_copy(update={"date": THIRD.day})
    exchange.publish([_record("raw-data", said, "twice", "foreign")])
    (line,) = exchange.command(told(rows(SECOND), SECOND.day))
    assert line.session == str(THIRD.day)
    assert exchange.index().current.days == [SECOND.day, THIRD.day]
