"""The join on real servers: the same events whatever the slices, failures and order; and its memory."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from sqlalchemy import text

from events.envelope import Event, Metadata, decode, derive_id, encode
from events.payloads import ActualAvailable, ErrorComputed, OffsetRange, PredictionExpired, PredictionMade
from flows.join_errors import publish
from infra.bootstrap import Loop
from infra.database import refused
from infra.database.connection import create, transaction
from infra.errors import StopError, SupersededError, TryAgainError, UsageError
from infra.kafka import clients, scanning
from infra.kafka.letters import read_letters
from infra.kafka.reading import await_visible, committed, read_ranges
from infra.kafka.records import Outgoing, Place, Received, Run, partition_of
from infra.kafka.slices import Slice, open_slice
from infra.kafka.source import Source
from infra.kafka.work import Work
from infra.settings import Settings
from infra.wiring import Route
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.isolate import give_up
from tasks.join_slice import TOPICS, JoinSlice, joinable
from tasks.joins import FLOW, meet, refill
from tasks.redriving import Choice, chosen, retry
from tasks.refusals import Refusals, as_of, refusals
from tasks.work import Account, Steps

pytestmark = pytest.mark.stack

AFTER = 3
MON = date(2024, 1, 1)
DAYS = [MON + timedelta(days=n) for n in range(9)]
NEWEST = date(2031, 1, 6)
"""After every session of other tests, so that nothing of it has expired."""
ERAS = count()
LOST = ("join_predictions", "join_actuals", "join_sessions", "join_reach")
PARTITIONS = count(1_000)
"""Each history of a test lies in a partition of its own, which no topic has."""


@pytest.fixture(scope="session")
def loop(servers: Settings) -> Iterator[Loop]:
    """The adapters of one process."""
    loop = Loop(servers)
    yield loop
    loop.close()


def received(topic: str, partition: int, offset: int, name: str, payload: Any) -> Received[Any]:
    """An event as it was read."""
    event = Event(datetime.now(UTC), "test", payload, Metadata(name, name))
    return Received(event, Place(topic, partition, offset), None, b"")


sometimes_none = st.none() | st.sampled_from(DAYS)
symbols = st.sampled_from(["NABIL", "NICAD 85/86"])
prediction = st.builds(
    PredictionMade,
    symbol=symbols,
    date=st.sampled_from(DAYS),
    as_of=sometimes_none,
    predicted_close=st.just(1.0),
    model_version=st.just("v1"),
)
actual = st.builds(
    ActualAvailable,
    symbol=symbols,
    date=st.sampled_from(DAYS),
    previous_date=sometimes_none,
    actual_close=st.just(2.0),
)
names = st.integers(0, 12).map(str)
History = tuple[list[tuple[str, PredictionMade]], list[tuple[str, ActualAvailable]]]
histories: st.SearchStrategy[History] = st.tuples(
    st.lists(st.tuples(names, prediction), max_size=14), st.lists(st.tuples(names, actual), max_size=18)
)
"""Ids repeat, also with another content: only the first of each is an event."""


def by_hand(history: History) -> list[tuple[str, ...]]:
    """Tell what has to come out, looking at both logs as a whole."""
    predictions = dict(reversed(history[0]))
    actuals: dict[str, tuple[int, ActualAvailable]] = {}
    for offset, (name, known) in enumerate(history[1]):
        actuals.setdefault(name, (offset, known))
    found: list[tuple[str, ...]] = []
    for p_name, p in predictions.items():
        met = {a_name: offset for a_name, (offset, a) in actuals.items() if is_about(p, a)}
        found += [("error", p_name, a_name) for a_name in met]
        later: dict[date, int] = {}
        for offset, a in actuals.values():
            if a.date > p.date:
                later.setdefault(a.date, offset)
        points = sorted(later.values())
        if len(points) >= AFTER and not any(offset <= points[AFTER - 1] for offset in met.values()):
            found.append(("expired", p_name))
    return sorted(found)


def is_about(p: PredictionMade, a: ActualAvailable) -> bool:
    """Tell whether an actual belongs to a prediction."""
    if p.symbol != a.symbol:
        return False
    moved = p.as_of is not None and a.previous_date == p.as_of and a.date > p.date
    return p.date == a.date or moved


class Life:
    """A history in a partition of its own, that is sliced, fails, and is sliced otherwise."""

    def __init__(self, loop: Loop, history: History, rng: random.Random) -> None:
        """Lay both logs out."""
        self.loop, self.rng, self.partition = loop, rng, next(PARTITIONS)
        self.logs = [
            [received(topic, self.partition, n, *one) for n, one in enumerate(log)]
            for topic, log in zip(TOPICS, history, strict=True)
        ]
        self.at, self.refused = [0, 0], set[Place]()
        self.done: list[tuple[list[int], list[int], list[tuple[str, ...]]]] = []

    def attempt(
        self,
        starts: list[int],
        ends: list[int],
        refusals: Refusals | None = None,
        passed: list[int] | None = None,
    ) -> list[tuple[str, ...]]:
        """Do a slice's work; its rows are committed, its events are only told."""
        inside = [
            one
            for log, s, e in zip(self.logs, starts, ends, strict=True)
            for one in log
            if s <= one.place.offset < e
        ]
        bounds = [
            {(topic, self.partition): at for topic, at in zip(TOPICS, ats, strict=True)}
            for ats in (starts, ends, passed or starts)
        ]
        joined = JoinSlice(inside, *bounds[:2], refusals or self.refusals, bounds[2])
        met = meet.fn(self.loop.database, joined, AFTER)
        pairs = [("error", p.id, a.id) for p, a in met.pairs]
        return [*pairs, *(("expired", p.id) for p in met.expired)]

    @property
    def refusals(self) -> Refusals:
        """What was given up so far; no letter is tried again."""
        return Refusals(frozenset(self.refused), frozenset(self.refused))

    def give_up(self) -> None:
        """Pass the next record of a side, perhaps after attempts in vain, as a sensor passes a bad one."""
        side = self.rng.choice([n for n in (0, 1) if self.at[n] < len(self.logs[n])])
        ends = [at + (n == side) for n, at in enumerate(self.at)]
        if self.rng.random() < 0.7:
            self.attempt(self.at, ends)
        self.refused.add(self.logs[side][self.at[side]].place)
        self.at = ends

    def some_ends(self) -> list[int]:
        """Cut anywhere, also nothing of one side."""
        ends = [
            min(len(log), at + self.rng.choice([0, 1, 2, 5]))
            for log, at in zip(self.logs, self.at, strict=True)
        ]
        return ends if ends != self.at else [len(log) for log in self.logs]

    def live(self, bad: float = 0.0) -> list[tuple[str, ...]]:
        """Slice to the end, with failed attempts in between; returns what was told, in order.

        Now and then, as often as `bad` says, a record is given up.
        """
        told: list[tuple[str, ...]] = []
        while self.at != [len(log) for log in self.logs]:
            while self.rng.random() < 0.4:
                self.attempt(self.at, self.some_ends())
            if self.rng.random() < bad:
                self.give_up()
                continue
            ends = self.some_ends()
            found = self.attempt(self.at, ends)
            self.done.append((self.at, ends, found))
            told += found
            self.at = ends
        return told


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, seed=st.integers(0, 10**6))
def test_any_slices_and_failures_tell_the_same_events_once(loop: Loop, history: History, seed: int) -> None:
    """Late, repeated, revised, holidays, missing sides: it is what a look at the whole gives, each once."""
    assert sorted(Life(loop, history, random.Random(seed)).live()) == by_hand(history)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, seed=st.integers(0, 10**6))
