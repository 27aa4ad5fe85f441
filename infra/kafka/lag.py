"""How far every flow has come: committed against what can be read, in records and in seconds."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from events.envelope import ContractError, decode
from events.payloads import SliceCommitted
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.wiring import Route, routes

ASK_MS = 10_000
ANSWER_SECONDS = 5.0
ROUTE_SECONDS = 20.0
LEDGER_TAIL = 3_000
"""Offsets of the ledger that are looked at for a flow's last commit."""


@dataclass(frozen=True, slots=True)
class Lag:
    """One group on one partition; offsets count transaction markers too, `committed` None means missing."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    seconds_behind: float

    def as_dict(self) -> dict[str, Any]:
        """Give the row as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """One flow's: records not yet committed, how long the oldest has waited, and the last commit."""

    lag: int
    waited_s: float
    last_commit: datetime | None


def lags(settings: Settings) -> list[Lag]:
    """Measure every group of the wiring on every partition that it reads.

    `seconds_behind` is the age of the oldest record that is not processed; 0 when there is none.
    """
    return [row for route in routes() for row in _route_lags(settings, route)]


def _route_lags(settings: Settings, route: Route) -> list[Lag]:
    reader = clients.consumer(settings, group=route.flow, fetch_max_wait_ms=100)
    try:
        spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(settings, t))]
        return answered(
            lambda: _measure(reader, route.flow, spots), ROUTE_SECONDS, f"the lag of {route.flow}"
        )
    finally:
        close(reader)


def _measure(reader: KafkaConsumer, group: str, spots: list[TopicPartition]) -> list[Lag]:
    firsts = reader.beginning_offsets(spots, timeout_ms=ASK_MS)
    ends = reader.end_offsets(spots, timeout_ms=ASK_MS)
    return [_lag(reader, group, spot, (int(firsts[spot]), int(ends[spot]))) for spot in spots]


def _lag(reader: KafkaConsumer, group: str, spot: TopicPartition, kept: tuple[int, int]) -> Lag:
    """Compare progress with what is kept; it may lie outside, and then these numbers tell by how much."""
    (first, end), committed = kept, reader.committed(spot, timeout_ms=ASK_MS)
    behind = max(0, end - (committed or 0))
    seconds = _age_at(reader, spot, max(first, committed or 0), end) if behind else 0.0
    return Lag(group, spot.topic, spot.partition, committed, end, behind, seconds)


def _age_at(reader: KafkaConsumer, spot: TopicPartition, offset: int, end: int) -> float:
    """Tell how old the first record of `[offset, end)` is, in seconds; 0 where only markers are left."""
    reader.assign([spot])
    reader.seek(spot, offset)
    records: list[Any] = []
    while not records and int(reader.position(spot) or 0) < end:
        records = reader.poll(timeout_ms=1_000, max_records=1).get(spot, [])
    if not records:
        return 0.0
    return round(max(0.0, datetime.now(UTC).timestamp() - float(records[0].timestamp) / 1000), 3)


def unsettled(settings: Settings, readers: dict[str, KafkaConsumer], leave_out: str = "") -> int:
    """Sum the lag of all groups but one; `readers` keeps the clients between calls, for whoever asks often.

    Raises:
        TryAgainError: a client gave no answer; its group gets a new one next time.
    """
    return sum(_group_lag(settings, route, readers) for route in routes() if route.flow != leave_out)


def _group_lag(settings: Settings, route: Route, readers: dict[str, KafkaConsumer]) -> int:
    reader = readers.pop(route.flow, None) or clients.consumer(settings, group=route.flow)
    spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(settings, t))]

    def measure() -> int:
        ends = reader.end_offsets(spots, timeout_ms=ASK_MS)
        return sum(int(ends[s]) - int(reader.committed(s, timeout_ms=ASK_MS) or 0) for s in spots)

    behind = answered(measure, ANSWER_SECONDS, f"the lag of {route.flow}")
    readers[route.flow] = reader
    return behind


def progress(settings: Settings) -> dict[str, Progress]:
    """Tell how each flow of the wiring is getting on."""
    last = _last_commits(settings)
    rows = lags(settings)
    flows = {row.group: [r for r in rows if r.group == row.group] for row in rows}
    return {
        flow: Progress(sum(r.lag for r in mine), max(r.seconds_behind for r in mine), last.get(flow))
        for flow, mine in flows.items()
    }


def _last_commits(settings: Settings) -> dict[str, datetime]:
    """Look in the newest part of the ledger for each flow's last commit."""
    reader = clients.consumer(settings, fetch_max_wait_ms=100)
    try:
        return answered(lambda: _newest_commits(reader), ROUTE_SECONDS, "the newest part of the ledger")
    finally:
        close(reader)


def _newest_commits(reader: KafkaConsumer) -> dict[str, datetime]:
    spot = TopicPartition("slices", 0)
    reader.assign([spot])
    end = int(reader.end_offsets([spot], timeout_ms=ASK_MS)[spot])
    reader.seek(spot, max(0, end - LEDGER_TAIL))
    found: dict[str, datetime] = {}
    while int(reader.position(spot) or 0) < end:
        for record in reader.poll(timeout_ms=1_000, max_records=LEDGER_TAIL).get(spot, []):
            found.update(_commit_of(record.value))
    return found


def _commit_of(value: bytes) -> dict[str, datetime]:
    try:
        event = decode(value)
    except ContractError:
        return {}
    flow = event.payload.flow if isinstance(event.payload, SliceCommitted) else None
    return {flow: event.timestamp} if flow else {}
