"""Where the demo's prices come from: the user's folder or URL, or the project's own simulator."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from infra.cli.reach import core
from infra.errors import UsageError
from infra.inputs import read_inputs
from infra.settings import Settings

HISTORY_SESSIONS = 750
SIMULATED_SYMBOLS = 300
SEED = 20210103
DAILY_BEFORE = 20
"""Simulated sessions that come as daily files before those that are played."""


@dataclass(frozen=True)
class Source:
    """The places to ingest, and which part of them is history."""

    place: str
    table: str
    daily: str
    plan: Any


def prepare(settings: Settings, data: str | None, live: int) -> Source:
    """Find the files (writing a simulated market where none are given) and split them.

    Raises:
        UsageError: the folder holds no history.parquet with daily files beside it, or too few sessions.
    """
    place = (data or _simulated(settings, live)).rstrip("/")
    table, daily = f"{place}/history.parquet", f"{place}/daily"
    content = read_inputs(settings, [table])[0].content
    files = [(_below(file.path), file.content) for file in read_inputs(settings, [daily])]
    recent = partial(core("prices").read_prices, content, table)
    try:
        plan = core("rehearsal").plan(_rows_by_session(content), recent, files, live, HISTORY_SESSIONS)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Source(place, table, daily, plan)


def _below(path: str) -> str:
    """Name a daily file by its path from `daily/` on: one in a folder there may have another's name."""
    return path.rpartition("/daily/")[2]


def _simulated(settings: Settings, live: int) -> str:
    folder = settings.home / "market"
    files = core("simulator").write_market(
        sessions=HISTORY_SESSIONS + live, symbols=SIMULATED_SYMBOLS, seed=SEED, daily=live + DAILY_BEFORE
    )
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)


def _rows_by_session(table: bytes) -> dict[date, int]:
    import io  # noqa: PLC0415

    import pandas as pd  # noqa: PLC0415  (heavy)

    days = pd.read_parquet(io.BytesIO(table), columns=["date"])["date"]
    counts = pd.to_datetime(days).dt.date.value_counts()
    return dict(zip(counts.index.tolist(), counts.tolist(), strict=True))
