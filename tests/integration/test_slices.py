"""A slice on a real broker: what is committed once, what is refused, and two faults of the client."""

import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from events.envelope import decode
from events.payloads import ModelRetrainingTriggered, OffsetRange, SliceCommitted
from infra.errors import ReplanError, StopError, SupersededError, TryAgainError
from infra.kafka import clients
from infra.kafka.log import TopicLog
from infra.kafka.pool import Pool
from infra.kafka.reading import read_ranges
from infra.kafka.records import Outgoing, Run, dead_letter
from infra.kafka.slices import open_slice
from infra.kafka.source import Source
from tests.desk import DAY, Desk, vector

ROUNDS = 20


def test_a_slice_commits_outputs_progress_and_ledger_once(desk: Desk) -> None:
    """The ledger names the range, the run, and where the outputs lie; doing it again changes nothing."""
    span = desk.feed(vector(), vector())
    assert desk.work(span, "first") == ["NICA", "NICA"]
    assert desk.work(span, "second") == []
    assert desk.at == span.end
    (entry,) = desk.made("slices")
    assert isinstance(entry.payload, SliceCommitted)
    assert (entry.payload.ranges, entry.payload.run_id) == ([span], "first")
    assert entry.payload.counts == {"in": 2, "out": 2}
    (outputs,) = entry.payload.outputs
    reader = clients.consumer(desk.settings)
    found = [decode(record.value) for record in read_ranges(reader, [outputs])]
    reader.close(autocommit=False)
    assert [one.id for one in found] == [one.id for one in desk.made()]


def test_a_slice_of_too_many_bytes_ends_early_and_the_next_goes_on(desk: Desk) -> None:
    """The range that is committed is the one that was read, nothing is left out between two slices."""
    desk.pool.settings = desk.settings.model_copy(update={"slice_bytes": 1_000})
    span = desk.feed(*(vector() for _ in range(5_000)), *(b"x" * 300_000 for _ in range(16)))
    rounds = 0
    while (at := desk.at) is not None and at < span.end:
        desk.work(span.model_copy(update={"start": at}))
        rounds += 1
    assert rounds > 1
    assert len(desk.made()) == 5_000
    entries = [one.payload.ranges[0] for one in desk.made("slices")]
    assert [(one.start, one.end) for one in entries[1:]] == [
        (before.end, one.end) for before, one in pairwise(entries)
    ]


def test_a_late_zombie_publishes_nothing(desk: Desk) -> None:
    """A process that read the offset, slept, and comes back after its successor is superseded."""
    span = desk.feed(vector())
    sleeper = Pool(desk.settings)
    with open_slice(sleeper, Run(desk.flow, "zombie"), [span]) as late:
        assert desk.work(span, "successor") == ["NICA"]
        with pytest.raises(SupersededError, match="newer process"):
            desk.finish(late)
    assert len(desk.made()) == 1
    sleeper.close()


class Waking(Pool):
    """A pool whose owner sleeps before its first init: everything happens in between."""

    meanwhile: Callable[[], object]

    def new_producer(self, transactional_id: str) -> Any:
        """Let others work first."""
        self.meanwhile()
        return super().new_producer(transactional_id)


def test_who_wakes_before_init_finds_the_slice_done(desk: Desk) -> None:
    """The offset is read again after init: before it, the slice still seemed to be open."""
    span = desk.feed(vector())
    pool = Waking(desk.settings)
    pool.meanwhile = lambda: desk.work(span, "successor")
    assert desk.work(span, "zombie", pool) == []
    assert len(desk.made()) == 1
    pool.close()


def test_a_rerun_of_an_old_slice_does_not_fence_the_live_one(desk: Desk) -> None:
    """The live producer goes on while somebody runs an old run again."""
    old = desk.feed(vector())
    desk.work(old, "old")
    live_range = desk.feed(vector())
    other = Pool(desk.settings)
    with open_slice(desk.pool, Run(desk.flow, "live"), [live_range]) as live:
        assert desk.work(old, "again", other) == []
        assert desk.finish(live) == ["NICA"]
    assert len(desk.made()) == 2
    other.close()


def test_a_warm_producer_looks_again_where_it_did_not_end(desk: Desk) -> None:
    """A producer that is kept warm trusts its own last commit, and nothing else."""
    desk.work(desk.feed(vector()))
    skipped = desk.feed(vector())
    beyond = desk.feed(vector()).model_copy(update={"start": skipped.end})
    with pytest.raises(ReplanError, match="does not begin where"):
        desk.work(beyond)
    assert (desk.at, len(desk.made())) == (skipped.start, 1)


