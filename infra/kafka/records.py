"""What comes from and goes to the broker, and where a key belongs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from kafka.partitioner.default import murmur2
from msgspec import Struct

from events.envelope import Event, derive_id
from events.payloads import OffsetRange, Payload
from infra.trace_context import carried, read

P_co = TypeVar("P_co", bound=Payload, covariant=True)

K = TypeVar("K", bound=Payload)

KEPT_BYTES = 3 * 1024 * 1024
"""A dead letter carries originals up to this size; larger ones stay where they lie, for ever as well."""
KEPT_KEY_BYTES = 64 * 1024
"""A longer key is left out, so that key, value and headers fit into one request."""
HEADER_BYTES = 1_000
"""Header values are cut to this many bytes, a traceback from its front: it is a hint, not an archive."""


@dataclass(frozen=True, slots=True)
class Run:
    """Who works on a slice: the flow, its Prefect run, and the number of the attempt."""

    flow: str
    run_id: str
    attempt: int = 1


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Write it as `topic-partition@offset`."""
        return f"{self.topic}-{self.partition}@{self.offset}"


class Received(Struct, Generic[P_co], frozen=True, gc=False):
    """An event as it was read: with its place and the bytes it came in."""

    event: Event[P_co]
    place: Place
    key: bytes | None
    value: bytes

    @property
    def payload(self) -> P_co:
        """The event's payload."""
        return self.event.payload

    @property
    def id(self) -> str:
        """The event's identity."""
        return self.event.id

    @property
    def correlation_id(self) -> str:
        """The event's correlation: the id of what started the chain."""
        return self.event.metadata.correlation_id


@dataclass(frozen=True, slots=True)
class Because:
    """A cause that several records would name alike, at the place of the one that showed it."""

    id: str
    correlation_id: str
    place: Place


class Cause(Protocol):
    """What an event can follow from: anything with an identity and a place on a topic."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def correlation_id(self) -> str: ...  # noqa: D102
    @property
    def place(self) -> tuple[str, int, int]: ...  # noqa: D102


class Outgoing(Struct, frozen=True, gc=False):
    """A record to be sent; without a partition the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Compute the partition as every Kafka client does (murmur2); cached, since the hash is pure Python."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def ranges_label(ranges: list[OffsetRange]) -> str:
    """Name a slice by its non-empty ranges, as people read it in the Prefect UI."""
    return " + ".join(str(r) for r in ranges if r.end > r.start) or "nothing"


def letter_id(flow: str, place: Place) -> str:
    """Identify a dead letter: one flow rejects one record once."""
    return derive_id(flow, str(place), "dead-letter")


def dead_letter(
    run: Run, record: Any, reason: str, error: BaseException | None, traceback: str = ""
) -> Outgoing:
    """Wrap a consumer record, its bytes untouched, with why and by whom it was refused."""
    place = Place(record.topic, record.partition, record.offset)
    facts = {
        "letter_id": letter_id(run.flow, place),
        "reason": reason,
        "error_class": type(error).__name__ if error else "",
        "source_topic": place.topic,
        "source_partition": str(place.partition),
        "source_offset": str(place.offset),
        "flow": run.flow,
        "run_id": run.run_id,
        "attempt": str(run.attempt),
    }
    key, value = record.key, record.value
    if key is not None and len(key) > KEPT_KEY_BYTES:
        facts["original_key_bytes"], key = str(len(key)), None
    if value is not None and len(value) > KEPT_BYTES:
        facts["original_bytes"], value = str(len(value)), None
    if value is None and key is None:
        value = b""  # the client sends no record that has neither
    headers = [(name, text.encode(errors="replace")[:HEADER_BYTES]) for name, text in facts.items()]
    if traceback:
        headers.append(("traceback", traceback.encode(errors="replace")[-HEADER_BYTES:]))
    if trace := read(carried(record.headers)):
        headers += trace.headers  # who tries the letter again goes on in its trace
    return Outgoing("dead-letters", key, value, tuple(headers))


def of_kind(received: Iterable[Received[Any]], kind: type[K]) -> list[Received[K]]:
    """Keep the records whose event is of one kind."""
    return [r for r in received if isinstance(r.payload, kind)]
