"""The feature table, on a real object store."""

import uuid
from datetime import date, timedelta

import pandas as pd
import pytest

from infra.errors import RejectError, ReplanError, UsageError
from infra.feature_rows import OWN_COLUMNS
from infra.feature_table import FeatureTable
from infra.settings import Settings
from tasks.feature_store import feature_frame, vector_as_of

pytestmark = pytest.mark.stack

PLACE = ("features", 0)
FIRST = date(2024, 3, 3)


@pytest.fixture
def name() -> str:
    """A table of this test's own."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def table(stack: Settings, name: str) -> FeatureTable:
    """The table as a writer has it."""
    return FeatureTable(stack, name=name)


def rows(
    offset: int, days: int = 1, revision: int = 0, first: date = FIRST, **features: float
) -> pd.DataFrame:
    """Two symbols' vectors of some sessions."""
    made = [
        (
            symbol,
            first + timedelta(day),
            "1",
            revision,
            10.0,
            f"{offset}-{symbol}-{day}",
            0,
            offset + day,
            False,
        )
        for day in range(days)
        for symbol in ("NABIL", "NICAD 85/86")
    ]
    return pd.DataFrame(made, columns=list(OWN_COLUMNS)).assign(**features)


def test_rows_and_positions_are_one_commit(table: FeatureTable, stack: Settings, name: str) -> None:
    """Another process sees the rows and where to go on, or neither."""
    before = table.version()
    table.apply(rows(0, days=3, RSI=50.0), {PLACE: 0}, {PLACE: 7})
    other = FeatureTable(stack, name=name)
    found, version = other.read()
    assert version == before + 1
    assert len(found) == 6
    assert other.positions([PLACE, ("features", 1)]) == {PLACE: 7}


def test_a_batch_that_is_stored_already_is_refused(table: FeatureTable) -> None:
    """After a crash between commit and acknowledgement the positions decide; nothing is doubled."""
    table.apply(rows(0), {PLACE: 0}, {PLACE: 2})
    with pytest.raises(ReplanError, match="at 2 of features-0"):
        table.apply(rows(0), {PLACE: 0}, {PLACE: 2})
    assert len(table.read()[0]) == 2


def test_of_two_writers_at_once_one_is_refused(table: FeatureTable, stack: Settings, name: str) -> None:
    """A writer that does not yet know of the other's commit is stopped by the table's conflict check."""
    late = FeatureTable(stack, name=name)
    seen = late._current()
    table.apply(rows(0, RSI=1.0), {PLACE: 0}, {PLACE: 2})
    late._current = lambda: seen  # type: ignore[method-assign]
    with pytest.raises(ReplanError, match="at the same time"):
        late.apply(rows(0, RSI=2.0), {PLACE: 0}, {PLACE: 2})
    assert table.read(["RSI"])[0]["RSI"].tolist() == [1.0, 1.0]


def test_the_newest_revision_replaces_the_whole_row(table: FeatureTable) -> None:
    """A newer revision wins, an older one that comes late does not; a feature it lacks becomes null."""
    table.apply(rows(0, revision=1, RSI=1.0, ATR=1.0), {PLACE: 0}, {PLACE: 2})
    table.apply(rows(2, revision=2, RSI=2.0), {PLACE: 2}, {PLACE: 4})
    table.apply(rows(4, revision=0, RSI=3.0, ATR=3.0), {PLACE: 4}, {PLACE: 6})
    found, _ = table.read()
    assert found["RSI"].tolist() == [2.0, 2.0]
    assert found["ATR"].isna().all()
    assert len(found) == 2


def test_an_event_with_other_features_is_accepted(table: FeatureTable) -> None:
    """The columns grow, appended or merged; what an event does not have is null."""
    table.apply(rows(0, sma_5=1.0), {PLACE: 0}, {PLACE: 2})
    table.apply(rows(2, first=FIRST + timedelta(9), Close_Lag_1=2.0), {PLACE: 2}, {PLACE: 4})
    table.apply(rows(4, revision=1, RSI=3.0), {PLACE: 4}, {PLACE: 6})
    found, _ = table.read()
    assert found["Close_Lag_1"].isna().tolist() == [True, True, False, False]
    assert found["RSI"].isna().tolist() == [False, False, True, True]
    assert found["sma_5"].isna().all()


def test_a_pinned_version_stays_readable(table: FeatureTable) -> None:
    """A training can be repeated on what it read; sessions and columns can be chosen."""
    pinned = table.apply(rows(0, days=4, RSI=1.0), {PLACE: 0}, {PLACE: 8})
    table.apply(rows(8, days=4, revision=1, RSI=2.0), {PLACE: 8}, {PLACE: 16})
    found, version = table.read(["RSI"], until=FIRST + timedelta(1), version=pinned)
    assert version == pinned
    assert found["RSI"].tolist() == [1.0] * 4
    assert table.read(["RSI"], since=FIRST + timedelta(3))[0]["RSI"].tolist() == [2.0] * 2


