"""What ingestion tells: in any order of files and commands the topics say the same in the end."""

import csv
import io
import random
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.payloads import ActualAvailable, DataIngested, DataRetracted
from tasks.core import announcing
from tasks.core.prices import content_hash, file_date, read_daily
from tasks.core.simulator import Oddities, write_market
from tasks.core.tidy import tidy
from tasks.reading import Line, Session
from tests.claims import snapshot
from tests.ingesting import Exchange, told

FIRST = date(2023, 4, 9)
SESSIONS = 10


@cache
def folder(seed: int) -> tuple[list[Session], dict[date, str]]:
    """A market's daily files, more than a third of them repeats, and the sessions that they hold."""
    odd = Oddities(doubled=0.2, recomputed=0.5)
    files = dict(
        write_market(sessions=SESSIONS, symbols=24, seed=seed, daily=SESSIONS, start=FIRST, oddities=odd)
    )
    found, truth = [], {}
    for line in csv.DictReader(io.StringIO(files["manifest.csv"].decode())):
        content = read_daily(files[f"daily/{line['file']}"], line["file"])
        digest = content_hash(content.rows)
        found.append(Session(line["file"], file_date(line["file"]), content, digest))
        truth[date.fromisoformat(line["data_date"])] = digest
    return found, truth


def sessions(number: int = 5) -> list[Session]:
    """The first files of a market that are sessions of their own."""
    found, truth = folder(0)
    days = sorted(truth)[:number]
    return [next(one for one in found if one.day == day) for day in days]


def rows(session: Session) -> pd.DataFrame:
    """A session's rows."""
    return session.content.rows


def agrees(exchange: Exchange) -> bool:
    """The actuals that count are those of the sessions held, each after the one before it."""
    assert exchange.actuals() == exchange.wanted()
    return True


def test_sessions_in_order_are_told_once_each() -> None:
    """The plain case: no revision, nothing taken back, each names the one before."""
    exchange, found = Exchange(), sessions()
    lines = exchange.command(*found)
    assert [(line.session, line.note) for line in lines] == [(str(s.day), "") for s in found]
    assert [line.events for line in lines] == [len(rows(s)) + 1 for s in found]
    told_of = exchange.events(DataIngested)
    assert [one.previous_date for one in told_of] == [None, *(s.day for s in found[:-1])]
    assert [one.revision for one in told_of] == [0] * len(found)
    assert not exchange.events(DataRetracted)
    assert agrees(exchange)


def test_the_same_files_again_tell_nothing() -> None:
    """Each is a repeat of its own session."""
    exchange, found = Exchange(), sessions()
    exchange.command(*found)
    before = len(exchange.records)
    lines = exchange.command(*found)
    assert {line.note for line in lines} == {f"repeat of {s.day}, skipped" for s in found}
    assert len(exchange.records) == before


def test_a_fuller_file_is_a_revision() -> None:
    """An early snapshot is completed; the revision takes its place and nothing is taken back."""
    exchange, (first, second, *_) = Exchange(), sessions()
    exchange.command(first, told(snapshot(rows(second)), second.day))
    (line,) = exchange.command(second)
    assert line.note == "revision 1"
    assert exchange.held() == {first.day: first.digest, second.day: second.digest}
    assert not any(one.retracted for one in exchange.events(ActualAvailable))
    (line,) = exchange.command(told(snapshot(rows(second)), second.day))
    assert line.note == f"less of {second.day} than is held, skipped"
    assert agrees(exchange)


def test_a_session_that_comes_late_is_what_the_next_one_follows() -> None:
    """The next one's actuals are taken back as they were told, and told again after the right session."""
    exchange, (first, late, third, fourth, _) = Exchange(), sessions()
    exchange.command(first, third, fourth)
    lines = exchange.command(late)
    assert [(line.session, line.note) for line in lines] == [
        (str(late.day), ""),
        (str(third.day), f"revision 2, after session {late.day}"),
    ]
    assert agrees(exchange)
    again = [one for one in exchange.events(ActualAvailable) if one.date == third.day]
    one = rows(third)["symbol"].iloc[0]
    assert [(a.previous_date, a.revision, a.retracted) for a in again if a.symbol == one] == [
        (first.day, 0, False),
        (first.day, 1, True),
        (late.day, 2, False),
    ]


def test_a_repeat_that_came_first_is_taken_back() -> None:
    """A holiday's file was taken for a session; the original shows that it was none."""
    exchange, (first, second, *_) = Exchange(), sessions()
    holiday = second.day + timedelta(days=1) if second.day else None
    exchange.command(first, told(rows(second), holiday))
    assert holiday in exchange.held()
    lines = exchange.command(second)
    assert exchange.held() == {first.day: first.digest, second.day: second.digest}
    (gone,) = exchange.events(DataRetracted)
    assert (gone.date, gone.repeats) == (holiday, second.day)
    assert [line.note for line in lines] == ["", f"retracted: its rows are those of session {second.day}"]
    assert agrees(exchange)


def test_symbols_that_a_revision_leaves_out_are_taken_back() -> None:
    """A close that nobody says any more must not stay."""
    exchange, (first, second, *_) = Exchange(), sessions()
    wrong = rows(second).iloc[[0]].assign(symbol="WRONG")
    exchange.command(first, told(tidy(pd.concat([snapshot(rows(second)), wrong])), second.day))
    exchange.command(second)
    closes = {symbol for day, symbol in exchange.actuals() if day == second.day}
    assert exchange.held()[second.day] == second.digest  # type: ignore[index]
    assert "WRONG" not in closes
    assert agrees(exchange)


