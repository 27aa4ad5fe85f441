"""Commands that move prices: ingest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from infra.cli import shared
from infra.errors import RejectError

Line = dict[str, Any]
REFUSED = "refused: "
LINES_A_FILE = 20
"""A file with more sessions than this, a history table, is told in one line."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(ingest)


def ingest(
    context: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH_OR_URL...", help="Files, folders, patterns, URLs, s3:// or github:// places."
        ),
    ],
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Read daily files and price histories, CSV or parquet, and announce every session that is new.

    A file that repeats a session is skipped; one that is no price file is refused, the others go on.

    Example: nepse ingest prices/2024_03_04.csv prices/daily https://host/2024_03_05.csv
    """
    from infra.addresses import absolute  # noqa: PLC0415
    from infra.prefect_runs import run_here  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    with progress("ingesting"):
        lines: list[Line] = run_here(settings, "ingest/ingest", {"paths": [absolute(p) for p in places]})
    if as_json:
        shared.print_json(lines)
    else:
        _tell(lines)
    _require_accepted(lines)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show on standard error how far a run in this process is, where a person can see it."""
    from infra.progress import listening  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = Progress(
        *columns,
        TimeElapsedColumn(),
        console=shared.err,
        transient=True,
        disable=not shared.err.is_terminal,
    )
    with shown:
        bar = shown.add_task(what, total=None)
        with listening(
            lambda name, done, total: shown.update(bar, description=name, completed=done, total=total)
        ):
            yield


def _tell(lines: list[Line]) -> None:
    by_file: dict[str, list[Line]] = {}
    for line in lines:
        by_file.setdefault(line["file"], []).append(line)
    for file, found in by_file.items():
        for line in [_summed(file, found)] if len(found) > LINES_A_FILE else found:
            shared.out.print(_sentence(line), highlight=False, markup=False, soft_wrap=True)
    if any(line["events"] for line in lines):
        shared.err.print("next: nepse lag, then nepse tail predictions --from-beginning", highlight=False)


def _sentence(line: Line) -> str:
    if line["note"].startswith(REFUSED):
        return shared.plain(line["note"])  # the reason names the file
    if not line["events"]:
        return shared.plain(f"{line['file']}: {line['note']}")
    counts = f"{line['accepted']} rows accepted, {line['rejected']} rejected, {line['events']} events sent"
    note = f" ({line['note']})" if line["note"] else ""
    return shared.plain(f"{line['file']}: session {line['session']}, {counts}{note}")


def _summed(file: str, lines: list[Line]) -> Line:
    """Add a long table's lines up."""
    days = sorted(line["session"] for line in lines if line["session"])
    skipped = sum(not line["events"] for line in lines)
    total = {what: sum(line[what] for line in lines) for what in ("accepted", "rejected", "events")}
    note = f"{len(lines) - skipped} sessions new, {skipped} skipped"
    return {"file": file, "session": f"{days[0]} to {days[-1]}" if days else None, **total, "note": note}


def _require_accepted(lines: list[Line]) -> None:
    """End with a failure when a file was refused, after the others were told.

    Raises:
        RejectError: at least one file could not be used.
    """
    refused = [line["note"] for line in lines if line["note"].startswith(REFUSED)]
    if refused:
        # a line without rows that sent events is of a session that a file corrected
        files = len({line["file"] for line in lines if line["accepted"] or not line["events"]})
        message = f"{len(refused)} of {files} files refused, first {shared.plain(refused[0][len(REFUSED) :])}"
        raise RejectError(message)
