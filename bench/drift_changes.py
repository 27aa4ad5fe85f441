"""Judged features of a market, and the weeks in it that are made otherwise than they were: `bench.drift`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core import features
from tasks.core.catalogue import LEARNED
from tasks.core.drift_reference import KEPT, WEEK, Reference, judged
from tasks.core.panel import Panel

SHIFTED = 10
"""Features that get a shift of their own."""

Values = npt.NDArray[np.float32]
"""[n_rows, n_features]."""
Order = Sequence[int]
"""Sessions one after the other, by their number in the table."""


@dataclass(frozen=True)
class Table:
    """Judged features, session by session."""

    days: list[date]
    sessions: list[Values]
    names: list[str]

    @classmethod
    def of(cls, panel: Panel, since: date) -> "Table":
        """Compute them for the sessions of a panel from one on."""
        found, names = features.compute(panel, since), judged(LEARNED)
        days, first = np.unique(found["date"].to_numpy(), return_index=True)
        return cls(list(days), np.split(found[names].to_numpy("float32"), first[1:]), names)

    def rows(self, order: Order) -> tuple[npt.NDArray[np.int64], Values]:
        """Lay sessions one after the other: each row's place in the order, and the values."""
        sizes = [len(self.sessions[number]) for number in order]
        return np.repeat(np.arange(len(order)), sizes), np.concatenate([self.sessions[n] for n in order])

    def reference(self, order: Order) -> Reference:
        """Describe sessions.

        Raises:
            SystemExit: there are too few.
        """
        found = Reference.of(*self.rows(order), self.names)
        if found is None:
            message = f"{len(order)} sessions are no reference"
            raise SystemExit(message)
        return found

    def with_week(self, start: int, sessions: list[Values]) -> "Table":
        """Put other sessions in the place of those from one on."""
        return replace(self, sessions=[*self.sessions[:start], *sessions])


Change = Callable[[Table, Panel, int], list[Values]]
"""Makes the sessions of a week, from a session of the table on, otherwise than they were."""


def nothing(table: Table, _panel: Panel, start: int) -> list[Values]:
    """Leave the week as it was."""
    return table.sessions[start : start + WEEK]


def level(table: Table, panel: Panel, start: int) -> list[Values]:
    """Raise SHIFTED features, spread over the set, by one standard deviation of the year before."""
    spread = pd.DataFrame(table.rows(range(start - KEPT, start))[1]).std().to_numpy()
    step = -(-len(table.names) // SHIFTED)
    chosen = np.where(np.arange(len(table.names)) % step == 0, spread, 0)
    return [(one + chosen).astype("float32") for one in nothing(table, panel, start)]


def restless(table: Table, panel: Panel, start: int) -> list[Values]:
    """Let every price move half as much again: its logarithm, counted from the close before the week."""
    cut, first = _window(table, panel, start)
    base = _last_known(cut["close"][:first])
    for name in ("open", "high", "low", "close", "vwap", "ltp", "prev_close"):
        prices = cut[name][first:]
        prices[:] = base * (prices / base) ** 1.5
    return Table.of(cut, table.days[start]).sessions


def thin(table: Table, panel: Panel, start: int) -> list[Values]:
    """Let a tenth be traded."""
    cut, first = _window(table, panel, start)
    for name in ("volume", "turnover"):
        cut[name][first:] /= 10
    return Table.of(cut, table.days[start]).sessions


def _window(table: Table, panel: Panel, start: int) -> tuple[Panel, int]:
    """Copy a week and what its features can depend on; also the place of its first session."""
    place = panel.dates.index(table.days[start])
    until = panel if place + WEEK == len(panel) else panel.before(panel.dates[place + WEEK])
    cut = until.tail(WEEK + features.WINDOW - 1)  # leaves out symbols, and so is no view of the panel
    return cut, len(cut) - WEEK


def _last_known(closes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The newest close of each symbol; NaN for one that never traded."""
    known = np.isfinite(closes)
    newest = len(closes) - 1 - known[::-1].argmax(axis=0)
    return np.asarray(closes[newest, np.arange(closes.shape[1])])


CHANGES: dict[str, Change] = {
    "nothing": nothing,
    f"{SHIFTED} features, one standard deviation up": level,
    "prices move 1.5 times as much": restless,
    "a tenth is traded": thin,
}
