"""Rows that skill is measured on: the exchange's sessions as the product reads them, features and outcomes.

`python -m bench.skill_rows FILE [--last-test]` writes them, in this process, and says its figures.
"""

import argparse
import math
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.market import Days
from bench.ourside import blocks
from bench.processes import peak, tell
from infra.inputs import InputFile
from infra.settings import Settings
from tasks.core import features
from tasks.core.catalogue import LEARNED
from tasks.core.dataset import RETURN, with_target
from tasks.core.panel import Panel
from tasks.core.places import Listed, Places
from tasks.core.training_rows import TrainingRows
from tasks.reading import read_sessions

CHAPTER = ("Close_Lag_1", "SMA_20", "RSI", "Volume_Z_Score")
"""The features of the chapter that this project began with."""
LIQUIDITY = "turnover_mean_20"
"""What says how much of a symbol is traded."""
CHOSEN_UNTIL = date(2024, 3, 3)
"""Last session whose outcome choices may rest on, the last of the history; daily files are the last test."""
NEWEST = date(2025, 4, 30)
"""Nothing after it is read: it is kept for a judgement by others."""
NAMES = tuple(dict.fromkeys((*LEARNED, *CHAPTER)))


def sessions(*, last_test: bool) -> Days:
    """Read the exchange's files and place their sessions as an ingestion does.

    Raises:
        SystemExit: NEPSE_DATA names no folder with a history, or a session lies after `NEWEST`.
    """
    folder = Path(Settings().data or "nowhere")
    paths = [folder / "history.parquet", *(sorted((folder / "daily").glob("*.csv")) if last_test else [])]
    if not paths[0].is_file():
        message = (
            "skill is measured on the exchange's files: NEPSE_DATA names no folder with a history.parquet"
        )
        raise SystemExit(message)
    found, _ = read_sessions.fn([InputFile(path.name, path.read_bytes()) for path in paths], date.min, NEWEST)
    places = Places(Listed())
    for one in found:
        places.take(one.claim())
    days = [(known.day, known.claim.rows()) for known in places.held]
    if days[-1][0] > (NEWEST if last_test else CHOSEN_UNTIL):
        message = f"there is a session of {days[-1][0]}, which is not to be looked at"
        raise SystemExit(message)
    return days


def write_rows(days: Days, target: Path) -> int:
    """Compute the features of all sessions, block by block, and write them with what came; returns the rows.

    Columns: symbol, date, target_date, last_close (rupees), target (the model's: a reference-adjusted log
    return, missing outside the band), raw (log return of the closes themselves), liquidity, and NAMES in
    single precision. A row whose symbol did not trade in the next session has no outcome, and is left out.
    """
    keys, parts = [], target.with_suffix(".parts")
    panel = Panel.from_sessions(days)
    with _Writer(parts) as writer:
        for start, stop in blocks(panel, 1):
            before = max(0, start - features.WINDOW + 1)
            cut = panel.before(panel.dates[stop]) if stop < len(panel) else panel
            found = features.compute(cut.tail(stop - before), panel.dates[start])
            keys.append(found[["symbol", "date", "last_close", RETURN, LIQUIDITY]])
            writer.add(found)
    known = outcomes(pd.concat(keys, ignore_index=True))
    columns = pq.read_table(parts, memory_map=True).take(known.index.to_numpy())
    whole = pa.Table.from_pandas(known, preserve_index=False)
    for name in NAMES:
        whole = whole.append_column(name, columns[name])
    pq.write_table(whole, target)
    parts.unlink()
    return len(known)


class _Writer:
    """Writes features as they come; memory holds a block of them."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        self._file = pq.ParquetWriter(path, pa.schema([(name, pa.float32()) for name in NAMES]))

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the file."""
        self._file.close()

    def add(self, frame: pd.DataFrame) -> None:
        """Write some rows."""
        single = {name: frame[name].to_numpy(np.float32) for name in NAMES}
        self._file.write_table(pa.table(single))


def outcomes(keys: pd.DataFrame) -> pd.DataFrame:
    """Add what came in the market's next session, where the symbol traded in it; labels stay.

    Args:
        keys: symbol, date (datetime.date), last_close, RETURN and LIQUIDITY of all rows.
    """
    dated = keys.assign(date=pd.to_datetime(keys["date"]).astype("datetime64[us]"), feature_set="")
    told = with_target(dated, keys["date"].max(), "")
    after = dated[["symbol", "date", "last_close"]].set_axis(["symbol", "target_date", "next_close"], axis=1)
    found = told.merge(after, on=["symbol", "target_date"], how="left").set_axis(told.index)
    found["raw"] = np.log(found["next_close"] / found["last_close"])
    kept = found[found["raw"].notna()].rename(columns={LIQUIDITY: "liquidity"})
    return kept[["symbol", "date", "target_date", "last_close", "target", "raw", "liquidity"]]


def load(file: Path, names: Sequence[str]) -> TrainingRows:
    """Read rows with some of their features."""
    keys = pd.read_parquet(
        file, columns=["symbol", "date", "target_date", "last_close", "target", "raw", "liquidity"]
    )
    table = pq.read_table(file, columns=list(names))
    return TrainingRows.gathered(keys, names, lambda name: table[name].to_numpy())


def main() -> None:
    """Write the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.skill_rows", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--last-test", action="store_true", help="the daily files too")
    options = parser.parse_args()
    began = time.perf_counter()
    days = sessions(last_test=options.last_test)
    written = options.file.with_suffix(".new")
    rows = write_rows(days, written)
    written.rename(options.file)
    seconds = math.ceil(time.perf_counter() - began)
    symbols = len({symbol for _, one in days for symbol in one["symbol"]})
    span = [str(days[0][0]), str(days[-1][0])]
    tell(
        {
            "rows": rows,
            "sessions": len(days),
            "symbols": symbols,
            "span": span,
            "seconds": seconds,
            "peak": peak(),
        }
    )


if __name__ == "__main__":
    main()
