"""Trying dead letters again: as live slices do it, but without moving any offset."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from events.envelope import derive_id
from events.payloads import LetterResolved, LetterRetried, OffsetRange, Payload
from infra.errors import ReplanError
from infra.kafka.ledger import aside, redriving
from infra.kafka.letters import REDRIVER, RESOLVED, Letter, original
from infra.kafka.pool import Pool, WarmProducer
from infra.kafka.reading import await_visible, committed
from infra.kafka.records import Outgoing, Run
from infra.kafka.slices import transactional_id
from infra.kafka.transaction import transact
from infra.kafka.work import Fetched, Work, beginning, record_of
from infra.trace_context import HEADER
from infra.tracing import processed
from infra.wiring import Route

REASON_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A refused record as the client would hand it over; of the headers a letter keeps the trace."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Redrive:
    """Letters of one flow that lie in the same partition, tried again in one transaction.

    It takes over the transactional id of the live slices of that partition: so it runs wholly before or
    after each of them, and what both look up (the join's memory) can't change in between. A live slice that
    was under way is superseded, and planned again: if that comes before our commit, we are.
    """

    def __init__(self, pool: Pool, run: Run, route: Route, partition: int, reader: Any) -> None:
        """Nothing is asked of the broker before `open`."""
        self._pool, self._run, self._reader = pool, run, reader
        self._unit = [OffsetRange(topic=t, partition=partition, start=0, end=0) for t in route.topics]
        self._paired = route.paired
        self._warm: WarmProducer | None = None
        self._at: dict[Any, int] = {}
        self._outgoing: list[Outgoing] = []
        self._through: list[Work] = []
        self._resolved: list[str] = []
        self._tried: list[OffsetRange] = []

    def open(self, letter: Letter) -> None:
        """Fence the live slices of the letter's partition, then see how far they came."""
        ranges = self._unit if self._paired else [r for r in self._unit if r.topic == letter.place.topic]
        self._warm = self._pool.new_producer(transactional_id(self._run.flow, ranges))
        self._at = committed(self._reader, ranges)

    def work(self, letter: Letter) -> Work:
        """Make the letter's original a slice of one record; the other side of a pair is as far as it came."""
        ranges = [self._range(letter, topic, number) for topic, number in self._at]
        at = int(letter.at.timestamp() * 1000)
        trace = ((HEADER, letter.traceparent.encode()),) if letter.traceparent else ()
        record = Kept(*letter.place, at, letter.key, original(self._reader, letter), trace)

        def fetch(wanted: list[OffsetRange]) -> Fetched:
            return [record], wanted

        work = Work(self._pool.settings, self._run, ranges, fetch, (*self._resolved, letter.id))
        work.passed = self._at
        return work

    def _range(self, letter: Letter, topic: str, number: int) -> OffsetRange:
        mine = topic == letter.place.topic
        start = letter.place.offset if mine else self._at[topic, number]
        return OffsetRange(topic=topic, partition=number, start=start, end=start + mine)

    def resolve(self, letter: Letter, work: Work) -> None:
        """Keep what followed from the letter, and that it went through."""
        event = LetterResolved(letter_id=letter.id, attempt=letter.attempts + 1, run_id=self._run.run_id)
        self._resolved.append(letter.id)
        self._tried += work.ranges
        self._through.append(work)
        self._outgoing += [*work.outgoing, self._told(work, event, RESOLVED)]

    def count_attempt(self, letter: Letter, work: Work, reason: str) -> None:
        """Keep nothing of this attempt but that it failed."""
        attempt = letter.attempts + 1
        event = LetterRetried(letter_id=letter.id, attempt=attempt, reason=reason[:REASON_LENGTH])
        self._outgoing.append(self._told(work, event, f"retried {attempt}"))

    def _told(self, work: Work, event: Payload, subject: str) -> Outgoing:
        event_id = derive_id(REDRIVER, event.key, subject)
        return record_of("redrives", work.run.flow, event, beginning(event, event_id, event.key))

    def commit(self) -> None:
        """Publish what followed from all letters, with what happened to each. Raises like `transact`."""
        warm, self._warm = self._warm, None
        if warm is None:
            message = "these letters are committed already, or were never opened"
            raise ReplanError(message)
        try:
            await_visible(self._reader, self._transact(warm))
        finally:
            warm.discard()  # the live slices go on with their own
        for work in self._through:
            processed(work)

    def _transact(self, warm: WarmProducer) -> dict[Any, int]:
        """Leave an entry in the ledger where something went through: it says where that lies."""
        settings, name = self._pool.settings, redriving(self._run.flow)
        closing = aside(settings, name, self._run, self._tried) if self._tried else None
        return transact(settings, warm, self._outgoing, closing=closing)

    def abandon(self) -> None:
        """Throw away what was not committed."""
        if self._warm:
            self._warm.discard()
            self._warm = None


@contextmanager
def open_redrive(pool: Pool, run: Run, route: Route, letter: Letter) -> Iterator[Redrive]:
    """Open the partition of a letter; whatever is not committed when the block ends never happened."""
    with pool.reader(run.flow) as reader:
        redrive = Redrive(pool, run, route, letter.place.partition, reader)
        try:
            redrive.open(letter)
            yield redrive
        finally:
            redrive.abandon()
