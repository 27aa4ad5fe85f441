"""The feature table: every symbol's features of every session, a Delta table on S3.

A projection of the `features` topic. Each commit carries the positions of the records it holds, so that a
crash neither loses nor doubles a row, and a second writer that starts from the same positions is refused by
the table's own conflict check. Columns: symbol, date, feature_set, revision, last_close (rupees), event_id,
topic partition and offset of the event, then one float64 column per feature (null where an event has none).
"""

from collections.abc import Container, Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from infra.delta_access import kept, storage_options, translated
from infra.errors import UsageError
from infra.feature_positions import Positions, assert_at, carrying, positions_of
from infra.feature_rows import (
    OWN_COLUMNS,
    arrow_rows,
    last_dates,
    last_session,
    own_schema,
    scan,
    stretches,
    with_columns,
)
from infra.feature_upkeep import NO_OWN_CLEANUP, Known, Upkeep, known_values, maintain
from infra.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SAME_KEY = "new.symbol = old.symbol AND new.date = old.date"
_NEWER = (
    "new.revision > old.revision OR (new.revision = old.revision AND (new.offset > old.offset"
    " OR (new.offset = old.offset AND new.partition > old.partition)))"
)


class FeatureTable:
    """Reads and writes the table; created empty by its first use. One instance per thread."""

    def __init__(self, settings: Settings, *, name: str = "features") -> None:
        """Nothing is contacted yet."""
        self.uri = f"s3://{settings.features_bucket}/{name}"
        self._options = storage_options(settings)
        self._opened: Any = None
        self._last = date.min
        self._newest: dict[str, date] = {}
        self._newest_version = -1

    def version(self) -> int:
        """Tell the newest version."""
        with translated(self.uri):
            return int(self._current().version())

    def positions(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Look up the next offset of each topic-partition; those never written are left out."""
        with translated(self.uri):
            return positions_of(self._current(), partitions)

    def apply(self, frame: "pd.DataFrame", starts: Positions, ends: Positions) -> int:
        """Store one row per (symbol, date), its newest revision, together with the positions `ends`.

        Args:
            frame: OWN_COLUMNS and features; later rows are not newer by their order, but by revision, then
                offset, then partition.
            starts: positions that this batch continues from.
            ends: positions after it.

        Returns:
            The version that was committed.

        Raises:
            ReplanError: the table is not at `starts`: somebody else wrote, begin from its positions.
            TryAgainError: the store is away.
        """
        with translated(self.uri):
            table = self._current()
            assert_at(positions_of(table, starts), starts)
            rows = arrow_rows(frame, _columns(table))
            if self._all_new(table, rows):
                self._append(table, rows, ends)
            else:
                self._merge(table, rows, ends)
            return self._remember(rows)

    def read(
        self,
        columns: Iterable[str] | None = None,
        until: date | None = None,
        since: date | None = None,
        version: int | None = None,
        symbols: Iterable[str] | None = None,
    ) -> tuple["pd.DataFrame", int]:
        """Read rows of sessions `since`..`until` (both included) from one pinned version.

        Returns:
            The rows sorted by (date, symbol), `date` as datetime64, and the version they are from.

        Raises:
            UsageError: there is no such version, or it is not kept any more.
            TryAgainError: the store is away.
        """
        with translated(self.uri), kept(version):
            table = self._at(version)
            wanted = list(columns) if columns is not None else None
            found = scan(table, wanted, since, until, symbols)
            return found.to_pandas(date_as_object=False), int(table.version())

    def table(self, columns: Iterable[str], until: date, version: int, single: Container[str]) -> "pa.Table":
        """Read rows as `read` does, without a copy for pandas, and those of `single` in single precision."""
        with translated(self.uri), kept(version):
            return scan(self._at(version), list(columns), None, until, single=single)

    def features(self, version: int | None = None) -> list[str]:
        """Name the features that a version has columns for; raises as `read` does."""
        with translated(self.uri), kept(version):
            return [name for name in _columns(self._at(version)) if name not in OWN_COLUMNS]

    def frames(self) -> Iterator["pd.DataFrame"]:
        """Read all rows of the newest version in portions, in no particular order."""
        with translated(self.uri):
            for batch in self._current().to_pyarrow_dataset().to_batches():
                yield batch.to_pandas(date_as_object=False)

    def clear(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop all rows and columns and begin at offset 0, in one commit; older versions stay readable.

        Raises:
            ReplanError: somebody else committed at the same time: try again.
            TryAgainError: the store is away.
        """
        from deltalake import write_deltalake  # noqa: PLC0415

        with translated(self.uri):
            begin = carrying(dict.fromkeys(partitions, 0))
            nothing = own_schema().empty_table()
            table = self._current()
            write_deltalake(
                table, nothing, mode="overwrite", schema_mode="overwrite", commit_properties=begin
            )

    def maintain(self, keep: timedelta, pinned: Iterable[int] = ()) -> Upkeep:
        """Rewrite the many small files of live sessions into few, and forget old versions that nobody pins.

        Readers notice nothing; versions younger than `keep`, and `pinned` ones, stay readable.

        Raises:
            ReplanError: somebody else committed at the same time: try again.
            TryAgainError: the store is away.
        """
        with translated(self.uri):
            return maintain(self._current(), pinned, keep)

    def known_values(self) -> list[Known]:
        """Count and bound every feature's values in the newest version; raises as `read` does."""
        with translated(self.uri):
            return known_values(self._current())

    def _current(self) -> Any:
        from deltalake import DeltaTable, Schema  # noqa: PLC0415  (heavy)

        if self._opened is None:
            self._opened = DeltaTable.create(
                self.uri,
                schema=Schema.from_arrow(own_schema()),
                mode="ignore",
                storage_options=self._options,
                # the default computes bounds of the first 32 columns; only these two prune files
                configuration={"delta.dataSkippingStatsColumns": "symbol,date", **NO_OWN_CLEANUP},
            )
        self._opened.update_incremental()
        return self._opened

    def _at(self, version: int | None) -> Any:
        table = self._current()
        newest = int(table.version())
        if version is None:
            return table
        if not 0 <= version <= newest:
            message = f"the feature table has no version {version}: its versions are 0 to {newest}"
            raise UsageError(message)
        table.load_as_version(version)
        return table

    def _all_new(self, table: Any, rows: "pa.Table") -> bool:
        """Tell whether no row can be there yet, without reading any.

        Each then lies after the last session of the table's files, and of what we have added to them since.
        """
        if self._newest_version != table.version():
            self._last, self._newest = last_session(table), {}
            self._newest_version = table.version()
        pairs = zip(rows["symbol"].to_pylist(), rows["date"].to_pylist(), strict=True)
        return all(day > self._newest.get(symbol, self._last) for symbol, day in pairs)

    def _append(self, table: Any, rows: "pa.Table", ends: Positions) -> None:
        from deltalake import write_deltalake  # noqa: PLC0415

        write_deltalake(table, rows, mode="append", schema_mode="merge", commit_properties=carrying(ends))

    def _merge(self, table: Any, rows: "pa.Table", ends: Positions) -> None:
        # the bounds let whole files be left alone: a merge would otherwise read the table
        bounds = stretches(rows["date"].unique().to_pylist())
        within = " OR ".join(f"old.date >= DATE '{a}' AND old.date <= DATE '{b}'" for a, b in bounds)
        merger = table.merge(
            with_columns(rows, _columns(table)),
            f"{_SAME_KEY} AND ({within})",
            source_alias="new",
            target_alias="old",
            merge_schema=True,
            commit_properties=carrying(ends),
        )
        merger.when_matched_update_all(_NEWER).when_not_matched_insert_all().execute()

    def _remember(self, rows: "pa.Table") -> int:
        """Keep the symbols' last dates up to date, if nobody else committed in between."""
        self._opened.update_incremental()
        version = int(self._opened.version())
        if version == self._newest_version + 1:
            for symbol, day in last_dates(rows).items():
                self._newest[symbol] = max(day, self._newest.get(symbol, self._last))
            self._newest_version = version
        return version


def _columns(table: Any) -> list[str]:
    return [column.name for column in table.schema().fields]
