"""A small single-partition topic kept in memory: the index that flows look things up in."""

import threading
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition

from events.envelope import ContractError, decode
from events.payloads import OffsetRange, Payload
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.reading import read_ranges
from infra.kafka.records import Place, Received
from infra.settings import Settings

REQUEST_MS = 15_000
REQUEST_SECONDS = 20.0


class Log(Protocol):
    """What flows look things up in."""

    def refresh(self) -> int:
        """Read what is new; returns the offset up to which everything is known."""

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """List the entries at offsets `[start, end)`, oldest first."""

    def has(self, event_id: str) -> bool:
        """Tell whether an event is there (as of the last refresh)."""


class TopicLog:
    """Committed events of a topic with one partition, read once and then only what is new.

    Duplicates are recognised by id: the first offset wins. What can't be decoded is left out; the flow
    that consumes the topic has made it a dead letter.
    """

    def __init__(
        self, settings: Settings, topic: str, wanted: Callable[[Payload], bool] = lambda _: True
    ) -> None:
        """Nothing is read before the first `refresh`; of what is not wanted nothing is kept."""
        self._settings, self._wanted = settings, wanted
        self._spot = TopicPartition(topic, 0)
        self._consumer: KafkaConsumer | None = None
        self._lock = threading.Lock()
        self._entries: list[Received[Payload]] = []
        self._offsets: dict[str, int] = {}
        self._next = 0

    def refresh(self) -> int:
        """Read up to the last stable offset; returns it. Costs one small request when nothing is new."""
        with self._lock:
            reader = self._consumer or clients.consumer(self._settings, fetch_max_wait_ms=100)
            self._consumer = None  # one that fails may hang for ever: the next look makes a new one
            try:
                self._catch_up(reader)
            except BaseException:
                close(reader)
                raise
            self._consumer = reader
            return self._next

    def _catch_up(self, reader: KafkaConsumer) -> None:
        ask = partial(reader.end_offsets, [self._spot], timeout_ms=REQUEST_MS)
        end = int(answered(ask, REQUEST_SECONDS, f"the end of {self._spot.topic}")[self._spot])
        if end > self._next:
            self._append(reader, end)

    def _append(self, reader: KafkaConsumer, end: int) -> None:
        span = OffsetRange(topic=self._spot.topic, partition=0, start=self._next, end=end)
        for record in read_ranges(reader, [span]):
            try:
                event = decode(record.value)
            except ContractError:
                continue
            if event.id not in self._offsets and self._wanted(event.payload):
                self._offsets[event.id] = record.offset
                place = Place(record.topic, record.partition, record.offset)
                self._entries.append(Received(event, place, record.key, record.value))
        self._next = end

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """List the entries at offsets `[start, end)`, oldest first."""
        entries = self._entries
        first = bisect_left(entries, start, key=lambda entry: entry.place.offset)
        last = bisect_left(entries, end, key=lambda entry: entry.place.offset)
        return entries[first:last]

    def has(self, event_id: str) -> bool:
        """Tell whether an event was already committed (as of the last refresh)."""
        return event_id in self._offsets

    def offset_of(self, event_id: str) -> int | None:
        """Tell where an event lies, None when it is not there (as of the last refresh)."""
        return self._offsets.get(event_id)

    def close(self) -> None:
        """Close the consumer."""
        if self._consumer is not None:
            close(self._consumer)


class PinnedLog:
    """A log that stands still: at the offset of its first refresh, or at one that is given."""

    def __init__(self, log: TopicLog, end: int | None = None) -> None:
        """Nothing is read before the first `refresh`."""
        self._log = log
        self.end = end

    def refresh(self) -> int:
        """Read up to the pin; the first call sets it where none was given."""
        newest = self._log.refresh()
        self.end = newest if self.end is None else self.end
        return self.end

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """List the entries at offsets `[start, end)` below the pin, oldest first."""
        return self._log.between(start, end if self.end is None else min(end, self.end))

    def has(self, event_id: str) -> bool:
        """Tell whether an event lies below the pin."""
        offset = self._log.offset_of(event_id)
        return offset is not None and (self.end is None or offset < self.end)
