"""Windows over sessions that come out the same, bit for bit, wherever the panel begins and ends.

A window is merged from stretches of 1, 2, 4, .. sessions, always in the same order: a value depends on the
rows of its window alone and costs O(log window) passes over the array. Running totals would need one pass,
but their rounding depends on all rows before, and 1e-13 is enough to flip the seventh digit of a feature.

All functions take and give [n_sessions, n_symbols]. A window that holds an unknown (NaN) row, or that begins
before the first row, is NaN.

`factor` is for rupees: what brings rupees of the row before to rupees of the row, 1 where the exchange
adjusted nothing. Results are in rupees of the window's last row, so a later adjustment changes none of them.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from tasks.core.panel import Wide

Factor = Wide | float
"""Factors [n_sessions, n_symbols], or one for every row."""

_Stretch = tuple[Any, ...]
"""Of stretches ending at successive rows: their factors multiplied, then what is known of them."""

_Merge = Callable[[_Stretch, _Stretch, int, int], _Stretch]
"""From newer and older stretches, and the sessions of each, to what is known of both together."""


def rolling_sums(wide: Wide, windows: Sequence[int], factor: Factor = 1.0) -> dict[int, Wide]:
    """Sum over the last so many sessions, by window; the windows share their stretches."""
    merged = _merged((factor, wide), windows, _add)
    return {window: _filled(total, wide) for window, (_, total) in merged.items()}


def rolling_moments(wide: Wide, windows: Sequence[int], factor: Factor = 1.0) -> dict[int, tuple[Wide, Wide]]:
    """Mean and sum of squared deviations from it, by window, without the cancellation of squared sums.

    Merged pairwise as in Chan, Golub and LeVeque, *Updating formulae and a pairwise algorithm for computing
    sample variances* (1979).
    """
    merged = _merged((factor, wide, 0.0 * wide), windows, _add_moments)
    return {
        window: (_filled(total / window, wide), _filled(squares, wide))
        for window, (_, total, squares) in merged.items()
    }


def rolling_extremes(
    wide: Wide, windows: Sequence[int], choose: np.ufunc, factor: Factor = 1.0
) -> dict[int, Wide]:
    """Extremes over the last so many sessions, by window: the highest with np.maximum, or np.minimum's."""

    def extend(newer: _Stretch, older: _Stretch, _newest: int, _oldest: int) -> _Stretch:
        return _times(older[0], newer[0]), choose(newer[1], _times(older[1], newer[0]))

    merged = _merged((factor, wide), windows, extend)
    return {window: _filled(extreme, wide) for window, (_, extreme) in merged.items()}


def rolling_distance(wide: Wide, window: int, center: Wide, factor: Factor = 1.0) -> Wide:
    """Mean absolute distance of the last `window` sessions from `center`, a number for every row.

    One pass a session: no stretch knows the center of a window that it is part of.
    """
    if len(wide) < window:
        return np.full_like(wide, np.nan)
    middle, brought = center[window - 1 :], cast("Factor", 1.0)
    total = np.zeros_like(middle)
    for back in range(window):
        rows = slice(window - 1 - back, len(wide) - back)
        total += np.abs(_times(wide[rows], brought) - middle)
        brought = _times(_rows(factor, rows), brought)
    return _filled(total / window, wide)


def decayed(wide: Wide, alpha: float, window: int, seed: int = 0, factor: Factor = 1.0) -> Wide:
    """Exponential mean of the last `window` sessions; a row counts 1 - alpha times the one after it.

    With a seed it starts from the plain mean of the window's oldest `seed` sessions (0 < seed < window), as
    TA-Lib does on a series of `window` values. Without, the weights are scaled to sum to 1.
    """
    decay, rest = 1 - alpha, window - seed
    weight, recent = _merged((decay * factor, wide), (rest,), _add)[rest]
    if not seed:
        return _filled(recent * (alpha / (1 - decay**window)), wide)
    start = _merged((factor, wide), (seed,), _add)[seed][1][:-rest] / seed
    return _filled(alpha * recent[seed:] + _times(start, _rows(weight, slice(seed, None))), wide)


