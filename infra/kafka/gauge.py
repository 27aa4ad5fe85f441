"""The lag of every flow for whoever asks again and again: the clients are kept, the ledger is read on."""

from datetime import datetime

from kafka import KafkaConsumer, TopicPartition

from infra.kafka import clients, lag
from infra.kafka.bounded import answered, close
from infra.kafka.lag import ANSWER_SECONDS, LEDGER_TAIL, Progress, Spot
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.wiring import Route, routes

LEDGER = TopicPartition("slices", 0)


class Gauge:
    """Reads how each flow stands; not for several threads.

    One look asks the broker for ends and commits, and for the age of a partition's oldest record only where
    there is one.
    """

    def __init__(self, settings: Settings) -> None:
        """Connect at the first look."""
        self._settings = settings
        self._readers: dict[str, KafkaConsumer] = {}
        self._ledger: KafkaConsumer | None = None
        self._last: dict[Spot, datetime] = {}
        self._next: int | None = None
        """The ledger's offset from which on it was not read yet."""

    def read(self) -> dict[str, Progress]:
        """Tell how each flow of the wiring is getting on.

        Raises:
            TryAgainError: the broker gave no answer in time; the next look uses new clients.
        """
        self._follow_ledger()
        rows = {route.flow: self._rows(route) for route in routes()}
        return {
            flow: Progress(tuple(lag.standing_of(row, self._last) for row in mine))
            for flow, mine in rows.items()
        }

    def close(self) -> None:
        """Close the clients."""
        for reader in [*self._readers.values(), self._ledger]:
            if reader is not None:
                close(reader)
        self._readers, self._ledger = {}, None

    def _rows(self, route: Route) -> list[lag.Lag]:
        flow = route.flow
        reader = self._readers.pop(flow, None) or clients.consumer(
            self._settings, group=flow, fetch_max_wait_ms=100
        )
        spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(self._settings, t))]
        try:
            found = answered(lambda: lag.measure(reader, flow, spots), ANSWER_SECONDS, f"the lag of {flow}")
        except BaseException:
            close(reader)
            raise
        self._readers[flow] = reader
        return found

    def _follow_ledger(self) -> None:
        reader, self._ledger = self._ledger or self._open_ledger(), None
        try:
            answered(lambda: self._read_on(reader), ANSWER_SECONDS, "the newest part of the ledger")
        except BaseException:
            close(reader)
            raise
        self._ledger = reader

    def _open_ledger(self) -> KafkaConsumer:
        reader = clients.consumer(self._settings, fetch_max_wait_ms=100)
        reader.assign([LEDGER])
        return reader

    def _read_on(self, reader: KafkaConsumer) -> None:
        end = int(reader.end_offsets([LEDGER], timeout_ms=lag.ASK_MS)[LEDGER])
        tail = max(0, end - LEDGER_TAIL)
        reader.seek(LEDGER, tail if self._next is None else min(max(self._next, tail), end))
        while (at := int(reader.position(LEDGER) or 0)) < end:
            for record in reader.poll(timeout_ms=1_000, max_records=LEDGER_TAIL).get(LEDGER, []):
                self._last.update(lag.commits_of(record.value))
        self._next = max(at, end)
