"""The feature store for people: a symbol's vector, and frames for notebooks. Nothing is changed."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pandas as pd

from infra.database import connection, latest
from infra.errors import RejectError, UsageError
from infra.feature_table import FeatureTable
from infra.settings import Settings, load_settings
from tasks.core.feature_sets import FIRST_SET, set_of
from tasks.core.features import FEATURES
from tasks.core.naming import unknown
from tasks.core.point_in_time import asked_for, beside, newest_until, sessions_between

TOLD = ("feature_set", "revision", "last_close")
"""What a frame tells of a vector beside its features."""

PLACE = ("event_id", "partition", "offset")

Vector = dict[str, Any]
"""symbol, session, feature_set, revision, last_close (rupees), event_id, place, read_from, features."""


def feature_frame(
    pairs: pd.DataFrame,
    *,
    names: Iterable[str] | None = None,
    version: int | None = None,
    max_age_sessions: int | None = None,
    table: FeatureTable | None = None,
) -> pd.DataFrame:
    """Read, for each symbol and date, the newest vector that was known after the close of that date.

    A vector of a later session is never taken. Of the vector's own revisions the table keeps the newest one:
    name a `version` to see those that were stored then.

    Args:
        pairs: symbol and date; n rows in any order, also repeated.
        names: features wanted, in this order; all that the table has without it.
        version: of the table, as `ModelTrained.data_version` names one; the newest without it.
        max_age_sessions: leave a vector out that is older than so many sessions of the market; 0 takes none
            but of the newest session at the date. Any age without it.
        table: another table than that of the stack in NEPSE_HOME.

    Returns:
        n rows in the order and with the index of `pairs`: symbol, date, as_of (session of the vector),
        feature_set (that of `set_of`), revision, last_close (rupees), then the features (float64). All but
        the first two are missing where there is no vector.

    Raises:
        ValueError: `pairs` are none.
        UsageError: no such feature, version or age.
        TryAgainError: the object store is away.
    """
    asked = asked_for(pairs)
    if max_age_sessions is not None and max_age_sessions < 0:
        message = f"max_age_sessions is {max_age_sessions}: 0 is the least"
        raise UsageError(message)
    table = table or FeatureTable(load_settings())
    version = table.version() if version is None else version
    known = table.features(version)
    chosen = known if names is None else _require_known(list(dict.fromkeys(names)), known)
    at = _newest(table, asked, version)
    if max_age_sessions is not None:
        at = at.where(_ages(table, asked, at, version) <= max_age_sessions)
    return _beside(table, asked, at, (*TOLD, *chosen), version).set_index(pairs.index)


def _require_known(names: list[str], known: list[str]) -> list[str]:
    """Refuse a feature that the table does not have.

    Raises:
        UsageError: one is unknown.
    """
    for name in names:
        if name not in known:
            none = f"no feature {name!r}: the feature table is empty, ingest prices first"
            raise UsageError(unknown("feature", name, known) or none)
    return names


def _newest(table: FeatureTable, asked: pd.DataFrame, version: int) -> "pd.Series[pd.Timestamp]":
    """Find the session of each pair's vector, reading two columns of the symbols asked for."""
    symbols, until = asked["symbol"].unique().tolist(), _day(asked["date"].max())
    stored, _ = table.read(["symbol", "date"], until, version=version, symbols=symbols)
    return newest_until(asked, stored)


def _ages(
    table: FeatureTable, asked: pd.DataFrame, at: "pd.Series[pd.Timestamp]", version: int
) -> "pd.Series[int]":
    """Count the market's sessions since each pair's vector."""
    since, until = _day(at.min()), _day(asked["date"].max())
    stored, _ = table.read(["date"], until, since, version)
    days = pd.DatetimeIndex(stored["date"].drop_duplicates()).as_unit("us")
    return sessions_between(at, asked["date"], days)


def _beside(
    table: FeatureTable,
    asked: pd.DataFrame,
    at: "pd.Series[pd.Timestamp]",
    columns: Iterable[str],
    version: int,
) -> pd.DataFrame:
    """Read columns of the vectors found, and put them beside their pairs."""
    since, until, symbols = _day(at.min()), _day(at.max()), asked["symbol"][at.notna()].unique().tolist()
    rows, _ = table.read(["symbol", "date", *columns], until, since, version, symbols)
    named = rows["feature_set"].fillna(FIRST_SET)
    return beside(asked, at, rows.astype({"revision": "Int64"}).assign(feature_set=named))


def _day(moment: Any) -> date | None:
    return None if pd.isna(moment) else moment.date()


def newest_vector(settings: Settings, symbol: str) -> Vector:
    """Read a symbol's newest vector from the read side.

    Raises:
        RejectError: nothing is known of the symbol.
        TryAgainError: the database is away, or where the newest vector was taken back the object store.
    """
    engine = connection.engine(settings)
    row = latest.vector(engine, symbol)
    if row is None:
        raise RejectError(_unknown_symbol(symbol, latest.symbols(engine)))
    if row["retracted"]:  # its session turned out to be none: the table has those before it
        return vector_as_of(FeatureTable(settings), symbol, row["date"])
    return _vector(row, "the read side")


def vector_as_of(table: FeatureTable, symbol: str, day: date) -> Vector:
    """Read a symbol's newest vector of session `day` or before from the feature table.

    Raises:
        RejectError: nothing is known of the symbol, or nothing that early.
        TryAgainError: the object store is away.
    """
    version = table.version()
    asked = asked_for(pd.DataFrame({"symbol": [symbol], "date": [day]}))
    at = _newest(table, asked, version)
    if at.isna().all():
        raise RejectError(_why_none(table, symbol, day, version))
    found = _beside(table, asked, at, (*TOLD, *PLACE, *table.features(version)), version)
    (values,) = found.astype("object").where(found.notna(), None).to_numpy().tolist()
    row: dict[str, Any] = dict(zip(map(str, found.columns), values, strict=True))
    own = {"symbol", "date", "as_of", *TOLD, *PLACE}
    features = {name: value for name, value in row.items() if name not in own}
    told = row | {"date": row["as_of"].date(), "features": features}
    return _vector(told, f"version {version} of the feature table")


def _why_none(table: FeatureTable, symbol: str, day: date, version: int) -> str:
    stored, _ = table.read(["date"], version=version, symbols=[symbol])
    if stored.empty:
        everything, _ = table.read(["symbol"], version=version)
        return _unknown_symbol(symbol, everything["symbol"].unique())
    return f"{symbol} has no features of {day} or before: its first are of {stored['date'].min().date()}"


def _unknown_symbol(symbol: str, known: Iterable[str]) -> str:
    return unknown("symbol", symbol, known) or "no features were computed yet: ingest prices first"


def _vector(row: dict[str, Any], source: str) -> Vector:
    features = row["features"]
    order = [*(name for name in FEATURES if name in features), *sorted(set(features) - set(FEATURES))]
    return {
        "symbol": row["symbol"],
        "session": str(row["date"]),
        "feature_set": set_of(row["feature_set"]),
        "revision": row["revision"],
        "last_close": row["last_close"],
        "event_id": row["event_id"],
        "place": f"features-{row['partition']}@{row['offset']}",
        "read_from": source,
        "features": {name: features[name] for name in order},
    }
