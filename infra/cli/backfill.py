"""The command that computes past sessions again: backfill."""

import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.data import progress
from infra.errors import UsageError


class Flow(StrEnum):
    """What is computed again."""

    FEATURES = "features"
    PREDICTIONS = "predictions"
    ERRORS = "errors"


EVENTS = {
    Flow.FEATURES: "feature vectors",
    Flow.PREDICTIONS: "predictions",
    Flow.ERRORS: "predictions without an error",
}


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(backfill)


def backfill(
    context: typer.Context,
    start: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First session.", show_default=False)
    ],
    end: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last session.", show_default=False)
    ],
    symbols: Annotated[
        list[str] | None,
        typer.Option(help="Only these; separated by commas, or given again.", show_default=False),
    ] = None,
    flow: Annotated[Flow, typer.Option(help="What to compute again; the rest follows.")] = Flow.FEATURES,
    force: Annotated[bool, typer.Option("--force", help="Also what is there and the same.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    dask: Annotated[
        str | None,
        typer.Option(
            help="A Dask scheduler's address, or 'local'; NEPSE_DASK without it.", show_default=False
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Hand it to the worker and return.")] = False,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Publish what is missing or different of past sessions; what follows does so through the live flows.

    Broken off, it goes on where it stopped when it is asked for the same again. It waits while the live loop
    has much to do.

    Example: nepse backfill --from 2024-01-01 --to 2024-01-31 --symbols NABIL,UPPER --dry-run
    """
    from infra import prefect_runs  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    parameters = _parameters(start, end, symbols, flow) | {"force": force, "dry_run": dry_run, "dask": dask}
    if detach:
        run_id, url = prefect_runs.submit(settings, "backfill/backfill", parameters)
        _say(as_json, {"run_id": str(run_id), "url": url}, f"handed to the worker: {url}")
        return
    began = time.monotonic()
    with progress("recomputing"):
        found = prefect_runs.run_here(settings, "backfill/backfill", parameters)
    _say(as_json, found, f"{_sentence(found, flow)}, {time.monotonic() - began:.1f} s")
    _tell_more(found, parameters["symbols"])


def _parameters(start: datetime, end: datetime, symbols: list[str] | None, flow: Flow) -> dict[str, Any]:
    """Give what the deployment is asked for.

    Raises:
        UsageError: the range ends before it begins.
    """
    first, last = f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    if end < start:
        message = f"--to {last} is before --from {first}"
        raise UsageError(message)
    return {"start": first, "end": last, "symbols": _split(symbols), "flow": flow.value}


def _tell_more(found: dict[str, Any], asked: list[str] | None) -> None:
    """Say on standard error what to look at next."""
    if asked and not found["computed"]:
        shared.err.print(_nothing_of(asked), highlight=False, markup=False)
    if found["published"]:
        caught_up = "nepse lag, until the live flows have caught up"
        again = "the same without --dry-run" if found["dry_run"] else caught_up
        shared.err.print(f"next: {again}", highlight=False)


def _sentence(found: dict[str, Any], flow: Flow) -> str:
    done = "to publish (dry run)" if found["dry_run"] else "published"
    before = f" (after {found['blocks_done_before']} blocks of an earlier run)" if found["resumed"] else ""
    return f"{found['sessions']} sessions looked at{before}, {found['published']} {EVENTS[flow]} {done}"


def _nothing_of(symbols: list[str]) -> str:
    """Say why nothing was computed: a misspelt symbol would otherwise look like one that lacks nothing."""
    return f"nothing is known of {', '.join(symbols)} in these sessions"


def _split(symbols: list[str] | None) -> list[str] | None:
    parts = [part.strip() for text in symbols or [] for part in text.split(",")]
    return [part for part in parts if part] or None


def _say(as_json: bool, value: dict[str, Any], text: str) -> None:
    if as_json:
        shared.print_json(value)
    else:
        shared.out.print(text, highlight=False, markup=False, soft_wrap=True)
