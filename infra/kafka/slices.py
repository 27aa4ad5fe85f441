"""A slice: read a range of offsets, publish what follows from it, commit both once.

The steps are numbered as in ARCHITECTURE.md, section "A slice, step by step".
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from kafka import KafkaConsumer, TopicPartition

from events.envelope import derive_id
from events.payloads import OffsetRange, SliceCommitted
from infra import metrics
from infra.errors import ReplanError
from infra.faults import reach
from infra.kafka.pool import Pool, WarmProducer
from infra.kafka.reading import await_visible, committed, read_bounded
from infra.kafka.records import Outgoing, Run, ranges_label
from infra.kafka.transaction import Progress, transact
from infra.kafka.work import CODE_VERSION, Work, beginning, record_of
from infra.tracing import processed


def transactional_id(flow: str, spots: Sequence[OffsetRange | TopicPartition]) -> str:
    """Name a slice's transactions, always alike: the last process to initialise it fences earlier ones."""
    first = spots[0]
    return f"{flow}.{first.partition}" if len(spots) > 1 else f"{flow}.{first.topic}-{first.partition}"


class Slice(Work):
    """Ranges of one flow while they are worked on; `done` says that they were committed before."""

    def __init__(self, run: Run, ranges: list[OffsetRange], pool: Pool, reader: KafkaConsumer) -> None:
        """Nothing is asked of the broker before `open`."""
        super().__init__(pool.settings, run, ranges, partial(read_bounded, reader, pool.settings.slice_bytes))
        self.done, self._began = False, time.monotonic()
        self.committed_at: datetime | None = None
        self._pool, self._reader = pool, reader
        self._id = transactional_id(run.flow, ranges)
        self._warm: WarmProducer | None = None

    @property
    def delay(self) -> float | None:
        """Seconds from the oldest record to the commit; None before it, and for a slice without records."""
        if self.oldest is None or self.committed_at is None:
            return None
        return (self.committed_at - self.oldest).total_seconds()

    def open(self) -> None:
        """Take steps 1 and 2: is this slice still to be done, and by us?"""
        spare = self._pool.take_producer(self._id)
        if spare and all(spare.ended_at.get(TopicPartition(*spot)) == at for spot, at in self.starts.items()):
            self._warm = spare  # our own last commit ended exactly here: nobody was in between
        elif self._is_done():  # step 1: before init, so that a rerun of an old run fences nobody
            self._finish(spare)
        else:
            self._initialise(spare)
        reach("offset-read", self.run.flow)

    def _initialise(self, spare: WarmProducer | None) -> None:
        """Take step 2; look once more after init, because a late zombie must not process twice."""
        if spare:
            spare.discard()
        self._warm = self._pool.new_producer(self._id)
        reach("transaction-initialised", self.run.flow)
        if self._is_done():
            self._finish(self._warm)

    def _finish(self, warm: WarmProducer | None) -> None:
        """Note that there is nothing to do, and keep a healthy producer for who comes next."""
        self.done, self._warm = True, None
        if warm:
            self._pool.return_producer(self._id, warm)

    def _is_done(self) -> bool:
        """Compare the group's progress with this slice.

        Raises:
            ReplanError: the progress is somewhere else than at the start or past the end.
        """
        at = committed(self._reader, self.ranges)
        if all(at[spot] >= end for spot, end in self.ends.items()):
            return True
        if at == self.starts:
            return False
        told = ", ".join(f"{topic}-{number} at {offset}" for (topic, number), offset in at.items())
        message = f"{ranges_label(self.ranges)} does not begin where {self.run.flow} stands: {told}"
        raise ReplanError(message)

    def commit(
        self,
        *,
        model_versions: list[str] | None = None,
        feature_set: str | None = None,
        looked_up: list[OffsetRange] | None = None,
    ) -> None:
        """Take step 6: outputs, dead letters, ledger entry and progress in one transaction.

        Raises:
            SupersededError: a newer process has taken over this slice's transactional id.
            OutcomeUnknownError: the commit was sent and not answered; the next attempt's step 2 decides.
            TryAgainError: the broker refused or lost something; nothing of it is visible.
        """
        if self._warm is None:
            message = "this slice is already committed or was never opened"
            raise ReplanError(message)
        entry = SliceCommitted(
            flow=self.run.flow,
            group=self.run.flow,
            ranges=self.ranges,
            run_id=self.run.run_id,
            attempt=self.run.attempt,
            counts=self.counts,
            model_versions=model_versions or [],
            feature_set=feature_set,
            code_version=CODE_VERSION,
            looked_up=looked_up or [],
        )
        warm, self._warm = self._warm, None
        progress = Progress(self.run.flow, self.ends, self.run.run_id)
        written = transact(self.settings, warm, self.outgoing, progress, partial(self._ledger_record, entry))
        self.committed_at = datetime.now(UTC)
        self._tell()
        self._pool.return_producer(self._id, warm)
        await_visible(self._reader, written)
        processed(self)

    def _tell(self) -> None:
        """Count what was committed, once a slice: a record costs no more than its length."""
        flow, values = self.run.flow, (record.value for record in self._records)
        metrics.read(flow, values, self.delay, time.monotonic() - self._began)
        metrics.DEAD_LETTERS.labels(flow).inc(self.counts.get("rejected", 0))

    def _ledger_record(self, entry: SliceCommitted, outputs: list[OffsetRange]) -> Outgoing:
        """Complete the ledger entry with where the outputs lie, which is known once they are sent."""
        entry_id = derive_id(self.run.flow, ranges_label(self.ranges), "slice")
        told = entry.model_copy(update={"outputs": outputs})
        return record_of("slices", self.run.flow, told, beginning(told, entry_id))

    def abandon(self) -> None:
        """Take step 7: no transaction is open here, but this producer is not to be used again."""
        if self._warm:
            self._warm.discard()
            self._warm = None


@contextmanager
def open_slice(pool: Pool, run: Run, ranges: list[OffsetRange]) -> Iterator[Slice]:
    """Open a slice for a flow; whatever is not committed when the block ends never happened."""
    with pool.reader(run.flow) as reader:
        work = Slice(run, ranges, pool, reader)
        try:
            work.open()
            yield work
        finally:
            work.abandon()
