"""Sensors on a real broker: copies, displacement, gaps, bytes, and records that end the process."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from events.payloads import ActualAvailable, OffsetRange, Payload, PredictionMade
from infra.errors import StopError, SupersededError, TryAgainError
from infra.kafka import clients
from infra.kafka.checks import faults, require
from infra.kafka.letters import read_letters
from infra.kafka.pool import Pool
from infra.kafka.slices import transactional_id
from infra.settings import Settings, load_settings
from infra.stack.conditions import conditions
from infra.wiring import Route
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.isolate import give_up, servers_away
from sensors.membership import Membership, is_taken
from tests.copies import (
    SPOTS,
    SYMBOLS,
    Copy,
    Pairs,
    Slices,
    caught_up,
    eventually,
    place,
    pour,
    stand_at_the_end,
)
from tests.desk import DAY, Desk, event, vector

Start = Callable[..., Copy]


@pytest.fixture
def start(desk: Desk) -> Iterator[Start]:
    """Start copies that end with the test."""
    copies: list[Copy] = []

    def new(name: str, execute: Any = None, **overrides: Any) -> Copy:
        copies.append(Copy(desk, name, execute, **overrides))
        return copies[-1]

    yield new
    for copy in copies:
        copy.end()


def require_each_once(desk: Desk, count: int) -> None:
    """Check that every record led to one event, and that the ledger has neither gap nor overlap."""
    made = [one.id for one in desk.made()]
    assert (len(made), len(set(made))) == (count, count)
    spans: dict[int, list[OffsetRange]] = {}
    for entry in desk.made("slices"):
        for span in entry.payload.ranges:
            spans.setdefault(span.partition, []).append(span)
    assert all(a.end == b.start for mine in spans.values() for a, b in pairwise(mine))


def test_copies_that_come_and_go_do_every_record_once(desk: Desk, start: Start) -> None:
    """A rebalance in the middle of a slice, and a copy that leaves, lose and double nothing."""
    stand_at_the_end(desk)
    count = pour(desk, 5)
    held, joined = threading.Event(), threading.Event()
    slow = Slices(desk)

    def hold(_: list[OffsetRange]) -> None:
        held.set()
        joined.wait(120)

    slow.before = hold
    one = start("one", slow, slice_records=6)
    assert held.wait(60)
    two = start("two", slice_records=6)
    eventually(lambda: two.units > 0, "the second copy has a share")
    eventually(lambda: bool(two.execute.results), "the second copy did slices that the first one holds")
    joined.set()
    three = start("three", slice_records=6)
    count += pour(desk, 5)
    eventually(lambda: three.units > 0, "the third copy has a share")
    assert one.end() is None
    count += pour(desk, 5)
    eventually(lambda: two.units + three.units == len(SPOTS), "two copies share what three had")
    eventually(lambda: caught_up(desk), "all is done")
    assert any(result.outcome is Outcome.REPLAN for result in slow.results)
    require_each_once(desk, count)


PAIR = ("predictions", "actuals")


def test_both_sides_of_every_pair_land_on_one_copy(desk: Desk, start: Start) -> None:
    """Whoever comes and goes: each copy has whole pairs, and all of them are worked."""
    spots = [TopicPartition(topic, number) for topic in PAIR for number in range(len(SPOTS))]
    place(desk, {spot: desk.end(*spot) for spot in spots})

    def worked() -> bool:
        return all(desk.admin_group.committed(spot) == desk.end(*spot) for spot in spots)

    copies = {name: start(name, Pairs(desk), topics=PAIR) for name in ("one", "two")}
    for name, change in (("", None), ("three", "comes"), ("one", "goes")):
        if change == "comes":
            copies[name] = start(name, Pairs(desk), topics=PAIR)
        elif change == "goes":
            assert copies.pop(name).end() is None
        eventually(lambda: sum(c.units for c in copies.values()) == len(SPOTS), "every pair is somebody's")
        assert all(len(unit) == len(PAIR) for copy in copies.values() for unit in copy.sensor.work)
        fill(desk, spots)
        eventually(worked, "all pairs are worked")
    shares = [copy.units for copy in copies.values()]
    assert sorted(shares) == [1, 2]


def fill(desk: Desk, spots: list[TopicPartition]) -> None:
    """Publish an event to each partition."""
    producer = desk.pool.new_producer(f"fill-{desk.flow}").producer
    producer.begin_transaction()
    for spot in spots:
        symbol = SYMBOLS[spot.partition]
        sides: dict[str, Payload] = {
            "predictions": PredictionMade(symbol=symbol, date=DAY, predicted_close=1.0, model_version="v0"),
            "actuals": ActualAvailable(symbol=symbol, date=DAY, actual_close=1.0),
        }
        producer.send(spot.topic, value=event(sides[spot.topic]), partition=spot.partition)
    producer.commit_transaction()
    producer.close()


def test_a_sensor_back_within_the_session_finds_its_partitions(desk: Desk) -> None:
    """A member that was killed and is back by its name causes no rebalance: the generation stays."""
    stand_at_the_end(desk)
    route = Route("sensor-test", desk.flow, ("features",))
    one, two = (_member(desk, route, name) for name in ("one", "two"))
    eventually(lambda: _settled(one, two), "both have their share")
    before = one.assigned(), two.assigned(), two.consumer.group_metadata().generation_id
    one.close()
    back = _member(desk, route, "one")
    eventually(lambda: _settled(back, two), "it is back")
    assert (back.assigned(), two.assigned(), two.consumer.group_metadata().generation_id) == before
    back.close()
    two.close()


def _member(desk: Desk, route: Route, name: str) -> Membership:
    return Membership(load_settings(desk.settings.home, instance=name, session_timeout_ms=20_000), route)


def _settled(*members: Membership) -> bool:
    for member in members:
        member.polled = 0.0
        member.keep()
    shares = [member.assigned() for member in members]
    return all(shares) and set().union(*shares) == set(SPOTS)


def test_a_second_sensor_of_a_name_displaces_the_first(desk: Desk, start: Start) -> None:
    """The first ends as superseded and stays away while the second lives; the place is free afterwards."""
    stand_at_the_end(desk)
    first = start("one")
    eventually(lambda: first.units == len(SPOTS), "the first has all")
    second = start("one")
    assert isinstance(first.ended(), SupersededError)
    eventually(lambda: second.units == len(SPOTS), "the second has all")
    assert is_taken(second.settings, desk.flow)
    told = [c for c in conditions(second.settings) if c.sensor == f"sensor-{desk.flow}"]
    assert [one.state for one in told] == ["working"]
    count = pour(desk, 2)
    eventually(lambda: caught_up(desk), "the second does the work")
    require_each_once(desk, count)
    second.end()
    eventually(lambda: not is_taken(second.settings, desk.flow), "the place is free", 15)


def test_a_slice_that_ended_early_for_its_bytes_goes_on_without_a_failure(desk: Desk, start: Start) -> None:
    """A burst of large records becomes several slices, and none is planned from a wrong start."""
    stand_at_the_end(desk)
    noise = random.Random(0)  # what compresses well would come in one fetch
    desk.feed(*(noise.randbytes(300_000) for _ in range(16)), vector())
    copy = start("one", Slices(desk), slice_bytes=1_000)
    copy.execute.desk.pool.settings = copy.settings
    eventually(lambda: caught_up(desk), "all is done")
    assert len(copy.execute.results) > 1
    assert {result.outcome for result in copy.execute.results} == {Outcome.DONE}
    require_each_once(desk, 1)


class Unanswered(Slices):
    """Slices while servers are away: first what knows earlier attempts, then what they write to."""

    def __init__(self, desk: Desk) -> None:
        """Everything is away."""
        super().__init__(desk)
        self.known, self.written = threading.Event(), threading.Event()
        self.before = self._write

    def deaths(self) -> list[list[OffsetRange]]:
        """Ask for earlier attempts."""
        self._require(self.known, "Prefect does not answer")
        return []

    def _write(self, _: list[OffsetRange]) -> None:
        self._require(self.written, "the database did not answer")

    @staticmethod
    def _require(there: threading.Event, message: str) -> None:
        if not there.is_set():
            raise TryAgainError(message)


def test_an_outage_pauses_and_ends_by_itself(desk: Desk, start: Start) -> None:
    """The sensor stays a member, says what it waits for, gives nothing up, and goes on when all is back."""
    stand_at_the_end(desk)
    count, away = pour(desk, 2), Unanswered(desk)
    copy = start("one", away)

    def told() -> list[tuple[str, str]]:
        found = [c for c in conditions(copy.settings) if c.sensor == f"sensor-{desk.flow}"]
        return [(one.state, one.why.rpartition(": ")[2]) for one in found]

    eventually(lambda: told() == [("paused", "Prefect does not answer")], "the first cause is told")
    away.known.set()
    eventually(lambda: told() == [("paused", "the database did not answer")], "the second cause is told")
    eventually(lambda: len(away.results) > len(SPOTS), "it is tried again")
    assert is_taken(copy.settings, desk.flow)
    away.written.set()
    eventually(lambda: caught_up(desk) and told() == [("working", "")], "all is done")
    require_each_once(desk, count)


def test_a_missing_offset_stops_the_sensor(desk: Desk, start: Start) -> None:
    """A group that has lost its progress on a partition does not begin again at 0."""
    assert [desk.admin_group.committed(spot) for spot in SPOTS[1:]] == [None, None]
    error = start("one").ended()
    assert isinstance(error, StopError)
    assert "has no committed offset for features-" in str(error)


def test_a_dead_process_s_open_transaction_holds_nobody_up(desk: Desk, start: Start) -> None:
    """It died with its progress sent and not committed; its successor does not wait for the time-out."""
    stand_at_the_end(desk)
    count = pour(desk, 1)
    patient = Pool(load_settings(desk.settings.home, transaction_timeout_ms=600_000))
    dead = patient.new_producer(transactional_id(desk.flow, SPOTS[1:2]))
    dead.producer.begin_transaction()
    done = {SPOTS[1]: OffsetAndMetadata(desk.end("features", 1), "", -1)}
    dead.producer.send_offsets_to_transaction(done, desk.flow)
    one = start("one")
    eventually(lambda: bool(one.execute.results), "the slices are done")
    eventually(lambda: caught_up(desk), "all is done")
    require_each_once(desk, count)
    dead.discard()


def test_progress_behind_the_end_stops_the_sensor(desk: Desk, start: Start) -> None:
    """A topic that was made anew is not taken for one without news."""
    stand_at_the_end(desk)
    place(desk, {SPOTS[1]: desk.end("features", 1) + 100})
    error = start("one").ended()
    assert isinstance(error, StopError)
    assert "the topic was made anew" in str(error)
    assert desk.flow in str(error)
    (told,) = [c for c in conditions(desk.settings) if c.sensor == f"sensor-{desk.flow}"]
    assert (told.state, "made anew" in told.why) == ("stopped", True)


def test_progress_before_the_beginning_stops_the_sensor(desk: Desk) -> None:
    """Records that retention removed before they were read are missed, not skipped."""
    spots = [TopicPartition("errors", number) for number in range(3)]
    producer = desk.pool.new_producer(f"feed-{desk.flow}").producer
    producer.begin_transaction()
    for _ in range(5):
        producer.send("errors", value=b"{}", partition=2)
    producer.commit_transaction()
    producer.close()
    place(desk, dict.fromkeys(spots, 0))
    admin = clients.admin(desk.settings)
    admin.delete_records({spots[2]: 3})
    admin.close()
    member = Membership(desk.settings, Route("sensor-test", desk.flow, ("errors",)))
    with pytest.raises(StopError, match=r"records 0 to 2 were removed before .* had read them"):
        member.require_there(member.progress((spots[2],)))
    member.require_there(member.progress((spots[1],)))
    member.close()


def test_a_broker_that_does_not_fit_stops_the_sensor(desk: Desk, start: Start) -> None:
    """What silence would break is looked at before the group is joined."""
    stand_at_the_end(desk)
    assert faults(desk.settings) == []
    longer = start("one", transaction_timeout_ms=1_000_000).ended()
    assert "transaction.max.timeout.ms is 900000, at least 1000000 is needed" in str(longer)
    wider = start("two", partitions=4).ended()
    assert "features has 3 partitions, expected 4" in str(wider)
    assert {type(longer), type(wider)} == {StopError}


def test_a_topic_that_is_not_there_is_named(servers: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that nobody created stops the sensor at once."""
    missing = f"test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setitem(_topics(), missing, _topics()["alerts"].__class__(missing, (), "none"))
    with pytest.raises(StopError, match=f"there is no topic {missing}"):
        require(servers, [missing])


