"""Adding to the feature table: a new session reads nothing of what is there, however much that is."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import TryAgainError
from infra.feature_rows import MOST_STRETCHES, NEAR, OWN_COLUMNS, last_session, stretches
from infra.feature_table import FeatureTable
from infra.settings import load_settings
from tasks.core.feature_frame import feature_frame

FIRST = date(2024, 1, 1)
PLACE = ("features", 0)


class Writer:
    """A process that writes a table in a local folder, one batch after the other."""

    def __init__(self, folder: Path) -> None:
        """Open it, and go on where it stands."""
        self.folder = folder
        self.table = FeatureTable(load_settings(folder / "home"))
        self.table.uri = str(folder / "table")

    def add(self, days: Iterable[int], symbols: str = "AB", revision: int = 0, value: float = 1.0) -> None:
        """Apply a batch of some sessions of some symbols."""
        at = self.table.positions([PLACE]).get(PLACE, 0)
        rows = [
            (symbol, FIRST + timedelta(days=day), "1", revision, 10.0, "id", 0, at, False, value)
            for day in days
            for symbol in symbols
        ]
        frame = pd.DataFrame(rows, columns=[*OWN_COLUMNS, "RSI"])
        self.table.apply(frame, {PLACE: at}, {PLACE: at + 1})

    @property
    def stored(self) -> dict[tuple[str, int], tuple[int, float]]:
        """Revision and value by symbol and number of the day."""
        found, _ = self.table.read(["symbol", "date", "revision", "RSI"])
        days = [(day.date() - FIRST).days for day in found["date"]]
        values = zip(found["revision"], found["RSI"], strict=True)
        return dict(zip(zip(found["symbol"], days, strict=True), values, strict=True))

    def lose_files(self) -> None:
        """Take away every row, and leave the log: whoever looks at a row from now on fails."""
        for file in (self.folder / "table").glob("*.parquet"):
            file.unlink()


@pytest.mark.parametrize("history", [200, 600])
def test_a_new_session_reads_no_row(tmp_path: Path, history: int) -> None:
    """Neither a new process, nor the same one again, nor one after somebody's commit looks at a row."""
    Writer(tmp_path).add(range(history - 3))
    for day in range(history - 3, history):
        Writer(tmp_path).add([day])
    Writer(tmp_path).table.maintain(timedelta(days=30))
    writer, other = Writer(tmp_path), Writer(tmp_path)
    writer.lose_files()
    writer.add([history], symbols="A")
    writer.add([history], symbols="B")
    other.add([history + 1])
    writer.add([history + 2])
    assert writer.table.version() == other.table.version()
    writer.lose_files()
    with pytest.raises(TryAgainError):
        assert writer.stored == {}


def test_what_may_be_there_is_merged(tmp_path: Path) -> None:
    """The rest of a session that another process began, a revision, and an older session."""
    first, second = Writer(tmp_path), Writer(tmp_path)
    first.add([0, 2], symbols="A")
    second.add([2], symbols="AB", revision=1, value=2.0)
    second.add([2], symbols="C")
    second.add([1], symbols="A", value=3.0)
    first.add([2], symbols="C", value=9.0, revision=1)
    assert second.stored == {
        ("A", 0): (0, 1.0),
        ("A", 1): (0, 3.0),
        ("A", 2): (1, 2.0),
        ("B", 2): (1, 2.0),
        ("C", 2): (1, 9.0),
    }


def test_an_older_session_does_not_make_a_later_one_new(tmp_path: Path) -> None:
    """What a process merged of an old day says nothing of the days since, which others wrote."""
    Writer(tmp_path).add([0, 5])
    writer = Writer(tmp_path)
    writer.add([1], symbols="A")
    writer.add([5], symbols="A", revision=1, value=7.0)
    assert writer.stored["A", 5] == (1, 7.0)
    assert len(writer.stored) == 5


def test_a_file_that_tells_no_bounds_may_hold_anything(tmp_path: Path) -> None:
    """Another writer's file without statistics: everything is merged into it, nothing doubled."""
    writer = Writer(tmp_path)
    writer.add([0])
    table = DeltaTable(tmp_path / "table")
    assert last_session(table) == FIRST
    rows = table.to_pyarrow_table()
    empty = tmp_path / "plain"
    write_deltalake(empty, rows, configuration={"delta.dataSkippingNumIndexedCols": "0"})
    assert last_session(DeltaTable(empty)) == date.max
    write_deltalake(empty, rows.schema.empty_table(), mode="overwrite")
    assert last_session(DeltaTable(empty)) == date.min


