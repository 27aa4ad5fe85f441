"""Whether a flow's ledger tiles its progress: every offset committed once, by a run."""

from collections.abc import Iterable
from typing import NamedTuple

from tasks.core.findings import Finding


class Tile(NamedTuple):
    """Offsets `[start, end)` of one topic-partition that one slice committed."""

    start: int
    end: int
    run_id: str
    entry: int
    """Offset of the ledger entry."""

    def __str__(self) -> str:
        """Write it as `[start, end) by RUN (slices-0@ENTRY)`."""
        return f"[{self.start}, {self.end}) by {self.run_id} (slices-0@{self.entry})"


class Progress(NamedTuple):
    """A group's committed offset on one partition, before the ledger's end was looked up and after."""

    before: int
    after: int


def untiled(where: str, tiles: Iterable[Tile], progress: Progress) -> list[Finding]:
    """Find gaps, overlaps and tiles without a run, and a progress that is not where the ledger ends.

    A pair's slice may hold an empty range of one side, which tiles nothing.
    """
    ordered = sorted(tiles)
    found = [Finding("no-run", where, f"{t} names no run") for t in ordered if not t.run_id]
    end, last = 0, None
    for tile in ordered:
        if tile.start > end:
            found.append(Finding("gap", where, f"no slice committed [{end}, {tile.start}), then {tile}"))
        if last and tile.start < end:
            found.append(Finding("overlap", where, f"{tile} begins inside {last}"))
        if tile.end > end:
            end, last = tile.end, tile
    return found + _misplaced(where, end, progress)


def _misplaced(where: str, end: int, progress: Progress) -> list[Finding]:
    if end < progress.before:
        what = f"no slice committed [{end}, {progress.before}), though the group is at {progress.before}"
        return [Finding("gap", where, what)]
    if end > progress.after:
        return [Finding("progress", where, f"the ledger ends at {end}, the group is at {progress.after}")]
    return []
