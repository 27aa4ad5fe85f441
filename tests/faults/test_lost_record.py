"""A record that a real broker never got, and a commit that the client reports all the same."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from events.payloads import OffsetRange
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import bounded
from infra.kafka.pool import Pool
from infra.kafka.reading import read_ranges
from infra.kafka.records import Outgoing
from infra.kafka.transaction import transact
from infra.settings import Settings
from tests.faults.cluster import running_cluster
from tests.faults.proxy import Line, Proxy

SPOT = TopicPartition("alerts", 0)
DELIVERY_MS = 2_000
COMMIT_SECONDS = 60
CUT_SECONDS = 0.5
"""Until the relay has noticed that it is to cut: what is sent before still passes."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A relay that the broker names as its own address."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def settings(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker behind the relay, and records that are given up soon; the transaction lives on."""
    with running_cluster(tmp_path_factory.mktemp("broker"), 1, proxy) as cluster:
        yield cluster.settings.model_copy(update={"delivery_timeout_ms": DELIVERY_MS})


def visible(settings: Settings) -> list[bytes]:
    """Read what is committed."""
    reader = clients.consumer(settings)
    try:
        end = int(reader.end_offsets([SPOT])[SPOT])
        span = OffsetRange(topic=SPOT.topic, partition=SPOT.partition, start=0, end=end)
        return [record.value for record in read_ranges(reader, [span])]
    finally:
        reader.close(autocommit=False)


def test_the_client_commits_although_a_record_was_lost(settings: Settings, proxy: Proxy) -> None:
    """Two records in a transaction, the second expires while the connection is away: it commits the first.

    This is the client's own fault, without any code of ours; the test tells when it is mended.
    """
    producer = clients.producer(settings, "raw-client")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(SPOT.topic, value=b"first", partition=SPOT.partition).get(timeout=10)
    with proxy.hurt(Line(cut=True)):
        time.sleep(CUT_SECONDS)
        lost = producer.send(SPOT.topic, value=b"second", partition=SPOT.partition)
        with pytest.raises(KafkaTimeoutError):
            lost.get(timeout=30)
    bounded(producer.commit_transaction, COMMIT_SECONDS, "the client's commit")
    producer.close()
    assert visible(settings) == [b"first"], (
        "kafka-python refuses such a commit now: the check is a second line"
    )


def test_ours_refuses_to_commit(settings: Settings, proxy: Proxy) -> None:
    """The same transaction through `transact`: the second record expires in the middle, and nothing shows."""
    before, pool = visible(settings), Pool(settings)
    warm = pool.new_producer("ours")

    def lose(_: list[Any]) -> Outgoing:
        proxy.line = Line(cut=True)
        time.sleep(CUT_SECONDS)
        threading.Timer(2 * DELIVERY_MS / 1000, partial(setattr, proxy, "line", Line())).start()
        return Outgoing(SPOT.topic, b"key", b"second")

    with pytest.raises(TryAgainError, match="1 of 1 records were not acknowledged: KafkaTimeoutError"):
        transact(settings, warm, [Outgoing(SPOT.topic, b"key", b"first")], closing=lose)
    assert visible(settings) == before
    pool.close()
