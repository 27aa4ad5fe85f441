"""One transaction: send, flush, check every record, add the progress, commit - and say how it ended."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from events.payloads import OffsetRange
from events.topics import TOPICS
from infra import metrics
from infra.errors import OutcomeUnknownError, SupersededError, TryAgainError
from infra.faults import reach
from infra.kafka.bounded import bounded
from infra.kafka.pool import WarmProducer
from infra.kafka.records import Outgoing, partition_of
from infra.settings import Settings

ABORT_SECONDS = 5.0
FENCED = (ProducerFencedError, InvalidProducerEpochError)


Closing = Callable[[list[OffsetRange]], Outgoing]
"""Makes the last record of a transaction, which says where the others lie."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A group's offsets to commit with the records; the note (a run id) is stored beside them."""

    group: str
    ends: Mapping[tuple[str, int], int]
    note: str


def transact(
    settings: Settings,
    warm: WarmProducer,
    records: list[Outgoing],
    progress: Progress | None = None,
    closing: Closing | None = None,
) -> dict[TopicPartition, int]:
    """Take step 6: publish records, and with them a group's progress, all or nothing.

    Returns the last offset written to each partition of a topic that is looked up. The broker answers a
    commit before it has marked it in every partition: who reads such a topic next has to await the offset.

    Raises:
        SupersededError: a newer process has taken over the transactional id.
        OutcomeUnknownError: the commit was sent and not answered.
        TryAgainError: the broker refused or lost something; nothing is visible.
    """
    flow = progress.group if progress else str(warm.producer.config["transactional_id"])
    seconds = settings.transaction_timeout_ms / 1000
    with _translated(warm, flow):
        warm.producer.begin_transaction()  # step 6: not before everything is computed
        reach("transaction-begun", flow)
        written = _send_all(settings, warm.producer, records)
        if closing:
            _send_all(settings, warm.producer, [closing(_ranges(written))])
        reach("outputs-produced", flow)
        if progress:
            _add_offsets(warm.producer, progress, seconds)
            reach("offsets-added", flow)
        sent = partial(reach, "commit-sent", flow)
        bounded(warm.producer.commit_transaction, seconds, "commit_transaction", meanwhile=sent)
        reach("commit-acknowledged", flow)
    metrics.published(flow, (record.value for record in records))
    warm.ended_at = {TopicPartition(*spot): end for spot, end in progress.ends.items()} if progress else {}
    return {spot: last for spot, (_, last) in written.items() if TOPICS[spot.topic].looked_up}


def _add_offsets(producer: Any, progress: Progress, seconds: float) -> None:
    offsets = {
        TopicPartition(*spot): OffsetAndMetadata(end, progress.note, -1)
        for spot, end in progress.ends.items()
    }
    send = partial(producer.send_offsets_to_transaction, offsets, progress.group)
    bounded(send, seconds, "send_offsets")


Written = dict[TopicPartition, tuple[int, int]]
"""The first and the last offset written to each partition."""


def _send_all(settings: Settings, producer: Any, records: list[Outgoing]) -> Written:
    """Send records and require every acknowledgement."""
    futures = [_send(settings, producer, record) for record in records]
    producer.flush(timeout=settings.transaction_timeout_ms / 1000)
    _check(futures)
    written: Written = {}
    for place in (future.value for future in futures):
        spot = TopicPartition(place.topic, place.partition)
        first, last = written.get(spot, (place.offset, place.offset))
        written[spot] = min(first, place.offset), max(last, place.offset)
    return written


def _send(settings: Settings, producer: Any, record: Outgoing) -> Any:
    """Name the partition ourselves: it saves the client's uncached hash, a quarter of the whole join."""
    partition = None
    if record.key is not None:
        partition = partition_of(record.key, settings.partitions if TOPICS[record.topic].spread else 1)
    return producer.send(record.topic, record.value, record.key, list(record.headers), partition)


def _check(futures: list[Any]) -> None:
    """Require every acknowledgement: commit_transaction may report success although a record timed out."""
    lost = [future for future in futures if not future.succeeded()]
    for future in lost:
        if isinstance(future.exception, FENCED):  # not "try again": somebody else does it already
            raise future.exception
    if lost:
        message = f"{len(lost)} of {len(futures)} records were not acknowledged: {lost[0].exception!r}"
        raise TryAgainError(message)


def _ranges(written: Written) -> list[OffsetRange]:
    return [
        OffsetRange(topic=spot.topic, partition=spot.partition, start=first, end=last + 1)
        for spot, (first, last) in sorted(written.items())
    ]


@contextmanager
def _translated(warm: WarmProducer, flow: str) -> Iterator[None]:
    """Take step 7: abort on any failure, throw the producer away, and name the failure after what to do."""
    try:
        yield
    except BaseException as error:
        fenced = _is_fenced(error)
        metrics.aborted(flow, "fenced" if fenced else _unanswered(error))
        if not fenced and not isinstance(error, OutcomeUnknownError):
            _abort(warm)
        warm.discard()  # pending offsets are never cleared: a next transaction would commit them too
        if fenced:
            message = f"a newer process has taken over {warm.producer.config['transactional_id']}"
            raise SupersededError(message) from error
        if isinstance(error, KafkaError):
            message = f"the transaction failed, nothing of it is visible: {error!r}"
            raise TryAgainError(message) from error
        raise


def _is_fenced(error: BaseException) -> bool:
    """Look into the error as well: a `send` after the one that was fenced wraps the reason in a plain one."""
    return any(isinstance(one, FENCED) for one in (error, *error.args))


def _unanswered(error: BaseException) -> str:
    """Tell a failure whose outcome nobody knows from one after which nothing is visible."""
    return "unknown" if isinstance(error, OutcomeUnknownError) else "failed"


def _abort(warm: WarmProducer) -> None:
    """Abort politely so that readers are not held up; where that fails, the broker's time-out does it."""
    try:
        bounded(warm.producer.abort_transaction, ABORT_SECONDS, "abort_transaction")
    except (KafkaError, OutcomeUnknownError):
        return  # initialising the same id again, which the next attempt does, aborts what is left
