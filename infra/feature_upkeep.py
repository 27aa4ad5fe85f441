"""Upkeep of the feature table: few large files, and nothing gone that anybody may still want to read.

A version stays readable as long as its files and its part of the log are there. Left are all versions that
are younger than a given time, and those that somebody pins, however old they are.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from infra.feature_rows import OWN_COLUMNS

NO_OWN_CLEANUP = {"delta.enableExpiredLogCleanup": "false"}
"""Otherwise any writer's checkpoint drops what the log says of versions older than 30 days, pinned or not."""

_LOG_KEPT = "delta.logRetentionDuration"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_OF_STATISTICS = ("num_records", "size_bytes", "min.date", "max.date")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the newest version says of itself, without reading a row; sizes in bytes."""

    version: int
    files: int
    bytes: int
    rows: int
    features: int
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """One feature over all rows: how many have a value, these values' bounds and mean (None without any)."""

    feature: str
    values: int
    least: float | None
    mean: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What maintenance found and did."""

    before: Statistics
    after: Statistics
    pinned: list[int]
    """Versions kept though they are old."""
    lost: list[int]
    """Versions that should be readable and are not."""

    @property
    def message(self) -> str:
        """Say it in one line."""
        files = f"{self.before.files} files became {self.after.files}"
        size = f"{self.after.rows} rows in {self.after.bytes / 1e6:.1f} MB"
        pinned = f"{len(self.pinned)} old versions kept for models"
        lost = f"; NOT readable any more: versions {', '.join(map(str, self.lost))}" if self.lost else ""
        return f"{files}, {size}; {pinned}{lost}"

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON types."""
        return asdict(self)


def maintain(table: Any, pinned: Iterable[int], keep: timedelta, now: datetime | None = None) -> Upkeep:
    """Compact the files, remove what no version left refers to, write a checkpoint, shorten the log.

    Rows and positions stay as they are. What is younger than `keep` may belong to a commit or a reading that
    is under way: it is never touched.

    Args:
        table: a DeltaTable at its newest version; it is there afterwards.
        pinned: versions to keep besides those younger than `keep`.
        keep: how long any version stays readable.
        now: the time; the clock's without it.
    """
    before = statistics(table)
    times, lost = _readable(table, pinned)
    _configure(table, _log_days(list(times.values()), keep, now or datetime.now(UTC)))
    table.optimize.compact()
    table.vacuum(
        retention_hours=ceil(keep / _HOUR),
        dry_run=False,
        enforce_retention_duration=False,  # a shorter time than the table's own week is the caller's choice
        keep_versions=sorted(times),
        full=True,
    )
    table.update_incremental()
    table.create_checkpoint()
    table.cleanup_metadata()
    return Upkeep(before, statistics(table), sorted(times), lost)


def statistics(table: Any) -> Statistics:
    """Add up what the log says of the newest version's files."""
    import pyarrow as pa  # noqa: PLC0415  (heavy)

    found = pa.table(table.get_add_actions(flatten=True))
    rows, size, first, last = (
        [one for one in found[name].to_pylist() if one is not None] if name in found.column_names else []
        for name in _OF_STATISTICS
    )
    features = [column for column in table.schema().fields if column.name not in OWN_COLUMNS]
    bounds = (str(min(first)) if first else None, str(max(last)) if last else None)
    return Statistics(table.version(), found.num_rows, sum(size), sum(rows), len(features), *bounds)


def known_values(table: Any) -> list[Known]:
    """Count and bound every feature's values, in portions, by name."""
    import pyarrow.compute as pc  # noqa: PLC0415

    parts: dict[str, list[tuple[int, Any, Any, Any]]] = {}
    for batch in table.to_pyarrow_dataset().to_batches():
        for name in set(batch.schema.names) - set(OWN_COLUMNS):
            bounds = pc.min_max(batch[name]).as_py()
            count = len(batch) - batch[name].null_count
            parts.setdefault(name, []).append(
                (count, bounds["min"], bounds["max"], pc.sum(batch[name]).as_py())
            )
    return [_known(name, parts[name]) for name in sorted(parts)]


def _known(feature: str, parts: list[tuple[int, Any, Any, Any]]) -> Known:
    """Put a feature's portions together."""
    some = [part for part in parts if part[0]]
    if not some:
        return Known(feature, 0, None, None, None)
    counts, least, most, sums = zip(*some, strict=True)
    return Known(feature, sum(counts), min(least), sum(sums) / sum(counts), max(most))


def _readable(table: Any, versions: Iterable[int]) -> tuple[dict[int, datetime], list[int]]:
    """Tell of each version when it was committed, and which of them can't be read any more."""
    from deltalake import DeltaTable  # noqa: PLC0415
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    times, lost = {}, []
    for version in sorted(set(versions)):
        try:
            old = DeltaTable(table.table_uri, version=version, storage_options=table._storage_options)  # noqa: SLF001
            times[version] = datetime.fromtimestamp(old.history(1)[0]["timestamp"] / 1000, UTC)
        except DeltaError:
            lost.append(version)
    return times, lost


def _log_days(committed: list[datetime], keep: timedelta, now: datetime) -> int:
    """Whole days back to the oldest version that has to stay readable, and one more."""
    return ceil(max([keep, *(now - one for one in committed)]) / _DAY) + 1


def _configure(table: Any, days: int) -> None:
    """Let the log be shortened here only, and by no more than to `days`."""
    wanted = {**NO_OWN_CLEANUP, _LOG_KEPT: f"interval {days} days"}
    there = table.metadata().configuration
    if changed := {name: value for name, value in wanted.items() if there.get(name) != value}:
        table.alter.set_table_properties(changed)
