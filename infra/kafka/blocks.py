"""Blocks of sessions: too much for one transaction is published in several, each noted in the ledger.

A block's entry stands aside of the flows' progress. It says from which offsets of raw-data the block was
computed and, as its counts, how many events it holds of each session: so whoever is started again after a
kill knows what is done. One transactional id a publisher fences the predecessor that was still at it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from events.payloads import OffsetRange, Payload, SliceCommitted
from infra.errors import TryAgainError
from infra.faults import reach
from infra.kafka import scanning
from infra.kafka.ledger import BLOCKS, aside, blocks_of
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing, Run
from infra.kafka.source import Source

LEDGER = "slices"


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was committed: by whom, from which offsets, and how many events of each session."""

    publisher: str
    start: int
    end: int
    published: Mapping[date, int]


class Blocks:
    """Publishes blocks under one name; not for several threads."""

    def __init__(self, pool: Pool, run: Run) -> None:
        """Nothing is sent before `open`; the run's flow names the transactions."""
        self._pool, self._run = pool, run
        self._source = Source(pool, blocks_of(run.flow))

    def open(self) -> None:
        """Fence a predecessor, and wait until the ledger tells all that it committed.

        Raises:
            TryAgainError: some other transaction hides the end of the ledger.
        """
        self._source.open()
        with self._pool.reader(blocks_of(self._run.flow)) as looking:
            spots = scanning.spots_of(self._pool.settings, [LEDGER])
            _, unsettled = scanning.settled_ends(self._pool.settings, looking, spots)
        if unsettled:
            message = f"{LEDGER} can't be read to its end: a transaction is under way"
            raise TryAgainError(message)

    def publish(
        self, publisher: str, span: OffsetRange, records: Iterable[Outgoing], sessions: Mapping[date, int]
    ) -> int:
        """Commit one block, noted under `publisher`; returns how many records. Raises like `transact`."""
        reach("block-computed", self._run.flow)
        counts = {str(day): count for day, count in sessions.items()}
        run = Run(self._run.flow, self._run.run_id)
        closing = aside(self._pool.settings, blocks_of(publisher), run, [span], counts)
        sent = self._source.publish(records, closing)
        reach("block-committed", self._run.flow)
        return sent

    def close(self) -> None:
        """Close the producer."""
        self._source.close()


def is_block(entry: Payload) -> bool:
    """Tell whether an entry of the ledger is that of a block."""
    return isinstance(entry, SliceCommitted) and entry.flow.startswith(BLOCKS) and bool(entry.ranges)


def blocks_in(entries: Iterable[SliceCommitted]) -> list[Block]:
    """Find the blocks among the ledger's entries, in their order."""
    return [
        Block(
            entry.flow.removeprefix(BLOCKS),
            entry.ranges[0].start,
            entry.ranges[0].end,
            {date.fromisoformat(day): count for day, count in entry.counts.items()},
        )
        for entry in entries
        if is_block(entry)
    ]
