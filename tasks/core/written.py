"""Numbers as they go on the wire: rows of an array become JSON objects, without a dict for each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from events.encoded import Encoded

SIGNIFICANT = 7
"""Digits that a value keeps on the wire, so that rounding noise never makes two events differ."""

_FINEST = 12
"""Decimals beyond which a value is noise whatever its size."""

_POWERS = 10.0 ** np.arange(_FINEST + 1)


def written(values: npt.NDArray[np.float64], names: Sequence[str]) -> list[Encoded]:
    """Write each row as an object of `SIGNIFICANT` digits a number, null where it is not finite.

    Args:
        values: [n_rows, n_names].
        names: the fields, in the order of the columns.

    Returns:
        n_rows objects, each with the very bytes that a dict of the same numbers would be encoded to.
    """
    if not values.size:
        return [Encoded(b"{}") for _ in values]
    text = orjson.dumps(_rounded(values), option=orjson.OPT_SERIALIZE_NUMPY)
    keys = [orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in names]
    pattern = b"{" + b",".join(keys) + b"}"
    return [Encoded(pattern % tuple(row.split(b","))) for row in text[2:-2].split(b"],[")]


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to `SIGNIFICANT` digits, in C order; whole powers of ten keep the shortest decimals."""
    known = np.isfinite(values)
    finite = np.where(known, values, 0.0)
    size = np.floor(np.log10(np.maximum(np.abs(finite), 10.0**-_FINEST))).astype("int64")
    scale = _POWERS[np.clip(SIGNIFICANT - 1 - size, 0, _FINEST)]
    rounded = np.rint(finite * scale) / scale + 0.0  # + 0.0 turns minus zero into 0.0
    return np.ascontiguousarray(np.where(known, rounded, np.nan))
