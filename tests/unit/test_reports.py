"""What a run tells about its slices."""

from events.payloads import OffsetRange
from tasks.reports import Done, summary, told


def _done(partition: int, counts: dict[str, int], message: str = "") -> Done:
    return Done(
        [OffsetRange(topic="features", partition=partition, start=3, end=5)], counts, 0.5, message, "extra"
    )


def test_a_run_is_told_in_one_line() -> None:
    """Counts of all slices are added up, what is zero or said twice is left out."""
    done = [_done(0, {"in": 2, "out": 2, "rejected": 0}, "by v1"), _done(1, {"in": 1, "out": 1}, "by v1")]
    assert told(done) == "by v1 (3 read, 3 published)"
    assert told([_done(0, {"in": 1})]) == "1 read"


def test_the_artifact_has_a_row_for_each_slice() -> None:
    """Every slice shows its range, its counts under one head, and its delay; extras come once."""
    text = summary("predict", [_done(0, {"in": 2, "out": 2}), _done(1, {"in": 1, "rejected": 1})])
    assert "| features-0 [3, 5) | 2 | 2 | 0 | 0.500 |" in text
    assert "| features-1 [3, 5) | 1 | 0 | 1 | 0.500 |" in text
    assert text.count("extra") == 1
