"""What a flow sees of its slice: events to read, and places for what follows from them."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from events.envelope import Causation, ContractError, Event, Metadata, decode, derive_id, encode
from events.payloads import OffsetRange, Payload
from events.topics import TOPICS
from infra.faults import reach
from infra.kafka.records import Cause, Outgoing, Place, Received, Run, dead_letter, letter_id, partition_of
from infra.logs import correlate
from infra.settings import Settings
from infra.trace_context import Trail, source_headers

CODE_VERSION = version("nepse-loop")


def following(producer: str, payload: Payload, cause: Cause, subject: str, revision: int = 0) -> Metadata:
    """Name an event by what caused it and what it is about: made again it has the same id."""
    event_id = derive_id(producer, cause.id, subject, revision)
    origin = Causation(*cause.place, cause.id)
    return Metadata(event_id, cause.correlation_id, payload.schema_version, origin, CODE_VERSION)


def beginning(payload: Payload, event_id: str, correlation_id: str = "") -> Metadata:
    """Name an event that follows from no other; it starts a chain unless it belongs to one."""
    return Metadata(event_id, correlation_id or event_id, payload.schema_version, None, CODE_VERSION)


def record_of(topic: str, producer: str, payload: Payload, metadata: Metadata, key: str = "") -> Outgoing:
    """Make the record of an event that happens now; `key` is for a payload that has none of its own."""
    event = Event(datetime.now(UTC), producer, payload, metadata)
    trace = source_headers(producer, topic, metadata.correlation_id)
    return Outgoing(topic, (payload.key or key).encode(), encode(event), trace)


class Record(Protocol):
    """A record as the Kafka client hands it over, or as a dead letter keeps it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Any


Fetched = tuple[list[Any], list[OffsetRange]]
"""Records, and the ranges that they fill: shorter than asked where they were too many bytes."""
Fetch = Callable[[list[OffsetRange]], Fetched]


class Work:
    """Records in, events and dead letters out; nothing leaves before somebody commits it.

    What a flow does between `read` and the commit is step 5: no transaction is open meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        run: Run,
        ranges: list[OffsetRange],
        fetch: Fetch,
        letters: tuple[str, ...] = (),
    ) -> None:
        """Nothing is read before `read`.

        `letters` names dead letters that are tried again in one transaction: those before, and this one last.
        """
        self.settings, self.run, self.ranges, self.letters = settings, run, ranges, letters
        self.passed: Mapping[tuple[str, int], int] = self.starts
        """Up to where the flow had come; beyond `starts` where a letter is tried again."""
        self.counts: dict[str, int] = {}
        self.oldest: datetime | None = None
        self.began = time.time_ns()
        self.trail = Trail(run.flow, self.starts)
        self.outgoing: list[Outgoing] = []
        self._fetch = fetch
        self._records: list[Record] = []
        self._at: dict[Place, Record] = {}
        self._rejected: dict[Place, str] = {}

    @property
    def starts(self) -> dict[tuple[str, int], int]:
        """Where each range begins, by (topic, partition)."""
        return {(r.topic, r.partition): r.start for r in self.ranges}

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """Where each range ends, exclusive, by (topic, partition)."""
        return {(r.topic, r.partition): r.end for r in self.ranges}

    def read(self) -> list[Received[Payload]]:
        """Take steps 3 and 4: read the range; what is no event of this topic becomes a dead letter."""
        self._records, self.ranges = self._fetch(self.ranges)
        reach("slice-fetched", self.run.flow)
        self.count("in", len(self._records))
        if self._records:
            self.oldest = datetime.fromtimestamp(min(r.timestamp for r in self._records) / 1000, UTC)
        accepted = [received for record in self._records if (received := self._accept(record))]
        reach("validated", self.run.flow)
        if accepted:
            correlate(accepted[0].correlation_id)
        return accepted

    def _accept(self, record: Record) -> Received[Payload] | None:
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
        self.trail.follow(record, event.metadata.correlation_id)
        return Received(event, _place(record), record.key, record.value or b"")

    def _misplaced(self, record: Record, event: Event[Payload]) -> bool:
        """Send a record that another client put into the wrong partition to where its symbol belongs."""
        key = event.payload.key.encode()
        if partition_of(key, self.settings.partitions) == record.partition:
            return False
        self.outgoing.append(Outgoing(record.topic, key, record.value, tuple(record.headers)))
        self.count("rerouted")
        return True

    def publish(self, topic: str, payload: Payload, cause: Cause, subject: str, revision: int = 0) -> str:
        """Put an event that follows from `cause` into the slice; returns its id."""
        metadata = following(self.run.flow, payload, cause, subject, revision)
        self.outgoing.append(self.envelop(topic, payload, metadata))
        self.count("out")
        return metadata.event_id

    def envelop(self, topic: str, payload: Payload, metadata: Metadata) -> Outgoing:
        """Make a record of an event of this flow, now, in the trace of what it follows from."""
        event = Event(datetime.now(UTC), self.run.flow, payload, metadata)
        key = payload.key or self.settings.model_name
        return Outgoing(topic, key.encode(), encode(event), self.trail.headers(metadata))

    def reject(self, received: Received[Payload], reason: str, error: BaseException | None = None) -> None:
        """Make a record that was read, but can't be processed, a dead letter."""
        self._reject_record(self._record_at(received.place), reason, error)

    def refuse(self, reason: str, error: BaseException | None = None, traceback: str = "") -> None:
        """Make every record of the range a dead letter, undecoded: decoding may be what fails."""
        self._records, self.ranges = self._fetch(self.ranges)
        self.count("in", len(self._records))
        for record in self._records:
            self._reject_record(record, reason, error, traceback)

    def _record_at(self, place: Place) -> Record:
        if not self._at:
            self._at = {_place(record): record for record in self._records}
        return self._at[place]

    def _reject_record(
        self, record: Record, reason: str, error: BaseException | None, traceback: str = ""
    ) -> None:
        place = _place(record)
        if place in self._rejected:
            return
        self._rejected[place] = reason
        self.outgoing.append(dead_letter(self.run, record, reason, error, traceback))
        self.count("rejected")

    @property
    def refused(self) -> dict[Place, str]:
        """Ids of the dead letters, by where the records lie."""
        return {place: letter_id(self.run.flow, place) for place in self._rejected}

    @property
    def reasons(self) -> list[str]:
        """Why records were made dead letters."""
        return list(self._rejected.values())

    def count(self, what: str, by: int = 1) -> None:
        """Add to a number of the ledger entry."""
        self.counts[what] = self.counts.get(what, 0) + by


def _place(record: Record) -> Place:
    return Place(record.topic, record.partition, record.offset)