def _topics() -> dict[str, Any]:
    from events.topics import TOPICS  # noqa: PLC0415

    return TOPICS


class Deadly(Slices):
    """Ends the sensor, as if its process were killed, whenever one record is among its slices."""

    def __init__(self, desk: Desk, died: list[list[OffsetRange]], bad: int) -> None:
        """Remember the deaths in a list that outlives the copies."""
        super().__init__(desk)
        self.died, self.bad, self.end = died, bad, threading.Event()

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Die, or do the slices."""
        if any(one.partition == 0 and one.start <= self.bad < one.end for one in ranges):
            self.died.append(ranges)
            self.end.set()
            self.end = threading.Event()
            return Result(Outcome.AGAIN, "never heard of")
        return super().__call__(ranges)


def test_a_record_that_kills_the_process_is_found_and_given_up(desk: Desk, start: Start) -> None:
    """Few deaths isolate it; it becomes a dead letter without a last execution, all others are done."""
    stand_at_the_end(desk)
    span = desk.feed(*(vector() for _ in range(16)))
    bad, died = span.start + 5, list[list[OffsetRange]]()
    began = datetime.now(UTC)
    while not caught_up(desk):
        execute = Deadly(desk, died, bad)
        end = execute.end
        copy = start("one", execute)
        eventually(lambda end=end: end.is_set() or caught_up(desk), "a death, or the end")  # type: ignore[misc]
        copy.end()
        assert len(died) <= 8, f"{died} since {began}"
    require_each_once(desk, 15)
    assert sum(len(slices) == 1 and slices[0].end - slices[0].start == 1 for slices in died) == 2
    letters = [entry.payload.counts.get("rejected", 0) for entry in desk.made("slices")]
    assert sum(letters) == 1


def test_a_letter_tells_all_about_the_failure(desk: Desk) -> None:
    """The reason, the class, where in the code, which run; and the flow goes on behind it."""
    span = desk.feed(b"not an event")
    route = Route(f"sensor-{desk.flow}", desk.flow, ("features",))
    give_up(desk.settings, route, [span], Result(Outcome.DATA, "KeyError: 'm'", _failure(), "run-9"))
    (letter,) = [one for one in read_letters(desk.settings) if one.flow == desk.flow]
    assert (letter.reason, letter.error_class, letter.run_id) == ("KeyError: 'm'", "KeyError", "run-9")
    assert (letter.place, letter.value) == (("features", 0, span.start), b"not an event")
    assert letter.traceback is not None
    assert 'in _failure\n    {}["m" * 1_200]' in letter.traceback
    assert letter.traceback.endswith("KeyError: '" + "m" * 199)
    assert desk.at == span.end
    give_up(desk.settings, route, [span], Result(Outcome.DATA, "again"))
    assert len([one for one in read_letters(desk.settings) if one.flow == desk.flow]) == 1


def _failure() -> KeyError:
    try:
        {}["m" * 1_200]
    except KeyError as error:
        return error
    raise AssertionError


def test_a_server_that_does_not_answer_is_named(servers: Settings) -> None:
    """Before a record is given up each one is asked."""
    assert servers_away(servers) == ""
    assert servers_away(load_settings(servers.home, kafka_bootstrap="127.0.0.1:9")) == "kafka away"
