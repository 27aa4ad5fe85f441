"""Numbers on the wire: short, finite, and the same wherever they stand in a table."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.core.written import SIGNIFICANT, written


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_numbers_keep_their_digits(number: float, column: int) -> None:
    """A value is off by half a unit of its last digit at most, and no other is touched."""
    row = np.full((1, 5), 3.0)
    row[0, column] = number
    kept = written(row, "abcde")[0]
    assert kept.pop("abcde"[column]) == pytest.approx(number, rel=0.51 * 10.0 ** (1 - SIGNIFICANT), abs=1e-12)
    assert set(kept.values()) == {3.0}


@given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), max_size=4))
@example([[0.0, -0.0, 1e-15], [123456789.4, float("nan"), float("inf")]])
@example([[1e22, 5e-324, -1.7e308]])
def test_a_table_is_its_cells(rows: list[list[float]]) -> None:
    """Each cell comes out as it would alone; what is not finite is None, and nothing is minus zero."""
    found = written(np.array(rows, dtype="float64").reshape(len(rows), 3), "abc")
    assert [list(row) for row in found] == [["a", "b", "c"]] * len(rows)
    for row, values in zip(found, rows, strict=True):
        alone = [written(np.array([[value]]), "x")[0]["x"] for value in values]
        assert list(row.values()) == alone
        assert [number is not None for number in alone] == [bool(np.isfinite(value)) for value in values]
        assert "-0.0" not in map(str, alone)
