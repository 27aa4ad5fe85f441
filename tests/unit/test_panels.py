"""Warm panels: what a new session costs does not depend on how much history there is."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.envelope import Event, Metadata
from events.payloads import DataIngested, Payload
from infra.bootstrap import Loop
from infra.kafka.records import Place, Received
from tasks.core.features import compute, to_payload_rows
from tasks.core.grid import WINDOW
from tasks.core.layout import NotAPriceFileError
from tasks.core.moving import Placed, moved
from tasks.core.panel import Panel
from tasks.core.prices import session_to_parquet
from tasks.core.sessions import Held, SessionIndex
from tasks.core.simulator import simulate
from tasks.core.tidy import TIDY
from tasks.features import compute_vectors
from tasks.panels import LONGEST, PANELS_KEPT, Panels, panels
from tasks.sessions import FRAMES_KEPT, Sessions, sessions

T = TypeVar("T")
Ingested = Received[DataIngested]
FIRST = date(2000, 1, 2)


class World:
    """Raw-data and the store in memory, standing in for `Loop`; counts the objects that are asked for."""

    def __init__(self) -> None:
        """Begin with no session."""
        self.live = self.store = self.raw_data = self
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.told: list[Received[Payload]] = []
        self._kept: dict[str, object] = {}

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Do as `Loop.keep`."""
        return cast("T", self._kept.setdefault(name, self._kept.get(name) or make()))

    def get_many(self, uris: Iterable[str]) -> dict[str, bytes]:
        """Do as `Store.get_many`."""
        wanted = list(uris)
        self.asked += wanted
        return {uri: self.objects[uri] for uri in wanted}

    def refresh(self) -> int:
        """Do as `Log.refresh`."""
        return len(self.told)

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """Do as `Log.between`."""
        return self.told[start:end]

    def ingest(self, day: date, content: bytes, revision: int = 0) -> Ingested:
        """Store a session and announce it."""
        uri = f"s3://raw/{day}.r{revision}"
        self.objects[uri] = content
        payload = DataIngested(symbol="NEPSE", date=day, data_location=uri, revision=revision)
        event = Event(datetime(2024, 1, 1, tzinfo=UTC), "ingest", payload, Metadata(uri, uri))
        told: Ingested = Received(event, Place("raw-data", 0, len(self.told)), None, b"")
        self.told.append(told)
        return told

    @property
    def loop(self) -> Loop:
        """Itself, as what it stands in for."""
        return cast("Loop", self)

    def panel(self, held: Iterable[Held]) -> Panel:
        """Give the panel of sessions, warm."""
        return panels(self.loop).of(held)


@cache
def stored(number: int) -> list[tuple[date, bytes]]:
    """Sessions of a small simulated market as their objects."""
    market = simulate(number, 8, seed=3)
    return [(session.date, session_to_parquet(session.rows)) for session in market]


@cache
def tiny() -> bytes:
    """A session of two symbols."""
    rows = pd.DataFrame({"symbol": ["A", "B"]}).assign(**dict.fromkeys(TIDY[1:], 1.0))
    return session_to_parquet(rows)


def vectors(world: World, causes: list[Ingested]) -> list[Any]:
    """Compute the features of sessions as the flow does."""
    return compute_vectors.fn(world.loop, causes).computed


@pytest.mark.parametrize("history", [200, 600])
def test_a_new_session_reads_its_own_object_alone(history: int) -> None:
    """One object is asked for, whatever the history, and the vectors are those of a cold process."""
    warm, days = World(), stored(602)
    for day, content in days[:history]:
        warm.ingest(day, content)
    vectors(warm, cast("list[Ingested]", warm.told[-1:]))
    for number in (history, history + 1):
        warm.asked.clear()
        cause = warm.ingest(*days[number])
        computed = vectors(warm, [cause])
        assert warm.asked == [cause.payload.data_location]
        cold = World()
        causes = [cold.ingest(*one) for one in days[: number + 1]]
        assert [p for _, p in computed] == [p for _, p in vectors(cold, causes[-1:])]
        assert len(cold.asked) == min(WINDOW, number + 1)


def test_a_revision_within_the_window_reads_itself_alone() -> None:
    """Neither a corrected session nor a late one makes the window be read again."""
    world, days = World(), stored(602)[:WINDOW]
    held = [world.ingest(*one) for one in days if one is not days[5]]
    vectors(world, held[-1:])
    world.asked.clear()
    changed = [world.ingest(days[40][0], days[41][1], 1), world.ingest(*days[5])]
    vectors(world, [world.ingest(*days[-1], revision=1)])
    assert sorted(world.asked[1:]) == sorted(one.payload.data_location for one in changed)


