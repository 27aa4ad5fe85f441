"""Simulated markets for tests, read back by the readers, with the truth beside what was found."""

import io
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

import pandas as pd

from tasks.core.claims import Claim
from tasks.core.layout import DailyFile
from tasks.core.prices import content_hash, read_daily, read_prices
from tasks.core.simulator import Oddities, write_market
from tests.claims import claim

START = date(2023, 4, 9)
FLAGS = ("repeats_previous_session", "byte_identical_to_previous", "doubled", "complete")


@dataclass(frozen=True)
class Written:
    """A market's files."""

    files: dict[str, bytes]

    def table(self, name: str) -> pd.DataFrame:
        """Read a table of the truth, its dates as dates."""
        table = pd.read_csv(io.BytesIO(self.files[name]), keep_default_na=False)
        days = {name: pd.to_datetime(table[name]).dt.date for name in table if name.endswith("date")}
        return table.assign(**days)

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """The truth about daily files."""
        manifest = self.table("manifest.csv")
        manifest = manifest[~manifest["file"].str.startswith("history")]
        return manifest.assign(**{name: manifest[name].astype(str) == "True" for name in FLAGS})

    @cached_property
    def odd_days(self) -> pd.DataFrame:
        """The truth about days of the history."""
        manifest = self.table("manifest.csv")
        return manifest[manifest["file"].str.startswith("history")]

    @cached_property
    def daily(self) -> dict[str, DailyFile]:
        """What the reader finds in each daily file, by name."""
        return {name: read_daily(self.files[f"daily/{name}"], name) for name in self.manifest["file"]}

    @cached_property
    def history(self) -> dict[date, DailyFile]:
        """What the reader finds in the history."""
        found = read_prices(self.files["history.parquet"], "history.parquet")
        return {day: content for day, content in found if day}

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows as they are read, one a symbol and session, with `date` and `last`: the last close."""
        days = {day: file.rows for day, file in self.history.items()}
        days |= {line.data_date: self.daily[line.file].rows for line in self.whole}
        rows = pd.concat([rows.assign(date=day) for day, rows in sorted(days.items())], ignore_index=True)
        return rows.assign(last=rows.groupby("symbol")["close"].shift())

    @property
    def whole(self) -> list:
        """The manifest's lines about files that have all of their session."""
        return list(self.manifest[self.manifest["complete"]].itertuples())

    @cached_property
    def claims(self) -> list[Claim]:
        """Claims of the history's days and of the daily files."""
        table = [claim(file.rows, day, dated=True, source="history") for day, file in self.history.items()]
        lines = self.manifest.itertuples()
        return table + [claim(self.daily[line.file].rows, line.file_date, source=line.file) for line in lines]

    @cached_property
    def truth(self) -> dict[date, str]:
        """Digest of each session's rows."""
        phantoms = set(self.odd_days.loc[self.odd_days["kind"] == "phantom", "file_date"])
        found = {day: content_hash(file.rows) for day, file in self.history.items() if day not in phantoms}
        found |= {line.data_date: content_hash(self.daily[line.file].rows) for line in self.whole}
        return dict(sorted(found.items()))


@cache
def written(*names: str, seed: int = 1, sessions: int = 40, daily: int = 25, symbols: int = 40) -> Written:
    """Write a market with no oddities but these."""
    odd = Oddities.of(names)
    return Written(
        dict(
            write_market(
                sessions=sessions, symbols=symbols, seed=seed, daily=daily, start=START, oddities=odd
            )
        )
    )