batch = st.tuples(st.integers(0, 1), st.sets(st.integers(0, 5), min_size=1), st.sets(st.sampled_from("ABC")))


@settings(deadline=None, max_examples=25)
@given(batches=st.lists(batch, min_size=1, max_size=5))
def test_two_processes_by_turns_lose_and_double_nothing(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, set[int], set[str]]]
) -> None:
    """Whatever each of them knows of the other's rows: the newest revision of each is there once."""
    folder = tmp_path_factory.mktemp("by-turns")
    writers = Writer(folder), Writer(folder)
    expected = {}
    for revision, (which, days, symbols) in enumerate(batches):
        writers[which].add(days, "".join(sorted(symbols or {"A"})), revision, float(revision))
        for symbol in symbols or {"A"}:
            expected |= {(symbol, day): (revision, float(revision)) for day in days}
    assert writers[0].stored == expected
    assert len(writers[0].table.read(["symbol"])[0]) == len(expected)


def test_positions_move_without_rows(tmp_path: Path) -> None:
    """Records that were aborted leave none: the commit says only how far the topic was read."""
    writer = Writer(tmp_path)
    writer.add([0])
    at = writer.table.positions([PLACE])
    writer.table.apply(feature_frame([])[0], at, {PLACE: at[PLACE] + 7})
    assert Writer(tmp_path).table.positions([PLACE]) == {PLACE: at[PLACE] + 7}
    assert writer.stored == {("A", 0): (0, 1.0), ("B", 0): (0, 1.0)}


def test_the_newest_session_beside_those_of_a_backfill_reads_no_file_between(tmp_path: Path) -> None:
    """A batch of both merges into the files near them; those of other years are not looked at."""
    writer = Writer(tmp_path)
    for day in (0, 400, 800):
        writer.add([day])
    middle = DeltaTable(str(tmp_path / "table"))
    (path,) = (
        uri
        for uri, least in zip(
            middle.file_uris(),
            pa.table(middle.get_add_actions(flatten=True))["min.date"].to_pylist(),
            strict=True,
        )
        if least == FIRST + timedelta(days=400)
    )
    content = Path(path).read_bytes()
    Path(path).unlink()
    writer.add([0, 800], revision=1, value=2.0)
    Path(path).write_bytes(content)
    assert writer.stored == {
        (symbol, day): (0, 1.0) if day == 400 else (1, 2.0) for symbol in "AB" for day in (0, 400, 800)
    }


@given(st.sets(st.integers(0, 4_000), max_size=60))
def test_stretches_cover_every_day_and_leave_out_the_widest_gaps(numbers: set[int]) -> None:
    """Few, in order, apart, and no wide gap lies in one while there is room for another."""
    days = sorted(FIRST + timedelta(days=number) for number in numbers)
    found = stretches(days)
    assert len(found) <= MOST_STRETCHES
    assert [day for a, b in found for day in days if a <= day <= b] == days
    assert all(b < c for (_, b), (c, _) in pairwise(found))
    wide = sum(after - before > NEAR for before, after in pairwise(days))
    assert len(found) == min(MOST_STRETCHES, wide + 1) * bool(days)


def test_features_are_read_in_single_precision_where_they_are_asked_for_so(tmp_path: Path) -> None:
    """What a row is stays exact; the rows are those of `read`."""
    writer = Writer(tmp_path)
    writer.add(range(3), value=0.1)
    version = writer.table.version()
    columns = ["symbol", "date", "last_close", "RSI"]
    found = writer.table.table(columns, until=FIRST + timedelta(days=1), version=version, single=["RSI"])
    read, _ = writer.table.read(columns, until=FIRST + timedelta(days=1))
    assert found.schema.field("RSI").type == pa.float32()
    assert found.schema.field("last_close").type == pa.float64()
    assert found["RSI"].to_pylist() == [float(np.float32(0.1))] * 4
    assert found.drop(["RSI"]).to_pandas(date_as_object=False).equals(read.drop(columns="RSI"))