class Forgetful:
    """Sessions that keep no frame, standing in for `Sessions`; counts what is asked for."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self.asked: list[str] = []

    def usable(self, held: list[Held]) -> dict[str, pd.DataFrame]:
        """Do as `Sessions.usable`."""
        self.asked += [one.location for one in held]
        return {one.location: a_frame("AB") for one in held}


def test_a_backfill_leaves_the_live_window_warm() -> None:
    """Blocks over 3,000 sessions read each once, though no frame is kept; then a live session reads one."""
    known, index = Forgetful(), SessionIndex()
    days = [FIRST + timedelta(days=number) for number in range(3_001)]
    for offset, day in enumerate(days):
        index.add(offset, DataIngested(symbol="NEPSE", date=day, data_location=str(day)))
    warm = Panels(cast("Sessions", known))
    warm.of(index.window(2_999, days[-2], WINDOW))
    live = known.asked[:]
    for last in range(13, 3_000, 14):
        warm.of(index.window(2_999, days[last], WINDOW + 14))
    blocks = known.asked[len(live) :]
    assert len(set(blocks)) == len(blocks)
    assert {*blocks, *live} == {str(day) for day in days[:-1]}
    known.asked.clear()
    warm.of(index.window(3_000, days[-1], WINDOW))
    assert known.asked == [str(days[-1])]


def test_jumps_through_history_spare_the_newest_window() -> None:
    """Whoever computes single old sessions throws out other old windows, not the live one."""
    warm = Panels(cast("Sessions", Forgetful()))
    held = [Held(n, FIRST + timedelta(days=n), str(n), None, 0) for n in range(100)]
    warm.of(held[-8:])
    for last in range(8, 16 * PANELS_KEPT, 8):
        warm.of(held[last - 8 : last])
    assert len(warm._kept) == PANELS_KEPT
    assert tuple(one.location for one in held[-8:]) in [one.locations for one in warm._kept]
    assert warm.of([]).dates == ()


def test_a_panel_longer_than_any_window_is_not_kept() -> None:
    """Memory stays bounded whatever is computed at once."""
    warm = Panels(cast("Sessions", Forgetful()))
    held = [Held(n, FIRST + timedelta(days=n), str(n), None, 0) for n in range(LONGEST + 1)]
    assert len(warm.of(held)) == LONGEST + 1
    assert warm._kept == []


def test_the_frames_used_last_are_kept() -> None:
    """A frame that was looked at again outlives those that were read after it."""
    world = World()
    for number in range(FRAMES_KEPT + 1):
        world.ingest(FIRST + timedelta(days=number), tiny())
    known = sessions(world.loop)
    held = known.refresh().alive()
    known.frames(held[:FRAMES_KEPT])
    known.frames(held[:1])
    known.frames(held[FRAMES_KEPT:])
    world.asked.clear()
    known.frames(held[:1])
    assert world.asked == []
    known.frames(held[1:2])
    assert world.asked == [held[1].location]


def test_an_object_that_is_no_session_is_read_once() -> None:
    """It never becomes one; the panel goes on without it."""
    world = World()
    good, bad = world.ingest(FIRST, tiny()), world.ingest(FIRST + timedelta(days=1), b"no parquet")
    known = sessions(world.loop)
    held = known.refresh().window(1, bad.payload.date, WINDOW)
    for _ in range(2):
        with pytest.raises(NotAPriceFileError, match="stored session"):
            known.frames(held[1:])
    assert world.asked == [bad.payload.data_location]
    assert world.panel(held).dates == (good.payload.date,)
    assert world.asked.count(bad.payload.data_location) == 1


@st.composite
def windows(draw: st.DrawFn) -> list[list[tuple[date, str]]]:
    """Windows one after the other, of days in one of three revisions."""
    revisions = st.dictionaries(st.integers(0, 7), st.integers(0, 2))
    chosen = draw(st.lists(revisions, min_size=1, max_size=5))
    return [[(FIRST + timedelta(days=d), f"{d}.r{r}") for d, r in sorted(one.items())] for one in chosen]


@cache
def a_frame(location: str) -> pd.DataFrame:
    """A frame of some of six symbols, by chance."""
    rng = np.random.default_rng(list(location.encode()))
    symbols = [symbol for symbol in "ABCDEF" if rng.random() < 0.5]
    columns = ("open", "high", "low", "close", "volume", "turnover", "prev_close", "vwap", "ltp")
    frame = pd.DataFrame({name: rng.integers(1, 99, len(symbols)).astype(float) for name in columns})
    return frame.assign(symbol=symbols, vwap=np.nan)


@settings(deadline=None)
@given(windows())
def test_a_moved_panel_is_one_built_anew(wanted: list[list[tuple[date, str]]]) -> None:
    """Whatever the panel before held: sessions that come, go, are revised, and symbols with them."""
    placed = Placed.none()
    for one in wanted:
        held = set(placed.locations)
        placed = moved(placed, one, {loc: a_frame(loc) for _, loc in one if loc not in held})
        fresh = Panel.from_sessions([(day, a_frame(location)) for day, location in one])
        assert (placed.panel.dates, placed.panel.symbols) == (fresh.dates, fresh.symbols)
        assert placed.locations == tuple(location for _, location in one)
        np.testing.assert_array_equal(placed.panel.values, fresh.values)


def test_a_session_that_moves_to_another_day_moves() -> None:
    """The same object under another date is another panel."""
    frames = {"x": a_frame("x")}
    before = moved(Placed.none(), [(FIRST, "x")], frames)
    after = moved(before, [(FIRST + timedelta(days=1), "x")], {})
    assert after.panel.dates == (FIRST + timedelta(days=1),)
    np.testing.assert_array_equal(after.panel.values, before.panel.values)


def test_payload_rows_of_a_warm_panel_are_those_of_a_cold_one() -> None:
    """Features are the same numbers from a panel that moved on session by session."""
    days = [(session.date, session.rows) for session in simulate(WINDOW + 6, 8, seed=3)]
    frames = {str(day): rows for day, rows in days}
    placed = Placed.none()
    for last in range(WINDOW, WINDOW + 6):
        placed = moved(placed, [(day, str(day)) for day, _ in days[last - WINDOW + 1 : last + 1]], frames)
    cold = Panel.from_sessions(days[-WINDOW:])
    rows = [to_payload_rows(compute(panel, days[-1][0])) for panel in (placed.panel, cold)]
    assert rows[0] == rows[1]