def test_what_was_given_up_does_not_count(loop: Loop, history: History, seed: int) -> None:
    """It is as if the record had never been there, whatever its attempts left; a repeat of it counts."""
    life = Life(loop, history, random.Random(seed))
    told = life.live(bad=0.3)
    kept: Any = tuple(
        [one for n, one in enumerate(log) if Place(topic, life.partition, n) not in life.refused]
        for topic, log in zip(TOPICS, history, strict=True)
    )
    assert sorted(told) == by_hand(kept)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, seed=st.integers(0, 10**6))
def test_a_slice_that_is_done_again_tells_the_same(loop: Loop, history: History, seed: int) -> None:
    """A late zombie, or a replay, sees what the first attempt saw, whatever came since."""
    life = Life(loop, history, random.Random(seed))
    life.live()
    for starts, ends, found in life.done:
        assert life.attempt(starts, ends) == found


def session(day: date, symbol: str = "NABIL") -> tuple[str, ActualAvailable]:
    """A session's actual of a symbol."""
    return uuid.uuid4().hex, ActualAvailable(symbol=symbol, date=day, actual_close=2.0)


def test_an_actual_after_the_expiry_still_makes_an_error(loop: Loop) -> None:
    """First the prediction expires, by the sessions of another symbol; then its actual comes after all."""
    made = PredictionMade(symbol="NABIL", date=MON, predicted_close=1.0, model_version="v1")
    later = [session(day, "NICA") for day in DAYS[1:4]]
    late = session(MON)
    life = Life(loop, ([("p", made)], [*later, late]), random.Random(0))
    assert life.attempt([0, 0], [1, 2]) == []
    assert life.attempt([1, 2], [1, 3]) == [("expired", "p")]
    assert life.attempt([1, 3], [1, 4]) == [("error", "p", late[0])]


