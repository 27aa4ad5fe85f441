"""What people read from the feature store, on a table in a local folder."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infra.database import latest
from infra.errors import RejectError, UsageError
from infra.feature_table import FeatureTable
from infra.settings import load_settings
from tasks import feature_store
from tasks.core.feature_frame import COLUMNS
from tasks.feature_store import feature_frame, newest_vector, vector_as_of

FIRST = date(2024, 3, 3)
PLACE = ("features", 0)
OTHER = "NICAD 85/86"


def day(number: int) -> date:
    """A day, counted from the first."""
    return FIRST + timedelta(number)


def rows(*of: tuple[str, int], revision: int = 0, offset: int = 0, **features: float) -> pd.DataFrame:
    """Vectors of symbols and days, at offsets one after the other."""
    made = [
        (symbol, day(n), "1", revision, 10.0 + n, f"{symbol}-{n}", 0, offset + at, False)
        for at, (symbol, n) in enumerate(of)
    ]
    return pd.DataFrame(made, columns=list(COLUMNS)).assign(**features)


@pytest.fixture
def table(tmp_path: Path) -> FeatureTable:
    """NABIL on the days 0, 1 and 4; another symbol on 1 and, under set "2", on 5; RSI counts the days."""
    made = FeatureTable(load_settings(tmp_path))
    made.uri, made._options = str(tmp_path / "features"), {}
    first = rows(("NABIL", 0), ("NABIL", 1), (OTHER, 1), ("NABIL", 4))
    made.apply(first.assign(RSI=[0.0, 1.0, 1.5, 4.0]), {PLACE: 0}, {PLACE: 4})
    second = rows((OTHER, 5), offset=4, RSI=5.5, beta=0.5).assign(feature_set="2")
    made.apply(second, {PLACE: 4}, {PLACE: 5})
    return made


def pairs(*of: tuple[str, int], **options: Any) -> pd.DataFrame:
    """Pairs of symbol and day."""
    return pd.DataFrame([(symbol, day(n)) for symbol, n in of], columns=["symbol", "date"], **options)


def test_each_pair_gets_the_newest_vector_that_was_known(table: FeatureTable) -> None:
    """Of the day or before it, never after it; in the order and with the index of the pairs, also twice."""
    asked = pairs(("NABIL", 3), (OTHER, 5), ("NABIL", 0), ("NABIL", 4), ("NABIL", 3), index=[9, 7, 7, 1, 3])
    found = feature_frame(asked, table=table)
    own = ["symbol", "date", "as_of", "feature_set", "revision", "last_close"]
    assert found.columns.tolist() == [*own, "RSI", "beta"]
    assert found.index.tolist() == asked.index.tolist()
    assert found["symbol"].tolist() == asked["symbol"].tolist()
    assert [(at.date() - FIRST).days for at in found["as_of"]] == [1, 5, 0, 4, 1]
    assert found["RSI"].tolist() == [1.0, 5.5, 0.0, 4.0, 1.0]
    assert found["feature_set"].tolist() == ["1", "2", "1", "1", "1"]
    assert found["last_close"].tolist() == [11.0, 15.0, 10.0, 14.0, 11.0]
    assert found["beta"].isna().tolist() == [True, False, True, True, True]


def test_what_was_not_known_is_missing(table: FeatureTable) -> None:
    """A date before the first vector, and a symbol that nobody knows, are rows without one."""
    found = feature_frame(pairs((OTHER, 0), ("NOBODY", 9), ("NABIL", 9)), names=["RSI"], table=table)
    assert found["as_of"].isna().tolist() == [True, True, False]
    assert found["revision"].isna().tolist() == [True, True, False]
    assert np.isnan(found["RSI"]).tolist() == [True, True, False]


def test_a_vector_that_names_no_feature_set_is_of_the_first(table: FeatureTable) -> None:
    """As everywhere; a pair without a vector has none."""
    old = rows(("OLD", 1), offset=5, RSI=7.0).assign(feature_set=None)
    table.apply(old, {PLACE: 5}, {PLACE: 6})
    found = feature_frame(pairs(("OLD", 2), ("OLD", 0)), table=table)["feature_set"]
    assert found.fillna("none").tolist() == ["1", "none"]
    assert vector_as_of(table, "OLD", day(2))["feature_set"] == "1"


@pytest.mark.parametrize("asked", [pairs(), pairs((OTHER, 0))])
def test_nothing_found_has_the_same_columns(asked: pd.DataFrame, table: FeatureTable) -> None:
    """No pair, or none with a vector: the types are those of every other frame."""
    none = feature_frame(asked, table=table)
    some = feature_frame(pairs(("NABIL", 0)), table=table)
    assert len(none) == len(asked)
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_features_come_in_the_order_in_which_they_were_named(table: FeatureTable) -> None:
    """One that the table does not have is refused with what looks alike."""
    asked = pairs((OTHER, 5))
    assert feature_frame(asked, names=["beta", "RSI"], table=table).columns.tolist()[-2:] == ["beta", "RSI"]
    assert feature_frame(asked, names=[], table=table).columns.tolist()[-1] == "last_close"
    with pytest.raises(UsageError, match="no feature 'rsii': did you mean RSI"):
        feature_frame(asked, names=["rsii"], table=table)


@pytest.mark.parametrize(("most", "known"), [(None, True), (2, True), (1, False), (0, False)])
def test_an_old_vector_can_be_left_out(most: int | None, known: bool, table: FeatureTable) -> None:
    """NABIL's of day 1 at the market's day 5 has two sessions behind it, 4 and 5."""
    version = table.apply(rows(("UPPER", 1), offset=5, RSI=7.0), {PLACE: 5}, {PLACE: 6})
    found = feature_frame(
        pairs(("UPPER", 6), ("NABIL", 4)), version=version, max_age_sessions=most, table=table
    )
    assert found["as_of"].notna().tolist() == [known, True]
    assert found["RSI"].notna().tolist() == [known, True]


def test_an_age_below_none_is_refused(table: FeatureTable) -> None:
    """It would leave everything out without a word."""
    with pytest.raises(UsageError, match="max_age_sessions is -1"):
        feature_frame(pairs(("NABIL", 1)), max_age_sessions=-1, table=table)


def test_a_pinned_version_tells_what_was_stored_then(table: FeatureTable) -> None:
    """A revision, a later row and a later column are not in it; a version that is none is refused."""
    pinned = table.version() - 1
    table.apply(rows(("NABIL", 1), revision=2, offset=5, RSI=99.0), {PLACE: 5}, {PLACE: 6})
    asked = pairs(("NABIL", 1), (OTHER, 5))
    new, old = feature_frame(asked, table=table), feature_frame(asked, version=pinned, table=table)
    assert (new["RSI"].tolist(), new["revision"].tolist()) == ([99.0, 5.5], [2, 0])
    assert (old["RSI"].tolist(), old["revision"].tolist()) == ([1.0, 1.5], [0, 0])
    assert "beta" not in old.columns
    for version in (-1, 99):
        with pytest.raises(UsageError, match=f"no version {version}: its versions are 0 to"):
            feature_frame(asked, version=version, table=table)


def test_a_table_without_rows_is_said_to_be_empty(tmp_path: Path) -> None:
    """Frames are empty-handed, a feature is refused, a symbol unknown: ingest first."""
    empty = FeatureTable(load_settings(tmp_path))
    empty.uri, empty._options = str(tmp_path / "features"), {}
    assert feature_frame(pairs(("NABIL", 1)), table=empty)["as_of"].isna().tolist() == [True]
    with pytest.raises(UsageError, match="the feature table is empty, ingest prices first"):
        feature_frame(pairs(("NABIL", 1)), names=["RSI"], table=empty)
    with pytest.raises(RejectError, match="no features were computed yet: ingest prices first"):
        vector_as_of(empty, "NABIL", FIRST)


def test_a_vector_as_of_a_day_is_told_whole(table: FeatureTable) -> None:
    """As JSON types, unknown values as null; the place is the record's."""
    found = vector_as_of(table, "NABIL", day(3))
    assert json.loads(json.dumps(found)) == found
    assert (found["session"], found["last_close"], found["place"]) == (str(day(1)), 11.0, "features-0@1")
    assert found["features"] == {"RSI": 1.0, "beta": None}
    assert found["read_from"] == f"version {table.version()} of the feature table"


