"""Every topic as a stranger reads it, committed and uncommitted; shares no code with the system."""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

READ_SECONDS = 120.0
TOPICS = (
    *("raw-data", "features", "predictions", "actuals", "errors", "training", "models", "alerts"),
    *("slices", "dead-letters", "redrives"),
)


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Record:
    """A record, its headers as text, and its event where the value is a JSON object."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: dict[str, str] = field(default_factory=dict)

    @cached_property
    def event(self) -> dict[str, Any]:
        """The JSON object; empty where the value is none."""
        try:
            found = json.loads(self.value or b"")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def kind(self) -> str:
        """The event's type."""
        return str(self.event.get("event_type", ""))

    @property
    def payload(self) -> dict[str, Any]:
        """The event's payload; empty where it is no object."""
        found = self.event.get("payload")
        return found if isinstance(found, dict) else {}

    @property
    def producer(self) -> str:
        """Who wrote the event."""
        return str(self.event.get("producer", ""))

    @cached_property
    def identity(self) -> str:
        """The event's id, or the digest of its bytes where it carries none."""
        metadata = self.event.get("metadata")
        known = metadata.get("event_id") if isinstance(metadata, dict) else None
        return known if isinstance(known, str) and known else hashlib.sha256(self.value or b"").hexdigest()

    @cached_property
    def cause(self) -> Place | None:
        """The place of the record that made this event happen."""
        metadata = self.event.get("metadata")
        found = metadata.get("causation") if isinstance(metadata, dict) else None
        return Place(found["topic"], found["partition"], found["offset"]) if found else None


@dataclass(frozen=True)
class Journal:
    """What lies on the topics: as a reader of committed records sees it, and everything."""

    committed: dict[str, list[Record]]
    everything: dict[str, list[Record]]
    stable: dict[tuple[str, int], int]
    """The last stable offset of each partition."""
    written: dict[tuple[str, int], int]
    """The high watermark of each partition."""
    open_transactions: list[str] = field(default_factory=list)

    @property
    def at_rest(self) -> bool:
        """Tell whether no transaction was open while the topics were read."""
        return not self.open_transactions and self.stable == self.written

    def of(self, topic: str, kind: str = "", producer: str = "") -> list[Record]:
        """List committed records, by partition and offset, of one kind and one producer."""
        return [
            record
            for record in self.committed.get(topic, [])
            if (not kind or record.kind == kind) and (not producer or record.producer == producer)
        ]

    def without(self, places: AbstractSet[Place]) -> Self:
        """Leave out the committed records of some places."""
        kept = {t: [r for r in found if r.place not in places] for t, found in self.committed.items()}
        return replace(self, committed=kept)

    @cached_property
    def aborted(self) -> set[Place]:
        """The places of records that a reader of committed records must never act on."""
        seen = {record.place for records in self.committed.values() for record in records}
        return {record.place for records in self.everything.values() for record in records} - seen

    @cached_property
    def letters(self) -> dict[str, dict[Place, int]]:
        """How often each flow rejected each record, by the headers of the dead letters."""
        found: dict[str, dict[Place, int]] = defaultdict(lambda: defaultdict(int))
        for record in self.committed.get("dead-letters", []):
            head = record.headers
            place = Place(head["source_topic"], int(head["source_partition"]), int(head["source_offset"]))
            found[head["flow"]][place] += 1
        return found


def read(bootstrap: str, topics: Iterable[str] = TOPICS) -> Journal:
    """Read topics twice, up to where each ends now."""
    wanted = list(topics)
    committed, stable = _read(bootstrap, wanted, "read_committed")
    everything, written = _read(bootstrap, wanted, "read_uncommitted")
    return Journal(committed, everything, stable, written, _open_transactions(bootstrap))


def committed_offset(bootstrap: str, group: str, spot: tuple[str, int]) -> int | None:
    """Ask for a group's stable progress."""
    return committed_offsets(bootstrap, group, [spot[0]])[spot]


def committed_offsets(bootstrap: str, group: str, topics: Iterable[str]) -> dict[tuple[str, int], int | None]:
    """Ask for a group's stable progress in each partition of some topics."""
    reader = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        spots = [(topic, n) for topic in topics for n in sorted(reader.partitions_for_topic(topic) or ())]
        found = {spot: reader.committed(TopicPartition(*spot), timeout_ms=30_000) for spot in spots}
        return {spot: None if at is None else int(at) for spot, at in found.items()}
    finally:
        reader.close(autocommit=False)


def _read(
    bootstrap: str, topics: list[str], isolation: str
) -> tuple[dict[str, list[Record]], dict[tuple[str, int], int]]:
    reader = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="none",
        fetch_max_wait_ms=100,
    )
    try:
        spots = [TopicPartition(t, p) for t in topics for p in sorted(reader.partitions_for_topic(t) or ())]
        ends = {spot: int(end) for spot, end in reader.end_offsets(spots).items()}
        return _drain(reader, ends), {(spot.topic, spot.partition): end for spot, end in ends.items()}
    finally:
        reader.close(autocommit=False)


def _drain(reader: KafkaConsumer, ends: dict[Any, int]) -> dict[str, list[Record]]:
    """Read until every position has passed its end: a last offset may be a transaction's marker."""
    reader.assign(list(ends))
    for spot in ends:
        reader.seek(spot, 0)
    found: dict[str, list[Record]] = defaultdict(list)
    deadline = time.monotonic() + READ_SECONDS
    while open_ := [spot for spot, end in ends.items() if reader.position(spot) < end]:
        assert time.monotonic() < deadline, f"could not read to the end of {open_}"
        for spot, batch in reader.poll(timeout_ms=500, max_records=20_000).items():
            found[spot.topic] += [_record(one) for one in batch if one.offset < ends[spot]]
    return {topic: sorted(records, key=lambda r: r.place) for topic, records in found.items()}


def _record(raw: Any) -> Record:
    headers = {name: (value or b"").decode(errors="replace") for name, value in raw.headers}
    return Record(Place(raw.topic, raw.partition, raw.offset), raw.key, raw.value, headers)


def _open_transactions(bootstrap: str) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        listed = admin.list_transactions(state_filters=["Ongoing"])
    finally:
        admin.close()
    return [str(one) for node in listed.values() for one in node]
