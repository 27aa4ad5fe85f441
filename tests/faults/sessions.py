"""What a campaign feeds: real sessions, or the simulator's, of some of the market's shares."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from infra.inputs import InputFile
from infra.kafka.records import Outgoing
from tasks.core.simulator import Oddities, write_market
from tasks.reading import Session, read_sessions

HISTORY = 75
"""Sessions that are there before the first fault: a model can be trained on them."""
SHARES = 100
"""The most traded ones: the checker reads everything again and again."""
SEED, SYMBOLS, SESSIONS = 20230601, 12, 330


@dataclass(frozen=True)
class Market:
    """A price history of the last sessions and the most traded shares."""

    table: pd.DataFrame

    def sessions(self) -> list[Session]:
        """Split it, oldest first."""
        days = pd.to_datetime(self.table["date"]).dt.date
        content = self.file(days.min(), days.max())
        found, _ = read_sessions.fn([InputFile("history.parquet", content)], days.min(), days.max())
        return found

    def file(self, since: date, until: date) -> bytes:
        """Write some of its sessions as the exchange's history table."""
        days = pd.to_datetime(self.table["date"]).dt.date
        target = io.BytesIO()
        self.table[(days >= since) & (days <= until)].to_parquet(target, index=False)
        return target.getvalue()


def market(data: str | None) -> Market:
    """Take a price history: the exchange's where there is a folder of it, else the simulator's."""
    if data:
        content = (Path(data) / "history.parquet").read_bytes()
    else:
        files = write_market(sessions=SESSIONS, symbols=SYMBOLS, seed=SEED, daily=0, oddities=Oddities.none())
        content = dict(files)["history.parquet"]
    table = pd.read_parquet(io.BytesIO(content))
    newest = table[table["date"].isin(sorted(table["date"].unique())[-SESSIONS:])]
    traded = newest.groupby("symbol").size().sort_values(ascending=False, kind="stable").index[:SHARES]
    return Market(newest[newest["symbol"].isin(traded)].reset_index(drop=True))


@dataclass
class Collected:
    """Stands in for a source: keeps the records instead of publishing them."""

    records: list[Outgoing] = field(default_factory=list)

    def publish(self, records: Iterable[Outgoing]) -> int:
        """Keep them."""
        self.records += records
        return len(self.records)
