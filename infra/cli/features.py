"""The command that shows a symbol's features: features."""

from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from infra.cli import shared

if TYPE_CHECKING:
    from infra.settings import Settings

WIDE = 1_000
"""Columns where the output goes to a file or a pipe: nothing is wrapped."""

DIGITS = 7
"""As many as a feature keeps on the wire."""

Vector = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(features)


def features(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="As the exchange writes it; quote one with spaces.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="The newest vector of this session or before, from the feature table.",
            show_default=False,
        ),
    ] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Show a symbol's newest features, or those known after the close of an earlier date.

    With what each of them is, where the vector is of the feature set that this program computes.

    Example: nepse features "NICAD 85/86" --as-of 2024-03-04 --json
    """
    found = _found(shared.settings_of(context, home), symbol, as_of)
    if as_json:
        shared.print_json(found)
        return
    _show(found)
    again = f"nepse lineage {quote(found['symbol'])} {found['session']}"
    shared.err.print(f"next: {again}", highlight=False, markup=False, soft_wrap=True)


def _found(settings: "Settings", symbol: str, as_of: datetime | None) -> Vector:
    """Ask the read side for the newest vector, the feature table for an older one."""
    from infra.cli.reach import core, reading  # noqa: PLC0415

    found: Vector
    symbol = core("symbols").canonical(symbol)
    if as_of is None:
        shared.listens("database", *_address(settings.postgres("nepse"), 5432))
        found = reading("feature_store").newest_vector(settings, symbol)
    else:
        from infra.feature_table import FeatureTable  # noqa: PLC0415

        shared.listens("object store", *_address(settings.s3_url, 443))
        found = reading("feature_store").vector_as_of(FeatureTable(settings), symbol, as_of.date())
    return found


def _address(url: str, default: int) -> tuple[str, int]:
    """Take host and port out of a URL, which may hold a password."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else default)


def _show(found: Vector) -> None:
    console = shared.out if shared.out.is_terminal else Console(width=WIDE)
    facts = [f"session {found['session']}", f"feature set {found['feature_set']}"]
    facts += [f"revision {found['revision']}", f"last close {_number(found['last_close']) or 'unknown'}"]
    told = f"{found['symbol']}: {', '.join(facts)} ({found['place']}, from {found['read_from']})"
    console.print(shared.plain(told), highlight=False, markup=False, soft_wrap=True)
    console.print(_table(found))


def _table(found: Vector) -> Table:
    """Build the table of features; a value that is not known is left empty."""
    meanings = _meanings(found["feature_set"])
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("feature", "value", "unit", "what it is"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for name, value in found["features"].items():
        cells = (name, _number(value), *meanings.get(name, ("", "")))
        table.add_row(*(shared.escape(shared.plain(cell)) for cell in cells))
    return table


def _meanings(feature_set: str) -> dict[str, tuple[str, str]]:
    """Tell unit and formula by name; nothing of another set, where a name may stand for another formula."""
    from infra.cli.reach import core  # noqa: PLC0415

    if feature_set != core("features").FEATURE_SET:
        return {}
    return {entry.name: (entry.unit, entry.formula) for entry in core("catalogue").FEATURE_TABLE}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}g}"
