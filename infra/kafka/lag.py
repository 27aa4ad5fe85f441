"""How far every flow has come: committed against what can be read, in records and in seconds."""

from collections.abc import Collection
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
"""Offsets of the ledger that are looked at for last commits."""
Spot = tuple[str, str, int]
"""A flow, and a topic-partition that it reads."""


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
class Standing:
    """A flow on one partition: records not yet committed, the age of the oldest, and its last commit."""

    topic: str
    partition: int
    lag: int
    waited_s: float
    last_commit: datetime | None = None

    def stuck_s(self, now: datetime) -> float:
        """Tell for how long records have waited and nothing of this partition was committed."""
        if not self.lag:
            return 0.0
        silent = (now - self.last_commit).total_seconds() if self.last_commit else self.waited_s
        return min(silent, self.waited_s)


@dataclass(frozen=True, slots=True)
class Progress:
    """How one flow stands on each of its partitions."""

    standings: tuple[Standing, ...]

    @property
    def lag(self) -> int:
        """Records not yet committed."""
        return sum(one.lag for one in self.standings)

    @property
    def last_commit(self) -> datetime | None:
        """When the flow last committed anything."""
        return max((one.last_commit for one in self.standings if one.last_commit), default=None)

    def longest_stuck(self, now: datetime) -> Standing:
        """Name the partition that has been stuck for longest: while others commit, it may be in an outage."""
        return max(self.standings, key=lambda one: one.stuck_s(now))


def lags(settings: Settings) -> list[Lag]:
    """Measure every group of the wiring on every partition that it reads.

    `seconds_behind` is the age of the oldest record that is not processed; 0 when there is none.
    """
    return [row for route in routes() for row in _route_lags(settings, route)]


def _route_lags(settings: Settings, route: Route) -> list[Lag]:
    reader = clients.consumer(settings, group=route.flow, fetch_max_wait_ms=100)
    try:
        spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(settings, t))]
        return answered(lambda: measure(reader, route.flow, spots), ROUTE_SECONDS, f"the lag of {route.flow}")
    finally:
        close(reader)


def measure(reader: KafkaConsumer, group: str, spots: list[TopicPartition]) -> list[Lag]:
    """Measure a group on its partitions with a client of its own; waits for the broker, see `answered`."""
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
    others = {route.flow for route in routes()} - {leave_out}
    return behind(settings, readers, others)


def behind(settings: Settings, readers: dict[str, KafkaConsumer], flows: Collection[str]) -> int:
    """Sum the lag of some groups; otherwise as `unsettled`."""
    return sum(_group_lag(settings, route, readers) for route in routes() if route.flow in flows)


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
    return {flow: Progress(tuple(standing_of(row, last) for row in mine)) for flow, mine in flows.items()}


def standing_of(row: Lag, last: dict[Spot, datetime]) -> Standing:
    """Add to a partition's lag when its flow last committed there."""
    when = last.get((row.group, row.topic, row.partition))
    return Standing(row.topic, row.partition, row.lag, row.seconds_behind, when)


def _last_commits(settings: Settings) -> dict[Spot, datetime]:
    """Look in the newest part of the ledger for each flow's last commit on each of its partitions."""
    reader = clients.consumer(settings, fetch_max_wait_ms=100)
    try:
        return answered(lambda: _newest_commits(reader), ROUTE_SECONDS, "the newest part of the ledger")
    finally:
        close(reader)


def _newest_commits(reader: KafkaConsumer) -> dict[Spot, datetime]:
    spot = TopicPartition("slices", 0)
    reader.assign([spot])
    end = int(reader.end_offsets([spot], timeout_ms=ASK_MS)[spot])
    reader.seek(spot, max(0, end - LEDGER_TAIL))
    found: dict[Spot, datetime] = {}
    while int(reader.position(spot) or 0) < end:
        for record in reader.poll(timeout_ms=1_000, max_records=LEDGER_TAIL).get(spot, []):
            found.update(commits_of(record.value))
    return found


def commits_of(value: bytes) -> dict[Spot, datetime]:
    """Tell what an entry of the ledger committed; a pair's empty side was part of its slice as well."""
    try:
        event = decode(value)
    except ContractError:
        return {}
    entry = event.payload
    if not isinstance(entry, SliceCommitted):
        return {}
    return {(entry.flow, span.topic, span.partition): event.timestamp for span in entry.ranges}
