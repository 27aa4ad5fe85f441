"""Which ranges of a run are one slice."""

from events.payloads import OffsetRange
from tasks.core.grouping import apart


def _range(topic: str, partition: int, start: int, end: int) -> OffsetRange:
    return OffsetRange(topic=topic, partition=partition, start=start, end=end)


def test_partitions_commit_by_themselves() -> None:
    """Each partition of a plain flow is a slice, also where two topics share a number."""
    f0, f1, m0 = _range("features", 0, 0, 5), _range("features", 1, 2, 3), _range("models", 0, 0, 1)
    assert apart([f0, m0, f1], paired=False) == [[f0], [m0], [f1]]


def test_a_pair_stays_together_with_its_empty_side() -> None:
    """The two sides of a join are one slice, the empty one included."""
    p0, a0 = _range("predictions", 0, 4, 4), _range("actuals", 0, 7, 9)
    p1, a1 = _range("predictions", 1, 1, 2), _range("actuals", 1, 3, 3)
    assert apart([p0, a0, p1, a1], paired=True) == [[p0, a0], [p1, a1]]


def test_a_slice_without_offsets_is_left_out() -> None:
    """Nothing to read is nothing to commit."""
    assert apart([_range("features", 0, 5, 5)], paired=False) == []
    assert apart([_range("predictions", 0, 5, 5), _range("actuals", 0, 7, 7)], paired=True) == []
