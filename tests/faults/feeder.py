"""A thread that goes on writing vectors, one transaction after the other, whatever happens to the broker."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing, partition_of
from infra.kafka.source import Source
from infra.settings import Settings
from sensors.failures import classify
from tests.desk import event, vector
from tests.faults.parts import until
from tests.faults.worker import TRANSIENT

PARTITIONS = 3
REST_SECONDS = 0.1
FEED_SECONDS = 90
END_SECONDS = 60


def symbols() -> list[str]:
    """Name two symbols of each partition."""
    names = [f"SYM{number}" for number in range(100)]
    mine = [[n for n in names if partition_of(n.encode(), PARTITIONS) == p] for p in range(PARTITIONS)]
    return [name for found in mine for name in found[:2]]


class Feeder:
    """Feeds from its start to its end, but for pauses; knows what the broker has acknowledged."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected yet."""
        self.acknowledged: list[str] = []
        self.failures: list[Exception] = []
        self._pool, self.symbols = Pool(settings), symbols()
        self._source: Source | None = None
        self._feeding, self._resting, self._ending = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Feed while the block lasts."""
        self._feeding.set()
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join(END_SECONDS)
            assert not self._thread.is_alive()
            self._pool.close()

    def await_more(self, batches: int) -> None:
        """Wait until so many more transactions are acknowledged."""
        enough = len(self.acknowledged) + batches * len(self.symbols)
        until(lambda: len(self.acknowledged) >= enough, FEED_SECONDS, "feeding", self.failures)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Feed nothing while the block lasts; no transaction is left open."""
        self._resting.clear()
        self._feeding.clear()
        until(self._resting.is_set, FEED_SECONDS, "the feeder's last transaction", self.failures)
        try:
            yield
        finally:
            self._feeding.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001  (judged as the sensors do, then told by the test)
                self.failures.append(error)
                if classify(error) not in TRANSIENT:
                    return
                if self._source:
                    self._source.close()
                self._source = None

    def _turn(self) -> None:
        """Open, which aborts what a failure left, or feed, or rest."""
        if self._source is None:
            fresh = Source(self._pool, "feeder")
            fresh.open()
            self._source = fresh
        elif self._feeding.is_set():
            values = [(symbol, event(vector(symbol))) for symbol in self.symbols]
            self._source.publish(Outgoing("features", symbol.encode(), value) for symbol, value in values)
            self.acknowledged += [json.loads(value)["metadata"]["event_id"] for _, value in values]
            self._ending.wait(REST_SECONDS)
        else:
            self._resting.set()
            self._ending.wait(REST_SECONDS)
