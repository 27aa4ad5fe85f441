"""Files as an exchange leaves them, and the sessions that they hold: the real ones, else simulated ones."""

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from tasks.core.simulator import write_market

PHANTOMS = {date(2011, 6, 20), date(2016, 9, 3)}
"""Days of the real history that are no sessions: all their rows are those of a neighbour."""
SEED, SYMBOLS, SESSIONS, DAILY = 20240304, 40, 90, 45


@dataclass(frozen=True)
class Folder:
    """A price history, the daily files after it in the order of their names, and which session each holds."""

    history: Path
    files: list[Path]
    sessions: list[date]
    """The session of each file."""
    told: str

    @property
    def days(self) -> set[date]:
        """All sessions: those of the history but for its phantoms, and those of the files."""
        days = pd.read_parquet(self.history, columns=["date"])["date"]
        return {*pd.to_datetime(days).dt.date, *self.sessions} - PHANTOMS


def folder(data: str | None, place: Path, *, recent: int | None = None) -> Folder:
    """Take the exchange's files where `data` is a folder of them, else write a market into `place`.

    With `recent` the history is cut to its last sessions.
    """
    source = Path(data) if data else place
    if not data:
        for name, content in write_market(sessions=SESSIONS, symbols=SYMBOLS, seed=SEED, daily=DAILY):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
    history = source / "history.parquet"
    if recent:
        history = _cut(history, recent, place / "recent.parquet")
    lines = sorted(
        csv.DictReader(io.StringIO((source / "manifest.csv").read_text())), key=lambda x: x["file"]
    )
    files = [next(source.rglob(line["file"])) for line in lines]
    days = [date.fromisoformat(line["data_date"]) for line in lines]
    return Folder(history, files, days, "the exchange's files" if data else "simulated files")


def _cut(history: Path, sessions: int, target: Path) -> Path:
    table = pd.read_parquet(history)
    table[table["date"].isin(sorted(table["date"].unique())[-sessions:])].to_parquet(target, index=False)
    return target
