"""A panel that moves on: the next window is the last one, less what it leaves, and what is new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.panel import FIELDS, Panel


@dataclass(frozen=True, eq=False)
class Placed:
    """A panel and, for each of its sessions, the location of the object that it was read from."""

    panel: Panel
    locations: tuple[str, ...]

    @classmethod
    def none(cls) -> "Placed":
        """A panel of no session."""
        return cls(Panel.empty(), ())


def moved(before: Placed, wanted: Sequence[tuple[date, str]], frames: Mapping[str, pd.DataFrame]) -> Placed:
    """Build the panel of some sessions; what `before` holds of them is taken from it.

    The result is the same whatever `before` holds. Costs a copy of the window and the frames that are new.

    Args:
        before: a panel that was built earlier.
        wanted: date and location of each session, dates ascending strictly.
        frames: tidy frames by location, at least of those that `before` does not hold.
    """
    locations = tuple(location for _, location in wanted)
    dates = tuple(day for day, _ in wanted)
    if (dates, locations) == (before.panel.dates, before.locations):
        return before
    places = {location: row for row, location in enumerate(before.locations)}
    fresh = Panel.from_sessions([(day, frames[one]) for day, one in wanted if one not in places])
    symbols = tuple(sorted({*before.panel.symbols, *fresh.symbols}))
    values = np.full((len(FIELDS), len(wanted), len(symbols)), np.nan)
    old = [row for row, one in enumerate(locations) if one in places]
    new = [row for row, one in enumerate(locations) if one not in places]
    _put(values, symbols, old, before.panel, [places[locations[row]] for row in old])
    _put(values, symbols, new, fresh, list(range(len(fresh))))
    return Placed(_without_absent(dates, symbols, values), locations)


def _put(
    values: npt.NDArray[np.float64], symbols: tuple[str, ...], rows: list[int], part: Panel, of: list[int]
) -> None:
    """Write sessions `of` a part into rows of the whole, which has all of its symbols."""
    place = {symbol: column for column, symbol in enumerate(symbols)}
    columns = [place[symbol] for symbol in part.symbols]
    for field, name in enumerate(FIELDS):
        if part.symbols == symbols:
            values[field, rows] = part[name][of]
        else:
            values[field][np.ix_(rows, columns)] = part[name][of]


def _without_absent(
    dates: tuple[date, ...], symbols: tuple[str, ...], values: npt.NDArray[np.float64]
) -> Panel:
    """Leave out symbols that have left the window with the sessions in which they traded."""
    there = np.flatnonzero(np.isfinite(values).any(axis=(0, 1)))
    if len(there) == len(symbols):
        return Panel(dates, symbols, values)
    return Panel(dates, tuple(symbols[column] for column in there.tolist()), values[:, :, there])
