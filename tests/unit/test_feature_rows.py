"""Which features the table takes, and which of two rows stays."""

import pandas as pd

from infra.feature_rows import MOST_FEATURES, OWN_COLUMNS, newest_rows, storable
from tasks.core.feature_frame import COLUMNS


def test_names_that_would_break_the_table_are_left_out() -> None:
    """An identifier is taken; odd names, our own columns and other spellings are not."""
    names = ["RSI", "rsi", "a b", "`t", "", "symbol", "Date", "Close_Lag_1", "sma_20"]
    assert storable(names, known=["SMA_20"]) == ["RSI", "Close_Lag_1"]


def test_the_number_of_features_is_bounded() -> None:
    """A writer that invents a name per event can't widen the table for ever."""
    kept = storable([f"x{n}" for n in range(5_000)], known=[])
    assert len(kept) == MOST_FEATURES - len(OWN_COLUMNS)
    assert storable(["known", "new"], known=["known", *kept]) == ["known"]


def test_the_newest_revision_of_a_session_stays() -> None:
    """Revision first, then offset, whatever the order of the rows."""
    rows = [("A", 1, 0, 5), ("A", 1, 2, 3), ("A", 1, 1, 9), ("B", 1, 0, 1), ("B", 1, 0, 2)]
    frame = pd.DataFrame(rows, columns=["symbol", "date", "revision", "offset"]).assign(partition=0)
    kept = newest_rows(frame).sort_values("symbol")
    assert kept[["symbol", "revision", "offset"]].to_numpy().tolist() == [["A", 2, 3], ["B", 0, 2]]


def test_the_frame_and_the_table_agree_on_columns() -> None:
    """What the projection makes is what the table stores."""
    assert COLUMNS == OWN_COLUMNS