def decayed_twice(  # noqa: PLR0913, PLR0917  (a length and a weight for each of the two)
    wide: Wide, alpha: float, window: int, seed: int, again: float, reseed: int, factor: Factor = 1.0
) -> Wide:
    """Exponential mean of exponential means, both with the seeds that TA-Lib gives them in its MACD.

    The first is that of `decayed` with `alpha` and `seed`, at each session of the window from its `seed`-th
    on. The second has the weight `again` and starts from the plain mean of `reseed` of those.
    """
    if len(wide) < window:
        return np.full_like(wide, np.nan)
    keep, fade, between = 1 - alpha, 1 - again, reseed - 1
    rest, rows = window - seed - between, len(wide) - window + 1
    plain = _merged((factor, wide), (seed, between, rest), _add)
    first = _merged((keep * factor, wide), (between, rest), _add)
    second = _merged((fade * factor, wide), (rest,), _add)[rest][1][window - rest :]
    middle, last = slice(seed, seed + rows), slice(window - rest, None)
    start = _times(plain[seed][1][:rows] / seed, _rows(plain[between][0], middle))
    late = first[between][1][middle]
    mean = keep**between * start + alpha * late
    means = start * ((1 - keep**reseed) / alpha) + plain[between][1][middle] - keep * late
    grown = keep * (fade**rest - keep**rest) / (fade - keep)
    recent = alpha * (fade * second - keep * first[rest][1][last]) / (fade - keep)
    older = (fade**rest / reseed) * means + (again * grown) * mean
    return _filled(_times(older, _rows(plain[rest][0], last)) + again * recent, wide)


def weighted_trend(wide: Wide, window: int, factor: Factor = 1.0) -> Wide:
    """Slope per session of the least-squares line through the last `window` (at least 2) sessions."""
    tilt = _merged((factor, wide, 0.0 * wide), (window,), _add_tilts)[window][2]
    return _filled(tilt * (12 / (window * (window**2 - 1))), wide)


def _merged(rows: _Stretch, windows: Sequence[int], merge: _Merge) -> dict[int, _Stretch]:
    """Merge rows to windows; the newest sessions of a window are its shortest stretch.

    Row i of a stretch of n sessions ends at session i + n - 1.
    """
    out: dict[int, _Stretch] = {}
    size = 1
    while True:
        for window in set(windows):
            if window & size:
                newest = window % size
                out[window] = _beside(out[window], newest, rows, size, merge) if newest else rows
        if 2 * size > max(windows):
            return out
        rows = _beside(rows, size, rows, size, merge)
        size *= 2


def _beside(newer: _Stretch, newest: int, older: _Stretch, oldest: int, merge: _Merge) -> _Stretch:
    """Merge stretches of `newest` sessions with those of the `oldest` sessions right before them."""
    recent = tuple(_rows(part, slice(oldest, None)) for part in newer)
    earlier = tuple(_rows(part, slice(None, -newest)) for part in older)
    return merge(recent, earlier, newest, oldest)


def _add(newer: _Stretch, older: _Stretch, _newest: int, _oldest: int) -> _Stretch:
    """Merge (factor, total)."""
    return _times(older[0], newer[0]), newer[1] + _times(older[1], newer[0])


def _add_moments(newer: _Stretch, older: _Stretch, newest: int, oldest: int) -> _Stretch:
    """Merge (factor, total, squared deviations from the mean)."""
    factor, total, squares = newer
    before = _times(older[1], factor)
    apart = total * oldest - before * newest
    apart *= apart
    apart /= newest * oldest * (newest + oldest)
    apart += squares
    apart += _times(_times(older[2], factor), factor)
    return _times(older[0], factor), total + before, apart


def _add_tilts(newer: _Stretch, older: _Stretch, newest: int, oldest: int) -> _Stretch:
    """Merge (factor, total, products with the session's place before or after the middle)."""
    factor, total, tilt = newer
    before = _times(older[1], factor)
    tilted = (total * oldest - before * newest) / 2 + tilt + _times(older[2], factor)
    return _times(older[0], factor), total + before, tilted


def _times(part: Any, factor: Factor) -> Any:
    """Multiply, without a pass over the array where the factor is 1 throughout."""
    return part if isinstance(factor, float) and factor == 1 else part * factor


def _rows(part: Any, rows: slice) -> Any:
    """Cut rows out; a factor for every row has none."""
    return part[rows] if isinstance(part, np.ndarray) else part


def _filled(windows: Wide, like: Wide) -> Wide:
    """Put NaN before the first whole window, so that rows are those of the input again."""
    out = np.full_like(like, np.nan)
    out[len(like) - len(windows) :] = windows
    return out
