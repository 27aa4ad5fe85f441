"""A late, revised or retracted session has the sessions that it touches computed again, no others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.payloads import DataIngested, DataRetracted, OffsetRange, Payload
from infra.kafka.blocks import Block
from tasks.core.features import WINDOW, Panel, compute, to_payload_rows
from tasks.core.influence import changed, left_of, touched, touches
from tasks.core.layout import TIDY
from tasks.core.sessions import Held, SessionIndex
from tasks.recomputing import computed_since

FIRST = date(2024, 1, 1)
SMALL = 3
DAYS = 8

Vector = Any
Vectors = dict[str, Vector]
Revision = int


def _day(number: int) -> date:
    return FIRST + timedelta(days=number)


class Topic:
    """Raw-data with the prices beside it: a session's symbols by its object."""

    def __init__(self) -> None:
        """Nothing is told."""
        self.events: list[Payload] = []
        self.prices: dict[str, Mapping[str, int]] = {}

    def ingest(self, day: date, prices: Mapping[str, int]) -> None:
        """Announce a session, or its next revision."""
        revision = sum(isinstance(e, DataIngested) and e.date == day for e in self.events)
        location = f"s3://b/{day}.r{revision}"
        self.prices[location] = prices
        self.events.append(DataIngested(symbol="NEPSE", date=day, data_location=location, revision=revision))

    def retract(self, held: Held) -> None:
        """Take an object back."""
        self.events.append(
            DataRetracted(symbol="NEPSE", date=held.day, data_location=held.location, reason="repeat")
        )

    def index(self, until: int | None = None) -> SessionIndex:
        """The index of the first events."""
        index = SessionIndex()
        for offset, event in enumerate(self.events[:until]):
            index.add(offset, event)
        return index


def highest(topic: Topic, window: Sequence[Held]) -> Vectors:
    """A stand-in for features: each symbol's highest price in the window, and the market's of 2 sessions.

    Many events leave it as it was, which must not be published again.
    """
    rows = [topic.prices[held.location] for held in window]
    market = max((price for row in rows[-2:] for price in row.values()), default=0)
    return {symbol: (max(row.get(symbol, 0) for row in rows), market) for symbol in rows[-1]}


def real(topic: Topic, window: Sequence[Held]) -> Vectors:
    """The features themselves."""
    nothing = dict.fromkeys(TIDY, np.nan)
    frames = []
    for held in window:
        rows = [
            {**nothing, "symbol": symbol, "close": 100.0 + price, "volume": 10.0, "turnover": 1000.0}
            for symbol, price in topic.prices[held.location].items()
        ]
        frames.append((held.day, pd.DataFrame(rows).astype({"trades": "Int64"})))
    table = compute(Panel.from_sessions(frames), window[-1].day)
    return dict(zip(table["symbol"], to_payload_rows(table), strict=True))


@st.composite
def topics(draw: st.DrawFn, days: int = DAYS, most: int = 14) -> Topic:
    """Sessions in any order, revisions, and retractions of what is there."""
    topic = Topic()
    prices = st.dictionaries(st.sampled_from("ABC"), st.integers(0, 4), min_size=1)
    for _ in range(draw(st.integers(1, most))):
        held = topic.index().alive()
        if held and draw(st.integers(0, 3)) == 0:
            topic.retract(draw(st.sampled_from(held)))
        else:
            topic.ingest(_day(draw(st.integers(0, days - 1))), draw(prices))
    return topic


class Feature:
    """The features topic as both flows fill it."""

    def __init__(self, topic: Topic, vectors: Any, window: int) -> None:
        """Nothing is published."""
        self.topic, self.vectors, self.window = topic, vectors, window
        self.index = topic.index()
        self.published: dict[tuple[str, date], list[tuple[Revision, Vector | None]]] = defaultdict(list)

    def of(self, day: date, offset: int) -> Vectors:
        """A session's vectors as of an offset."""
        return dict(self.vectors(self.topic, self.index.window(offset, day, self.window)))

    def announce(self) -> None:
        """Do as compute-features: each session at its own offset; what an event leaves out is taken back."""
        for offset, event in enumerate(self.topic.events):
            day: date = event.date  # type: ignore[attr-defined]
            before, held = (self.index.as_of(at, day) for at in (offset - 1, offset))
            if before == held:
                continue
            now = self.of(day, offset) if held and held.offset == offset else {}
            left = self.topic.prices[held.location] if held else {}
            gone = {*self.topic.prices[before.location]} - {*left} if before else set()
            for symbol, vector in (now | dict.fromkeys(gone)).items():
                self.published[symbol, day].append((self.index.standing(day, offset), vector))

    def recompute(self, ends: Sequence[int], attempts: Sequence[tuple[int, int]] = ()) -> None:
        """Do as recompute: slice after slice, each after an attempt that was broken off.

        An attempt has an end of its own and publishes the first so many sessions, as blocks.
        """
        start, last, blocks = -1, len(self.topic.events) - 1, list[Block]()
        for number, end in enumerate(ends):
            if number < len(attempts):
                other, most = min(last, start + attempts[number][0]), attempts[number][1]
                done = self._slice(start, other, blocks, most)
                blocks.append(Block("recompute", start + 1, other + 1, dict.fromkeys(done, 1)))
            self._slice(start, end, blocks)
            start = end

    def _slice(self, start: int, end: int, blocks: Sequence[Block], most: int = DAYS) -> list[date]:
        """Publish what changed of the first so many sessions that a slice touched."""
        span = OffsetRange(topic="raw-data", partition=0, start=start + 1, end=end + 1)
        found = touched(self.index, start, end, self.window, computed_since(blocks, span))[:most]
        for one in found:
            then, now = self.of(one.day, one.before), self.of(one.day, end)
            then = left_of(then, [self.topic.prices[held.location] if held else {} for held in one.held])
            revision = self.index.standing(one.day, end)
            for symbol, vector in changed(then, now, lambda vector: vector).items():
                self.published[symbol, one.day].append((revision, vector))
        return [one.day for one in found]

    def newest(self) -> dict[tuple[str, date], Vector]:
        """The newest vector of each symbol and session that is held."""
        alive = {held.day for held in self.index.alive()}
        last = {key: max(told, key=lambda one: one[0])[1] for key, told in self.published.items()}
        return {key: vector for key, vector in last.items() if vector is not None and key[1] in alive}

    def batch(self) -> dict[tuple[str, date], Vector]:
        """Everything computed at once from the final state."""
        end = len(self.topic.events)
        return {
            (symbol, held.day): vector
            for held in self.index.alive()
            for symbol, vector in self.of(held.day, end).items()
        }


