"""The command that writes a simulated market."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from infra.cli import shared
from infra.cli.data import progress
from infra.errors import RejectError, UsageError

FIRST_DAY = datetime(2021, 1, 3)  # noqa: DTZ001  (a date)
"""Start of a simulated market."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(simulate)


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; new or empty.")],
    sessions: Annotated[int, typer.Option(min=2, max=10_000, help="Sessions in all.")] = 300,
    symbols: Annotated[int, typer.Option(min=1, max=20_000, help="Instruments.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same files.")] = 1,
    live: Annotated[int, typer.Option(min=0, help="Of the sessions, how many come as daily files.")] = 10,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.", show_default="2021-01-03")
    ] = FIRST_DAY,
    oddities: Annotated[
        str,
        typer.Option(metavar="all|usual|none|NAME,...", help="Which oddities of the real files to write."),
    ] = "usual",
    table: Annotated[Literal["parquet", "csv"], typer.Option(help="Format of the history.")] = "parquet",
) -> None:
    """Write a made-up market in the exchange's layouts: the history, daily/*.csv, and the truth about them.

    manifest.csv tells which session each daily file really holds, adjustments.csv what happened to prices.
    A name that there is not, such as --oddities help, lists those that there are.

    Example: nepse simulate market --sessions 400 --symbols 30 --seed 7 --live 5

    Example: nepse simulate market --start 2019-01-01 --oddities all

    Example: nepse simulate market --live 60 --oddities stale,misdated,partial
    """
    from infra.cli.reach import core  # noqa: PLC0415

    if live >= sessions:
        message = f"--live {live} leaves no history: --sessions {sessions} has to be more"
        raise UsageError(message)
    market = {"sessions": sessions, "symbols": symbols, "seed": seed, "start": start.date(), "daily": live}
    files, size, places = 0, 0, set[str]()
    with progress("writing files"):
        odd = _oddities(core("oddities"), oddities)
        _require_empty(folder)
        for name, content in core("simulator").write_market(**market, oddities=odd, table=table):
            size += _write(folder / name, content)
            files += 1
            places.add(name.split("/")[0])
    shared.out.print(
        f"{folder}: {files} files, {size:,} bytes", highlight=False, markup=False, soft_wrap=True
    )
    shared.err.print(f"next: {_next(folder, places)}", highlight=False, markup=False, soft_wrap=True)


def _next(folder: Path, places: set[str]) -> str:
    """What to do with a market: files that are made from the same prices again are not ingested."""
    if "company-wise" in places:
        mine = sorted(place for place in places if place == "daily" or place.startswith("history"))
        return "nepse ingest " + " ".join(str(folder / place) for place in mine)
    return f"nepse ingest {folder}, or nepse demo --data {folder}"


def _oddities(known: Any, text: str) -> Any:
    """Read the option.

    Raises:
        UsageError: there is no such oddity; the message lists those that there are.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    sets = {"all": list(known.CATALOGUE), "usual": list(known.USUAL), "none": []}
    try:
        return known.Oddities.of([one for name in names for one in sets.get(name, [name])])
    except ValueError as error:
        raise UsageError(str(error)) from error


def _require_empty(folder: Path) -> None:
    """Refuse to mix two markets.

    Raises:
        RejectError: there is something in the folder, or it is none.
    """
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is not a folder"
        raise RejectError(message)
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is not empty: name a new folder, so that two markets are not mixed"
        raise RejectError(message)


def _write(path: Path, content: bytes) -> int:
    """Write one file; a full or read-only disk becomes a sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.write_bytes(content)
    except OSError as error:
        message = f"can't write {path}: {error.strerror}"
        raise RejectError(message) from error
