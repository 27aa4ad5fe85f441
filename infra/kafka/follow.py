"""A projector's loop: read committed records from where the projection stands, hand them on in batches.

No consumer group and no committed offsets: the projection itself stores its positions, in the transaction
that stores the rows. After any trouble the loop begins again from there, which also answers whether a
commit whose acknowledgement got lost took place.
"""

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import uniform
from threading import Event
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from events.topics import TOPICS
from infra import metrics
from infra.errors import ReplanError, StopError, TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.settings import Settings

Positions = dict[tuple[str, int], int]
"""Next offset by (topic, partition)."""

ReadPositions = Callable[[list[tuple[str, int]]], Mapping[tuple[str, int], int]]

BATCH_RECORDS = 20_000
BATCH_BYTES = 8 * 1024 * 1024
BATCH_SECONDS = 2.0  # a batch is handed on by then even if records keep coming
ANSWER_SECONDS = 8.0
START_SECONDS = 40.0
IDLE_MS = 250  # how soon a stop is noticed
LONGEST_BACKOFF = 10.0  # seconds
REQUEST_MS = 15_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Records in offset order per partition, and the positions before and after them.

    `ends` holds only partitions that moved; transaction markers at the end of the records are counted in.
    """

    records: list[Any] = field(default_factory=list)
    starts: Positions = field(default_factory=dict)
    ends: Positions = field(default_factory=dict)


def follow(  # noqa: PLR0913  (a loop has all of its parts from outside)
    settings: Settings,
    topics: Sequence[str],
    positions: ReadPositions,
    apply: Callable[[Batch], None],
    stop: Event,
    *,
    linger: float = 0.03,
    name: str = "projector",
) -> None:
    """Keep a projection up to date until `stop` is set.

    Args:
        settings: where the broker is.
        topics: what to follow; partitions that are added later are seen after a restart.
        positions: reads the stored next offsets of these topic-partitions; none stored means 0.
        apply: stores a batch's rows and its `ends` together, or raises: TryAgainError (what it writes to is
            away), ReplanError (the stored positions are not the batch's `starts`).
        stop: ends the loop, within a second or after the batch at hand.
        linger: seconds to wait for more once a record is there.
        name: of the projector, for its metrics.

    Raises:
        StopError: the stored positions do not fit the topics; a person has to decide.
    """
    attempt = 0
    try:
        while not stop.is_set():
            try:
                for batch in _batches(settings, topics, positions, stop, linger, name):
                    apply(batch)
                    metrics.taken(name, (record.value for record in batch.records))
                    attempt = 0
            except (TryAgainError, ReplanError, KafkaError) as error:
                attempt += 1
                delay = uniform(0.5, 1.0) * min(LONGEST_BACKOFF, 0.2 * 2 ** min(attempt, 10))  # noqa: S311
                _log.warning("following %s again in %.1f s: %s", ", ".join(topics), delay, error)
                stop.wait(delay)
    finally:
        metrics.OWNED.leave(name)  # not before: while it tries again its lag grows, and is shown


def _batches(  # noqa: PLR0913, PLR0917  (what `follow` was given)
    settings: Settings,
    topics: Sequence[str],
    positions: ReadPositions,
    stop: Event,
    linger: float,
    name: str = "projector",
) -> Generator[Batch, None, None]:
    """Read from the stored positions on; going on to the next batch means that the last one is stored."""
    reader = clients.consumer(settings, client_id="nepse-projector", fetch_max_wait_ms=IDLE_MS)
    try:
        places = answered(partial(_assign, reader, topics), START_SECONDS, "a projector's topics")
        stored = dict(positions(list(places)))
        at = dict.fromkeys(places, 0) | stored
        seek = partial(_seek, reader, places, at, stored)
        answered(seek, START_SECONDS, "where a projector's topics begin and end")
        while not stop.is_set():
            batch = _collect(reader, places, at, linger)
            _show(name, reader, places, at)
            if batch.ends:  # also past what was aborted, or whoever waits for the end would wait for ever
                yield batch
                at |= batch.ends
    finally:
        close(reader)


def _show(
    name: str, reader: KafkaConsumer, places: dict[tuple[str, int], TopicPartition], at: Positions
) -> None:
    """Tell the lag by what the last answers said of the partitions' ends."""
    stands = {spot: at[place] for place, spot in places.items()}
    metrics.OWNED.see(name, stands, {spot: reader.highwater(spot) or 0 for spot in stands})


def _assign(reader: KafkaConsumer, topics: Sequence[str]) -> dict[tuple[str, int], TopicPartition]:
    places = {}
    for topic in topics:
        partitions = reader.partitions_for_topic(topic)
        if not partitions:
            message = f"topic {topic} is not there (yet), or the broker did not tell"
            raise TryAgainError(message)
        places.update({(topic, number): TopicPartition(topic, number) for number in sorted(partitions)})
    reader.assign(list(places.values()))
    return places


def _seek(
    reader: KafkaConsumer, places: dict[tuple[str, int], TopicPartition], at: Positions, stored: Positions
) -> None:
    firsts = reader.beginning_offsets(list(places.values()), timeout_ms=REQUEST_MS)
    ends = reader.end_offsets(list(places.values()), timeout_ms=REQUEST_MS)
    for place, partition in places.items():
        if at[place] > ends[partition]:
            message = (
                f"the projection is at {at[place]} of {partition.topic}-{partition.partition}, which ends at"
                f" {ends[partition]}: the topic was made anew. Drop the projection and rebuild it."
            )
            raise StopError(message)
        if place in stored and stored[place] < firsts[partition] and _kept_forever(partition.topic):
            message = (
                f"the projection is at {at[place]} of {partition.topic}-{partition.partition}, which begins"
                f" at {firsts[partition]}: records that it never saw were deleted. Restore the topic, or drop"
                f" the projection and rebuild it without them."
            )
            raise StopError(message)
        reader.seek(partition, max(at[place], firsts[partition]))


def _kept_forever(topic: str) -> bool:
    return topic not in TOPICS or float(TOPICS[topic].config["retention.ms"]) < 0


def _collect(
    reader: KafkaConsumer, places: dict[tuple[str, int], TopicPartition], at: Positions, linger: float
) -> Batch:
    """Gather what there is: up to BATCH_RECORDS or BATCH_BYTES, or until nothing came for `linger`."""
    batch, size, found = Batch(), 0, at
    wait_ms, deadline = IDLE_MS, time.monotonic() + BATCH_SECONDS
    while (room := BATCH_RECORDS - len(batch.records)) > 0 and size < BATCH_BYTES:
        poll = partial(_poll, reader, places, wait_ms, min(room, 5_000))
        records, found = answered(poll, ANSWER_SECONDS, "a projector's poll")
        batch.records += records
        size += sum(len(record.value or b"") for record in records)
        wait_ms = round(linger * 1000)
        if not records or time.monotonic() > deadline:
            break
    batch.ends = {place: end for place, end in found.items() if end != at[place]}
    batch.starts = {place: at[place] for place in batch.ends}
    return batch


def _poll(
    reader: KafkaConsumer, places: dict[tuple[str, int], TopicPartition], wait_ms: int, most: int
) -> tuple[list[Any], Positions]:
    """Poll once; give the records, and the positions behind them, all under the caller's one bound."""
    polled = reader.poll(timeout_ms=wait_ms, max_records=most)
    records = [record for batch in polled.values() for record in batch]
    return records, {place: int(reader.position(partition)) for place, partition in places.items()}
