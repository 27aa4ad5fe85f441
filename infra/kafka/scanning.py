"""Reading whole topics from outside, batch after batch, up to ends that were noted before."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec

from events.envelope import ContractError, decode
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.topics import partitions
from infra.running import wait
from infra.settings import Settings

Offsets = dict[tuple[str, int], int]
"""An offset by (topic, partition)."""

ASK_SECONDS = 15.0
STALLED_SECONDS = 30.0
SETTLE_SECONDS = 10.0
POLL_MS = 500
SKEW = timedelta(minutes=1)
"""How far the clock of a record may be behind that of who looks for it."""
BATCH_RECORDS = 5_000


def spots_of(settings: Settings, topics: Iterable[str]) -> list[TopicPartition]:
    """List every partition of topics of ours."""
    return [TopicPartition(t, p) for t in topics for p in range(partitions(settings, t))]


@contextmanager
def reader(settings: Settings, group: str | None = None) -> Iterator[KafkaConsumer]:
    """Open a read_committed consumer for looking; with a group it can tell that group's progress."""
    with clients.answering(settings):
        opened = clients.consumer(settings, group=group, fetch_max_wait_ms=100)
        try:
            yield opened
        finally:
            close(opened)


def ends(looking: KafkaConsumer, spots: list[TopicPartition]) -> Offsets:
    """Tell up to where everything is settled: below it no transaction is open."""
    ask = partial(looking.end_offsets, spots, timeout_ms=round(ASK_SECONDS * 1000))
    found = answered(ask, ASK_SECONDS + 5, "the ends of the topics")
    return {(spot.topic, spot.partition): int(found[spot]) for spot in spots}


def firsts(looking: KafkaConsumer, spots: list[TopicPartition]) -> Offsets:
    """Tell from where on records are kept."""
    ask = partial(looking.beginning_offsets, spots, timeout_ms=round(ASK_SECONDS * 1000))
    found = answered(ask, ASK_SECONDS + 5, "the beginnings of the topics")
    return {(spot.topic, spot.partition): int(found[spot]) for spot in spots}


def written(settings: Settings, spots: list[TopicPartition]) -> Offsets:
    """Tell up to where anything is written, open transactions included.

    Raises:
        TryAgainError: no broker, or no answer in time.
    """

    def ask(admin: KafkaAdminClient) -> Any:
        return admin.list_partition_offsets(dict.fromkeys(spots, OffsetSpec.LATEST))

    with clients.answering(settings):
        found = clients.asked(settings, ask, ASK_SECONDS, "what is written")
    return {(spot.topic, spot.partition): int(place.offset) for spot, place in found.items()}


def settled_ends(
    settings: Settings, looking: KafkaConsumer, spots: list[TopicPartition]
) -> tuple[Offsets, list[str]]:
    """Wait until all that is written by now is settled; returns the ends, and where something stays open.

    The broker answers a commit before it has marked it in every partition: who has just read a group's
    progress finds all that was committed with it only below these ends.
    """
    wanted = written(settings, spots)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = ends(looking, spots)
        unsettled = [f"{t}-{p}" for (t, p), offset in wanted.items() if found[t, p] < offset]
        if not unsettled or time.monotonic() > deadline or wait(0.02):
            return found, unsettled


def scan(looking: KafkaConsumer, spot: TopicPartition, start: int, end: int) -> Iterator[list[Any]]:
    """Read the committed records of `[start, end)` in batches of some thousand.

    Raises:
        TryAgainError: the broker delivers nothing any more.
    """
    looking.assign([spot])
    looking.seek(spot, start)
    at, moved = start, time.monotonic()
    while at < end:
        poll = partial(_poll, looking, spot)
        batch, now = answered(poll, ASK_SECONDS, f"reading {spot.topic}-{spot.partition}")
        if records := [r for r in batch if r.offset < end]:
            yield records
        if now > at:
            at, moved = now, time.monotonic()
        elif time.monotonic() > moved + STALLED_SECONDS:
            message = f"{spot.topic}-{spot.partition} gives nothing after offset {at} of {end}"
            raise TryAgainError(message)


def _poll(looking: KafkaConsumer, spot: TopicPartition) -> tuple[list[Any], int]:
    """Poll once; give the records, and the position behind them."""
    batches = looking.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
    return batches.get(spot, []), int(looking.position(spot) or 0)


def published_since(settings: Settings, topic: str, since: datetime) -> set[str]:
    """List the ids of the events that a topic of one partition was given since a moment.

    For who is to publish and does not know whether an earlier attempt did.

    Raises:
        TryAgainError: no broker, or it stopped answering.
    """
    spot, found = TopicPartition(topic, 0), set[str]()
    with reader(settings) as looking:
        [end] = settled_ends(settings, looking, [spot])[0].values()
        ask = partial(looking.offsets_for_times, {spot: round((since - SKEW).timestamp() * 1000)})
        place = answered(ask, ASK_SECONDS, f"where {topic} was then")[spot]
        for record in chain.from_iterable(scan(looking, spot, place.offset, end) if place else ()):
            with suppress(ContractError):
                found.add(decode(record.value).id)
    return found