def test_a_gap_or_a_missing_offset_is_refused(desk: Desk) -> None:
    """A slice that does not begin where the group stands is planned again; no offset at all stops."""
    span = desk.feed(vector(), vector(), vector())
    with pytest.raises(ReplanError, match="does not begin where"):
        desk.work(span.model_copy(update={"start": span.start + 1}))
    stranger = Run(f"test-{uuid.uuid4().hex}", "run")
    with pytest.raises(StopError, match="no committed offset"), open_slice(desk.pool, stranger, [span]):
        pass
    assert desk.at == span.start
    assert desk.made() == []


def test_an_offset_beyond_the_topic_stops(desk: Desk) -> None:
    """A topic that was made anew ends before the group's progress: nothing is reset silently."""
    beyond = desk.end() + 1_000
    desk.put(beyond)
    span = OffsetRange(topic="features", partition=0, start=beyond, end=beyond + 1)
    with pytest.raises(StopError, match="out of range"):
        desk.work(span)
    assert desk.at == beyond


def test_what_fails_leaves_nothing_and_the_next_attempt_does_all(desk: Desk) -> None:
    """An exception in the flow publishes nothing, commits nothing and does not leak into the next slice."""
    span = desk.feed(vector(), b"not JSON")
    with pytest.raises(ZeroDivisionError):
        _fail_after_reading(desk, span)
    assert (desk.at, desk.made()) == (span.start, [])
    assert desk.work(span) == ["NICA"]
    assert desk.made("slices")[0].payload.counts == {"in": 2, "rejected": 1, "out": 1}


def _fail_after_reading(desk: Desk, span: OffsetRange) -> None:
    with open_slice(desk.pool, Run(desk.flow, "bad"), [span]) as work:
        work.read()
        raise ZeroDivisionError