def test_positions_outlive_compaction(table: FeatureTable, stack: Settings, name: str) -> None:
    """Maintenance changes files, not rows and not positions."""
    for day in range(3):
        table.apply(rows(day, first=FIRST + timedelta(day)), {PLACE: day}, {PLACE: day + 1})
    before, _ = table.read()
    done = table.maintain(timedelta(30))
    assert (done.before.files, done.after.files) == (3, 1)
    again = FeatureTable(stack, name=name)
    pd.testing.assert_frame_equal(again.read()[0], before)
    assert again.positions([PLACE]) == {PLACE: 3}


def test_maintenance_forgets_old_versions_but_for_pinned_ones(
    table: FeatureTable, stack: Settings, name: str
) -> None:
    """A training can be repeated on the version that it read; a projector that was open goes on."""
    versions = [table.apply(rows(n, revision=n, RSI=float(n)), {PLACE: n}, {PLACE: n + 1}) for n in range(4)]
    keeper = FeatureTable(stack, name=name)
    done = keeper.maintain(timedelta(0), [versions[1]])
    assert (done.pinned, done.lost) == ([versions[1]], [])
    assert keeper.read(["RSI"], version=versions[1])[0]["RSI"].tolist() == [1.0, 1.0]
    with pytest.raises(UsageError, match="not kept any more"):
        keeper.read(["RSI"], version=versions[2])
    table.apply(rows(4, revision=4, RSI=4.0), {PLACE: 4}, {PLACE: 5})
    assert keeper.read(["RSI"])[0]["RSI"].tolist() == [4.0, 4.0]
    assert [one.feature for one in keeper.known_values()] == ["RSI"]


def test_a_batch_without_rows_moves_the_positions(table: FeatureTable) -> None:
    """Nothing but unreadable records is progress, too."""
    table.apply(rows(0).iloc[:0], {PLACE: 0}, {PLACE: 5})
    assert table.positions([PLACE]) == {PLACE: 5}


def test_a_cleared_table_begins_anew(table: FeatureTable, stack: Settings, name: str) -> None:
    """No row, no feature column, positions at 0: a batch read before is refused; old versions stay."""
    table.apply(rows(0, RSI=1.0), {PLACE: 0}, {PLACE: 2})
    before = table.version()
    FeatureTable(stack, name=name).clear([PLACE])
    assert table.positions([PLACE]) == {PLACE: 0}
    assert sum(len(frame) for frame in table.frames()) == 0
    with pytest.raises(ReplanError, match="at 0 of features-0"):
        table.apply(rows(2, RSI=1.0), {PLACE: 2}, {PLACE: 4})
    table.apply(rows(0, RSI=2.0), {PLACE: 0}, {PLACE: 2})
    assert table.read()[0]["RSI"].tolist() == [2.0, 2.0]
    assert FeatureTable(stack, name=name).read(version=before)[0]["RSI"].tolist() == [1.0, 1.0]


def test_a_frame_for_people_never_looks_ahead(table: FeatureTable) -> None:
    """Appended, merged, revised: each pair has the newest row at or before its date, as stored then."""
    table.apply(rows(0, days=3, RSI=1.0), {PLACE: 0}, {PLACE: 6})
    pinned = table.version()
    later = FIRST + timedelta(9)
    table.apply(rows(6, first=later, RSI=9.0, beta=0.5), {PLACE: 6}, {PLACE: 8})
    table.apply(rows(8, first=FIRST + timedelta(2), revision=1, RSI=2.0), {PLACE: 8}, {PLACE: 10})
    days = [later, later - timedelta(1), FIRST, FIRST - timedelta(1)]
    pairs = pd.DataFrame({"symbol": "NICAD 85/86", "date": days}, index=[3, 1, 1, 0])
    found = feature_frame(pairs, table=table)
    assert found.index.tolist() == [3, 1, 1, 0]
    assert found["RSI"].fillna(-1).tolist() == [9.0, 2.0, 1.0, -1.0]
    assert found["revision"].fillna(-1).tolist() == [0, 1, 0, -1]
    assert found["as_of"].tolist()[:2] == [pd.Timestamp(later), pd.Timestamp(FIRST + timedelta(2))]
    then = feature_frame(pairs, version=pinned, max_age_sessions=0, table=table)
    assert "beta" not in then.columns
    assert then["RSI"].fillna(-1).tolist() == [1.0, 1.0, 1.0, -1.0]


def test_a_vector_is_told_as_of_a_day(table: FeatureTable) -> None:
    """With its place; an unknown symbol is explained by those of the table."""
    table.apply(rows(0, days=2, RSI=1.0), {PLACE: 0}, {PLACE: 4})
    found = vector_as_of(table, "NABIL", FIRST + timedelta(7))
    assert (found["session"], found["place"]) == (str(FIRST + timedelta(1)), "features-0@1")
    assert found["features"] == {"RSI": 1.0}
    with pytest.raises(RejectError, match=r"did you mean NICAD 85/86\?"):
        vector_as_of(table, "NICAD85/86", FIRST)