def test_an_unknown_symbol_or_a_day_too_early_is_explained(table: FeatureTable) -> None:
    """With names that look alike, and with the first session."""
    with pytest.raises(RejectError, match=r"no symbol 'nicad': did you mean NICAD 85/86\?"):
        vector_as_of(table, "nicad", FIRST)
    with pytest.raises(RejectError, match=f"no features of {FIRST} or before: its first are of {day(1)}"):
        vector_as_of(table, OTHER, FIRST)


@pytest.fixture
def read_side(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Rows of the latest vectors, by symbol."""
    held: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(feature_store.connection, "engine", lambda _settings: None)
    monkeypatch.setattr(latest, "vector", lambda _engine, symbol: held.get(symbol))
    monkeypatch.setattr(latest, "symbols", lambda _engine: list(held))
    return held


def test_the_newest_vector_is_the_read_sides(read_side: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """The set's own features first, in its order, then others by name; no symbol is explained."""
    settings = load_settings(tmp_path)
    with pytest.raises(RejectError, match="no features were computed yet"):
        newest_vector(settings, "NABIL")
    own = {"symbol": "NABIL", "date": FIRST, "feature_set": None, "revision": 3, "last_close": None}
    own |= {"retracted": False}
    place = {"event_id": "e", "partition": 2, "offset": 9}
    read_side["NABIL"] = own | place | {"features": {"b": 1.0, "a": 2.0, "Close_Lag_1": 5.0, "RSI": None}}
    found = newest_vector(settings, "NABIL")
    assert list(found["features"]) == ["RSI", "Close_Lag_1", "a", "b"]
    assert (found["session"], found["place"], found["revision"]) == (str(FIRST), "features-2@9", 3)
    assert found["feature_set"] == "1"
    with pytest.raises(RejectError, match="no symbol 'nabl': did you mean NABIL"):
        newest_vector(settings, "nabl")


def test_a_vector_that_was_taken_back_is_none(
    table: FeatureTable, read_side: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither in frames nor as the newest: the one before it is."""
    gone = rows(("NABIL", 4), revision=1, offset=5).assign(retracted=True)
    table.apply(gone, {PLACE: 5}, {PLACE: 6})
    found = feature_frame(pairs(("NABIL", 4), ("NABIL", 0)), table=table)
    assert [(at.date() - FIRST).days for at in found["as_of"]] == [1, 0]
    monkeypatch.setattr(feature_store, "FeatureTable", lambda _settings: table)
    read_side["NABIL"] = {"symbol": "NABIL", "date": day(4), "retracted": True}
    newest = newest_vector(load_settings(tmp_path), "NABIL")
    assert (newest["session"], newest["features"]["RSI"]) == (str(day(1)), 1.0)
