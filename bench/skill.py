"""`make skill`: forecasts of sessions that were not learned from, over real history, beside persistence.

Each fold is a process of its own. What it forecast is kept in the folder of `--work`, below the name of all
that it depends on (`bench.skill_key`), and what is there is not done again: nothing of other code or files.
Without a folder everything is done, and nothing is kept. Nothing is chosen here, and the last test is left
alone unless it is asked for.
"""

import argparse
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pandas as pd

from bench import report_skill
from bench.processes import part, say
from bench.skill_fold import CANDIDATES, days_of, folds_of
from bench.skill_key import basis
from bench.skill_measures import measures, populations
from bench.skill_rows import load

HALVES = pd.Timestamp("2024-10-01")
"""The last test is told in two halves, too."""
AVERAGED = pd.Timestamp("2025-03-20")
"""From here to the end of the files the close was the average price of the last 15 minutes."""
LAST_TEST, CHOOSING = "last test", "choosing"
GROUPED = "blend"
"""The candidate that is told by groups of rows as well."""


class Period(NamedTuple):
    """Forecasts that are measured together."""

    name: str
    kind: str
    """LAST_TEST or CHOOSING."""
    told: pd.DataFrame


def run(work: Path, *, last_test: bool) -> dict[str, Any]:
    """Do what is not done yet in a folder; returns the figures of all of it."""
    rows = work / "rows.parquet"
    described = work / "rows.json"
    if not described.exists():  # it is written last: rows without it are those of a run that was killed
        flags = ["--last-test"] if last_test else []
        described.write_bytes(orjson.dumps(part("bench.skill_rows", rows, *flags)))
    market = orjson.loads(described.read_bytes())
    folds = folds_of(days_of(load(rows, ())))
    names = {kind: [fold.name for fold in some] for kind, some in folds.items()}
    for fold in chain(*names.values()):
        part("bench.skill_fold", rows, fold, work)
    took = {name: took_by(work, name, [*chain(*names.values())]) for name in CANDIDATES}
    return {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "market": market,
        "folds": {kind: [list(map(str, fold)) for fold in _spans(some)] for kind, some in folds.items()},
        "peak": max([market["peak"], *(one["peak"] for folds in took.values() for one in folds.values())]),
        "machine": report_skill.measured_on(),
        "took": took,
        "periods": {name: measured(work, name, names) for name in CANDIDATES},
    }


def _spans(folds: list[Any]) -> list[tuple[Any, ...]]:
    return [(fold.name, fold.since, fold.until) for fold in folds]


def measured(work: Path, candidate: str, names: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Measure a candidate in every period, by kinds of rows; by groups only the product's own."""
    found: dict[str, dict[str, Any]] = {}
    for period in periods({kind: _read(work, candidate, some) for kind, some in names.items()}):
        say(f"measuring: {candidate}, {period.name}")
        cut = list(populations(period.told))[: None if candidate == GROUPED else 2]
        found[period.name] = {"kind": period.kind, **{name: measures(told) for name, told in cut}}
    return found


def took_by(work: Path, candidate: str, names: list[str]) -> dict[str, dict[str, float]]:
    """Read how long a candidate took, and the MB that were held for it, by fold."""
    return {name: orjson.loads((work / f"{name}.{candidate}.json").read_bytes()) for name in names}


def periods(told: dict[str, pd.DataFrame]) -> Iterator[Period]:
    """Cut forecasts into what is told: each year and all of them; the last test, its halves and its end."""
    choosing = told[CHOOSING]
    for year, rows in choosing.groupby("fold"):
        yield Period(str(year), CHOOSING, rows)
    yield Period("all years", CHOOSING, choosing)
    if LAST_TEST in told:
        last = told[LAST_TEST]
        day = last["target_date"]
        yield Period("until 2024-09", LAST_TEST, last[day < HALVES])
        yield Period("from 2024-10", LAST_TEST, last[day >= HALVES])
        yield Period("from 2025-03-20", LAST_TEST, last[day >= AVERAGED])
        yield Period(LAST_TEST, LAST_TEST, last)


def _read(work: Path, candidate: str, names: list[str]) -> pd.DataFrame:
    found = [pd.read_parquet(work / f"{name}.{candidate}.parquet") for name in names]
    return pd.concat(found, ignore_index=True)


def main() -> None:
    """Measure, tell, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.skill", description=__doc__)
    parser.add_argument(
        "--last-test", action="store_true", help="the daily files too, once nothing is chosen any more"
    )
    parser.add_argument("--write", action="store_true", help="write docs/reference/skill.md and skill.json")
    parser.add_argument("--work", type=Path, help="keep features and forecasts there, and use what is there")
    parser.add_argument("--page", action="store_true", help="write the page again from skill.json, and end")
    options = parser.parse_args()
    if options.page:
        report_skill.PAGE.write_text(report_skill.page(orjson.loads(report_skill.FIGURES.read_bytes())))
        return
    with tempfile.TemporaryDirectory(prefix="nepse-skill-") as temporary:
        work = (options.work or Path(temporary)) / basis(last_test=options.last_test)
        work.mkdir(parents=True, exist_ok=True)
        figures = run(work, last_test=options.last_test)
    page = report_skill.page(figures)
    print(page)
    if options.write:
        report_skill.PAGE.write_text(page)
        report_skill.FIGURES.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
