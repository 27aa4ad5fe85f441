"""A slice: read a range of offsets, publish what follows from it, commit both once.

The steps are numbered as in ARCHITECTURE.md, section "A slice, step by step".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from events.envelope import Causation, ContractError, Event, Metadata, decode, derive_id, encode
from events.payloads import OffsetRange, Payload, SliceCommitted
from events.topics import TOPICS
from infra.errors import ReplanError
from infra.kafka.pool import Pool, WarmProducer
from infra.kafka.reading import await_visible, committed, partition_of_range, read_ranges
from infra.kafka.records import Cause, Outgoing, Place, Received, Run, dead_letter, partition_of, ranges_label
from infra.kafka.transaction import Progress, transact

CODE_VERSION = version("nepse-loop")


class Slice:
    """Ranges of one flow while they are worked on; `done` says that they were committed before."""

    def __init__(self, run: Run, ranges: list[OffsetRange], pool: Pool, reader: KafkaConsumer) -> None:
        """Nothing is asked of the broker before `open`."""
        self.run, self.ranges, self.pool, self.reader = run, ranges, pool, reader
        self.done = False
        self.counts: dict[str, int] = {}
        self.oldest: datetime | None = None
        self.committed_at: datetime | None = None
        self._warm: WarmProducer | None = None
        self._records: list[Any] = []
        self._outgoing: list[Outgoing] = []
        self._rejected: set[Place] = set()

    @property
    def transactional_id(self) -> str:
        """Stable name, so that the last process to initialise it fences every earlier one."""
        first = self.ranges[0]
        if len(self.ranges) > 1:
            return f"{self.run.flow}.{first.partition}"
        return f"{self.run.flow}.{first.topic}-{first.partition}"

    @property
    def delay(self) -> float | None:
        """Seconds from the oldest record to the commit; None before it, and for a slice without records."""
        if self.oldest is None or self.committed_at is None:
            return None
        return (self.committed_at - self.oldest).total_seconds()

    @property
    def starts(self) -> dict[TopicPartition, int]:
        """Where each range begins."""
        return {partition_of_range(r): r.start for r in self.ranges}

    @property
    def ends(self) -> dict[TopicPartition, int]:
        """Where each range ends, exclusive."""
        return {partition_of_range(r): r.end for r in self.ranges}

    def open(self) -> None:
        """Take steps 1 and 2: is this slice still to be done, and by us?"""
        spare = self.pool.take_producer(self.transactional_id)
        if spare and all(spare.ended_at.get(tp) == at for tp, at in self.starts.items()):
            self._warm = spare  # our own last commit ended exactly here: nobody was in between
            return
        if self._is_done():  # step 1: before init, so that a rerun of an old run fences nobody
            self._finish(spare)
            return
        if spare:
            spare.discard()
        self._warm = self.pool.new_producer(self.transactional_id)  # step 2
        if self._is_done():  # ... and once more after init: a late zombie must not process twice
            self._finish(self._warm)

    def _finish(self, warm: WarmProducer | None) -> None:
        """Note that there is nothing to do, and keep a healthy producer for who comes next."""
        self.done, self._warm = True, None
        if warm:
            self.pool.return_producer(self.transactional_id, warm)

    def _is_done(self) -> bool:
        """Compare the group's progress with this slice.

        Raises:
            ReplanError: the progress is somewhere else than at the start or past the end.
        """
        at = committed(self.reader, self.ranges)
        if all(at[tp] >= end for tp, end in self.ends.items()):
            return True
        if at == self.starts:
            return False
        message = f"{ranges_label(self.ranges)} does not begin where {self.run.flow} stands: {_told(at)}"
        raise ReplanError(message)

    def read(self) -> list[Received[Payload]]:
        """Take steps 3 and 4: read the range; what is no event of this topic becomes a dead letter."""
        self._records = read_ranges(self.reader, self.ranges)
        self.count("in", len(self._records))
        if self._records:
            self.oldest = datetime.fromtimestamp(min(r.timestamp for r in self._records) / 1000, UTC)
        return [received for record in self._records if (received := self._accept(record))]

    def _accept(self, record: Any) -> Received[Payload] | None:
        try:
            event = decode(record.value)
        except ContractError as error:
            self._reject_record(record, str(error), error)
            return None
        topic = TOPICS[record.topic]
        if event.event_type not in topic.events:
            reason = (
                f"{event.event_type} does not belong on {record.topic}; expected: {', '.join(topic.events)}"
            )
            self._reject_record(record, reason, None)
            return None
        if topic.spread and self._misplaced(record, event):
            return None
        place = Place(record.topic, record.partition, record.offset)
        return Received(event, place, record.key, record.value)

    def _misplaced(self, record: Any, event: Event[Payload]) -> bool:
        """Send a record that another client put into the wrong partition to where its symbol belongs."""
        key = event.payload.key.encode()
        if partition_of(key, self.pool.settings.partitions) == record.partition:
            return False
        self._outgoing.append(Outgoing(record.topic, key, record.value, tuple(record.headers)))
        self.count("rerouted")
        return True

    def publish(self, topic: str, payload: Payload, cause: Cause, subject: str, revision: int = 0) -> str:
        """Put an event that follows from `cause` into the slice; returns its id."""
        event_id = derive_id(self.run.flow, cause.id, subject, revision)
        origin = Causation(*cause.place, cause.id)
        metadata = Metadata(event_id, cause.correlation_id, payload.schema_version, origin, CODE_VERSION)
        self._publish(topic, Event(self._now, self.run.flow, payload, metadata))
        self.count("out")
        return event_id

    def _publish(self, topic: str, event: Event[Payload]) -> None:
        key = event.payload.key or self.pool.settings.model_name
        self._outgoing.append(Outgoing(topic, key.encode(), encode(event)))

    @property
    def _now(self) -> datetime:
        return datetime.now(UTC)

    def reject(self, received: Received[Payload], reason: str, error: BaseException | None = None) -> None:
        """Make a record that was read, but can't be processed, a dead letter."""
        record = next(r for r in self._records if Place(r.topic, r.partition, r.offset) == received.place)
        self._reject_record(record, reason, error)

    def _reject_record(self, record: Any, reason: str, error: BaseException | None) -> None:
        place = Place(record.topic, record.partition, record.offset)
        if place in self._rejected:
            return
        self._rejected.add(place)
        self._outgoing.append(dead_letter(self.run, record, reason, error))
        self.count("rejected")

    def count(self, what: str, by: int = 1) -> None:
        """Add to a number of the ledger entry."""
        self.counts[what] = self.counts.get(what, 0) + by

    def commit(self, *, model_versions: list[str] | None = None, feature_set: str | None = None) -> None:
        """Take step 6: outputs, dead letters, ledger entry and progress in one transaction.

        Raises:
            SupersededError: a newer process has taken over this slice's transactional id.
            OutcomeUnknownError: the commit was sent and not answered; the next attempt's step 2 decides.
            TryAgainError: the broker refused or lost something; nothing of it is visible.
        """
        if self._warm is None:
            message = "this slice is already committed or was never opened"
            raise ReplanError(message)
        self._publish("slices", self._ledger_entry(model_versions or [], feature_set))
        warm, self._warm = self._warm, None
        progress = Progress(self.run.flow, self.ends, self.run.run_id)
        written = transact(self.pool.settings, warm, self._outgoing, progress)
        self.committed_at = self._now
        self.pool.return_producer(self.transactional_id, warm)
        await_visible(self.reader, written)

    def _ledger_entry(self, model_versions: list[str], feature_set: str | None) -> Event[SliceCommitted]:
        entry = SliceCommitted(
            flow=self.run.flow,
            group=self.run.flow,
            ranges=self.ranges,
            run_id=self.run.run_id,
            attempt=self.run.attempt,
            counts=self.counts,
            model_versions=model_versions,
            feature_set=feature_set,
            code_version=CODE_VERSION,
        )
        entry_id = derive_id(self.run.flow, ranges_label(self.ranges), "slice")
        metadata = Metadata(entry_id, entry_id, entry.schema_version, None, CODE_VERSION)
        return Event(self._now, self.run.flow, entry, metadata)

    def _close_producer(self) -> None:
        if self._warm:
            self._warm.discard()
            self._warm = None

    def abandon(self) -> None:
        """Take step 7: no transaction is open here, but this producer is not to be used again."""
        self._close_producer()


def _told(at: dict[TopicPartition, int]) -> str:
    return ", ".join(f"{tp.topic}-{tp.partition} at {offset}" for tp, offset in at.items())


@contextmanager
def open_slice(pool: Pool, run: Run, ranges: list[OffsetRange]) -> Iterator[Slice]:
    """Open a slice for a flow; whatever is not committed when the block ends never happened."""
    with pool.reader(run.flow) as reader:
        work = Slice(run, ranges, pool, reader)
        try:
            work.open()
            yield work
        finally:
            work.abandon()