def test_a_letter_tried_again_moves_no_expiry(loop: Loop) -> None:
    """An actual that was refused at its place meets its prediction; its session has not appeared there."""
    made = [
        PredictionMade(symbol="NABIL", date=day, predicted_close=1.0, model_version="v1") for day in DAYS[:2]
    ]
    log = [session(DAYS[0], "NICA"), session(DAYS[1]), *(session(day, "NICA") for day in DAYS[2:5])]
    life = Life(loop, ([("p0", made[0]), ("p1", made[1])], log), random.Random(0))
    refused = life.logs[1].pop(1)
    assert life.attempt([0, 0], [2, 4]) == []
    life.logs[1].append(refused)
    tried = Refusals(ever=frozenset({refused.place}))
    assert life.attempt([2, 1], [2, 2], tried) == [("error", "p1", log[1][0])]
    life.logs[1].remove(refused)
    assert life.attempt([2, 4], [2, 5], tried) == [("expired", "p0")]


def note_as_resolved(loop: Loop, place: Place) -> None:
    """Let a slice before have found that a letter went through."""
    refused.confirm(loop.database, FLOW, {place: uuid.uuid4().hex})
    refused.resolve(loop.database, FLOW, [place])


@pytest.mark.parametrize("resolved", [True, False], ids=["noted as resolved", "open"])
def test_what_an_attempt_of_a_letter_left_moves_no_expiry(loop: Loop, *, resolved: bool) -> None:
    """Its session did not appear there: slices are told of an open letter, the memory knows the others."""
    made = PredictionMade(symbol="NABIL", date=DAYS[0], predicted_close=1.0, model_version="v1")
    log = [session(day, "NICA") for day in DAYS[:5]]
    life = Life(loop, ([("p", made)], log), random.Random(0))
    assert life.attempt([0, 0], [1, 2]) == [], "an attempt with what becomes a letter"
    letter = life.logs[1][1].place
    if resolved:
        note_as_resolved(loop, letter)
    else:
        life.refused.add(letter)
    assert life.attempt([1, 2], [1, 4]) == []
    assert life.attempt([1, 4], [1, 5]) == [("expired", "p")]


def test_a_letter_that_is_noted_as_resolved_is_not_missed(loop: Loop) -> None:
    """It was given up unseen, and has gone through before the next slice."""
    life = Life(loop, ([], [session(day) for day in DAYS[:3]]), random.Random(0))
    assert life.attempt([0, 0], [0, 1]) == []
    note_as_resolved(loop, life.logs[1][1].place)
    assert life.attempt([0, 2], [0, 3]) == []


def test_a_letter_counts_from_its_resolution_on(loop: Loop) -> None:
    """An attempt that was not committed leaves a row, but no live slice joins it: the next attempt does."""
    made = PredictionMade(symbol="NABIL", date=MON, predicted_close=1.0, model_version="v1")
    first, revised = session(MON), session(MON)
    life = Life(loop, ([("p", made)], [first, revised]), random.Random(0))
    refused = life.logs[0].pop(0)
    assert life.attempt([0, 0], [1, 1]) == []
    life.logs[0].append(refused)
    letter = frozenset({refused.place})
    tried, still_open = Refusals(ever=letter), Refusals(letter, letter)
    assert life.attempt([0, 1], [1, 1], tried) == [("error", "p", first[0])]
    assert life.attempt([1, 1], [1, 2], still_open) == [], "nothing of that attempt was committed"
    assert life.attempt([0, 2], [1, 2], tried) == [*[("error", "p", first[0]), ("error", "p", revised[0])]]
    assert life.attempt([1, 1], [1, 2], tried) == [("error", "p", revised[0])]