def test_offsets_of_an_aborted_transaction_do_not_leak(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client keeps the offsets of an aborted transaction for its next one: ours is thrown away.

    First the client's fault itself, so that this test tells when it is mended; then our way around it.
    """
    span = desk.feed(vector())
    faulty = desk.pool.new_producer(f"leak-{desk.flow}").producer
    ghost = ConsumerGroupMetadata(desk.flow, 99, "ghost", None)
    with pytest.raises(KafkaError):
        _transact(faulty, TopicPartition("features", 0), span.end, ghost)
    faulty.abort_transaction()
    _transact(faulty, TopicPartition("features", 1), 0, desk.flow)
    faulty.commit_transaction()
    faulty.close()
    assert desk.at == span.end, "kafka-python clears pending offsets now: the producer could be kept"
    desk.put(span.start)

    lent: list[Any] = []
    real = Pool.new_producer
    monkeypatch.setattr(Pool, "new_producer", lambda *a: lent.append(real(*a)) or lent[-1])
    monkeypatch.setattr("infra.kafka.transaction._check", _refuse)
    with pytest.raises(TryAgainError):
        desk.work(span)
    monkeypatch.undo()
    assert desk.work(span) == ["NICA"]
    assert lent[0].producer._closed


def _transact(producer: Any, spot: TopicPartition, offset: int, group: Any) -> None:
    producer.begin_transaction()
    producer.send("alerts", value=b"{}").get(timeout=10)
    producer.send_offsets_to_transaction({spot: OffsetAndMetadata(offset, "", -1)}, group)


def _refuse(_futures: list[Any]) -> None:
    message = "a record was not acknowledged"
    raise TryAgainError(message)


@pytest.mark.parametrize("lost_on", ["predictions", "slices"])
def test_a_commit_that_lost_a_record_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lost_on: str
) -> None:
    """The client commits although a record timed out; every acknowledgement is checked before.

    Also that of the ledger's entry. tests/faults/test_lost_record.py has the client's fault itself.
    """
    span = desk.feed(vector())
    real, lost = desk.pool.new_producer, []

    def losing(name: str) -> Any:
        warm = real(name)
        send = warm.producer.send

        def once(topic: str, *rest: Any) -> Any:
            future = send(topic, *rest)
            if topic == lost_on and not lost:
                lost.append(future)
                future.get(timeout=10)
                future.is_done, future.value, future.exception = True, None, KafkaTimeoutError("expired")
            return future

        monkeypatch.setattr(warm.producer, "send", once)
        return warm

    monkeypatch.setattr(desk.pool, "new_producer", losing)
    with pytest.raises(TryAgainError, match="1 of 1 records were not acknowledged"):
        desk.work(span)
    assert (desk.at, desk.made(), desk.made("slices")) == (span.start, [], [])
    monkeypatch.undo()
    assert desk.work(span) == ["NICA"]


def test_a_second_commit_of_a_slice_is_refused(desk: Desk) -> None:
    """What it would publish is published: whoever asks for it again is wrong about where the group stands."""
    span = desk.feed(vector())
    with open_slice(desk.pool, Run(desk.flow, "twice"), [span]) as work:
        desk.finish(work)
        with pytest.raises(ReplanError, match="already committed"):
            work.commit()
    assert (desk.at, len(desk.made()), len(desk.made("slices"))) == (span.end, 1, 1)


def test_an_exception_in_a_slice_ends_its_producer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not kept for the next slice, and its thread and its connections do not stay either."""
    lent: list[Any] = []
    real = Pool.new_producer
    monkeypatch.setattr(Pool, "new_producer", lambda *a: lent.append(real(*a)) or lent[-1])
    with pytest.raises(ZeroDivisionError):
        _fail_after_reading(desk, desk.feed(vector()))
    producer = lent[-1].producer
    assert (producer._closed, producer._sender.is_alive()) == (True, False)


def test_a_slice_finds_what_it_just_committed(desk: Desk) -> None:
    """Looked up right after the commit, an event is there: no round begins without the one before."""
    log, missed = TopicLog(desk.settings, "training"), []
    for number in range(ROUNDS):
        span = desk.feed(vector())
        with open_slice(desk.pool, Run(desk.flow, "run"), [span]) as work:
            (received,) = work.read()
            asked = ModelRetrainingTriggered(reason="test", data_end_date=DAY)
            event_id = work.publish("training", asked, received, str(number))
            work.commit()
        log.refresh()
        missed += [] if log.has(event_id) else [number]
    log.close()
    assert missed == []


def test_an_end_between_records_and_markers_is_kept_to(desk: Desk) -> None:
    """Every record has a marker behind it: wherever a range ends, it holds what lies below and no more."""
    spans = [desk.feed(vector()) for _ in range(4)]
    desk.put(spans[-1].end)
    first, last = spans[0].start, spans[-1].end
    everything = range(first, last, 2)
    reader = clients.consumer(desk.settings)
    for end in range(first, last + 1):
        span = OffsetRange(topic="features", partition=0, start=first, end=end)
        found = [record.offset for record in read_ranges(reader, [span])]
        assert found == [offset for offset in everything if offset < end]
    reader.close(autocommit=False)


def test_a_record_in_the_wrong_partition_is_sent_on(desk: Desk) -> None:
    """The same transaction that steps over it puts it under its symbol's key."""
    span = desk.feed(vector("NICA"), vector("NABIL"))
    assert desk.work(span) == ["NICA"]
    (entry,) = desk.made("slices")
    assert entry.payload.counts == {"in": 2, "rerouted": 1, "out": 1}
    (moved,) = [one for one in entry.payload.outputs if one.topic == "features"]
    assert (moved.partition, moved.end - moved.start) == (1, 1)


class Nothing:
    """A record as a foreign client may write it: without key and value."""

    topic, partition, offset, key, value, headers = "features", 0, 0, None, None, ()


def test_a_tombstone_without_a_key_becomes_a_letter(desk: Desk) -> None:
    """A record that holds nothing at all must not stop the flow."""
    desk.feed(vector())
    producer = desk.pool.new_producer(f"feed-{desk.flow}").producer
    letter = dead_letter(Run(desk.flow, "run"), Nothing, "a tombstone", None)
    producer.begin_transaction()
    sent = producer.send(letter.topic, letter.value, letter.key, list(letter.headers))
    producer.commit_transaction()
    assert sent.succeeded()


def test_a_source_that_failed_has_to_look_before_it_publishes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was refused leaves nothing; the source is opened anew, and only then goes on."""
    source, before = Source(desk.pool, desk.flow), desk.end("alerts")
    with pytest.raises(StopError, match="not open"):
        source.publish([Outgoing("alerts", b"x", b"{}")])
    source.open()
    monkeypatch.setattr("infra.kafka.transaction._check", _refuse)
    with pytest.raises(TryAgainError):
        source.publish([Outgoing("alerts", b"x", b"{}")])
    monkeypatch.undo()
    with pytest.raises(StopError, match="failed before: open it"):
        source.publish([Outgoing("alerts", b"x", b"{}")])
    source.open()
    assert source.publish([Outgoing("alerts", b"x", b"{}")] * 3) == 3
    source.close()
    span = OffsetRange(topic="alerts", partition=0, start=before, end=desk.end("alerts"))
    reader = clients.consumer(desk.settings)
    assert len(read_ranges(reader, [span])) == 3
    reader.close(autocommit=False)
