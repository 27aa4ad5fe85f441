"""The command for the feature table's upkeep: maintain."""

from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.data import progress


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(maintain)


def maintain(
    context: typer.Context,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, max=3_650, help="Any version stays readable so long.")
    ] = 30,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Compact the feature table, and forget old versions that no model was trained on.

    Errors that monitor looks back at no more, after 400 days, are forgotten as well. The loop goes on
    meanwhile. It also happens by itself, every week at night.

    Example: nepse maintain --keep-days 7
    """
    from infra.prefect_runs import run_here  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    with progress("maintaining the feature table"):
        report: dict[str, Any] = run_here(settings, "maintain/maintain", {"keep_days": keep_days})
    if as_json:
        shared.print_json(report)
    else:
        shared.out.print(report["message"], highlight=False, markup=False, soft_wrap=True)
