"""Following a topic from outside: committed records only, no group, from the start or from now on."""

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from infra.errors import StackError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.settings import Settings

POLL_MS = 200
ASK_MS = 6_000
START_SECONDS = 15.0
ANSWER_SECONDS = 8.0


def _nothing() -> None:
    """Nobody wants to know."""


def follow(
    settings: Settings,
    topic: str,
    *,
    from_beginning: bool = False,
    seconds: float | None = None,
    started: Callable[[], None] = _nothing,
) -> Generator[Any, None, None]:
    """Give a topic's committed records as they come, until `seconds` have passed (for ever without).

    `started` is called once the places to read from are known: what is committed from then on will be given.
    Records of one partition come in their order.

    Raises:
        StackError: the broker does not know the topic.
        TryAgainError: no broker, or it stopped answering.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    reader = clients.consumer(settings, fetch_max_wait_ms=100)
    try:
        with clients.answering(settings):
            start = partial(_start, settings, reader, topic, from_beginning)
            answered(start, START_SECONDS, f"where {topic} begins and ends")
        started()
        poll = partial(reader.poll, timeout_ms=POLL_MS)
        while deadline is None or time.monotonic() < deadline:
            with clients.answering(settings):
                batches = answered(poll, ANSWER_SECONDS, f"reading {topic}")
            for records in batches.values():
                yield from records
    finally:
        close(reader)


def _start(settings: Settings, reader: KafkaConsumer, topic: str, from_beginning: bool) -> None:
    numbers = reader.partitions_for_topic(topic)
    if not numbers:
        message = f"the broker at {settings.bootstrap} has no topic {topic}: run 'nepse up'"
        raise StackError(message)
    spots = [TopicPartition(topic, number) for number in sorted(numbers)]
    reader.assign(spots)
    known = reader.beginning_offsets if from_beginning else reader.end_offsets
    for spot, offset in known(spots, timeout_ms=ASK_MS).items():
        reader.seek(spot, offset)
