"""Which offsets become the next slice: pure decisions, no client."""

from dataclasses import dataclass

from kafka import TopicPartition

from events.payloads import OffsetRange
from infra.wiring import Route

QUICK_REPLANS = 3
"""So many times in a row a slice is planned again at once."""
OUTAGES = 3
"""So many outages in a row of one slice may be its size: too much for the link, or for a time-out."""

LONGEST_SECONDS = 10.0
"""Waits grow up to here: a training that waits for its turn takes half a minute itself."""

Unit = tuple[TopicPartition, ...]
"""Partitions that are sliced together: one, or the pair of a join."""


def units(route: Route, assigned: set[TopicPartition]) -> list[Unit]:
    """Group the assigned partitions into units; a pair counts only when both its sides are ours."""
    if not route.paired:
        return [(spot,) for spot in sorted(assigned)]
    numbers = sorted({spot.partition for spot in assigned})
    pairs = [tuple(TopicPartition(topic, n) for topic in route.topics) for n in numbers]
    return [pair for pair in pairs if set(pair) <= assigned]


def cut(
    unit: Unit, starts: dict[TopicPartition, int], ends: dict[TopicPartition, int], limit: int
) -> list[OffsetRange]:
    """Cut the next slice of a unit: from where the group stands, at most `limit` offsets in all.

    Returns ranges for every partition of the unit, empty ones included; [] when nothing is new.
    """
    ranges, left = [], limit
    for spot in unit:
        start = starts[spot]
        end = max(start, min(ends[spot], start + left))
        left -= end - start
        ranges.append(OffsetRange(topic=spot.topic, partition=spot.partition, start=start, end=end))
    return ranges if left < limit else []


def size(ranges: list[OffsetRange]) -> int:
    """Count the offsets of a slice, transaction markers included."""
    return sum(r.end - r.start for r in ranges)


@dataclass
class Patience:
    """What a unit's failures so far mean for its next slice: wait, halve, or give the record up.

    Outages make us wait, and try less at a time when they do not end. Data that makes a flow fail is isolated
    by halving the slice until the one bad record stands alone. So is data that ends the process: `danger`
    counts the next offsets among which such a record lies.
    """

    limit: int
    most: int
    failures: int = 0
    waits: int = 0
    outages: int = 0
    """Outages in a row of the same slice, since it was halved last."""
    replans: int = 0
    crashes: int = 0
    danger: int = 0
    alone: bool = False
    """Whether a process ended during the next records, so that they must not share a run."""

    @property
    def calm(self) -> bool:
        """Whether nothing has failed lately."""
        return self.limit == self.most and not (self.failures or self.waits or self.alone)

    @property
    def next_limit(self) -> int:
        """Most offsets of the next slice; half of those in danger, so that each slice tells where it lies."""
        return min(self.limit, max(1, self.danger // 2)) if self.danger else self.limit

    def succeeded(self, offsets: int) -> None:
        """Grow back towards full slices; what was done is out of danger."""
        self.failures = self.waits = self.outages = self.replans = self.crashes = 0
        self.danger = max(0, self.danger - offsets)
        self.alone = self.danger > 0
        self.limit = min(self.most, self.limit * 2)

    def outage(self) -> float:
        """Count an outage; returns the seconds to wait, before jitter: 0.5, 1, 2 ... LONGEST_SECONDS."""
        self.waits += 1
        return min(LONGEST_SECONDS, 0.5 * 2.0 ** min(self.waits - 1, 10))

    def outage_of(self, offsets: int) -> None:
        """Count an outage of the same slice again; after some of them the next slice is half as large."""
        self.outages += 1
        if self.outages >= OUTAGES and offsets > 1:
            self.limit, self.outages = offsets // 2, 0

    def replan(self) -> float:
        """Count a slice that had to be planned again; returns the seconds to wait, none at first."""
        self.replans += 1
        return (
            0.0
            if self.replans <= QUICK_REPLANS
            else min(LONGEST_SECONDS, 0.5 * 2.0 ** (self.replans - QUICK_REPLANS))
        )

    def crashed(self) -> bool:
        """Count a run that crashed; returns True when the data has to be suspected: from the second on."""
        self.crashes += 1
        return self.crashes > 1

    def data_failure(self, offsets: int) -> bool:
        """Count a failure on data; returns True when the slice is one record that failed twice."""
        self.failures += 1
        if offsets > 1:
            self.limit = max(1, offsets // 2)
            self.failures = 0
        return offsets == 1 and self.failures > 1


def one_run(offsets: list[int], patiences: list[Patience], most: int) -> bool:
    """Tell whether slices of several units go into one run: little together, and nothing failed lately.

    A run costs more than a slice. After a failure each slice runs alone, so that the one at fault is seen.
    """
    return sum(offsets) <= most and all(patience.calm for patience in patiences)
