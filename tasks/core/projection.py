"""From committed records to rows of the read side and of the feature table."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from events import payloads as p
from events.envelope import ContractError, Event, decode
from events.payloads import Payload
from events.topics import TOPICS
from tasks.core.shapes import SHAPES, Row, Shape, indexed

LETTERS = "dead-letters"


class Record(Protocol):
    """A consumed record, as the Kafka client hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Skipped(NamedTuple):
    """A record that is no event of its topic; the flow that consumes the topic makes it a dead letter."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(slots=True)
class Projection:
    """Rows by table and then by identity, of which each table holds one; and what could not be read."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, table: str, identity: str, row: Row) -> None:
        """Keep the first row of an identity, by (partition, offset), with which every row starts."""
        known = self.rows.setdefault(table, {}).setdefault(identity, row)
        if row[:2] < known[:2]:
            self.rows[table][identity] = row


EVENT_COLUMNS = (
    *("partition", "offset", "event_id", "timestamp", "producer"),
    *("cause_topic", "cause_partition", "cause_offset", "correlation_id"),
)
LETTER_COLUMNS = (
    *("partition", "offset", "letter_id", "timestamp", "flow", "reason", "error_class"),
    *("source_topic", "source_partition", "source_offset", "run_id", "size", "headers", "key", "value"),
)
FEATURE_COLUMNS = (
    *("symbol", "date", "revision", "offset", "partition"),
    *("event_id", "timestamp", "feature_set", "last_close", "retracted", "features"),
)
RANGE_COLUMNS = ("partition", "offset", "range_id", "flow", "made", "topic", "number", "start", "end")

COLUMNS: dict[str, tuple[str, ...]] = {
    **{shape.table: (*EVENT_COLUMNS, *shape.columns) for shape in SHAPES.values()},
    "dead_letters": LETTER_COLUMNS,
    "slice_ranges": RANGE_COLUMNS,
    "latest_features": FEATURE_COLUMNS,
}
"""The columns of each table's rows."""


def project(records: Iterable[Record]) -> Projection:
    """Turn records of any topics into the read side's rows."""
    made = Projection()
    newest: dict[str, tuple[Event[Payload], Record]] = {}
    for record in records:
        if record.topic == LETTERS:
            row = letter_row(record)
            made.add("dead_letters", row[2], row)
        elif (event := event_of(record, made.skipped)) is None:
            continue
        elif isinstance(event.payload, p.FeaturesComputed):
            _keep_newest(newest, event, record)
        else:
            shape = SHAPES[event.event_type]
            made.add(shape.table, event.id, event_row(event, record, shape))
            _add_ranges(made, event, record)
    if newest:
        made.rows["latest_features"] = {name: feature_row(*pair) for name, pair in newest.items()}
    return made


def event_of(record: Record, skipped: list[Skipped]) -> Event[Payload] | None:
    """Read an event that belongs on the record's topic, or note why there is none."""
    try:
        event = decode(record.value)
    except ContractError as error:
        skipped.append(Skipped(record.topic, record.partition, record.offset, str(error)))
        return None
    if event.event_type not in TOPICS[record.topic].events:
        reason = f"{event.event_type} does not belong on {record.topic}"
        skipped.append(Skipped(record.topic, record.partition, record.offset, reason))
        return None
    return event


def event_row(event: Event[Payload], record: Record, shape: Shape) -> Row:
    """Build the row of an event, columns EVENT_COLUMNS and the shape's."""
    cause = event.metadata.causation
    found = (cause.topic, cause.partition, cause.offset) if cause else (None, None, None)
    head = (record.partition, record.offset, event.id, event.timestamp, event.producer)
    return (*head, *found, event.metadata.correlation_id, *shape.values(event.payload))


def _add_ranges(made: Projection, event: Event[Payload], record: Record) -> None:
    """Add what a ledger entry read and what it made: by them a record's slice is found."""
    entry = event.payload
    if isinstance(entry, p.SliceCommitted):
        for is_made, ranges in ((False, entry.ranges), (True, entry.outputs)):
            for ordinal, span in enumerate(ranges):
                name = f"{event.id}/{'made' if is_made else 'read'}/{ordinal}"
                spot = (span.topic, span.partition, span.start, span.end)
                row = (record.partition, record.offset, name, entry.flow, is_made, *spot)
                made.add("slice_ranges", name, row)


def order_of(event: Event[Payload], record: Record) -> tuple[Any, ...]:
    """Which of a symbol's feature vectors is newer: by session, revision, then place."""
    payload: Any = event.payload
    return (payload.date, payload.revision, record.offset, record.partition)


def _keep_newest(
    newest: dict[str, tuple[Event[Payload], Record]], event: Event[Payload], record: Record
) -> None:
    symbol = event.payload.key
    if symbol not in newest or order_of(event, record) > order_of(*newest[symbol]):
        newest[symbol] = (event, record)


def feature_row(event: Event[Payload], record: Record) -> Row:
    """Build the row of a symbol's latest feature vector, columns FEATURE_COLUMNS."""
    payload: Any = event.payload
    features = orjson.dumps(payload.features).decode()
    kept = (event.id, event.timestamp, payload.feature_set, payload.last_close, payload.retracted, features)
    return (payload.symbol, *order_of(event, record), *kept)


def letter_row(record: Record) -> Row:
    """Build the row of a dead letter, columns LETTER_COLUMNS; a header that is missing becomes null."""
    headers = {name: _text(value) for name, value in record.headers}
    said = headers.get
    letter_id = indexed(said("letter_id")) or f"{record.topic}-{record.partition}@{record.offset}"
    moment = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    source = (said("source_topic"), _number(said("source_partition")), _number(said("source_offset")))
    size = len(record.value or b"")
    told = (said("flow"), said("reason"), said("error_class"), *source, said("run_id"), size)
    body = (orjson.dumps(headers).decode(), record.key, record.value)
    return (record.partition, record.offset, letter_id, moment, *told, *body)


def _text(value: bytes | None) -> str:
    """A header as the database can store it: whatever the writer put there."""
    return (value or b"").decode(errors="replace").replace("\0", "\ufffd")


_DIGITS = re.compile(r"[0-9]{1,18}")


def _number(text: str | None) -> int | None:
    return int(text) if text and _DIGITS.fullmatch(text) else None
