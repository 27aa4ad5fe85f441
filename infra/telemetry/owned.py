"""The lag of partitions that this process works off, computed when somebody asks."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from kafka import TopicPartition
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

MOST_MARKS = 512


@dataclass(slots=True)
class _Standing:
    """How far a flow is on one partition, and when its ends were first seen (monotonic seconds)."""

    at: int = 0
    end: int = 0
    marks: list[tuple[int, float]] = field(default_factory=list)

    def see(self, at: int, end: int, now: float) -> None:
        """Remember that the partition ends at `end`, and forget ends that are worked off."""
        known = max(self.end, at)
        self.marks = [mark for mark in self.marks if mark[0] > at]
        if end > known or (end > at and not self.marks):
            self.marks.append((end, now))
        if len(self.marks) > MOST_MARKS:  # the oldest stays exact
            del self.marks[1::2]
        self.at, self.end = at, end

    def waiting(self, now: float) -> float:
        """Tell for how long this process has known of the oldest record that is not worked off."""
        return now - self.marks[0][1] if self.marks else 0.0


class Owned(Collector):
    """Two gauges by flow, topic and partition: offsets, and seconds since the oldest unread one was seen.

    Seconds grow also while nobody looks at the partition, as in an outage. The record may be older than that:
    a process that has just begun does not know when it came.
    """

    def __init__(self, offsets: str, seconds: str, registry: CollectorRegistry = REGISTRY) -> None:
        """Name both, and be asked at each scrape."""
        self._names = offsets, seconds
        self._standings: dict[tuple[str, TopicPartition], _Standing] = {}
        self._lock = Lock()
        registry.register(self)

    def see(self, flow: str, at: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> None:
        """Note how far a flow is, and where its partitions end."""
        now = time.monotonic()
        with self._lock:
            for spot, offset in at.items():
                self._standings.setdefault((flow, spot), _Standing()).see(offset, ends.get(spot, offset), now)

    def leave(self, flow: str, spots: Iterable[TopicPartition] | None = None) -> None:
        """Forget partitions that are somebody else's now; all of a flow's without `spots`."""
        named = None if spots is None else set(spots)
        with self._lock:
            for key in [one for one in self._standings if one[0] == flow]:
                if named is None or key[1] in named:
                    del self._standings[key]

    def keep(self, flow: str, spots: Iterable[TopicPartition]) -> None:
        """Forget all partitions of a flow but these."""
        named = set(spots)
        with self._lock:
            others = [spot for name, spot in self._standings if name == flow and spot not in named]
        self.leave(flow, others)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the gauges without values."""
        return self._families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the values as of now."""
        offsets, seconds = self._families()
        now = time.monotonic()
        with self._lock:
            for (flow, spot), one in self._standings.items():
                labels = (flow, spot.topic, str(spot.partition))
                offsets.add_metric(labels, max(0, one.end - one.at))
                seconds.add_metric(labels, one.waiting(now))
        yield from (offsets, seconds)

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        labels = ("flow", "topic", "partition")
        offsets, seconds = self._names
        return (
            GaugeMetricFamily(
                offsets, "Offsets not worked off on partitions of this process.", labels=labels
            ),
            GaugeMetricFamily(seconds, "Seconds since the oldest of them was seen.", labels=labels),
        )
