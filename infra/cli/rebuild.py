"""The command that drops what can be rebuilt, and rebuilds it: rebuild."""

import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.data import progress
from infra.errors import UnsoundError, UsageError

SHOWN = 12
"""Digits of a digest that a person gets to see."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(rebuild)


def rebuild(
    context: typer.Context,
    features: Annotated[bool, typer.Option("--features", help="Also the feature table on S3.")] = False,
    join: Annotated[
        bool, typer.Option("--join", help="Drop nothing: only fill the join's memory again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Drop the read side, rebuild it from the topics, and prove that the same came out.

    The loop goes on meanwhile. A rebuild that was interrupted is run again.

    Example: nepse rebuild --features --yes
    """
    from infra.prefect_runs import run_here  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    if not join:
        _require_consent(yes, "the read side and the feature table" if features else "the read side")
    try:
        with progress("rebuilding"):
            report: dict[str, Any] = run_here(
                settings, "rebuild/rebuild", {"features": features, "join": join}
            )
    except UnsoundError as error:
        _show(error.report, as_json)
        raise
    _show(report, as_json)


def _require_consent(yes: bool, what: str) -> None:
    """Ask a person before anything is dropped.

    Raises:
        UsageError: nobody is there to ask, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        message = f"this drops {what} and rebuilds it: give --yes where nobody can be asked"
        raise UsageError(message)
    if not typer.confirm(f"Drop {what} and rebuild it from the topics?", err=True):
        message = "nothing was dropped"
        raise UsageError(message)


def _show(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        shared.print_json(report)
        return
    if report["tables"]:
        _show_tables(report["tables"])
    shared.out.print(report["message"], highlight=False, markup=False)


def _show_tables(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("table", "rows before", "rows after", "digest before", "digest after", ""):
        table.add_column(name, justify="right" if name.startswith("rows") else "left")
    for row in rows:
        said = row["note"] or ("same" if row["same"] else "DIFFERENT")
        digests = (row["digest_before"][:SHOWN], row["digest_after"][:SHOWN])
        table.add_row(row["table"], str(row["rows_before"]), str(row["rows_after"]), *digests, said)
    shared.out.print(table)
