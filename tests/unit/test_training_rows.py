"""Rows of a training: in order whatever they come in, cut without copies, equal to their frame."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.training_rows import TrainingRows, matrix

NAMES = ("a", "b")


def frame(rows: int = 12, seed: int = 0) -> pd.DataFrame:
    """Rows of three symbols, shuffled, with values that single precision holds."""
    generator = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=rows)
    plain = pd.DataFrame(
        {
            "symbol": [f"S{k % 3}" for k in range(rows)],
            "date": days[np.arange(rows) // 3],
            "target_date": days[np.arange(rows) // 3 + 1],
            "last_close": 100.0,
            "target": generator.integers(-9, 9, rows) / 64,
            "a": generator.integers(-9, 9, rows) / 8,
            "b": generator.integers(-9, 9, rows) / 8,
        }
    )
    return plain.sample(frac=1.0, random_state=seed)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 20), st.integers(3, 30))
def test_rows_are_in_order_and_keep_their_features(seed: int, rows: int) -> None:
    """In whatever order and with whatever labels the frame has them."""
    given_rows = frame(rows, seed)
    found = TrainingRows.of(given_rows, NAMES)
    ordered = given_rows.sort_values(["date", "symbol"])
    assert found.keys["symbol"].tolist() == ordered["symbol"].tolist()
    assert found.keys["date"].tolist() == ordered["date"].tolist()
    assert np.array_equal(found.features, ordered[list(NAMES)].to_numpy())
    assert np.array_equal(found.target, ordered["target"])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_some_rows_keep_what_they_were(wanted: list[bool]) -> None:
    """Any choice of rows has the keys and features of those rows."""
    rows, chosen = TrainingRows.of(frame(), NAMES), np.array(wanted)
    found = rows.where(chosen)
    assert len(found) == chosen.sum()
    assert np.array_equal(found.features, rows.features[chosen])
    assert found.keys["symbol"].tolist() == rows.keys["symbol"][chosen].tolist()
    assert found.keys.index.tolist() == list(range(len(found)))


def test_nothing_is_copied_that_need_not_be() -> None:
    """Rows that lie together, and all features in their order, share the memory of the whole."""
    rows = TrainingRows.of(frame(), NAMES)
    later = rows.where((rows.keys["date"] >= pd.Timestamp("2024-01-02")).to_numpy())
    assert np.shares_memory(later.features, rows.features)
    assert rows.where(np.ones(len(rows), dtype=bool)) is rows
    assert np.shares_memory(rows.matrix(NAMES), rows.features)
    assert rows.features.dtype == np.float32


def test_features_come_in_the_order_that_is_asked_for() -> None:
    """And one that is not there is named, whether the rows or a frame lack it."""
    rows = TrainingRows.of(frame(), NAMES)
    assert np.array_equal(rows.matrix(["b", "a"]), rows.features[:, ::-1])
    assert np.array_equal(rows.matrix(["b"]), rows.features[:, 1:])
    with pytest.raises(KeyError, match="not there: c, d"):
        rows.matrix(["a", "c", "d"])
    with pytest.raises(KeyError, match="not there: c, d"):
        matrix(frame(), ["a", "c", "d"])


def test_what_is_no_finite_number_is_missing() -> None:
    """Infinite, too large for single precision, or absent."""
    odd = frame(4).assign(a=[np.inf, 1e300, np.nan, None], b=1.5)
    assert np.isnan(matrix(odd, ["a"])).all()
    assert np.array_equal(matrix(odd, ["b"]), np.full((4, 1), np.float32(1.5)))
    assert np.isnan(TrainingRows.of(odd, NAMES).features[:, 0]).all()


def test_dates_may_be_dates_or_timestamps() -> None:
    """The feature set has datetime.date, the table timestamps: the same rows come of both."""
    stamped = frame()
    plain = stamped.assign(date=stamped["date"].dt.date, target_date=stamped["target_date"].dt.date)
    assert isinstance(plain["date"].iloc[0], date)
    assert TrainingRows.of(plain, NAMES).keys.equals(TrainingRows.of(stamped, NAMES).keys)
