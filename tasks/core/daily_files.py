"""The daily files of simulated sessions as they appear day after day, repeats on closed days included."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from tasks.core.daily_layout import daily_csv
from tasks.core.market_model import SimulatedSession
from tasks.core.oddities import Oddities


class Style(NamedTuple):
    """How the site writes a session's files."""

    layout: int = 24
    commas: bool = True
    doubled: bool = False
    zero_averages: bool = False

    def write(self, session: SimulatedSession, conf_seed: int) -> bytes:
        """Write a session; see `daily_csv`."""
        data = daily_csv(
            session,
            self.layout,
            conf_seed=conf_seed,
            commas=self.commas,
            zero_averages=self.zero_averages,
        )
        header, *lines = data.splitlines(keepends=True)
        return b"".join([header, *(line for line in lines for _ in range(1 + self.doubled))])


@dataclass(frozen=True, slots=True)
class File:
    """One daily file, and what is true of it."""

    name: str
    named: date
    data: bytes
    kind: str = "session"
    """session, repeat, misdated, partial, early or late."""
    complete: bool = True
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """A session and the files that have its rows, oldest first."""

    session: SimulatedSession
    style: Style
    files: tuple[File, ...]

    @property
    def plain(self) -> bool:
        """Tell whether its own file, then repeats, is all there is."""
        kinds = [file.kind for file in self.files]
        return kinds[:1] == ["session"] and set(kinds[1:]) <= {"repeat"}


def published(
    sessions: Sequence[SimulatedSession], odd: Oddities, rng: np.random.Generator
) -> Iterator[Published]:
    """Write each session's own file, and one for each closed day after it."""
    for number, session in enumerate(sessions):
        after = sessions[number + 1].date if number + 1 < len(sessions) else session.date + timedelta(days=1)
        spoiled = _spoiled(session, odd, rng)
        doubled = bool(rng.random() < odd["doubled"])
        style = Style(_layout(number, len(sessions)) if odd["layouts"] else 24, odd["commas"] > 0, doubled)
        yield Published(spoiled, style, tuple(_files(spoiled, style, (after - session.date).days, odd, rng)))


def _files(
    session: SimulatedSession, style: Style, days: int, odd: Oddities, rng: np.random.Generator
) -> Iterator[File]:
    """The file of the session's day and the stale ones of the days after it."""
    data = style.write(session, conf := int(rng.integers(1, 2**31)))
    yield File(f"{session.date:%Y_%m_%d}.csv", session.date, data, doubled=style.doubled)
    for ahead in range(1, days):
        if rng.random() < odd["stale"]:
            conf = int(rng.integers(1, 2**31)) if rng.random() < odd["recomputed"] else conf
            named = session.date + timedelta(days=ahead)
            data = style.write(session, conf)
            yield File(f"{named:%Y_%m_%d}.csv", named, data, "repeat", doubled=style.doubled)


def _layout(number: int, files: int) -> int:
    """The layouts follow one another as they did: 21 columns for half of the files, 22 for two, then 24."""
    half = files // 2
    return 21 if number < half else 22 if number < half + 2 else 24


def _spoiled(session: SimulatedSession, odd: Oddities, rng: np.random.Generator) -> SimulatedSession:
    """Write zeros where a share of the rows has a price, as the site does at times."""
    rows = session.rows.copy()
    rows.loc[rng.random(len(rows)) < odd["zero_prices"], "low"] = 0.0
    rows.loc[rng.random(len(rows)) < odd["bad_closes"], "close"] = 0.0
    return SimulatedSession(session.date, rows, session.past)
