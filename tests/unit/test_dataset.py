"""Training rows: what came next of each symbol, within one feature set."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.core import dataset
from tasks.core.dataset import stored_rows, with_target
from tasks.core.training import NotTrainableError

DAYS = [date(2024, 3, day) for day in (3, 4, 5)]
UNTIL = DAYS[-1]


def stored(*rows: tuple[str, int, str | None, float]) -> pd.DataFrame:
    """Rows of the table: symbol, number of the session, feature set, return of the session."""
    frame = pd.DataFrame(list(rows), columns=["symbol", "date", "feature_set", "ret_1"])
    return frame.assign(date=pd.to_datetime([DAYS[n] for n in frame["date"]]))


def targets(frame: pd.DataFrame, symbol: str) -> list[float]:
    """A symbol's targets, by session; -1 where it is unknown."""
    found: list[float] = frame.loc[frame["symbol"] == symbol, "target"].fillna(-1.0).tolist()
    return found


def test_the_target_is_the_return_of_the_markets_next_session() -> None:
    """Of a symbol that did not trade then it is unknown, also where a later one is known."""
    frame = stored(
        ("A", 0, "1", 0.01),
        ("A", 1, "1", 0.02),
        ("A", 2, "1", 0.03),
        ("B", 0, "1", 0.04),
        ("B", 2, "1", 0.05),
    )
    found = with_target(frame, UNTIL, "1")
    assert targets(found, "A") == [0.02, 0.03, -1.0]
    assert targets(found, "B") == [-1.0, -1.0]
    assert found["target_date"].tolist()[:1] == [pd.Timestamp(DAYS[1])]


def test_what_came_after_the_end_is_not_known() -> None:
    """Neither as a row nor as an outcome."""
    found = with_target(stored(("A", 0, "1", 0.01), ("A", 1, "1", 0.02)), DAYS[0], "1")
    assert (len(found), targets(found, "A")) == (1, [-1.0])


def test_rows_of_another_feature_set_are_no_training_rows() -> None:
    """Their session was held all the same: what came two sessions later is not what came next."""
    rows = [("A", 0, "1", 0.01), ("A", 1, "2", 0.02), ("A", 2, "1", 0.03)]
    found = with_target(stored(*rows), UNTIL, "1")
    assert found["ret_1"].tolist() == [0.01, 0.03]
    assert targets(found, "A") == [-1.0, -1.0]
    assert found["target_date"].iloc[0] == pd.Timestamp(DAYS[1])


def test_rows_that_name_no_set_are_of_the_first() -> None:
    """The table of an older home goes on to be trained on, and not by a later set."""
    rows = stored(("A", 0, None, 0.01), ("A", 1, "1", 0.02))
    assert targets(with_target(rows, UNTIL, "1"), "A") == [0.02, -1.0]
    with pytest.raises(NotTrainableError, match="of feature set 2: run nepse backfill"):
        with_target(rows, UNTIL, "2")


def test_an_empty_table_has_no_training_rows() -> None:
    """Nothing is wrong with it; the training says that there are too few sessions."""
    empty = stored(("A", 0, "1", 0.01)).iloc[:0]
    assert with_target(empty, UNTIL, "1")["target"].tolist() == []


def test_training_rows_are_those_with_an_outcome() -> None:
    """In order, each with the features of its own session; what has no column is missing."""
    told = stored(("B", 0, "1", 0.04), ("A", 0, "1", 0.01), ("A", 1, "1", 0.02), ("B", 1, "2", 0.5))
    frame = told.assign(last_close=[5.0, 6.0, 7.0, 8.0], RSI=[50.0, 60.0, np.nan, 80.0])
    found = stored_rows(pa.Table.from_pandas(frame), ("RSI", "ret_1", "absent"), UNTIL, "1").known
    assert found.names == ("RSI", "ret_1", "absent")
    assert found.keys[["symbol", "last_close", "target"]].to_numpy().tolist() == [["A", 6.0, 0.02]]
    assert np.array_equal(found.features, np.float32([[60.0, 0.01, np.nan]]), equal_nan=True)
    assert set(found.keys) == {"symbol", "date", "target_date", "last_close", "target"}


def test_a_table_without_a_column_of_its_returns_has_no_training_rows() -> None:
    """As one that holds vectors of other sets alone, whose features had other names."""
    frame = stored(("A", 0, "1", 0.01), ("A", 1, "1", 0.02)).drop(columns="ret_1").assign(last_close=1.0)
    assert not len(stored_rows(pa.Table.from_pandas(frame), ("RSI",), UNTIL, "1").known)


def test_the_newest_rows_are_all_of_their_sessions() -> None:
    """Also those whose outcome is unknown; not a session of which none is known, nor other sets."""
    told = stored(("A", 0, "1", 0.01), ("B", 0, "1", 0.04), ("C", 0, "2", 0.5), ("A", 1, "1", 0.02))
    frame = told.assign(last_close=[5.0, 6.0, 7.0, 8.0], RSI=[50.0, 60.0, 70.0, 80.0])
    found = stored_rows(pa.Table.from_pandas(frame), ("RSI",), UNTIL, "1")
    assert found.known.keys["symbol"].tolist() == ["A"]
    assert found.newest.keys["symbol"].tolist() == ["A", "B"]
    assert found.newest.features[:, 0].tolist() == [50.0, 60.0]


def test_the_newest_rows_are_those_of_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds no second copy of history."""
    monkeypatch.setattr(dataset, "KEPT", 1)
    frame = stored(("A", 0, "1", 0.01), ("A", 1, "1", 0.02), ("A", 2, "1", 0.03)).assign(last_close=1.0)
    found = stored_rows(pa.Table.from_pandas(frame), (), UNTIL, "1")
    assert found.newest.keys["date"].tolist() == [pd.Timestamp(DAYS[1])]
