"""Warm clients: a producer per transactional id and readers per group, each lent to one slice at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import bounded, close, end
from infra.kafka.topics import require_counts
from infra.settings import Settings

MAX_FETCH_BYTES = 4 * 1024 * 1024


@dataclass
class WarmProducer:
    """An initialised transactional producer and where its own last commit ended."""

    producer: KafkaProducer
    ended_at: dict[TopicPartition, int] = field(default_factory=dict)

    def discard(self) -> None:
        """Throw it away, never raises: what it had pending must not leak into a next transaction."""
        end(self.producer)


class Pool:
    """Lends clients; a client that saw an error is closed and never lent again."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily: nothing happens before the first loan."""
        self.settings = settings
        self._lock = threading.Lock()
        self._producers: dict[str, WarmProducer] = {}
        self._readers: dict[str, list[KafkaConsumer]] = {}
        self._counted = False

    def take_producer(self, transactional_id: str) -> WarmProducer | None:
        """Lend the warm producer of this id, if there is one that nobody uses."""
        with self._lock:
            return self._producers.pop(transactional_id, None)

    def new_producer(self, transactional_id: str) -> WarmProducer:
        """Create and initialise a producer, which fences every earlier one of this id.

        The first one asks how many partitions the topics have: not every publisher has a sensor that looks.

        Raises:
            StopError: a number of partitions has changed, and keys would be written to other ones.
            TryAgainError: no broker, or none that coordinates this id now.
            OutcomeUnknownError: the client gave no answer.
        """
        if not self._counted:
            require_counts(self.settings)
            self._counted = True
        warm = WarmProducer(clients.producer(self.settings, transactional_id))
        seconds = self.settings.transaction_timeout_ms / 1000
        try:
            bounded(warm.producer.init_transactions, seconds, f"init_transactions of {transactional_id}")
        except BaseException as error:
            warm.discard()
            if isinstance(error, KafkaTimeoutError):
                message = f"{transactional_id} could not be initialised: {error}"
                raise TryAgainError(message) from error
            raise
        return warm

    def return_producer(self, transactional_id: str, warm: WarmProducer) -> None:
        """Take a healthy producer back."""
        with self._lock:
            spare = self._producers.setdefault(transactional_id, warm)
        if spare is not warm:
            warm.discard()

    @contextmanager
    def reader(self, group: str) -> Iterator[KafkaConsumer]:
        """Lend a read_committed consumer that knows the group's offsets without being a member."""
        with self._lock:
            spare = self._readers.setdefault(group, [])
            reader = spare.pop() if spare else None
        reader = reader or clients.consumer(
            self.settings,
            group=group,
            fetch_max_bytes=MAX_FETCH_BYTES,
            max_partition_fetch_bytes=MAX_FETCH_BYTES,
            fetch_max_wait_ms=100,
        )
        try:
            yield reader
        except BaseException:
            close(reader)
            raise
        with self._lock:
            self._readers[group].append(reader)

    def close(self) -> None:
        """Close everything that is not lent."""
        with self._lock:
            producers, self._producers = list(self._producers.values()), {}
            readers, self._readers = [r for group in self._readers.values() for r in group], {}
        for warm in producers:
            warm.discard()
        for reader in readers:
            close(reader)
