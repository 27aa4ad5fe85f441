"""Reading exactly a range of offsets, and the group's progress, without being a member of the group."""

import time
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from events.payloads import OffsetRange
from infra.errors import StopError, TryAgainError
from infra.kafka.bounded import answered
from infra.running import wait

READ_SECONDS = 15.0
POLL_MS = 200
POLL_RECORDS = 4_000
"""Decoded before their bytes are counted: what came compressed may be many times as large."""
VISIBLE_POLL_SECONDS = 0.01


def partition_of_range(wanted: OffsetRange) -> TopicPartition:
    """Name the topic-partition that a range belongs to."""
    return TopicPartition(wanted.topic, wanted.partition)


def committed(reader: KafkaConsumer, ranges: list[OffsetRange]) -> dict[TopicPartition, int]:
    """Read the group's committed offsets, stable ones only (the reader is read_committed).

    Raises:
        StopError: an offset is missing, which would silently mean "begin again".
        TryAgainError: the broker did not answer.
    """
    found = {}
    for partition in map(partition_of_range, ranges):
        try:
            offset = answered(partial(reader.committed, partition), READ_SECONDS, f"committed({partition})")
        except KafkaError as error:
            message = f"the broker did not tell the committed offset of {partition}: {error}"
            raise TryAgainError(message) from error
        if offset is None:
            raise StopError(missing_offset(reader.config["group_id"], partition))
        found[partition] = int(offset)
    return found


def missing_offset(group: str, partition: TopicPartition) -> str:
    """Explain a committed offset that is gone, and what a person can do."""
    return (
        f"group {group} has no committed offset for {partition.topic}-{partition.partition}: it expired or"
        f" was deleted. Look up its last slice ('nepse tail slices --from-beginning') and set the offset"
        f" with Kafka's own tool; starting at 0 would process everything again."
    )


def read_ranges(reader: KafkaConsumer, ranges: list[OffsetRange]) -> list[Any]:
    """Read the records of all ranges, in offset order per partition. Raises like `read_bounded`."""
    return read_bounded(reader, None, ranges)[0]


def read_bounded(
    reader: KafkaConsumer, most_bytes: int | None, ranges: list[OffsetRange]
) -> tuple[list[Any], list[OffsetRange]]:
    """Read the records of all ranges until they hold more than `most_bytes`.

    Ends when every position has reached its end; never waits for the record `end - 1`, which may be a
    transaction marker. Returns the records in offset order per partition, and the ranges that they fill:
    those asked for, with lower ends where there were too many bytes.

    Raises:
        StopError: the first offset is no longer (or not yet) there.
        TryAgainError: the broker stopped delivering.
    """
    wanted = {partition_of_range(r): r for r in ranges if r.end > r.start}
    if not wanted:
        return [], ranges
    try:
        records, ends = _poll_until_ends(reader, wanted, most_bytes)
    except OffsetOutOfRangeError as error:
        message = (
            f"offsets are out of range ({error}): retention removed them or the topic was made anew."
            f" Compare 'nepse lag' with the topic, then set the group's offset with Kafka's own tool"
        )
        raise StopError(message) from error
    except KafkaError as error:
        message = f"reading {', '.join(map(str, ranges))} failed: {error}"
        raise TryAgainError(message) from error
    filled = [r.model_copy(update={"end": ends.get(partition_of_range(r), r.end)}) for r in ranges]
    return records, filled


def await_visible(reader: KafkaConsumer, written: dict[TopicPartition, int]) -> None:
    """Wait until what was just committed can be read, so that whoever wrote it finds it.

    Args:
        reader: read_committed; its end offsets are those up to which every transaction is settled.
        written: an offset a partition that has to be visible.

    Raises:
        TryAgainError: it was not visible in time; it is committed nevertheless.
    """
    deadline = time.monotonic() + READ_SECONDS
    while written:
        ask = partial(reader.end_offsets, list(written), timeout_ms=int(READ_SECONDS * 1000))
        ends = answered(ask, READ_SECONDS, "the ends of what was committed")
        written = {spot: offset for spot, offset in written.items() if ends[spot] <= offset}
        if written and wait(VISIBLE_POLL_SECONDS):
            return  # this process is asked to end: nobody in it will look
        if time.monotonic() > deadline:
            message = f"what was committed to {list(written)} is not visible after {READ_SECONDS:g} s"
            raise TryAgainError(message)


def _poll_until_ends(
    reader: KafkaConsumer, wanted: dict[TopicPartition, OffsetRange], most_bytes: int | None
) -> tuple[list[Any], dict[TopicPartition, int]]:
    """Poll as long as records come; the bound is on silence, since a history may be of any length."""
    what = f"reading {', '.join(map(str, wanted.values()))}"
    at = answered(partial(_seek, reader, wanted), READ_SECONDS, what)
    records: list[Any] = []
    size, moved = 0, time.monotonic()
    while (left := _left(at, wanted)) and (most_bytes is None or size <= most_bytes):
        fresh, now = answered(partial(_poll, reader, wanted, left), READ_SECONDS, what)
        records.extend(fresh)
        size += sum(len(record.value or b"") for record in fresh)
        if now != at:
            at, moved = now, time.monotonic()
        elif time.monotonic() > moved + READ_SECONDS:
            message = f"{what}: the broker delivered nothing for {READ_SECONDS:g} s"
            raise TryAgainError(message)
    return records, {p: min(r.end, at[p]) for p, r in wanted.items()}


def _seek(reader: KafkaConsumer, wanted: dict[TopicPartition, OffsetRange]) -> dict[TopicPartition, int]:
    reader.assign(list(wanted))
    for partition, span in wanted.items():
        reader.seek(partition, span.start)
    return {partition: span.start for partition, span in wanted.items()}


def _poll(
    reader: KafkaConsumer, wanted: dict[TopicPartition, OffsetRange], left: int
) -> tuple[list[Any], dict[TopicPartition, int]]:
    """Poll once; give what is wanted of it, and the positions."""
    # No more than is left: the client decodes all that it hands out, wanted or not.
    polled = reader.poll(timeout_ms=POLL_MS, max_records=min(left, POLL_RECORDS)).items()
    fresh = [record for p, batch in polled for record in batch if record.offset < wanted[p].end]
    return fresh, {p: int(reader.position(p)) for p in wanted}


def _left(at: dict[TopicPartition, int], wanted: dict[TopicPartition, OffsetRange]) -> int:
    """Count the offsets between the reader's positions and the ends."""
    return sum(max(0, r.end - at[p]) for p, r in wanted.items())