def letters_of(*places: Place) -> Refusals:
    """Letters that are tried again, or were: once open, no more."""
    return Refusals(ever=frozenset(places))


def test_a_letter_whose_session_never_appeared_does_not_stop_the_join(loop: Loop) -> None:
    """It was the first of its session, given up unseen: once it is tried again no row bears witness to it."""
    life = Life(loop, ([], [session(day) for day in DAYS[:3]]), random.Random(0))
    tried = letters_of(life.logs[1][1].place)
    for start in range(3):
        assert life.attempt([0, start], [0, start + 1], tried) == []


def test_a_repeat_of_such_a_letter_does_not_stop_the_join(loop: Loop) -> None:
    """Its repeat is the last record of a slice, and counts for nothing."""
    letter = session(DAYS[0])
    log = [session(DAYS[2]), letter, session(DAYS[1]), letter, session(DAYS[1])]
    life = Life(loop, ([], log), random.Random(0))
    tried = letters_of(life.logs[1][1].place)
    for start, end in ((0, 1), (1, 2), (2, 4), (4, 5)):
        assert life.attempt([0, start], [0, end], tried) == []


def a_letter_and_its_repeat(loop: Loop) -> tuple[Life, tuple[str, ...], Refusals, Refusals]:
    """A prediction that is joined, and an actual twice, first as a letter; its error, and what is refused."""
    made = PredictionMade(symbol="NABIL", date=MON, predicted_close=1.0, model_version="v1")
    twice = session(MON)
    life = Life(loop, ([("p", made)], [twice, twice]), random.Random(0))
    letter = life.logs[1][0].place
    assert life.attempt([0, 0], [1, 0]) == []
    return life, ("error", "p", twice[0]), Refusals(*[frozenset({letter})] * 2), letters_of(letter)


def test_who_comes_too_late_takes_no_row_away(loop: Loop) -> None:
    """A slice that a redrive fenced takes the letter for open, and remembers its repeat: a retry does not."""
    life, error, still_open, tried = a_letter_and_its_repeat(loop)
    assert life.attempt([1, 0], [1, 1], tried, passed=[1, 1]) == [error]
    assert life.attempt([1, 1], [1, 2], still_open) == [error], "it is fenced: nobody hears of it"
    assert life.attempt([1, 1], [1, 2], tried) == []


def test_a_letter_whose_event_came_again_is_a_repeat(loop: Loop) -> None:
    """Where live slices have passed the later delivery; an attempt at it alone makes none."""
    life, error, still_open, tried = a_letter_and_its_repeat(loop)
    assert life.attempt([1, 1], [1, 2], still_open) == [error]
    assert life.attempt([1, 0], [1, 1], tried, passed=[1, 1]) == [error], "that was not committed"
    assert life.attempt([1, 1], [1, 2], still_open) == [error], "nor was this"
    assert life.attempt([1, 0], [1, 1], tried, passed=[1, 2]) == []


@pytest.mark.parametrize("lost", [LOST, *((table,) for table in LOST)], ids=str)
def test_a_memory_that_is_gone_is_noticed(loop: Loop, lost: tuple[str, ...]) -> None:
    """All of it or a table: the join stops before it misses a pair, and says what to do."""
    made = PredictionMade(symbol="NABIL", date=MON, predicted_close=1.0, model_version="v1")
    life = Life(loop, ([("p", made), ("q", made)], [session(MON), session(MON)]), random.Random(0))
    life.attempt([0, 0], [1, 1])
    with transaction(loop.database) as connection:
        for table in lost:
            connection.execute(
                text(f"DELETE FROM private.{table} WHERE partition = :partition"),  # noqa: S608
                {"partition": life.partition},
            )
    with pytest.raises(StopError, match=r"reaches to offset 0.*nepse rebuild --join"):
        life.attempt([1, 1], [2, 2])


