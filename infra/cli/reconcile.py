"""The command that proves the books: reconcile."""

from typing import Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.data import progress
from infra.errors import UnsoundError

COUNTED = (
    *("published", "dead_letters", "rerouted", "repeated", "silent"),
    *("joined", "expired", "waiting", "unknown", "lost", "pending"),
)


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(reconcile)


def reconcile(context: typer.Context, home: shared.Home = None, as_json: shared.AsJson = False) -> None:
    """Read all topics and prove that every input was accounted for exactly once; fails when it was not.

    Checks the ledger for gaps and overlaps, every input for its one outcome, every event for its cause, and
    looks for events made twice and for hanging transactions.

    Example: nepse reconcile --json
    """
    from infra.prefect_runs import run_here  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    try:
        with progress("reading topics"):
            report: dict[str, Any] = run_here(settings, "reconcile/reconcile", {})
    except UnsoundError as error:
        _show(error.report, as_json)
        raise
    _show(report, as_json)


def _show(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        shared.print_json(report)
        return
    shared.out.print(_accounts(report["accounts"]))
    for finding in report["findings"]:
        shared.out.print(_sentence(finding), highlight=False, markup=False, soft_wrap=True)
    if report["sound"]:
        shared.out.print(report["message"], highlight=False, markup=False, soft_wrap=True)


def _accounts(accounts: list[dict[str, Any]]) -> Table:
    """Build the table of outcomes; what no flow has is left out."""
    shown = [name for name in COUNTED if any(account[name] for account in accounts)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("flow", "input", "committed", *shown):
        table.add_column(name.replace("_", " "), justify="left" if name in {"flow", "input"} else "right")
    for account in accounts:
        place = f"{account['topic']}-{account['partition']}"
        counts = (str(account[name] or "") for name in shown)
        table.add_row(account["flow"], place, str(account["offsets"]), *counts)
    return table


def _sentence(finding: dict[str, Any]) -> str:
    text = f"{finding['kind']}: {finding['where']}: {finding['what']}"
    return shared.plain(f"{text} ({finding['advice']})" if finding["serious"] else f"note: {text}")
