"""Stands in for the flows behind a backfill: what comes for them counts as worked off at once.

A backfill waits while the live loop has much to do. Here nobody predicts or joins, so that the backfill alone
is measured; without a stand-in it would wait for ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from infra.kafka import clients
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.wiring import routes

TOPICS = {"features", "predictions", "actuals"}
"""Who reads one of these is stood in for."""
PAUSE_SECONDS = 0.1


@contextmanager
def idle_loop(settings: Settings) -> Iterator[None]:
    """Commit the ends of the topics for the flows that read them, as long as the block runs."""
    stop, failures = threading.Event(), list[Exception]()
    thread = threading.Thread(target=_follow, args=(settings, stop, failures), name="stand-in", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


def _follow(settings: Settings, stop: threading.Event, failures: list[Exception]) -> None:
    """Commit until it is told to stop; a failure is kept for the thread that waits."""
    try:
        readers = _readers(settings)
        while not stop.wait(PAUSE_SECONDS):
            for reader, spots in readers:
                ends = reader.end_offsets(spots)
                reader.commit({spot: OffsetAndMetadata(end, "", -1) for spot, end in ends.items()})
        for reader, _ in readers:
            reader.close(autocommit=False)
    except Exception as error:  # noqa: BLE001  (told by the one that waits)
        failures.append(error)


def _readers(settings: Settings) -> list[tuple[KafkaConsumer, list[TopicPartition]]]:
    found = []
    for route in routes():
        if TOPICS.isdisjoint(route.topics):
            continue
        reader = clients.consumer(settings, group=route.flow)
        spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(settings, t))]
        reader.assign(spots)
        found.append((reader, spots))
    return found
