"""Which records are suspected after a process has ended: decisions on earlier runs."""

from kafka import TopicPartition

from events.payloads import OffsetRange
from sensors.suspects import Suspicion, suspicion

F0, P0, A0 = TopicPartition("features", 0), TopicPartition("predictions", 0), TopicPartition("actuals", 0)


def span(start: int, end: int, topic: str = "features", partition: int = 0) -> OffsetRange:
    """Name a range."""
    return OffsetRange(topic=topic, partition=partition, start=start, end=end)


def test_only_runs_that_held_the_next_record_count() -> None:
    """What ended before it, begins behind it, or is another partition's, says nothing."""
    died = [[span(0, 5)], [span(6, 9)], [span(0, 9, partition=1)], []]
    assert suspicion({F0: 5}, died) == Suspicion()


def test_the_smallest_run_bounds_the_danger() -> None:
    """The record lies among what all of them still had to do."""
    assert suspicion({F0: 5}, [[span(0, 20)], [span(5, 15)], [span(2, 9)]]) == Suspicion(3, 4)


def test_two_deaths_alone_are_proof() -> None:
    """One death of a single record may be chance, and so may those of runs that held other slices too."""
    alone, together = [span(5, 6)], [span(5, 6), span(0, 1, partition=1)]
    assert not suspicion({F0: 5}, [alone, together, [span(5, 7)]]).proven
    assert suspicion({F0: 5}, [alone, together, alone]).proven


def test_a_pair_counts_both_sides() -> None:
    """The offsets of a join's slice lie on two topics."""
    pair = [span(3, 7, "predictions"), span(1, 2, "actuals")]
    assert suspicion({P0: 5, A0: 1}, [pair]) == Suspicion(1, 3)
    assert suspicion({P0: 2, A0: 1}, [pair]) == Suspicion()
    assert suspicion({P0: 5, A0: 1}, [[span(3, 7, "predictions")]]) == Suspicion()
