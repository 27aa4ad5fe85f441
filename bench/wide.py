"""`python -m bench wide`: ingestion, backfill and feature table over a market of ten times the symbols.

Every symbol trades ten times, under names of their own. The same commands as in `python -m bench backfill`,
on a stack of its own; only what could grow with the market's size is measured.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench import market
from bench.backfill import PARTS, nepse, require, table_of
from bench.processes import part
from bench.servers import servers
from bench.standin import idle_loop
from infra.settings import Settings

COPIES = 10


@dataclass
class Figures:
    """What was measured, as JSON types."""

    market: dict[str, Any] = field(default_factory=dict)
    ingest: dict[str, float] = field(default_factory=dict)
    backfill: dict[str, float] = field(default_factory=dict)
    table: dict[str, float] = field(default_factory=dict)
    """The feature table, filled from the topic."""


def measure(sessions: int | None, copies: int = COPIES) -> Figures:
    """Ingest the market or its last sessions, fill its features, and the feature table from these."""
    figures = Figures()
    with servers(*PARTS) as settings, idle_loop(settings):
        first, last = prepare(settings, figures, sessions, copies)
        figures.ingest = nepse(settings, "ingest", str(table_of(settings))).figures()
        filled = nepse(settings, "backfill", "--from", first, "--to", last)
        figures.backfill = filled.figures() | {"vectors": json.loads(filled.words)["published"]}
        figures.table = part("bench.backfill", "fill", settings.home)
        require(figures.table["rows"] == figures.backfill["vectors"], figures.table)
    return figures


def prepare(settings: Settings, figures: Figures, sessions: int | None, copies: int) -> tuple[str, str]:
    """Write the wide market as one price table; tells its first and its last session."""
    found = market.load(sessions)
    rows = repeated(found.rows(), copies)
    rows.to_parquet(table_of(settings), index=False)
    figures.market = {
        "source": found.source,
        "copies": copies,
        "rows": len(rows),
        "symbols": rows["symbol"].nunique(),
        "sessions": len(found.days),
    }
    return str(found.days[0][0]), str(found.days[-1][0])


def repeated(rows: pd.DataFrame, copies: int) -> pd.DataFrame:
    """Put copies of all rows beside them, their symbols under names of their own; by symbol, then by date."""
    width = len(str(copies - 1))
    copied = (rows.assign(symbol=rows["symbol"] + f"~{number:0{width}}") for number in range(copies))
    frame = pd.concat(copied, ignore_index=True)
    return frame.sort_values(["symbol", "date"], ignore_index=True, kind="stable")
