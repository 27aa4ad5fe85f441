"""Our side of the comparison: the whole set over a market of any width, and single families of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.market import Market, repeated
from tasks.core import features
from tasks.core.catalogue import FEATURE_TABLE
from tasks.core.panel import Panel

RESULT_BYTES = 256 * 2**20
"""So much of the answer is held at a time, as a backfill does, which publishes it block by block."""


def names() -> list[str]:
    """List the features of the set, in the order of the table."""
    return [entry.name for entry in FEATURE_TABLE]


def windows() -> dict[str, int]:
    """Sessions that a peer has to know for each feature: its window and the close before it."""
    return {entry.name: entry.window + 1 for entry in FEATURE_TABLE}


def panel_of(market: Market) -> Panel:
    """Lay sessions out side by side."""
    return Panel.from_sessions(market.days)


def blocks(panel: Panel, copies: int) -> Iterator[tuple[int, int]]:
    """Cut the sessions so that the answer of each cut, repeated so many times, fits into RESULT_BYTES."""
    traded = int(np.isfinite(panel["close"]).sum(axis=1).max(initial=1))
    step = max(1, RESULT_BYTES // (traded * copies * (len(features.FEATURES) + 1) * 8))
    for start in range(0, len(panel), step):
        yield start, min(start + step, len(panel))


def cut(panel: Panel, start: int, stop: int) -> Panel:
    """Take sessions [start, stop) with those before them that their windows reach back to."""
    before = max(0, start - features.WINDOW + 1)
    return Panel(panel.dates[before:stop], panel.symbols, panel.values[:, before:stop])


def whole(panel: Panel, copies: int = 1) -> int:
    """Compute the set over all sessions, cut by cut; returns the rows.

    Raises:
        SystemExit: something else was computed.
    """
    rows, expected = 0, {"symbol", "date", "last_close", *features.FEATURES}
    for start, stop in blocks(panel, copies):
        part = cut(panel, start, stop)
        wide = part if copies == 1 else repeated(part.tail(len(part)), copies)
        found = features.compute(wide, panel.dates[start])
        if set(found.columns) != expected:
            message = f"asked for {', '.join(features.FEATURES)}, got {', '.join(found.columns)}"
            raise SystemExit(message)
        rows += len(found)
    return rows


@contextmanager
def only(wanted: list[str]) -> Iterator[None]:
    """Let the set be these features alone, in every table that `features` computes from."""
    tables: dict[str, Any] = {
        name: tuple(entry for entry in value if entry.name in wanted)
        for name, value in vars(features).items()
        if isinstance(value, tuple) and value and all(hasattr(entry, "compute") for entry in value)
    }
    kept = tuple(name for name in features.FEATURES if name in wanted)
    with patch.multiple(features, **tables, FEATURES=kept):
        yield


def family(panel: Panel, wanted: list[str], copies: int = 1, rounds: int = 1) -> float:
    """Seconds that these features alone take over all sessions, the best of some rounds."""
    with only(wanted):
        return min(_once(panel, copies) for _ in range(rounds))


def _once(panel: Panel, copies: int) -> float:
    began = time.perf_counter()
    whole(panel, copies)
    return time.perf_counter() - began
