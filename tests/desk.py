"""A flow of one test, on a real broker: vectors in, predictions out."""

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from events.envelope import ContractError, Event, Metadata, decode, encode
from events.payloads import FeaturesComputed, OffsetRange, Payload, PredictionMade
from infra.kafka import clients
from infra.kafka.pool import Pool
from infra.kafka.reading import await_visible, read_ranges
from infra.kafka.records import Run, of_kind
from infra.kafka.slices import open_slice
from infra.kafka.work import Work
from infra.settings import Settings

DAY = date(2023, 6, 1)
SETTLED_SECONDS = 5.0


def events_in(records: Iterable[Any]) -> list[Event[Any]]:
    """Read the events among records; other tests leave what is none on the topics that they share."""
    found: list[Event[Any]] = []
    for record in records:
        with suppress(ContractError):
            found.append(decode(record.value))
    return found


class Desk:
    """A flow of one test: its group, and `features` on which it has something to do."""

    def __init__(self, settings: Settings) -> None:
        """Make up a flow and put its group at the end of every partition."""
        self.settings, self.pool = settings, Pool(settings)
        self.flow = f"test-{uuid.uuid4().hex[:8]}"
        self.admin_group = clients.consumer(settings, group=self.flow)
        self.written = KafkaConsumer(bootstrap_servers=settings.bootstrap, enable_auto_commit=False)
        self.put(self.end())

    def end(self, topic: str = "features", partition: int = 0) -> int:
        """Tell the stable end, once it is that of all that is written: a commit's markers come after it."""
        spot, deadline = TopicPartition(topic, partition), time.monotonic() + SETTLED_SECONDS
        while (end := self._end(self.admin_group, spot)) < self._end(self.written, spot):
            if time.monotonic() > deadline:  # a test leaves a transaction open on purpose
                break
        return end

    @staticmethod
    def _end(reader: KafkaConsumer, spot: TopicPartition) -> int:
        return int(reader.end_offsets([spot])[spot])

    def put(self, offset: int) -> None:
        """Set the group's progress, as Kafka's own tool would."""
        spot = TopicPartition("features", 0)
        self.admin_group.assign([spot])
        self.admin_group.commit({spot: OffsetAndMetadata(offset, "", -1)})

    @property
    def at(self) -> int | None:
        """Tell the group's progress."""
        offset = self.admin_group.committed(TopicPartition("features", 0))
        return None if offset is None else int(offset)

    def feed(
        self, *values: bytes | FeaturesComputed, headers: Iterable[tuple[str, bytes]] = ()
    ) -> OffsetRange:
        """Commit records to partition 0 and give the range from the group's progress to behind them."""
        start = self.at or 0
        producer = self.pool.new_producer(f"feed-{uuid.uuid4().hex}").producer
        producer.begin_transaction()
        for value in values:
            written = value if isinstance(value, bytes) else event(value)
            last = producer.send("features", value=written, headers=list(headers), partition=0)
        producer.commit_transaction()
        await_visible(self.admin_group, {TopicPartition("features", 0): last.get(timeout=10).offset})
        producer.close()
        return OffsetRange(topic="features", partition=0, start=start, end=self.end())

    def work(self, span: OffsetRange, run: str = "run", pool: Pool | None = None) -> list[str]:
        """Do a slice as a flow does: one prediction per vector; returns the symbols."""
        with open_slice(pool or self.pool, Run(self.flow, run), [span]) as work:
            return [] if work.done else self.finish(work)

    def finish(self, work: Any) -> list[str]:
        """Read, publish, commit."""
        done = [predict(work, received) for received in of_kind(work.read(), FeaturesComputed)]
        work.commit()
        return done

    def made(self, topic: str = "predictions") -> list[Any]:
        """List this flow's committed events of a topic, oldest first."""
        reader = clients.consumer(self.settings)
        numbers = sorted(reader.partitions_for_topic(topic) or ())
        spans = [OffsetRange(topic=topic, partition=n, start=0, end=self.end(topic, n)) for n in numbers]
        found = events_in(read_ranges(reader, spans))
        reader.close(autocommit=False)
        return [one for one in found if one.producer == self.flow]

    def close(self) -> None:
        """Close the clients."""
        self.pool.close()
        self.admin_group.close(autocommit=False)
        self.written.close(autocommit=False)


def event(payload: Payload) -> bytes:
    """Write an event of nobody's."""
    name = uuid.uuid4().hex
    return encode(Event(datetime.now(UTC), "test", payload, Metadata(name, name)))


def vector(symbol: str = "NICA") -> FeaturesComputed:
    """Make the features of a symbol that belongs into partition 0."""
    return FeaturesComputed(symbol=symbol, date=DAY, features={}, last_close=1.0)


def predict(work: Work, received: Any) -> str:
    """Publish what follows from one vector."""
    symbol: str = received.payload.symbol
    made = PredictionMade(symbol=symbol, date=DAY, predicted_close=1.0, model_version="v0")
    work.publish("predictions", made, received, symbol)
    return symbol
