"""What lies on a topic-partition, as columns: some 40 bytes a record, however long the record is.

Ids are kept as 64-bit hashes, which hold within one process only: among ten million ids two different ones
look alike with a chance of three in a million.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from events.envelope import Event
from events.payloads import PAYLOADS, Payload
from events.topics import TOPICS

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

KINDS = tuple(PAYLOADS)
LETTER, MISPLACED, JUNK, NONE = 252, 253, 254, 255
"""Codes beside those of kinds and names: a letter, in the wrong partition, no event, nothing."""
TOPIC_NAMES = tuple(TOPICS)
_COLUMNS = {
    "offsets": "q",
    "kinds": "B",
    "ids": "q",
    "producers": "B",
    "cause_topics": "B",
    "cause_partitions": "q",
    "cause_offsets": "q",
    "cause_ids": "q",
}


def kind_code(name: str) -> int:
    """Number an event type."""
    return KINDS.index(name)


def code_of(name: str | None, names: Sequence[str]) -> int:
    """Number a name; NONE where there is none, JUNK for a foreign one."""
    if name is None:
        return NONE
    return names.index(name) if name in names else JUNK


@dataclass(frozen=True, slots=True)
class Source:
    """The record that an event, or a dead letter, says it comes from."""

    topic: str
    partition: int
    offset: int
    event_id: str = ""


@dataclass
class Tally:
    """Columns of one topic-partition while it is read; `flows` numbers the producers."""

    flows: Sequence[str]
    columns: dict[str, "array[Any]"] = field(
        default_factory=lambda: {name: array(code) for name, code in _COLUMNS.items()}
    )
    moved: list[tuple[int, int]] = field(default_factory=list)
    """Offsets of misplaced records and the partitions where they belong."""

    def event(self, offset: int, event: Event[Payload], *, belongs: int | None = None) -> None:
        """Add an event; `belongs` is the partition of a misplaced one."""
        cause = event.metadata.causation
        kind = kind_code(event.event_type) if belongs is None else MISPLACED
        if belongs is not None:
            self.moved.append((offset, belongs))
        source = Source(cause.topic, cause.partition, cause.offset, cause.event_id) if cause else None
        self._add(offset, kind, event.id, event.producer, source)

    def letter(self, offset: int, letter_id: str, flow: str, source: Source) -> None:
        """Add a dead letter of a flow."""
        self._add(offset, LETTER, letter_id, flow, source)

    def junk(self, offset: int) -> None:
        """Add a record that is no event of its topic."""
        self._add(offset, JUNK, "", None, None)

    def _add(self, offset: int, kind: int, name: str, producer: str | None, source: Source | None) -> None:
        add = self.columns
        add["offsets"].append(offset)
        add["kinds"].append(kind)
        add["ids"].append(hash(name))
        add["producers"].append(code_of(producer, self.flows))
        add["cause_topics"].append(code_of(source.topic if source else None, TOPIC_NAMES))
        add["cause_partitions"].append(source.partition if source else -1)
        add["cause_offsets"].append(source.offset if source else -1)
        add["cause_ids"].append(hash(source.event_id) if source else 0)

    def done(self) -> "Census":
        """Close the columns."""
        types = {"q": np.int64, "B": np.uint8}
        made = {name: np.frombuffer(a, dtype=types[_COLUMNS[name]]) for name, a in self.columns.items()}
        return Census(**made, moved=dict(self.moved))


@dataclass(frozen=True)
class Census:
    """Columns of one topic-partition in the order of the offsets; the names are those of `_COLUMNS`."""

    offsets: Numbers
    kinds: NDArray[np.uint8]
    ids: Numbers
    producers: NDArray[np.uint8]
    cause_topics: NDArray[np.uint8]
    cause_partitions: Numbers
    cause_offsets: Numbers
    cause_ids: Numbers
    moved: dict[int, int]

    def __len__(self) -> int:
        """Count the records."""
        return len(self.offsets)

    def is_event(self) -> Flags:
        """Flag the events that lie where they belong."""
        return np.asarray(self.kinds < len(KINDS))

    def at(self, offsets: Numbers) -> tuple[Numbers, Flags]:
        """Find the rows of offsets: the row numbers, and which of them exist."""
        if not len(self):
            return np.zeros(len(offsets), np.int64), np.zeros(len(offsets), bool)
        rows = np.minimum(np.searchsorted(self.offsets, offsets), len(self) - 1)
        return rows.astype(np.int64), np.asarray(self.offsets[rows] == offsets)


Places = dict[tuple[str, int], Census]
"""Every topic-partition's columns."""


def of_topic(places: Places, topic: str) -> list[tuple[int, Census]]:
    """List a topic's partitions in their order."""
    return [(partition, places[name, partition]) for name, partition in sorted(places) if name == topic]


def repeats(places: Places, topic: str) -> dict[int, Numbers]:
    """Find for each record of a topic the first one of the same id, as a row number of the whole topic.

    Rows count through the partitions in their order. Misplaced records and what is no event repeat nothing:
    each is its own first.
    """
    parts = of_topic(places, topic)
    whole = joined([census for _, census in parts])
    real = whole.is_event() | (whole.kinds == LETTER)
    firsts = np.arange(len(whole))
    _, index, inverse = np.unique(whole.ids[real], return_index=True, return_inverse=True)
    firsts[real] = np.flatnonzero(real)[index[inverse]]
    cuts = np.cumsum([len(census) for _, census in parts])[:-1]
    return {p: part for (p, _), part in zip(parts, np.split(firsts, cuts), strict=True)}


def joined(parts: list[Census]) -> Census:
    """Put the columns of a topic's partitions one after the other."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return Census(**columns, moved={})