def test_a_memory_that_lags_behind_is_noticed(loop: Loop) -> None:
    """One that was restored from a copy lacks the last slices."""
    made = PredictionMade(symbol="NABIL", date=MON, predicted_close=1.0, model_version="v1")
    life = Life(loop, ([("p", made), ("q", made)], []), random.Random(0))
    life.attempt([0, 0], [1, 0])
    with pytest.raises(StopError, match="reaches to offset 1, but the join stands at 2"):
        life.attempt([2, 0], [2, 0])


def test_half_a_pair_of_ranges_is_refused() -> None:
    """Whoever runs the flow by hand with one range is told before anything is missed."""
    with pytest.raises(UsageError, match="two ranges"):
        JoinSlice([], {("predictions", 0): 0}, {("predictions", 0): 1})


class Topics:
    """The real topics, and the join's group on them."""

    def __init__(self, loop: Loop) -> None:
        """A symbol of this test, and sessions that are newer than all that its partition has seen."""
        self.loop = loop
        self.days = [NEWEST + timedelta(days=10 * next(ERAS) + n) for n in range(9)]
        name = uuid.uuid4().hex[:8].upper()
        self.symbol = f"{name}A"
        self.partition = partition_of(self.symbol.encode(), loop.settings.partitions)
        self.reader = clients.consumer(loop.settings, group=FLOW)

    def feed(self, *payloads: PredictionMade | ActualAvailable, names: list[str] | None = None) -> list[str]:
        """Commit events; returns their ids."""
        source = Source(self.loop.pool, f"feed-{uuid.uuid4().hex}")
        source.open()
        ids = names or [uuid.uuid4().hex for _ in payloads]
        events = [
            Event(datetime.now(UTC), "test", p, Metadata(n, n)) for n, p in zip(ids, payloads, strict=True)
        ]
        topics = {PredictionMade: "predictions", ActualAvailable: "actuals"}
        source.publish(Outgoing(topics[type(e.payload)], e.payload.key.encode(), encode(e)) for e in events)
        source.close()
        for topic in TOPICS:
            await_visible(self.reader, {TopicPartition(topic, self.partition): self._end(topic) - 1})
        return ids

    def _end(self, topic: str) -> int:
        """Tell where a topic ends once all that was committed can be read."""
        spot = TopicPartition(topic, self.partition)
        return scanning.settled_ends(self.loop.settings, self.reader, [spot])[0][topic, self.partition]

    def news(self) -> list[OffsetRange]:
        """Cut a slice from where the group stands to the ends."""
        ranges = [OffsetRange(topic=t, partition=self.partition, start=0, end=self._end(t)) for t in TOPICS]
        at = committed(self.reader, ranges)
        return [r.model_copy(update={"start": at[TopicPartition(r.topic, r.partition)]}) for r in ranges]

    def join(self) -> None:
        """Do the flow's steps, as one slice, from where the group stands; once more if it was fenced."""
        try:
            self._join()
        except SupersededError:  # by a redrive, or by what gave a record up
            self._join()

    def _join(self) -> None:
        with open_slice(self.loop.pool, Run(FLOW, "test"), self.news()) as work:
            if not work.done:
                steps(self.loop, work)
                work.commit()

    def fail(self) -> None:
        """Do all of a slice but its commit."""
        with open_slice(self.loop.pool, Run(FLOW, "test"), self.news()) as work:
            steps(self.loop, work)

    def give_up(self) -> None:
        """Give up what is new, as the sensor does after a record's second failure."""
        route = Route("sensor-test", FLOW, TOPICS, paired=True)
        give_up(self.loop.settings, route, self.news(), Result(Outcome.DATA, self.symbol))

    def redrive(self, how: Steps) -> list[str]:
        """Try this test's letters again; tells what became of them."""
        letters = chosen(self.loop, Choice(flow=FLOW, reason=self.symbol))
        return [line.outcome for line in retry(self.loop, letters, {FLOW: how})]

    def errors(self) -> list[Event[Any]]:
        """List what was published about this test's symbol."""
        place = ("errors", self.partition)
        first = scanning.firsts(self.reader, [TopicPartition(*place)])[place]
        span = OffsetRange(topic="errors", partition=self.partition, start=first, end=self._end("errors"))
        records = read_ranges(self.reader, [span])
        return [decode(record.value) for record in records if self.symbol.encode() in record.value]