ATTEMPTS = st.lists(st.tuples(st.integers(1, 14), st.integers(0, DAYS)), max_size=4)


def _ends(topic: Topic, cuts: set[int]) -> list[int]:
    """Ends of slices: somewhere, and at the last event."""
    last = len(topic.events) - 1
    return sorted({cut for cut in cuts if cut < last} | {last})


@given(topics(), st.sets(st.integers(0, 13)), ATTEMPTS, st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_the_newest_vectors_are_those_of_the_final_state(
    topic: Topic, cuts: set[int], attempts: list[tuple[int, int]], late: bool
) -> None:
    """Whatever is told in any order, cut anyhow, after broken attempts, whichever flow comes first."""
    feature = Feature(topic, highest, SMALL)
    steps = [feature.announce, lambda: feature.recompute(_ends(topic, cuts), attempts)]
    for step in reversed(steps) if late else steps:
        step()
    assert feature.newest() == feature.batch()


@given(topics(), st.sets(st.integers(0, 13)), ATTEMPTS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_published_that_did_not_change(
    topic: Topic, cuts: set[int], attempts: list[tuple[int, int]]
) -> None:
    """Each vector that is published again differs from the one before it, by revision."""
    feature = Feature(topic, highest, SMALL)
    feature.announce()
    announced = {key: {told[0] for told in found} for key, found in feature.published.items()}
    feature.recompute(_ends(topic, cuts), attempts)
    for key, told in feature.published.items():
        ordered = sorted(told, key=lambda one: one[0])
        revisions = [revision for revision, _ in ordered]
        assert len(set(revisions)) == len(revisions), "two vectors of a revision"
        for (_, before), (revision, vector) in pairwise(ordered):
            assert revision in announced[key] or before != vector


@given(topics(days=4, most=6), st.sets(st.integers(0, 5)))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_holds_for_the_features_themselves(topic: Topic, cuts: set[int]) -> None:
    """The same with today's feature set and its window."""
    feature = Feature(topic, real, WINDOW)
    feature.announce()
    feature.recompute(_ends(topic, cuts))
    assert feature.newest() == feature.batch()


def _told(*days: int) -> Topic:
    topic = Topic()
    for number, day in enumerate(days):
        topic.ingest(_day(day), {"A": number})
    return topic


def test_history_in_its_order_touches_nothing() -> None:
    """A session that is the newest when it comes is in no window of an older one."""
    topic = _told(*range(DAYS))
    assert touched(topic.index(), -1, DAYS - 1, SMALL) == []
    assert not touches(topic.index(), -1, DAYS - 1, SMALL)


def test_a_late_session_touches_those_whose_window_holds_it() -> None:
    """The windows of 3 that end 1 and 2 sessions after it; the cause is the event itself."""
    topic = _told(0, 1, 3, 4, 5, 6, 2)
    found = touched(topic.index(), 5, 6, SMALL)
    assert [(one.day, one.before, one.cause) for one in found] == [(_day(3), 5, 6), (_day(4), 5, 6)]
    assert touches(topic.index(), 5, 6, SMALL)


def test_the_cause_is_the_newest_event_in_the_window() -> None:
    """What is told later of a session outside the window is no cause."""
    topic = _told(1, 2, 3, 9, 2, 8, 0)
    found = touched(topic.index(), 3, 6, SMALL)
    assert [(one.day, one.cause) for one in found] == [(_day(1), 6), (_day(2), 6), (_day(3), 4), (_day(9), 5)]


def test_a_session_that_an_attempt_published_is_compared_with_that() -> None:
    """Blocks that were committed before the attempt ended count as computed as of the attempt's end."""
    topic = _told(1, 2, 0)
    assert [one.day for one in touched(topic.index(), 1, 2, SMALL)] == [_day(1), _day(2)]
    assert [one.day for one in touched(topic.index(), 1, 2, SMALL, {_day(1): 2})] == [_day(2)]


def test_the_standing_of_a_plain_revision_is_its_number() -> None:
    """History in order stands at 0; what comes after a session counts only if it is about it or older."""
    topic = _told(0, 1, 1, 1, 2, 0)
    index = topic.index()
    assert [index.standing(_day(1), offset) for offset in range(1, 6)] == [0, 1, 2, 2, 3]
    assert index.standing(_day(2), 4) == 0
    assert index.standing(_day(7), 9) == 0


def test_a_symbol_that_was_taken_back_is_told_again() -> None:
    """Its session was another for a while: an older revision is back, as it was before."""
    topic = Topic()
    for prices in ({"A": 1}, {"B": 1}, {"A": 1}):
        topic.ingest(_day(0), prices)
    for _ in range(2):
        topic.retract(topic.index().alive()[0])
    feature = Feature(topic, highest, SMALL)
    feature.announce()
    feature.recompute([4])
    assert feature.newest() == feature.batch() == {("A", _day(0)): (1, 1)}
