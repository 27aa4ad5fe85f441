"""A past slice taken again: read as then, its results compared and not published."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from kafka import KafkaConsumer

from events.envelope import ContractError, decode, derive_id
from events.payloads import OffsetRange, Payload, SliceCommitted
from infra.kafka.ledger import REDRIVES, REPLAYS, aside, replaying
from infra.kafka.letters import letter_of
from infra.kafka.pool import Pool
from infra.kafka.reading import await_visible, read_bounded, read_ranges
from infra.kafka.records import Cause, Outgoing, Run
from infra.kafka.transaction import transact
from infra.kafka.work import Work, following

LETTERS = "dead-letters"
MOST_CORRECTIONS = 100


@dataclass(frozen=True, slots=True)
class Made:
    """One event that a rehearsed slice makes: what it says, of what it follows, under which revision."""

    topic: str
    payload: Payload
    cause: Cause
    subject: str
    revision: int


class Rehearsal(Work):
    """A slice that is taken again; it remembers how each event came about."""

    def __init__(self, pool: Pool, run: Run, ranges: list[OffsetRange], reader: KafkaConsumer) -> None:
        """Nothing is read before `read`."""
        super().__init__(pool.settings, run, ranges, partial(read_bounded, reader, None))
        self.made: list[Made] = []

    def publish(self, topic: str, payload: Payload, cause: Cause, subject: str, revision: int = 0) -> str:
        """Keep an event for the comparison."""
        self.made.append(Made(topic, payload, cause, subject, revision))
        return super().publish(topic, payload, cause, subject, revision)

    def ids(self, made: Made) -> tuple[str, ...]:
        """Name the event, and after it the corrections that it may have got."""
        revisions = range(made.revision, made.revision + MOST_CORRECTIONS)
        return tuple(derive_id(self.run.flow, made.cause.id, made.subject, r) for r in revisions)

    def correction(self, made: Made, latest: str) -> Outgoing:
        """Make the revision after `latest` (an id that `ids` named) of an event."""
        revision = made.revision + self.ids(made).index(latest) + 1
        payload = made.payload.model_copy(update={"revision": revision})
        return self._follow(made, payload, revision)

    def as_it_is(self, made: Made) -> Outgoing:
        """Make an event that was never published."""
        return self._follow(made, made.payload, made.revision)

    def _follow(self, made: Made, payload: Payload, revision: int) -> Outgoing:
        metadata = following(self.run.flow, payload, made.cause, made.subject, revision)
        return self.envelop(made.topic, payload, metadata)


class Recorded(NamedTuple):
    """One output as it lies on its topic: an event of the flow, or a dead letter's reason and class."""

    id: str
    topic: str
    fields: dict[str, Any]


def recorded(reader: KafkaConsumer, entry: SliceCommitted) -> list[Recorded]:
    """Read what a slice published; its neighbours' records, which lie between, are passed over."""
    flow = entry.flow.removeprefix(REPLAYS).removeprefix(REDRIVES)
    records = read_ranges(reader, entry.outputs)
    return [found for record in records if (found := _output(record, flow, entry.ranges))]


def outputs_of(work: Work) -> list[Recorded]:
    """List the dead letters that a rehearsed slice would write, in the same form."""
    letters = [out for out in work.outgoing if out.topic == LETTERS]
    return [Recorded(*_letter(dict(out.headers))) for out in letters]


def _output(record: Any, flow: str, ranges: Iterable[OffsetRange]) -> Recorded | None:
    if record.topic == LETTERS:
        letter = letter_of(record)
        ours = letter is not None and letter.flow == flow and _within(letter.place, ranges)
        return Recorded(*_letter(dict(record.headers))) if ours else None
    try:
        event = decode(record.value)
    except ContractError:
        return None
    cause = event.metadata.causation
    if event.producer != flow or cause is None:
        return None
    if not _within((cause.topic, cause.partition, cause.offset), ranges):
        return None
    return Recorded(event.id, record.topic, event.payload.model_dump(mode="json"))


def _letter(headers: dict[str, bytes]) -> tuple[str, str, dict[str, Any]]:
    said = {name: value.decode(errors="replace") for name, value in headers.items()}
    fields = {"reason": said["reason"].split("\n", 1)[0], "error_class": said["error_class"]}
    return said["letter_id"], LETTERS, fields


def _within(place: tuple[str, int, int], ranges: Iterable[OffsetRange]) -> bool:
    topic, partition, offset = place  # below the start as well: a pair's older side may lie there
    return any((r.topic, r.partition) == (topic, partition) and offset < r.end for r in ranges)


def publish_corrections(pool: Pool, run: Run, ranges: list[OffsetRange], corrections: list[Outgoing]) -> None:
    """Publish corrections in one transaction, with an entry in the ledger under the replays' own name.

    Raises like `transact`.
    """
    name = replaying(run.flow)
    warm = pool.new_producer(f"{name}.{ranges[0].topic}-{ranges[0].partition}")
    try:
        closing = aside(pool.settings, name, run, ranges)
        written = transact(pool.settings, warm, corrections, closing=closing)
    finally:
        warm.discard()
    with pool.reader(name) as reader:
        await_visible(reader, written)