def steps(loop: Loop, work: Work) -> Account:
    """Take the flow's steps, without Prefect."""
    joined = JoinSlice(joinable(work), work.starts, work.ends, refusals(loop, work), work.passed)
    publish(work, joined, meet.fn(loop.database, joined, AFTER), AFTER)
    return Account()


def forget(loop: Loop, *tables: str) -> None:
    """Lose tables of the join's memory."""
    with transaction(loop.database) as connection:
        connection.execute(text(f"TRUNCATE {', '.join(f'private.{table}' for table in tables)}"))


@pytest.fixture
def topics(loop: Loop) -> Iterator[Topics]:
    """The real topics, joined up to now."""
    topics = Topics(loop)
    topics.join()
    yield topics
    topics.reader.close(autocommit=False)


def test_a_prediction_without_an_actual_is_published_as_expired(topics: Topics) -> None:
    """The event is named by the prediction and caused by it; the error that comes late has its own name."""
    made = PredictionMade(symbol=topics.symbol, date=topics.days[0], predicted_close=1.0, model_version="v1")
    (prediction_id,) = topics.feed(made)
    topics.join()
    topics.feed(
        *(
            ActualAvailable(symbol=topics.symbol, date=day, actual_close=2.0)
            for day in topics.days[1 : 1 + AFTER]
        )
    )
    topics.join()
    (late,) = topics.feed(ActualAvailable(symbol=topics.symbol, date=topics.days[0], actual_close=2.0))
    topics.join()
    expired, error = topics.errors()
    assert expired.payload == PredictionExpired(
        symbol=topics.symbol, date=topics.days[0], predicted=1.0, sessions_waited=AFTER, model_version="v1"
    )
    assert expired.id == derive_id(FLOW, prediction_id, "expired")
    assert expired.metadata.causation.event_id == prediction_id
    assert isinstance(error.payload, ErrorComputed)
    assert error.id == derive_id(FLOW, late, prediction_id)


def test_a_lost_memory_is_filled_again_from_the_topics(topics: Topics) -> None:
    """The join stops, is filled, and goes on: a prediction from before the loss meets its actual after it."""
    made = PredictionMade(symbol=topics.symbol, date=topics.days[0], predicted_close=1.0, model_version="v1")
    topics.feed(made)
    topics.join()
    forget(topics.loop, *LOST)
    topics.feed(ActualAvailable(symbol=topics.symbol, date=topics.days[0], actual_close=2.0))
    with pytest.raises(StopError, match="nepse rebuild --join"):
        topics.join()
    counts = refill(topics.loop)
    assert counts["predictions"] >= 1
    assert refill(topics.loop) == counts
    topics.join()
    assert [event.event_type for event in topics.errors()] == ["ErrorComputed"]


def a_prediction(topics: Topics) -> PredictionMade:
    """A prediction of this test's symbol and first session."""
    return PredictionMade(symbol=topics.symbol, date=topics.days[0], predicted_close=1.0, model_version="v1")


def an_actual(topics: Topics, day: date | None = None, close: float = 2.0) -> ActualAvailable:
    """A close of this test's symbol."""
    return ActualAvailable(symbol=topics.symbol, date=day or topics.days[0], actual_close=close)


def told(topics: Topics) -> list[str]:
    """Name the events of this test's symbol."""
    return [event.event_type for event in topics.errors()]


