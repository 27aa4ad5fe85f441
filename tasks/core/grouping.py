"""Which ranges are one slice: each by itself, or the two sides of a join."""

from collections import defaultdict

from events.payloads import OffsetRange


def apart(ranges: list[OffsetRange], paired: bool) -> list[list[OffsetRange]]:
    """Split a run's ranges into slices that commit by themselves; a slice without offsets is left out.

    Args:
        ranges: of one flow, in any order.
        paired: whether ranges of one partition number belong together, empty sides included.
    """
    slices: dict[object, list[OffsetRange]] = defaultdict(list)
    for r in ranges:
        slices[r.partition if paired else (r.topic, r.partition)].append(r)
    return [slice_ for slice_ in slices.values() if any(r.end > r.start for r in slice_)]