@pytest.mark.parametrize("transactions", range(4))
def test_a_command_that_was_killed_is_given_again(transactions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever transaction was the last one, the second attempt tells the rest; one moves a session."""
    monkeypatch.setattr(announcing, "BATCH", 2)
    exchange, found = Exchange(), sessions(9)
    exchange.command(found[0], *found[3:5], told(rows(found[5]), found[7].day))
    exchange.patience = transactions
    with pytest.raises(InterruptedError):
        exchange.command(*found)
    exchange.patience = 10
    exchange.command(*found)
    assert exchange.held() == {one.day: one.digest for one in found}
    assert agrees(exchange)


def test_what_can_not_be_used_is_put_aside() -> None:
    """Rejected rows are counted by reason and stored; a file without a usable row is stored whole."""
    exchange, (first, *_) = Exchange(), sessions()
    exchange.command(told(rows(first), first.day, bad=3))
    (said,) = exchange.events(DataIngested)
    assert (said.rejected_rows, said.rejected_by) == (3, {"missing_close": 3})
    assert said.quarantine in exchange.store.objects
    assert f"/quarantine/{first.day}/" in said.quarantine
    (line,) = exchange.command(told(rows(first).iloc[:0], date(2023, 5, 1), bad=2))
    assert line.note.startswith("no usable row: put aside at s3://nepse-raw/quarantine/unplaced/")
    assert line.note.rsplit(" ", 1)[1] in exchange.store.objects
    assert list(exchange.held()) == [first.day]


def test_an_object_that_is_gone_stops_nobody() -> None:
    """An event of another client may name what does not exist: it is compared with nothing."""
    exchange, (first, second, *_) = Exchange(), sessions()
    exchange.command(first)
    exchange.store.objects.clear()
    exchange._kept.clear()  # forget the frames
    (line, *_) = exchange.command(second)
    assert line == Line(second.source, str(second.day), len(rows(second)), 0, len(rows(second)) + 1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 3), order=st.randoms(use_true_random=False), cuts=st.integers(1, 30))
def test_any_order_and_any_commands_end_in_the_same(seed: int, order: random.Random, cuts: int) -> None:
    """Files shuffled over commands, repeats before their originals included: the manifest's sessions."""
    found, truth = folder(seed)
    files = list(found)
    order.shuffle(files)
    exchange = Exchange()
    size = max(1, len(files) // cuts)
    for at in range(0, len(files), size):
        exchange.command(*files[at : at + size])
    assert exchange.held() == truth
    assert agrees(exchange)
    before = len(exchange.records)
    exchange.command(*files)
    assert len(exchange.records) == before


def test_what_adjusts_a_session_is_told_with_it() -> None:
    """A bonus halves the reference price: the factor makes earlier closes comparable."""
    exchange, (first, second, *_) = Exchange(), sessions()
    symbol, last, halved = bonus(first, second)
    exchange.command(first, told(halved, second.day))
    assert exchange.events(DataIngested)[1].adjustments == {symbol: pytest.approx(0.5, abs=0.01)}
    found = adjusted(exchange, f"{second.day}")
    assert found[["symbol", "date", "kind"]].to_numpy().tolist() == [[symbol, second.day, "announced"]]
    assert f"differs from the last close, {last:g} (1 session before)" in found["evidence"][0]


def test_a_corrected_session_has_its_own_table_of_adjustments() -> None:
    """Beside that of its earlier revision, which stays as it was; a session that has none has no table."""
    exchange, (first, second, *_) = Exchange(), sessions()
    symbol, _, halved = bonus(first, second)
    exchange.command(first, told(snapshot(halved), second.day))
    exchange.command(told(halved, second.day))
    assert adjusted(exchange, f"{second.day}.r1")["symbol"].tolist() == [symbol]
    said = [one for one in exchange.events(DataIngested) if one.adjustments]
    tables = [uri for uri in exchange.store.objects if "/adjustments/" in uri]
    assert len(tables) == len(said)
    assert f"s3://nepse-raw/adjustments/{first.day}.parquet" not in tables


def bonus(first: Session, second: Session) -> tuple[str, float, pd.DataFrame]:
    """A symbol, its close in one session, and the next session as if a bonus had halved its price."""
    symbol = next(s for s in rows(first)["symbol"] if s in set(rows(second)["symbol"]))
    last = float(rows(first).set_index("symbol")["close"][symbol])
    halved = rows(second).copy()
    ours = halved["symbol"] == symbol
    halved.loc[ours, ["open", "high", "low", "close", "prev_close", "vwap"]] = last / 2
    return symbol, last, halved


def adjusted(exchange: Exchange, name: str) -> pd.DataFrame:
    """The table of a session's adjustments."""
    uri = f"s3://nepse-raw/adjustments/{name}.parquet"
    return pd.read_parquet(io.BytesIO(exchange.store.objects[uri]))


def test_a_session_stored_under_its_former_spelling_is_a_repeat() -> None:
    """Homes from before spellings were unified know it by another digest."""
    exchange, (first, *_) = Exchange(), sessions()
    exchange.command(first)
    content = replace(first.content, former_hash=first.digest)
    (line,) = exchange.command(replace(first, content=content, digest="of-our-spelling"))
    assert line.note == f"repeat of {first.day}, skipped"
