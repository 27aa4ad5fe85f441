"""Which records may be killing the process: pure decisions on the runs that ended with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from kafka import TopicPartition

from events.payloads import OffsetRange

Slices = list[OffsetRange]

DEATHS = 2
"""A process may be killed for any reason once; from here on the slice is taken for the cause."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What ended runs mean for a unit: how many they were, and how few offsets one of them lies among."""

    deaths: int = 0
    among: int = 0
    alone: int = 0
    """Deaths of runs that held nothing but the one next record."""

    @property
    def proven(self) -> bool:
        """Whether the next record is to be given up without executing it again."""
        return self.alone >= DEATHS


def suspicion(starts: dict[TopicPartition, int], died: Iterable[Slices]) -> Suspicion:
    """Judge the runs that died while the next record of a unit was among theirs.

    Args:
        starts: where the unit stands.
        died: the slices of each run whose process ended; a run may hold those of several units.
    """
    left = [(_left(starts, slices), slices) for slices in died]
    covering = [(among, slices) for among, slices in left if among > 0]
    alone = sum(among == 1 and sum(r.end - r.start for r in slices) == 1 for among, slices in covering)
    return Suspicion(len(covering), min((among for among, _ in covering), default=0), alone)


def _left(starts: dict[TopicPartition, int], slices: Slices) -> int:
    """Count the offsets of a run's slices that the unit has still to do; 0 if they do not hold its start."""
    mine = {
        TopicPartition(r.topic, r.partition): r
        for r in slices
        if TopicPartition(r.topic, r.partition) in starts
    }
    if set(mine) != set(starts) or any(mine[spot].start > start for spot, start in starts.items()):
        return 0
    return sum(max(0, mine[spot].end - start) for spot, start in starts.items())
