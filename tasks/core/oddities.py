"""Every oddity of the exchange's files by name: which can be written into a simulated market, and how much.

The numbers are those of the list of oddities beside the real files. What is part of the layout itself is in
every market: placeholders (9), symbols with a slash (10), a varying number of rows (11), ASCII with line
feeds (12), the calendar's changes (13) and the classes of instruments (25).
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["CATALOGUE", "USUAL", "Oddities", "Oddity", "generator", "picked"]

Mask = npt.NDArray[np.bool_]


class Oddity(NamedTuple):
    """One oddity."""

    number: int
    """Its place in the list of the real files' oddities."""
    share: float
    """How much of what can have it has it where it is switched on, between 0 and 1."""
    meaning: str


CATALOGUE: dict[str, Oddity] = {
    "stale": Oddity(1, 1.0, "closed days whose file holds the last session's rows"),
    "recomputed": Oddity(2, 0.35, "stale files that differ from the original in the column Conf."),
    "misdated": Oddity(3, 0.06, "sessions whose rows first appear under a weekend day after them"),
    "partial": Oddity(4, 0.06, "files of two new rows among the last session's, complete the day after"),
    "late_completed": Oddity(4, 0.06, "files of the running session, complete in a second one (again/)"),
    "doubled": Oddity(5, 0.02, "files in which every row stands twice"),
    "appended": Oddity(5, 0.03, "files in which the whole list stands twice"),
    "layouts": Oddity(6, 1.0, "21, 22, then 24 columns (else 24)"),
    "unnumbered": Oddity(6, 0.05, "files without S.No, named month first"),
    "close_is_ltp": Oddity(7, 0.3, "sessions, the last ones, whose close is the last trade's price"),
    "commas": Oddity(8, 1.0, "thousands commas"),
    "zero_averages": Oddity(9, 0.3, "files with 0.00 for unknown averages"),
    "zero_previous": Oddity(9, 0.0005, "rows whose previous close is 0"),
    "spaced": Oddity(10, 0.02, "rows of debentures whose symbol has a space more or less"),
    "crlf": Oddity(12, 0.05, "files with carriage returns"),
    "byte_order_mark": Oddity(12, 0.05, "files that begin with a byte order mark"),
    "odd_days": Oddity(13, 0.02, "Sundays' sessions that were held on the Friday before"),
    "calendar_errors": Oddity(14, 0.02, "days that trading_calendar.csv has wrong"),
    "closures": Oddity(15, 0.002, "sessions after which the exchange was closed for one to seven weeks"),
    "thin": Oddity(16, 0.01, "sessions of 1 to 12 rows"),
    "phantom": Oddity(16, 0.01, "closed days on which the history repeats a neighbour"),
    "previous_open": Oddity(17, 0.3, "sessions, the first ones, whose open is the previous close"),
    "close_outside": Oddity(18, 0.004, "rows whose close is above the high"),
    "crossed": Oddity(18, 0.001, "rows whose high is below the low"),
    "zero_prices": Oddity(19, 0.001, "rows whose low is written as 0"),
    "zero_opens": Oddity(19, 0.001, "rows whose open and high are written as 0"),
    "bad_closes": Oddity(19, 0.0005, "rows whose close is written as 0: unusable"),
    "zero_rows": Oddity(19, 0.0002, "rows with a volume whose prices are all 0: unusable"),
    "zero_volume": Oddity(20, 0.0002, "rows without volume"),
    "zero_turnover": Oddity(20, 0.2, "sessions, the first ones, whose turnover is 0"),
    "single_trades": Oddity(20, 0.03, "rows of one trade, or none, at one price"),
    "vwap_outside": Oddity(21, 0.004, "rows whose turnover by volume is outside of the range"),
    "unannounced": Oddity(22, 0.0006, "rows from which on prices are lower, with no word by the exchange"),
    "bad_ticks": Oddity(22, 0.0005, "rows with a price many times too high, which the next one ignores"),
    "face_value": Oddity(22, 0.02, "rows of promoter shares that traded at 100"),
    "dear": Oddity(23, 0.004, "symbols at tens of thousands of rupees"),
    "delisted": Oddity(24, 0.05, "symbols that end"),
    "renamed": Oddity(24, 0.02, "symbols that go on under another name, for two sessions under both"),
    "halts": Oddity(25, 0.05, "symbols that are not traded for one month to a year"),
    "company_files": Oddity(26, 0.3, "company-wise files with doubled rows or out of order"),
    "same_twice": Oddity(27, 0.02, "rows of debentures that are the last session's again"),
    "bare_history": Oddity(28, 0.6, "sessions of the history without previous close, average and trades"),
    "missing": Oddity(28, 0.05, "sessions that no daily file has, only the history"),
}
"""All oddities that can be switched, in the order of their numbers."""

USUAL = ("stale", "recomputed", "doubled", "layouts", "commas", "zero_prices", "bad_closes")
"""On unless told otherwise."""


class Oddities:
    """Which oddities to write, and how much of each."""

    def __init__(self, **shares: float) -> None:
        """Take the usual ones, with other shares between 0 and 1 where they are given.

        Raises:
            ValueError: There is no such oddity.
        """
        _require_known(shares)
        usual = {name: CATALOGUE[name].share for name in USUAL}
        self._shares = {**dict.fromkeys(CATALOGUE, 0.0), **usual, **shares}

    def __getitem__(self, name: str) -> float:
        """Give an oddity's share."""
        return self._shares[name]

    @classmethod
    def none(cls) -> "Oddities":
        """Clean files only."""
        return cls.of([])

    @classmethod
    def all(cls) -> "Oddities":
        """Every oddity."""
        return cls.of(CATALOGUE)

    @classmethod
    def of(cls, names: Iterable[str]) -> "Oddities":
        """Those that are named, and no other.

        Raises:
            ValueError: There is no such oddity.
        """
        chosen = set(names)
        _require_known(chosen)
        return cls(**{name: odd.share if name in chosen else 0.0 for name, odd in CATALOGUE.items()})


def _require_known(names: Iterable[str]) -> None:
    if unknown := sorted(set(names) - set(CATALOGUE)):
        message = f"no such oddity: {', '.join(unknown)}; there are {', '.join(CATALOGUE)}"
        raise ValueError(message)


def generator(seed: int, name: str) -> np.random.Generator:
    """Give an oddity its own random numbers, so that it is the same with and without the others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def picked(rng: np.random.Generator, able: Mask, share: float) -> Mask:
    """Pick a share of what is able, one at least where there is any; a mask like `able`."""
    places = np.flatnonzero(able)
    count = min(len(places), max(1, round(share * len(places)))) if share > 0 else 0
    out = np.zeros(len(able), dtype=bool)
    out[rng.choice(places, count, replace=False)] = True
    return out