ENDINGS = ("alive", "dead after the commit", "memory lost")


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_its_attempts_left_of_a_dead_letter_does_not_count(
    topics: Topics, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row was committed before it failed: nothing meets it, and its prediction expires; a redrive counts.

    Also where the process ended before it could say that the letter is committed; and from a memory that was
    filled again.
    """
    topics.feed(a_prediction(topics))
    topics.join()
    topics.feed(an_actual(topics))
    topics.fail()
    with monkeypatch.context() as dying:
        if ending == "dead after the commit":
            dying.setattr(refused, "confirm", lambda *_: None)
        topics.give_up()
    if ending == "memory lost":
        forget(topics.loop, *LOST, "refused")
        refill(topics.loop)
    topics.feed(a_prediction(topics))
    topics.join()
    assert told(topics) == []
    topics.feed(*(an_actual(topics, day) for day in topics.days[1 : 1 + AFTER]))
    topics.join()
    assert told(topics) == ["PredictionExpired"] * 2
    assert topics.redrive(steps) == ["resolved"]
    assert told(topics)[2:] == ["ErrorComputed"] * 2
    topics.feed(a_prediction(topics))
    topics.join()
    assert told(topics)[4:] == ["ErrorComputed"], "from its resolution on it counts"


def test_a_record_that_went_through_after_all_counts(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was to be given up, but the letter was not committed; a later attempt made its errors."""
    topics.feed(an_actual(topics))
    with monkeypatch.context() as dying:
        dying.setattr(Slice, "commit", lambda *_: (_ for _ in ()).throw(TryAgainError("no broker")))
        with pytest.raises(TryAgainError):
            topics.give_up()
    topics.join()
    topics.feed(a_prediction(topics))
    topics.join()
    assert told(topics) == ["ErrorComputed"]
    assert topics.redrive(steps) == []


def test_a_redrive_that_fails_leaves_nothing_that_counts(topics: Topics) -> None:
    """A record that was refused unseen is in no memory; an attempt in vain puts it there."""
    topics.feed(an_actual(topics))
    with open_slice(topics.loop.pool, Run(FLOW, "test"), topics.news()) as work:
        for one in work.read():
            work.reject(one, topics.symbol)
        meet.fn(topics.loop.database, JoinSlice([], work.starts, work.ends), AFTER)
        work.commit()

    def fail(loop: Loop, work: Work) -> Account:
        steps(loop, work)
        return Account(str(1 / 0))

    assert topics.redrive(fail) == ["failed"]
    topics.feed(a_prediction(topics))
    topics.join()
    assert told(topics) == []


@pytest.mark.parametrize("close", [1.7e308, -1.7e308])
def test_a_price_that_is_none_is_refused_at_its_own_place(topics: Topics, close: float) -> None:
    """What meets it is innocent: its errors are made by the other actuals."""
    predictions = [a_prediction(topics).model_copy(update={"predicted_close": -close}), a_prediction(topics)]
    topics.feed(*predictions, an_actual(topics, close=close), an_actual(topics, close=5e-324))
    topics.join()
    (error,) = [event.payload for event in topics.errors()]
    assert (error.error, error.pct_error) == (1.0, None)
    letters = [
        one for one in read_letters(topics.loop.settings) if f"{abs(close):g} is no price" in one.reason
    ]
    at = {letter.place.topic for letter in letters if letter.place.partition == topics.partition}
    assert at == set(TOPICS)


def test_a_letter_tried_after_its_repeat_makes_nothing(topics: Topics) -> None:
    """The event was delivered again after its letter, and met its prediction: no error is published twice."""
    (name,) = topics.feed(an_actual(topics))
    topics.fail()
    topics.give_up()
    topics.feed(a_prediction(topics), an_actual(topics), names=[uuid.uuid4().hex, name])
    topics.join()
    assert told(topics) == ["ErrorComputed"]
    assert topics.redrive(steps) == ["resolved"]
    assert told(topics) == ["ErrorComputed"]


def test_a_letter_that_went_through_is_looked_up_no_more(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next slice finds it resolved; those after it don't see it, but whoever asks for every one does."""
    topics.feed(an_actual(topics))
    topics.fail()
    topics.give_up()
    assert topics.redrive(steps) == ["resolved"]
    place = next(one.place for one in read_letters(topics.loop.settings) if one.reason == topics.symbol)
    starts = {place[:2]: place.offset + 1}
    assert place in as_of(topics.loop, FLOW, starts).ever
    assert place not in as_of(topics.loop, FLOW, starts).ever
    assert place in as_of(topics.loop, FLOW, starts, every=True).ever
    monkeypatch.setattr(topics.loop.live.redrives, "has", lambda _: False)
    assert place in as_of(topics.loop, FLOW, starts, every=True).open, "as it was at that time"


def test_a_memory_that_ends_with_a_letter_is_filled_again(topics: Topics) -> None:
    """It went through since, and its session never appeared: the join goes on from there."""
    topics.feed(an_actual(topics))
    topics.fail()
    topics.give_up()
    topics.feed(a_prediction(topics))
    assert topics.redrive(steps) == ["resolved"]
    topics.join()
    forget(topics.loop, *LOST)
    refill(topics.loop)
    topics.feed(a_prediction(topics))
    topics.join()
    assert told(topics) == ["ErrorComputed"] * 2


def counting(topics: Topics) -> list[Any]:
    """List what a partition's memory holds and counts: sides by id, and sessions by offset."""
    query = """
        SELECT 'p', event_id, 0 FROM private.join_predictions AS i WHERE partition = :number AND NOT EXISTS (
            SELECT FROM private.refused WHERE topic = 'predictions' AND partition = :number
                AND "offset" = i."offset")
        UNION ALL
        SELECT 'a', event_id, 0 FROM private.join_actuals AS i WHERE partition = :number AND NOT EXISTS (
            SELECT FROM private.refused WHERE topic = 'actuals' AND partition = :number
                AND "offset" = i."offset")
        UNION ALL
        SELECT 's', date::text, min(first_offset) FROM private.join_sessions AS i WHERE partition = :number
            AND NOT EXISTS (SELECT FROM private.refused WHERE topic = 'actuals' AND partition = :number
                AND "offset" = i.first_offset) GROUP BY date ORDER BY 1, 2
    """
    with transaction(topics.loop.database) as connection:
        return list(connection.execute(text(query), {"number": topics.partition}))


def test_a_memory_that_was_filled_again_counts_the_same(topics: Topics) -> None:
    """With records that were given up after attempts, one of which was the first of its session."""
    topics.feed(a_prediction(topics), an_actual(topics, topics.days[1]))
    topics.fail()
    topics.give_up()
    topics.feed(an_actual(topics, topics.days[1]), a_prediction(topics), an_actual(topics, close=1e300))
    topics.join()
    before = counting(topics)
    forget(topics.loop, *LOST, "refused")
    refill(topics.loop)
    assert counting(topics) == before


def test_a_memory_that_claims_more_than_it_holds_is_filled_again(topics: Topics) -> None:
    """A failed attempt reached further than the group, and its rows are gone: the join goes on."""
    topics.feed(a_prediction(topics))
    topics.join()
    topics.feed(a_prediction(topics))
    topics.fail()
    forget(topics.loop, *(table for table in LOST if table != "join_reach"))
    with pytest.raises(StopError, match="reaches to offset 0"):
        topics.fail()
    refill(topics.loop)
    topics.join()
    topics.feed(an_actual(topics))
    topics.join()
    assert told(topics) == ["ErrorComputed"] * 2


OLDER = {
    "an older key": """
        ALTER TABLE private.join_sessions DROP CONSTRAINT join_sessions_pkey;
        DELETE FROM private.join_sessions AS s USING private.join_sessions AS t
            WHERE s.partition = t.partition AND s.date = t.date AND s.first_offset > t.first_offset;
        ALTER TABLE private.join_sessions ADD PRIMARY KEY (partition, date)""",
    "a table of old": "CREATE TABLE private.join_letters (partition int)",
    "letters without ids": "ALTER TABLE private.refused DROP COLUMN letter_id",
}


@pytest.mark.parametrize("older", OLDER.values(), ids=OLDER.keys())
def test_a_memory_of_an_older_shape_is_filled_again(topics: Topics, older: str) -> None:
    """It can't be altered: it is dropped, the join stops and says what to do, and goes on from there."""
    topics.feed(a_prediction(topics))
    topics.join()
    with transaction(topics.loop.database) as connection:
        connection.exec_driver_sql(older)
    create(topics.loop.settings)
    topics.feed(an_actual(topics))
    with pytest.raises(StopError, match="nepse rebuild --join"):
        topics.join()
    refill(topics.loop)
    topics.join()
    assert told(topics) == ["ErrorComputed"]


def test_letters_of_an_older_shape_are_kept(topics: Topics) -> None:
    """They lack a column that can be added: nothing is dropped, and the join goes on."""
    topics.feed(a_prediction(topics))
    topics.join()
    place = Place("actuals", next(PARTITIONS), 0)
    refused.confirm(topics.loop.database, FLOW, {place: "l"})
    with transaction(topics.loop.database) as connection:
        connection.exec_driver_sql("ALTER TABLE private.refused DROP COLUMN resolved")
    create(topics.loop.settings)
    assert [one.place for one in refused.listed(topics.loop.database, FLOW, [place[:2]])] == [place]
    topics.feed(an_actual(topics))
    topics.join()
    assert told(topics) == ["ErrorComputed"]
