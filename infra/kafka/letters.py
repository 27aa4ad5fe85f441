"""Dead letters as their topics tell: what was refused, how often it was tried, and whether it is open."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition

from events.envelope import ContractError, decode, derive_id
from events.payloads import LetterResolved, LetterRetried, OffsetRange, Payload
from infra.errors import StopError, TryAgainError
from infra.kafka import clients, scanning
from infra.kafka.bounded import answered, close
from infra.kafka.log import Log
from infra.kafka.reading import read_ranges
from infra.kafka.records import Place
from infra.settings import Settings
from infra.trace_context import HEADER

TOPIC = "dead-letters"
REDRIVER = "redrive"
RESOLVED = "resolved"
"""The producer and the subject in the id of a LetterResolved, by which it is looked up."""
ASK_MS = 15_000
ASK_SECONDS = 20.0


class LetterRecord(Protocol):
    """A record of the topic `dead-letters`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused record with its story; `place` is where the original lies."""

    id: str
    flow: str
    reason: str
    error_class: str
    place: Place
    run_id: str
    at: datetime
    key: bytes | None
    value: bytes | None
    original_bytes: int
    """Size of the original; larger than `value` when the letter was too small to carry it."""
    attempts: int = 1
    resolved: bool = False
    traceback: str | None = None
    """The end of the first failure's traceback; None where there was none to tell."""
    traceparent: str | None = None
    """The trace that the original came in; None where its headers named none."""

    def as_dict(self) -> dict[str, Any]:
        """Give the letter as JSON types, without its bytes."""
        facts = {name: value for name, value in asdict(self).items() if name not in {"key", "value", "place"}}
        place = {"topic": self.place.topic, "partition": self.place.partition, "offset": self.place.offset}
        return facts | {"at": self.at.isoformat(timespec="milliseconds"), "source": place}


def letter_of(record: LetterRecord) -> Letter | None:
    """Read a letter from its record; None when it is not one of ours."""
    said = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    try:
        numbers = int(said["source_partition"]), int(said["source_offset"])
        place = Place(said["source_topic"], *numbers)
        kept = len(record.value or b"")
        return Letter(
            id=said["letter_id"],
            flow=said["flow"],
            reason=said.get("reason", ""),
            error_class=said.get("error_class", ""),
            place=place,
            run_id=said.get("run_id", ""),
            at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            key=record.key,
            value=record.value,
            original_bytes=int(said.get("original_bytes", kept)),
            traceback=said.get("traceback"),
            traceparent=said.get(HEADER),
        )
    except (KeyError, ValueError):
        return None


def tell_story(letters: Iterable[Letter], events: Iterable[Payload]) -> list[Letter]:
    """Bring letters up to date with what happened to them; of one id the first letter counts.

    Args:
        letters: oldest first.
        events: LetterRetried and LetterResolved, oldest first; others are passed over.
    """
    known: dict[str, Letter] = {}
    for letter in letters:
        known.setdefault(letter.id, letter)
    for event in events:
        letter_id = event.letter_id if isinstance(event, LetterRetried | LetterResolved) else ""
        if (told := known.get(letter_id)) is not None:
            known[letter_id] = _told(told, event)
    return list(known.values())


def _told(letter: Letter, event: Payload) -> Letter:
    if isinstance(event, LetterRetried):
        return replace(letter, attempts=max(letter.attempts, event.attempt), reason=event.reason)
    return replace(letter, resolved=True)


def resolved(redrives: Log, letters: Iterable[str]) -> set[str]:
    """Tell which of these letters were tried again and went through; the log is asked for them alone."""
    wanted = set(letters)
    if wanted:
        redrives.refresh()
    return {letter for letter in wanted if redrives.has(derive_id(REDRIVER, letter, RESOLVED))}


def ids_from(settings: Settings, start: int) -> set[str]:
    """List the letters from an offset on, of all that is written by now.

    Raises:
        TryAgainError: a transaction is open, so that nobody knows yet; or no broker.
    """
    spot = TopicPartition(TOPIC, 0)
    with scanning.reader(settings) as looking:
        ends, unsettled = scanning.settled_ends(settings, looking, [spot])
        if unsettled:
            message = f"a transaction on {TOPIC} is open: whether records were given up is not known yet"
            raise TryAgainError(message)
        first = max(start, scanning.firsts(looking, [spot])[TOPIC, 0])
        batches = scanning.scan(looking, spot, first, ends[TOPIC, 0])
        return {found.id for batch in batches for record in batch if (found := letter_of(record))}


def read_letters(settings: Settings) -> list[Letter]:
    """Read all letters that the topic still has, oldest first.

    Raises:
        TryAgainError: no broker, or it stopped answering.
    """
    reader = clients.consumer(settings, fetch_max_wait_ms=100)
    try:
        letters = [found for record in _all(reader, TOPIC) if (found := letter_of(record))]
        return tell_story(letters, _payloads(_all(reader, "redrives")))
    finally:
        close(reader)


def _all(reader: KafkaConsumer, topic: str) -> list[Any]:
    """Read a topic of one partition from its first record on; retention may have removed older ones."""
    spot = TopicPartition(topic, 0)
    first = answered(partial(reader.beginning_offsets, [spot], timeout_ms=ASK_MS), ASK_SECONDS, topic)[spot]
    end = answered(partial(reader.end_offsets, [spot], timeout_ms=ASK_MS), ASK_SECONDS, topic)[spot]
    return read_ranges(reader, [OffsetRange(topic=topic, partition=0, start=int(first), end=int(end))])


def _payloads(records: Iterable[Any]) -> Iterable[Payload]:
    for record in records:
        try:
            yield decode(record.value).payload
        except ContractError:
            continue


def original(reader: KafkaConsumer, letter: Letter) -> bytes | None:
    """Give the original's bytes: from the letter, or from where it lies when the letter is too small.

    Raises:
        StopError: the original is not there any more.
    """
    if len(letter.value or b"") == letter.original_bytes:
        return letter.value
    topic, partition, offset = letter.place
    span = OffsetRange(topic=topic, partition=partition, start=offset, end=offset + 1)
    found = read_ranges(reader, [span])
    if not found:
        message = f"the original of letter {letter.id} is not at {letter.place} any more"
        raise StopError(message)
    return bytes(found[0].value)
