"""Two states of the feature table are the same when their rows are."""

import numpy as np
import pandas as pd
import pytest

from tasks.core.rowdigest import compare, rows_of

LIMITS = {("features", 0): 10, ("features", 1): 10}


def frame(**changed: object) -> pd.DataFrame:
    """Three rows; features may be missing."""
    made = pd.DataFrame(
        {
            "symbol": ["A", "A", "NICAD 85/86"],
            "date": pd.to_datetime(["2024-03-03", "2024-03-04", "2024-03-03"]),
            "feature_set": ["1", None, "1"],
            "revision": [0, 0, 1],
            "last_close": [1.0, 2.0, np.nan],
            "event_id": ["x", "y", "z"],
            "partition": [0, 0, 1],
            "offset": [1, 2, 3],
            "RSI": [50.0, np.nan, 70.0],
        }
    )
    return made.assign(**changed)


def same(before: list[pd.DataFrame], after: list[pd.DataFrame]) -> bool:
    """Compare two states as a rebuild does."""
    verdict = compare(rows_of(before), rows_of(after), LIMITS)
    return verdict.before == verdict.after


def test_files_and_orders_do_not_count() -> None:
    """Rows in other portions and orders, columns in another order, an empty column more or less."""
    whole = frame()
    assert same([whole], [whole.iloc[2:], whole.iloc[:0], whole.iloc[:2]])
    assert same([whole], [whole[list(reversed(whole.columns))]])
    assert same([whole], [whole.assign(SMA_20=np.nan)])
    assert same([], [])


@pytest.mark.parametrize(
    "changed",
    [
        {"RSI": [50.0, np.nan, 70.5]},
        {"RSI": [50.0, 0.0, 70.0]},
        {"feature_set": ["1", "1", None]},
        {"last_close": [2.0, 1.0, np.nan]},
        {"event_id": ["y", "x", "z"]},
        {"date": pd.to_datetime(["2024-03-03", "2024-03-05", "2024-03-03"])},
        {"offset": [1, 2, 4]},
        {"symbol": ["A", "B", "NICAD 85/86"]},
    ],
)
def test_any_change_of_a_row_counts(changed: dict[str, object]) -> None:
    """A value, a missing one, values that changed places."""
    assert not same([frame()], [frame(**changed)])


def test_a_row_more_or_less_counts() -> None:
    """Lost or doubled."""
    assert not same([frame()], [frame().iloc[:2]])
    assert not same([frame()], [frame(), frame().iloc[:1]])


def test_what_later_records_wrote_is_left_out_on_both_sides() -> None:
    """A key that a record beyond the limits has replaced says nothing of the rebuild."""
    newer = frame(offset=[1, 12, 3], revision=[0, 1, 1])
    verdict = compare(rows_of([frame()]), rows_of([newer]), LIMITS)
    assert verdict.before == verdict.after
    assert (verdict.before[0], verdict.moved) == (2, 1)
