"""Wrong versions of the slice layer, each with one guard taken away; the checker has to tell them apart.

`python -m tests.faults.mutants NAME FLOW START END` works a slice of features-0 in a process of its own.
"""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from events.payloads import FeaturesComputed, OffsetRange
from infra.faults import reach
from infra.kafka import clients, transaction
from infra.kafka.pool import Pool
from infra.kafka.records import Run, of_kind
from infra.kafka.slices import Slice, open_slice
from infra.settings import Settings, load_settings
from tests.desk import predict

Patches = dict[str, Any]


def _store(settings: Settings, progress: transaction.Progress) -> None:
    """Commit a group's offsets as a consumer would, outside any transaction."""
    reader = clients.consumer(settings, group=progress.group)
    ends = {TopicPartition(*spot): OffsetAndMetadata(end, "", -1) for spot, end in progress.ends.items()}
    reader.assign(list(ends))
    reader.commit(ends)
    reader.close(autocommit=False)


def _offsets_after(settings: Settings, warm: Any, records: Any, progress: Any, closing: Any) -> Any:
    """Commit the outputs, and then, apart, the offsets: a process may die in between."""
    written = _transact(settings, warm, records, None, closing)
    reach("commit-acknowledged", progress.group)
    _store(settings, progress)
    return written


def _offsets_before(settings: Settings, warm: Any, records: Any, progress: Any, closing: Any) -> Any:
    """Commit the offsets, and then, apart, the outputs."""
    _store(settings, progress)
    reach("commit-acknowledged", progress.group)
    return _transact(settings, warm, records, None, closing)


def _unstable(settings: Settings, *, group: str | None = None, **options: Any) -> Any:
    """Make a consumer that sees what is not committed."""
    return _consumer(settings, group=group, **options | {"isolation_level": "read_uncommitted"})


def _consumer(settings: Settings, *, group: str | None, isolation_level: str, **options: Any) -> Any:
    reader = partial(clients.KafkaConsumer, isolation_level=isolation_level)
    with patch.object(
        clients, "KafkaConsumer", lambda **given: reader(**given | {"isolation_level": isolation_level})
    ):
        return _committed_consumer(settings, group=group, **options)


def _random_id(flow: str, _ranges: Any) -> str:
    """Name transactions anew each time, so that nobody fences anybody."""
    return f"{flow}-{uuid.uuid4().hex}"


def _without_second_look(self: Slice, spare: Any) -> None:
    """Initialise, and trust what was read before it."""
    if spare:
        spare.discard()
    self._warm = self._pool.new_producer(self._id)


_transact, _committed_consumer = transaction.transact, clients.consumer

MUTANTS: dict[str, Patches] = {
    "none": {},
    "offsets-after": {"infra.kafka.slices.transact": _offsets_after},
    "offsets-before": {"infra.kafka.slices.transact": _offsets_before},
    "read-uncommitted": {"infra.kafka.clients.consumer": _unstable},
    "random-id": {"infra.kafka.slices.transactional_id": _random_id},
    "one-look": {"infra.kafka.slices.Slice._initialise": _without_second_look},
}
"""What each mutant replaces, by dotted name; `none` is the system as it is."""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Run a block against a mutant of the slice layer."""
    started = [patch(target, put) for target, put in MUTANTS[name].items()]
    for one in started:
        one.start()
    try:
        yield
    finally:
        for one in started:
            one.stop()


def work(pool: Pool, flow: str, span: OffsetRange, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Do a slice as a flow does, one prediction a vector; `meanwhile` happens while it is open."""
    with open_slice(pool, Run(flow, "run"), [span]) as slice_:
        if not slice_.done:
            meanwhile()
            for received in of_kind(slice_.read(), FeaturesComputed):
                predict(slice_, received)
            slice_.commit()


def main(name: str, flow: str, start: str, end: str) -> None:
    """Work one slice under a mutant."""
    span = OffsetRange(topic="features", partition=0, start=int(start), end=int(end))
    with mutated(name):
        work(Pool(load_settings()), flow, span)


if __name__ == "__main__":
    main(*sys.argv[1:])
