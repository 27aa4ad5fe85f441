"""The exchange's real files where the setting NEPSE_DATA points to them; they are no part of the project."""

import csv
import io
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from infra.settings import Settings
from tasks.core.prices import read_daily, read_prices


def real_folder() -> Path:
    """Folder of the real files; the test is skipped, and says why, where there is none."""
    where = Settings().data
    if where is None or not (Path(where) / "manifest.csv").is_file():
        pytest.skip("no real exchange files: NEPSE_DATA names no folder with a manifest.csv")
    return Path(where)


def manifest(folder: Path) -> list[dict[str, str]]:
    """What is true of each daily file."""
    return list(csv.DictReader(io.StringIO((folder / "manifest.csv").read_text())))


def real_sessions() -> dict[date, pd.DataFrame]:
    """Every real session, history and first appearances of daily ones, as tidy frames."""
    folder = real_folder()
    history = read_prices((folder / "history.parquet").read_bytes(), "history.parquet")
    found = {day: content.rows for day, content in history if day}
    for line in manifest(folder):
        if line["repeats_previous_session"] == "False":
            content = read_daily((folder / "daily" / line["file"]).read_bytes(), line["file"])
            found[date.fromisoformat(line["data_date"])] = content.rows
    return found
