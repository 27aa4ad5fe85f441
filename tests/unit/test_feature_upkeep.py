"""The feature table's upkeep, on a table in a folder: what is compacted, what goes, what stays readable."""

import os
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from infra.delta_access import kept
from infra.errors import UsageError
from infra.feature_upkeep import Known, Upkeep, known_values, maintain, statistics

SESSIONS = 10
KEPT = 3
"""A version that a model was trained on; it holds the sessions 0 to 3."""


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A table of ten sessions, one small file and one version each, as live sessions leave it."""
    for number in range(SESSIONS):
        rows = {
            "symbol": ["NABIL", "NICAD 85/86"],
            "date": [date(2024, 1, 1) + timedelta(number)] * 2,
            "RSI": [float(number), None],
            "ATR": pa.array([None, None], pa.float64()),
        }
        positions = CommitProperties(app_transactions=[Transaction("features-0", number)])
        write_deltalake(tmp_path / "table", pa.table(rows), mode="append", commit_properties=positions)
    return str(tmp_path / "table")


def rows_of(place: str, version: int | None = None) -> list[Any]:
    """All rows of a version, in order; raises where it can't be read."""
    table = DeltaTable(place, version=version).to_pyarrow_table(columns=["date", "symbol", "RSI"])
    return sorted(table.to_pylist(), key=lambda row: (row["date"], row["symbol"]))


def readable(place: str) -> list[int]:
    """The versions of the ten sessions that can be read whole."""
    found = []
    for version in range(SESSIONS):
        with suppress(Exception):  # the engine has many words for a file that is gone
            assert len(rows_of(place, version)) == 2 * (version + 1)
            found.append(version)
    return found


def grow_old(place: str, days: int, *, checkpoints: bool = False) -> None:
    """Let every file of the table look as if it had been written `days` ago, and a day later each version."""
    if checkpoints:
        DeltaTable(place, version=KEPT - 1).create_checkpoint()
        DeltaTable(place, version=SESSIONS - 2).create_checkpoint()
    for file in Path(place).rglob("*"):
        number = int(file.name[:20]) if file.parent.name == "_delta_log" and file.name[0] == "0" else 0
        then = time.time() - (days - number) * 86_400
        os.utime(file, (then, then))


def test_many_files_become_few_and_no_row_is_lost(place: str) -> None:
    """Readers see the same rows, and the projector finds its position."""
    before = rows_of(place)
    done = maintain(DeltaTable(place), [], timedelta(30))
    assert (done.before.files, done.after.files) == (SESSIONS, 1)
    assert (done.before.rows, done.after.rows) == (2 * SESSIONS, 2 * SESSIONS)
    assert rows_of(place) == before
    assert DeltaTable(place).transaction_version("features-0") == SESSIONS - 1


def test_what_is_young_stays_readable(place: str) -> None:
    """Somebody may be reading it, and its files may belong to a commit that is under way."""
    maintain(DeltaTable(place), [], timedelta(30))
    assert readable(place) == list(range(SESSIONS))


def test_of_what_is_old_only_pinned_versions_stay(place: str) -> None:
    """A training can be repeated on what it read, however long ago that was."""
    pinned = rows_of(place, KEPT)
    done = maintain(DeltaTable(place), [KEPT], timedelta(0))
    assert done.pinned == [KEPT]
    assert rows_of(place, KEPT) == pinned
    # versions before it consist of files that it has too
    assert readable(place) == list(range(KEPT + 1))


@pytest.mark.parametrize("shortened", [True, False])
def test_a_version_that_was_forgotten_is_told(place: str, shortened: bool) -> None:
    """Whoever asks for it hears why; a file of the newest version that is gone is no such thing."""
    maintain(DeltaTable(place), [], timedelta(0))
    if shortened:
        for number in range(KEPT + 1):
            Path(place, "_delta_log", f"{number:020}.json").unlink()
    with pytest.raises(UsageError, match=f"version {KEPT} of the feature table is not kept"), kept(KEPT):
        rows_of(place, KEPT)
    with pytest.raises(FileNotFoundError), kept(None):
        Path(place, "nowhere").read_bytes()


def test_without_pins_old_versions_go(place: str) -> None:
    """Their files are not kept for nothing."""
    maintain(DeltaTable(place), [], timedelta(0))
    assert readable(place) == []
    assert len(rows_of(place)) == 2 * SESSIONS


@pytest.mark.parametrize(("pin", "first"), [(KEPT, KEPT - 1), (0, 0)])
def test_the_log_of_a_pinned_version_is_kept(place: str, pin: int, first: int) -> None:
    """The log is shortened to the checkpoint before the oldest version that has to stay, never beyond."""
    grow_old(place, 100, checkpoints=True)
    # commits tell their true time: the clock goes on until they are as old as their files look
    maintain(DeltaTable(place), [pin], timedelta(30), datetime.now(UTC) + timedelta(days=100 - pin))
    assert len(rows_of(place, pin)) == 2 * (pin + 1)
    assert min(int(file.name[:20]) for file in Path(place, "_delta_log").glob("0*.json")) == first


def test_a_version_that_is_gone_already_is_told(place: str) -> None:
    """Nothing fails for it; the message says so."""
    done = maintain(DeltaTable(place), [KEPT, 4_711], timedelta(30))
    assert (done.pinned, done.lost) == ([KEPT], [4_711])
    assert "NOT readable any more: versions 4711" in done.message


def test_twice_changes_nothing(place: str) -> None:
    """The rows, the files and the pinned versions are those of the first time."""

    def without_versions(done: Upkeep) -> tuple[Any, ...]:
        return done.after.files, done.after.bytes, done.after.rows, done.pinned

    first = maintain(DeltaTable(place), [KEPT], timedelta(0))
    second = maintain(DeltaTable(place), [KEPT], timedelta(0))
    assert without_versions(first) == without_versions(second)
    assert len(rows_of(place, KEPT)) == 2 * (KEPT + 1)


def test_no_other_writer_shortens_the_log(place: str) -> None:
    """A projector's own checkpoints would drop what a pinned version needs."""
    maintain(DeltaTable(place), [], timedelta(30))
    said = DeltaTable(place).metadata().configuration
    assert said["delta.enableExpiredLogCleanup"] == "false"
    assert said["delta.logRetentionDuration"] == "interval 31 days"


@pytest.mark.parametrize("compacted", [True, False])
def test_statistics(place: str, compacted: bool) -> None:
    """Counted from the log; each feature's values from the rows."""
    table = DeltaTable(place)
    if compacted:
        maintain(table, [], timedelta(30))
    found = statistics(table)
    assert (found.rows, found.features, found.first, found.last) == (20, 2, "2024-01-01", "2024-01-10")
    assert found.bytes > 0
    assert known_values(table) == [
        Known("ATR", 0, None, None, None),
        Known("RSI", SESSIONS, 0.0, 4.5, 9.0),
    ]


def test_an_empty_table(tmp_path: Path) -> None:
    """Before the first session there is nothing to do, and that is no failure."""
    schema = pa.schema([("symbol", pa.string()), ("date", pa.date32()), ("RSI", pa.float64())])
    write_deltalake(tmp_path / "table", schema.empty_table())
    done = maintain(DeltaTable(str(tmp_path / "table")), [], timedelta(30))
    assert (done.after.rows, done.after.first) == (0, None)
    assert known_values(DeltaTable(str(tmp_path / "table"))) == []
