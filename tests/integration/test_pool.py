"""Warm clients on a real broker: what saw an error is ended, and never lent again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.errors import IllegalStateError

from infra.errors import StopError, TryAgainError
from infra.kafka.pool import Pool
from infra.kafka.source import Source
from infra.settings import Settings

AT_ONCE_SECONDS = 2.0


@pytest.fixture
def pool(servers: Settings) -> Iterator[Pool]:
    """A pool of this test's own."""
    pool = Pool(servers)
    yield pool
    pool.close()


def test_a_producer_with_records_pending_is_ended(pool: Pool) -> None:
    """Its thread and what it had pending are gone at once, and nothing is raised."""
    warm = pool.new_producer("test.pending")
    warm.producer.begin_transaction()
    pending = warm.producer.send("alerts", value=b"{}", partition=0)
    began = time.monotonic()
    warm.discard()
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert isinstance(pending.exception, IllegalStateError)
    assert not _alive(warm.producer)


def _alive(producer: Any) -> bool:
    return bool(producer._sender.is_alive())


def test_nobody_writes_by_a_number_of_partitions_that_changed(servers: Settings) -> None:
    """Ingest, a backfill, a redrive and a replay have no sensor that looks; one look a process is enough."""
    pool = Pool(servers.model_copy(update={"partitions": 4}))
    publisher = Source(pool, "test-counts")
    with pytest.raises(StopError, match="features has 3 partitions, expected 4"):
        publisher.open()
    pool.settings = servers
    publisher.open()
    pool.settings = servers.model_copy(update={"partitions": 4})
    publisher.open()
    publisher.close()


def test_one_spare_is_kept_and_the_other_ended(pool: Pool) -> None:
    """Two of an id come back where a slice found its work done: a pool that kept both would leak one."""
    first, second = pool.new_producer("test.spare"), pool.new_producer("test.spare")
    pool.return_producer("test.spare", first)
    pool.return_producer("test.spare", second)
    assert (_alive(first.producer), _alive(second.producer)) == (True, False)
    assert pool.take_producer("test.spare") is first
    assert pool.take_producer("test.spare") is None
    first.discard()


def test_a_reader_that_saw_an_error_is_not_lent_again(pool: Pool) -> None:
    """A healthy one is; one that was in an error may hang for ever."""
    with pool.reader("test.readers") as first:
        pass
    with pytest.raises(TryAgainError), pool.reader("test.readers") as again:
        raise TryAgainError
    assert again is first
    assert first._closed
    with pool.reader("test.readers") as another:
        assert another is not first
