"""Publishing without input offsets: ingestion, schedules and people at a terminal."""

import time
from collections.abc import Iterable

from kafka import TopicPartition

from infra.errors import StopError
from infra.kafka.pool import Pool, WarmProducer
from infra.kafka.reading import await_visible
from infra.kafka.records import Outgoing
from infra.kafka.transaction import Closing, transact
from infra.tracing import published


class Source:
    """One transactional id that publishes batches of records, each batch whole or not at all.

    Whoever uses it publishes deterministic event ids and looks, after `open`, whether they are committed
    already: opening fences a predecessor that was still at it. Not for several threads.
    """

    def __init__(self, pool: Pool, name: str) -> None:
        """Nothing is sent before `open`."""
        self._pool = pool
        self._producer, self._name = name, f"source.{name}"
        self._warm: WarmProducer | None = None

    def open(self) -> None:
        """Fence predecessors; from here on nobody else publishes under this name."""
        self._warm = self._pool.new_producer(self._name)

    def publish(self, records: Iterable[Outgoing], closing: Closing | None = None) -> int:
        """Send records in one transaction and await that they can be read; returns how many.

        `closing` makes one more record, which says where the others lie; it is sent even alone.

        Raises like `transact`.
        """
        warm, self._warm = self._warm, None
        if warm is None:
            message = f"{self._name} is not open, or failed before: open it and look what is committed"
            raise StopError(message)
        batch, began = list(records), time.time_ns()
        if batch or closing:
            written = transact(self._pool.settings, warm, batch, closing=closing)
            self._await(written, warm)
            published(self._pool.settings, self._producer, batch, began)
        self._warm = warm
        return len(batch)

    def _await(self, written: dict[TopicPartition, int], warm: WarmProducer) -> None:
        try:
            with self._pool.reader(self._name) as reader:
                await_visible(reader, written)
        except BaseException:
            warm.discard()  # whoever goes on opens anew, and looks what is committed
            raise

    def close(self) -> None:
        """Close the producer."""
        warm, self._warm = self._warm, None
        if warm is not None:
            warm.discard()
