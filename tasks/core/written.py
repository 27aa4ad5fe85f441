"""Numbers as they go on the wire: rows of an array become mappings of short numbers, all at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SIGNIFICANT = 7
"""Digits that a value keeps on the wire, so that rounding noise never makes two events differ."""

_FINEST = 12
"""Decimals beyond which a value is noise whatever its size."""

_POWERS = 10.0 ** np.arange(_FINEST + 1)


def written(values: npt.NDArray[np.float64], names: Sequence[str]) -> list[dict[str, float | None]]:
    """Round each row to `SIGNIFICANT` digits; None where a number is not finite.

    Args:
        values: [n_rows, n_names].
        names: of the columns.

    Returns:
        n_rows mappings, in the order of the rows.
    """
    known = np.isfinite(values)
    rows: list[list[float | None]] = _rounded(np.where(known, values, 0.0)).tolist()
    for row, column in np.argwhere(~known).tolist():
        rows[row][column] = None
    return [dict(zip(names, row, strict=True)) for row in rows]


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round finite numbers to `SIGNIFICANT` digits; whole powers of ten keep the shortest decimals."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 10.0**-_FINEST))).astype("int64")
    scale = _POWERS[np.clip(SIGNIFICANT - 1 - size, 0, _FINEST)]
    rounded: npt.NDArray[np.float64] = (
        np.rint(values * scale) / scale + 0.0
    )  # + 0.0 turns minus zero into 0.0
    return rounded
